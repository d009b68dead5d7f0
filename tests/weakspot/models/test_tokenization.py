"""What is trained on: exactly the expert's answer and its end of turn, whatever the template and the turns."""

import functools

import pytest

from weakspot.models import loading, tokenization
from weakspot.models.rendering import UntrainableExampleError
from weakspot.records import Message

pytestmark = pytest.mark.slow

ARGUMENTS = {"path": "a.py", "text": 'x = "é"\n'}
CALL = {"id": "c1", "type": "function", "function": {"name": "write", "arguments": ARGUMENTS}}
EARLIER = [
    {"role": "system", "content": "You write Python."},
    {"role": "user", "content": "Write a.py"},
    {"role": "assistant", "content": "I will.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "written"},
    {"role": "assistant", "content": "Done."},
]
TOOLS = [{"type": "function", "function": {"name": "write", "parameters": {"type": "object", "properties": {}}}}]
# By template: its end of turn, and the control tokens that its own tokenizer has and SmolLM2's lacks.
ENDS = {
    "qwen2_5": ("<|im_end|>", []),
    "qwen3": ("<|im_end|>", []),
    "qwen3_instruct_2507": ("<|im_end|>", []),
    "qwen3_vl": ("<|im_end|>", []),
    "llama3": ("<|eot_id|>", ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
    "phi3": ("<|end|>", ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|endoftext|>"]),
    "gemma3": ("<end_of_turn>", ["<bos>", "<start_of_turn>", "<end_of_turn>"]),
}


@pytest.fixture(scope="module")
def loaded(embedded):
    """Give SmolLM2's tokenizer with some more control tokens, once loaded for all tests."""

    @functools.cache
    def load(tokens):
        found = loading.load_tokenizer(embedded)
        if tokens:
            found.add_special_tokens({"additional_special_tokens": list(tokens)})
        return found

    return load


@pytest.fixture
def tokenizer(loaded):
    """A tokenizer, which a test may give another chat template."""
    found = loaded(())
    own = found.chat_template
    yield found
    found.chat_template = own


@pytest.fixture(params=["smollm2", *ENDS])
def templated(request, loaded, tokenizer, chat_template):
    """A tokenizer with one model's chat template, and the name of the template and its end of turn."""
    name = request.param
    if name == "smollm2":
        return tokenizer, name, "<|im_end|>"
    end, tokens = ENDS[name]
    found = loaded(tuple(tokens))
    found.chat_template = chat_template(name)
    return found, name, end


def trained_text(tokenizer, example, max_length=4096):
    one = tokenization.tokenize_example(tokenizer, example, max_length)
    return tokenizer.decode(one.ids[one.start :])


def test_the_trained_text_is_the_expert_answer_and_its_end_of_turn(templated, interaction):
    tokenizer, _, end = templated
    expert = "Call `sorted(items)`.\n\n```python\nsorted([3, 1])\n```"
    assert trained_text(tokenizer, interaction("How?", expert)) == expert + end


def test_earlier_turns_are_context_only(templated, interaction):
    tokenizer, name, end = templated
    if name == "gemma3":
        context = [turn for turn in EARLIER if turn["role"] in ("system", "user") or turn["content"] == "Done."]
    else:
        context = EARLIER
    example = interaction("Now sort it", "Use sorted.", context=context)
    one = tokenization.tokenize_example(tokenizer, example, 4096)
    assert tokenizer.decode(one.ids[one.start :]) == "Use sorted." + end
    prompt = tokenizer.decode(one.ids[: one.start])
    assert "Now sort it" in prompt
    assert "Done." in prompt


def test_the_local_answer_and_the_escalation_are_never_seen(templated, interaction):
    tokenizer, _, _ = templated
    one = tokenization.tokenize_example(tokenizer, interaction("How?", "So.", local="BADANSWER"), 4096)
    text = tokenizer.decode(one.ids)
    assert "BADANSWER" not in text
    assert "consult" not in text


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "qwen3_instruct_2507"])
def test_a_tool_call_is_trained_on_as_the_template_writes_it(name, tokenizer, chat_template, interaction):
    tokenizer.chat_template = chat_template(name)
    example = interaction("Write it", context=EARLIER, tools=TOOLS)
    expert = Message.model_validate({"role": "assistant", "content": "I write.", "tool_calls": [CALL]})
    example = example.model_copy(update={"messages": [*example.messages[:-1], expert]})
    call = '<tool_call>\n{"name": "write", "arguments": {"path": "a.py", "text": "x = \\"é\\"\\n"}}\n</tool_call>'
    assert trained_text(tokenizer, example) == f"I write.\n{call}<|im_end|>"
    one = tokenization.tokenize_example(tokenizer, example, 4096)
    assert "<tools>" in tokenizer.decode(one.ids[: one.start])


def test_a_template_without_tools_still_gets_the_calls(tokenizer, interaction):
    example = interaction("Write it")
    expert = Message.model_validate({"role": "assistant", "content": None, "tool_calls": [CALL]})
    example = example.model_copy(update={"messages": [*example.messages[:-1], expert]})
    call = '<tool_call>\n{"name": "write", "arguments": {"path": "a.py", "text": "x = \\"é\\"\\n"}}\n</tool_call>'
    assert trained_text(tokenizer, example) == f"{call}<|im_end|>"


def test_arguments_that_came_as_a_string_are_rendered_once(tokenizer, chat_template, interaction):
    tokenizer.chat_template = chat_template("qwen3")
    as_text = {"id": "c1", "function": {"name": "write", "arguments": '{"path": "a.py"}'}}
    context = [EARLIER[1], {"role": "assistant", "content": "", "tool_calls": [as_text]}, *EARLIER[3:]]
    one = tokenization.tokenize_example(tokenizer, interaction("Now?", "Yes.", context=context), 4096)
    assert '"arguments": {"path": "a.py"}}' in tokenizer.decode(one.ids)


def test_an_empty_thinking_block_is_context(tokenizer, chat_template, interaction):
    tokenizer.chat_template = chat_template("qwen3")
    one = tokenization.tokenize_example(tokenizer, interaction("How?", "So."), 4096)
    assert tokenizer.decode(one.ids[: one.start]).endswith("assistant\n<think>\n\n</think>\n\n")
    assert tokenizer.decode(one.ids[one.start :]) == "So.<|im_end|>"


def test_thoughts_that_the_expert_gave_are_trained_on(tokenizer, chat_template, interaction):
    tokenizer.chat_template = chat_template("qwen3")
    example = interaction("How?")
    expert = Message.model_validate({"role": "assistant", "content": "So.", "reasoning_content": "Hm."})
    example = example.model_copy(update={"messages": [*example.messages[:-1], expert]})
    assert trained_text(tokenizer, example) == "<think>\nHm.\n</think>\n\nSo.<|im_end|>"


def test_an_answer_that_the_template_would_rewrite_is_left_out(tokenizer, chat_template, interaction):
    tokenizer.chat_template = chat_template("qwen3")
    with pytest.raises(UntrainableExampleError, match="the chat template renders its prompt differently"):
        tokenization.tokenize_example(tokenizer, interaction("How?", "Write </think> after the thoughts."), 4096)


def test_an_answer_that_the_template_shortens_is_left_out(tokenizer, interaction):
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'][:9] }}{% endfor %}"
    with pytest.raises(UntrainableExampleError, match="rewritten by the chat template"):
        tokenization.tokenize_example(tokenizer, interaction("How?", "A longer answer."), 4096)


def test_a_text_with_a_control_token_is_left_out(tokenizer, interaction):
    with pytest.raises(UntrainableExampleError, match=r"control token <\|im_end\|>"):
        tokenization.tokenize_example(tokenizer, interaction("How?", "It ends with <|im_end|> there."), 4096)


def test_special_tokens_that_structure_nothing_are_words(tokenizer, interaction):
    assert trained_text(tokenizer, interaction("How?", "Run cat <filename>.")).endswith("<filename>.<|im_end|>")


def test_the_oldest_turns_go_first_and_the_system_turn_stays(tokenizer, interaction):
    long = "word " * 60
    context = [
        EARLIER[0],
        *({"role": r, "content": f"{n} {long}"} for n in range(4) for r in ("user", "assistant")),
    ]
    example = interaction("Last question?", "Short.", context=context)
    one = tokenization.tokenize_example(tokenizer, example, 220)
    text = tokenizer.decode(one.ids)
    assert len(one.ids) <= 220
    assert "You write Python." in text
    assert "Last question?" in text
    assert "0 word" not in text
    assert "3 word" in text
    assert one.dropped_turns == 6
    assert tokenizer.decode(one.ids[one.start :]) == "Short.<|im_end|>"


def test_a_cut_answer_does_not_teach_to_stop(tokenizer, interaction):
    one = tokenization.tokenize_example(tokenizer, interaction("How?", "word " * 100), 64)
    assert len(one.ids) == 64
    assert one.cut_tokens > 0
    assert one.ids[-1] != tokenizer.eos_token_id


def test_a_query_that_leaves_no_room_is_left_out(tokenizer, interaction):
    with pytest.raises(UntrainableExampleError, match="the query alone has"):
        tokenization.tokenize_example(tokenizer, interaction("word " * 100, "So."), 64)


def test_an_example_whose_prompt_the_template_rewrites_is_left_out(tokenizer, interaction):
    tokenizer.chat_template = "{{ messages|length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(UntrainableExampleError, match="renders its prompt differently once the answer follows"):
        tokenization.tokenize_example(tokenizer, interaction(), 4096)


def test_prompt_and_target_are_tokenized_as_a_server_does(tokenizer, interaction):
    one = tokenization.tokenize_example(tokenizer, interaction("How?", "\nSo."), 4096)
    turns = [{"role": "user", "content": "How?"}]
    served = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert list(one.ids[: one.start]) == list(served)


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3"])
def test_what_tools_found_is_context_and_no_call_of_the_local_model_is_a_target(
    name, tokenizer, chat_template, interaction
):
    tokenizer.chat_template = chat_template(name)
    steps = [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "read", "arguments": {"file": "a.py"}}}],
        },
        {"role": "tool", "content": "x = 1"},
    ]
    plain = interaction("What is x?", "It is 1.", local="No idea.")
    example = plain.model_copy(
        update={"messages": [plain.messages[0], *(Message.model_validate(s) for s in steps), *plain.messages[1:]]}
    )
    found = tokenization.tokenize_example(tokenizer, example, 512)
    prompt, target = tokenizer.decode(found.ids[: found.start]), tokenizer.decode(found.ids[found.start :])
    assert "x = 1" in prompt
    assert "a.py" in prompt
    assert "No idea." not in prompt + target
    assert target.startswith("It is 1.")


