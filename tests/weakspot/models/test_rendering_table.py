"""Every kind of conversation under every chat template: trained on whole, or left out with a reason."""

import os
import re
from pathlib import Path

import pytest
from tests.conftest import make_interaction
from tests.weakspot.models import tiny_tokenizers

from weakspot.models import chat_template as templates
from weakspot.models import rendering, tokenization
from weakspot.models.rendering import AS_CAPTURED, UntrainableExampleError
from weakspot.records import Message

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
_BEGIN, _END = "<!-- the table of chat templates, by make docs -->", "<!-- its end -->"

CONTROLS = "<|im_end|>"
# The templates of a wheel, word for word, with the end of turn that their models' tokenizers have.
PUBLISHED = {
    "cohere2": "<|END_OF_TURN_TOKEN|>",
    "deepseek_r1_distill": "<｜end▁of▁sentence｜>",
    "deepseekv3": "<｜end▁of▁sentence｜>",
    "gemma": "<end_of_turn>",
    "gemma3": "<end_of_turn>",
    "gemma4_v5": "<turn|>",
    "glm4moe": "<|user|>",
    "gptoss": "<|return|>",
    "idefics3": "<end_of_utterance>",
    "lfm2_v2": CONTROLS,
    "lfm2_2_5_v2": CONTROLS,
    "llama3": "<|eot_id|>",
    "llama3_1": "<|eot_id|>",
    "llama3_2": "<|eot_id|>",
    "llava_next": "</s>",
    "muse_glimmer": "<|eot|>",
    "nemotron_3_nano": CONTROLS,
    "nemotron_3_5_lightning": CONTROLS,
    "phi3": "<|endoftext|>",
    "phi3_5": "<|endoftext|>",
    "qwen2_5": CONTROLS,
    "qwen2_5_vl": CONTROLS,
    "qwen3": CONTROLS,
    "qwen3_5_think": CONTROLS,
    "qwen3_6": CONTROLS,
    "qwen3_8": CONTROLS,
    "qwen3_instruct_2507": CONTROLS,
    "qwen3_vl": CONTROLS,
}
# Small ones of the same shape as others.
SHAPES = {
    "as Mistral Nemo": (tiny_tokenizers.MISTRAL, "</s>"),
    "as Zephyr, SentencePiece": (tiny_tokenizers.ZEPHYR, "</s>"),
    "as Kimi K2": (tiny_tokenizers.SECTIONS, CONTROLS),
    "as DeepSeek V3.1": (tiny_tokenizers.ARGUMENTS_AS_TEXT, "<｜end▁of▁sentence｜>"),
    "as QwQ": (tiny_tokenizers.ALWAYS_THINKS, CONTROLS),
    "as Granite 3.3": (tiny_tokenizers.DATED, "<|end|>"),
    "refuses all": ("{{ messages + 1 }}", CONTROLS),
}


def call(number, name, title):
    arguments = {"title": title, "deep": [1, {"true": True}]}
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def result(number, text):
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": text}


TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": "", "parameters": {"type": "object", "properties": {}}},
    }
    for name in ("find", "read")
]
BOTH = [call(1, "find", "a valve"), call(2, "read", "a pump")]


def said(expert, *steps, context=()):
    """Give an interaction in which tools were used before the expert answered."""
    plain = make_interaction("What is it?", context=context, tools=TOOLS if steps or expert.get("tool_calls") else None)
    turns = [Message.model_validate(one) for one in steps]
    answer = Message.model_validate({"role": "assistant", "content": None, **expert})
    query = len(context) + 1
    return plain.model_copy(update={"messages": [*plain.messages[:query], *turns, *plain.messages[query:-1], answer]})


PLAIN = {"content": "It is B.\n\n    code"}
CONVERSATIONS = {
    "plain": said(PLAIN),
    "system": said(PLAIN, context=[{"role": "system", "content": "Be brief."}]),
    "tool call": said({"tool_calls": BOTH[:1]}),
    "parallel calls": said({"tool_calls": BOTH}),
    "tool result": said(PLAIN, {"role": "assistant", "content": "", "tool_calls": BOTH[:1]}, result(1, "RESULT 7")),
    "results": said(
        PLAIN, {"role": "assistant", "content": "", "tool_calls": BOTH}, result(1, "RESULT 7"), result(2, "RESULT 8")
    ),
    "thoughts": said({**PLAIN, "reasoning_content": "Let me see."}),
}


def outcome(tokenizer, example):
    """Return the word for the table; what is trained on must be the whole conversation."""
    try:
        rendered = AS_CAPTURED.render(tokenizer, example, example.expert, example.prompt, example.tools)
        found = tokenization.tokenize_example(tokenizer, example, 100_000)
    except UntrainableExampleError as error:
        return error.reason
    text = rendered.prompt + rendered.lead + rendered.target
    assert list(found.ids) == templates.token_ids(tokenizer, text)
    context, target = found.ids[: found.start], found.ids[found.start :]
    ends = templates.controls(tokenizer).ends
    assert not ends & {*target[:-1]}
    assert target[-1] in ends or tokenizer.decode(target[-1:]) in ("<|call|>", "<|tool_response>")
    for message in example.prompt:
        words = tokenizer.decode(context)
        for one in (message.content, *(called.function.arguments["title"] for called in message.tool_calls or ())):
            assert (one or "") in words
    learned = tokenizer.decode(target)
    assert (example.expert.content or "") in learned
    for called in example.expert.tool_calls or ():
        assert called.function.name in learned
        assert called.function.arguments["title"] in learned
    thoughts = (example.expert.model_extra or {}).get("reasoning_content")
    return "trained" if not thoughts or thoughts in learned else "without thoughts"


@pytest.fixture(scope="module")
def table(chat_template):
    rows = ["| template | " + " | ".join(CONVERSATIONS) + " |", "|---" * (len(CONVERSATIONS) + 1) + "|"]
    for name in (*PUBLISHED, *SHAPES):
        template, eos = SHAPES.get(name) or (chat_template(name), PUBLISHED[name])
        made = tiny_tokenizers.make(template, eos, sentencepiece="SentencePiece" in name)
        cells = [outcome(made, example) for example in CONVERSATIONS.values()]
        rows.append(
            f"| {name} | " + " | ".join(one if " " in one or one == "trained" else f"`{one}`" for one in cells) + " |"
        )
    return "\n".join(rows)


def test_the_table_of_chat_templates_is_up_to_date(table):
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    written = f"{before}{_BEGIN}\n\n{table}\n\n{_END}{after}"
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(written, encoding="utf-8")
        return
    assert page == written, "run 'make docs'"


def test_every_reason_stands_in_the_documents():
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(rendering.Untrainable.__args__)
