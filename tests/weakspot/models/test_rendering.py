"""Which part of a conversation is learned: the answer in the mode of its capture, never the base's own thoughts."""

from dataclasses import replace

import pytest
from tests.weakspot.models import tiny_tokenizers

from weakspot.models import tokenization
from weakspot.models.rendering import UntrainableExampleError, View, render_example
from weakspot.records import Message

END = "<|im_end|>"


@pytest.fixture(scope="module")
def qwen(chat_template):
    return tiny_tokenizers.make(chat_template("qwen3"))


@pytest.fixture(scope="module")
def always():
    return tiny_tokenizers.make(tiny_tokenizers.ALWAYS_THINKS)


def rendered(tokenizer, example, view):
    return view.render(tokenizer, example, example.expert, example.prompt, example.tools)


def with_call(example):
    function = {"name": "find", "arguments": {"title": "valve"}}
    answer = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function", "function": function}]}
    return example.model_copy(update={"messages": [*example.messages[:-1], Message.model_validate(answer)]})


def test_without_thoughts_a_thinking_model_gets_no_example(qwen, always, interaction):
    for tokenizer, mode in ((qwen, "on"), (qwen, "default"), (always, "on"), (always, "default")):
        with pytest.raises(UntrainableExampleError, match="no-thoughts"):
            rendered(tokenizer, interaction("How?", "So."), View(mode))


@pytest.mark.parametrize("mode", ["on", "default"])
def test_the_base_s_own_thoughts_stand_in_front_and_are_not_learned(mode, qwen, always, interaction):
    example = interaction("How?", "So.")
    view = View(mode, thoughts={example.id: "Hm, so?"})
    first = rendered(qwen, example, view)
    assert first.prompt.endswith("<|im_start|>assistant\n")
    assert (first.lead, first.target) == ("<think>\nHm, so?\n</think>\n\n", f"So.{END}")
    second = rendered(always, example, view)
    assert second.prompt.endswith("<|im_start|>assistant\n<think>\n")
    assert (second.lead, second.target) == ("Hm, so?\n</think>\n\n", f"So.{END}")
    found = tokenization.tokenize_example(qwen, example, 500, view=view)
    assert qwen.decode(found.ids[found.start :]) == f"So.{END}"


def test_thoughts_in_front_of_a_call_are_not_learned(qwen, interaction):
    example = with_call(interaction("How?"))
    found = rendered(qwen, example, View("on", thoughts={example.id: "Hm."}))
    assert found.lead == "<think>\nHm.\n</think>\n\n"
    assert found.target.startswith("<tool_call>")


def test_thoughts_are_of_no_use_to_a_model_that_must_not_think(qwen, interaction):
    example = interaction("How?", "So.")
    assert rendered(qwen, example, View("off", thoughts={example.id: "Hm."})).lead == ""


def test_an_answer_at_once_has_an_empty_block_in_front_which_is_not_learned(qwen, always, interaction):
    view = View("on", "answer-at-once")
    for tokenizer in (qwen, always):
        found = rendered(tokenizer, interaction("How?", "So."), view)
        assert found.target == f"So.{END}"
        assert "</think>" in found.lead


def test_what_the_client_asked_for_goes_before_the_setting(qwen, interaction):
    asked = interaction("How?", "So.", thinking="off")
    assert rendered(qwen, asked, View("on")).prompt.endswith("<think>\n\n</think>\n\n")
    with pytest.raises(UntrainableExampleError, match="no-thoughts"):
        rendered(qwen, interaction("How?", "So.", thinking="on"), View("off"))