def test_an_agents_long_instructions_and_tools_give_way_before_the_example_does(tokenizer, interaction):
    tools = [{"type": "function", "function": {"name": f"tool_{n}", "description": "does " * 30}} for n in range(20)]
    example = interaction("What is x?", "It is 1.", context=[{"role": "system", "content": "obey " * 500}], tools=tools)
    found = tokenization.tokenize_example(tokenizer, example, 64)
    assert (found.dropped_turns, found.cut_tokens) == (1, 0)
    assert "What is x?" in tokenizer.decode(found.ids)


def paired(tokenizer, example, max_length=512):
    found = tokenization.tokenize_pair(tokenizer, example, max_length)
    return found, tokenizer.decode(found.rejected)


def test_the_local_answer_of_a_pair_stands_behind_the_very_same_prompt(templated, interaction):
    tokenizer, _, end = templated
    example = interaction("How?", "So.", local="I am not sure.")
    found, rejected = paired(tokenizer, example)
    alone = tokenization.tokenize_example(tokenizer, example, 512)
    assert (found.ids, found.start) == (alone.ids, alone.start)
    assert rejected == f"I am not sure.{end}"
    other = tokenization.tokenize_example(tokenizer, example, 512, answer=example.local)
    assert (other.ids[: other.start], other.ids[other.start :]) == (found.ids[: found.start], found.rejected)


@pytest.mark.parametrize("local", ["", "  \n", "So.", " So.\n"])
def test_a_local_answer_that_is_empty_or_the_experts_own_is_no_rival(tokenizer, interaction, local):
    example = interaction("How?", "So.", local=local or "x")
    if not local.strip():
        plain = Message.model_validate({"role": "assistant", "content": local})
        place = example.messages.index(example.local)
        example = example.model_copy(
            update={"messages": [*example.messages[:place], plain, *example.messages[place + 1 :]]}
        )
    found, _ = paired(tokenizer, example)
    assert found == tokenization.tokenize_example(tokenizer, example, 512)


def test_a_local_answer_that_cannot_be_rendered_leaves_the_experts(tokenizer, interaction):
    found, _ = paired(tokenizer, interaction("How?", "So.", local="It ends with <|im_end|> there."))
    assert found.rejected == ()
    assert found.supervised > 0


def test_a_local_answer_that_does_not_fit_loses_its_end(tokenizer, interaction):
    found, rejected = paired(tokenizer, interaction("How?", "So.", local="word " * 100), 64)
    assert found.start + len(found.rejected) == 64
    assert "<|im_end|>" not in rejected
    assert found.cut_tokens == 0


def test_a_pair_whose_oldest_turns_are_dropped_still_has_one_prompt(tokenizer, interaction):
    context = [{"role": r, "content": f"{n} " + "word " * 60} for n in range(4) for r in ("user", "assistant")]
    example = interaction("Last question?", "Short.", local="Long " * 10, context=context)
    found, rejected = paired(tokenizer, example, 220)
    prompt = tokenizer.decode(found.ids[: found.start])
    assert found.dropped_turns > 0
    assert "0 word" not in prompt
    assert rejected.startswith("Long")
    assert found.start + len(found.rejected) <= 220