def test_the_channel_of_analysis_is_kept_where_it_was_captured(chat_template, interaction):
    tokenizer = tiny_tokenizers.make(chat_template("gptoss"), "<|return|>")
    example = interaction("How?", "So.", reasoning_effort="high", thinking="on")
    found = rendered(tokenizer, example, View(thoughts={example.id: "Hm."}))
    assert "Reasoning: high" in found.prompt
    assert "Hm." in found.lead
    assert found.target == "So.<|return|>"
    at_once = rendered(tokenizer, example, View())
    assert at_once.target == "<|channel|>final<|message|>So.<|return|>"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for m in messages if m.role != 'user' %}{{ m.content }}<|im_end|>{% endfor %}", "turn-lost"),
        ("{{ messages[-1].content }}<|im_end|>", "system-lost"),
        ("{% for m in messages %}{{ m.content|upper }}<|im_end|>{% endfor %}", "system-lost"),
        ("{% for m in messages %}{{ m.role }}{{ m.content[:9] }}<|im_end|>{% endfor %}", "system-lost"),
    ],
)
def test_a_turn_that_the_template_passes_over_costs_the_example(template, reason, interaction):
    context = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    example = interaction("How?", "So.", context=[*context, {"role": "assistant", "content": "Hello."}])
    with pytest.raises(UntrainableExampleError) as caught:
        rendered(tiny_tokenizers.make(template), example, View())
    assert caught.value.reason == reason


def test_a_system_text_that_the_template_passes_over_is_put_before_the_question(interaction):
    template = "{% for m in messages if m.role != 'system' %}{{ m.content }}<|im_end|>{% endfor %}"
    example = interaction("How?", "So.", context=[{"role": "system", "content": "Be brief."}])
    assert rendered(tiny_tokenizers.make(template), example, View()).prompt == "Be brief.\n\nHow?<|im_end|>"


@pytest.mark.parametrize("text", ["ends with <|endoftext|>, the pad", "a <|fresh|> one", "<bos>", "<|im_end|>"])
def test_no_special_token_stands_in_a_text(text, interaction):
    tokenizer = tiny_tokenizers.make(tiny_tokenizers.ALWAYS_THINKS, pad="<|endoftext|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|fresh|>", "<word>"]})
    with pytest.raises(UntrainableExampleError, match="control-token"):
        rendered(tokenizer, interaction("How?", f"It {text}."), View())
    assert "<word>" in rendered(tokenizer, interaction("How?", "It is <word>."), View()).target


def test_the_prompt_of_a_moved_system_text_is_the_served_one(interaction):
    tokenizer = tiny_tokenizers.make(tiny_tokenizers.MISTRAL, "</s>")
    context = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
    ]
    found = rendered(tokenizer, interaction("How?", "So.", context=context), View())
    assert found.prompt == "<bos>[INST]Hi[/INST]Hello.</s>[INST]Be brief.\n\nHow?[/INST]"
    assert found.target == "So.</s>"


def test_an_example_has_the_day_of_its_capture_in_its_own_zone(interaction):
    tokenizer = tiny_tokenizers.make(tiny_tokenizers.DATED, "<|end|>")
    early = interaction("How?", timestamp="2026-11-29T01:00:00+02:00")
    late = interaction("How?", timestamp="2026-11-28T23:00:00Z")
    assert "November 29, 2026" in rendered(tokenizer, early, View()).prompt
    assert "November 28, 2026" in rendered(tokenizer, late, View()).prompt
    again = [tokenization.tokenize_example(tokenizer, early, 500) for _ in range(2)]
    assert again[0] == again[1]


def test_arguments_are_text_where_the_template_wants_text(interaction):
    tokenizer = tiny_tokenizers.make(tiny_tokenizers.ARGUMENTS_AS_TEXT, "<｜end▁of▁sentence｜>")
    assert '{"title": "valve"}' in rendered(tokenizer, with_call(interaction("How?")), View()).target


def test_arguments_as_python_writes_them_are_no_json(interaction):
    calls = "{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments }}{% endfor %}"
    template = "{% for m in messages %}{{ m.content }}" + calls + "<|im_end|>{% endfor %}"
    found = rendered(tiny_tokenizers.make(template), with_call(interaction("How?")), View())
    assert found.target == 'find{"title": "valve"}<|im_end|>'


def test_a_plain_rendering_needs_no_record(qwen):
    turns = [Message(role="user", content="How?")]
    found = render_example(qwen, turns, Message(role="assistant", content="So."))
    assert found == replace(found, lead="", target=f"So.{END}")
