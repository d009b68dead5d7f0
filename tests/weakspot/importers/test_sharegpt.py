"""Files in ShareGPT's form, as public reports describe what programs write."""

import json

import pytest

from weakspot.importers.extraction import consultations
from weakspot.importers.json_stream import LeftOut
from weakspot.importers.sharegpt import claims, conversations

Q, A, E, X = "Why does the build fail?", "No idea.", "consult opus", "A comma is missing."


def talk(*said: tuple[str, str], **more) -> dict:
    return {"id": "1", "conversations": [{"from": who, "value": text} for who, text in said], **more}


PLAIN = talk(("human", Q), ("gpt", A), ("human", E), ("gpt", X))
CALLED = [("function_call", '{"name": "make", "arguments": {"at": "."}}'), ("observation", "error")]
TOOLS = '[{"name": "make", "description": "d", "parameters": {}}]'

# Reports of what other readers of these files met, each a conversation in which Opus is consulted.
CONSULTED = {
    "domeccleston/sharegpt#71: the plain form": PLAIN,
    "oobabooga/textgen#7184: a number as id, a system's message": {
        **talk(("system", "Be brief."), ("human", Q), ("gpt", A), ("human", E), ("gpt", X)),
        **{"id": 1, "length": 100},
    },
    "QwenLM/Qwen3#1314: user and assistant as speakers": talk(
        ("user", Q), ("assistant", A), ("user", E), ("assistant", X)
    ),
    "hiyouga/LlamaFactory#5866: tools and their results": talk(
        *(("human", Q), *CALLED, ("gpt", A), ("human", E), ("gpt", X)), system="Be brief.", tools=TOOLS
    ),
    "hiyouga/LlamaFactory#2571: other keys beside the words": {
        "id": "1",
        "conversations": [{**one, "loss": None} for one in PLAIN["conversations"]],
    },
    "axolotl-ai-cloud/axolotl#1651: another name of the list": {"id": "1", "items": PLAIN["conversations"]},
    "an answer at the beginning": talk(
        ("gpt", "Hello!"), *[(one["from"], one["value"]) for one in PLAIN["conversations"]]
    ),
}
# Those in which there is a better and a worse answer, or nothing that may be imported, and why.
OTHERS = {
    "hiyouga/LlamaFactory: a preference": (
        talk(("human", Q), chosen={"from": "gpt", "value": X}, rejected={"from": "gpt", "value": A}),
        None,
    ),
    "hiyouga/LlamaFactory#10601: an unknown speaker in a preference": (
        talk(("human", Q), chosen={"from": "not_a_role", "value": X}, rejected={"from": "gpt", "value": A}),
        "unknown-speaker",
    ),
    "hiyouga/LlamaFactory#2381: an unknown speaker": (talk(("hummany", Q), ("gpt", A)), "unknown-speaker"),
    "lm-sys/FastChat#128: web pages instead of texts": (
        talk(("human", Q), ("gpt", '<div class="markdown prose"><p>No idea.</p></div>')),
        "html",
    ),
}


@pytest.mark.parametrize("report", CONSULTED)
def test_what_was_reported_is_one_consultation(report, tmp_path, only, config):
    file = tmp_path / "sharegpt.json"
    file.write_text(json.dumps([CONSULTED[report]]))
    assert claims(CONSULTED[report])
    (one,) = consultations(config, only(conversations(file)), "import:sharegpt")
    assert (one.query.content, one.local.content, one.expert.content) == (Q, A, X)
    assert one.policy == "ask"
    assert one.metadata.model_extra["odd"] == [
        "no time in it can be read: stored as of 1970",
        "that opus answered is assumed: the log names no model",
    ]


@pytest.mark.parametrize("report", OTHERS)
def test_what_was_reported_is_a_preference_or_left_out_with_a_reason(report, lines, config):
    value, reason = OTHERS[report]
    (found,) = conversations(lines(value))
    if reason:
        assert found == LeftOut(1, reason)
    else:
        (one,) = consultations(config, found, "import:sharegpt")
        assert (one.local.content, one.expert.content, one.metadata.consultation) == (A, X, None)


def test_lists_with_something_else_in_them_are_no_conversations(lines):
    # ai-dynamo/aiperf#828
    assert list(conversations(lines({"conversations": ["x", *PLAIN["conversations"]]}))) == [LeftOut(1, "no-chat")]


def test_calls_and_results_belong_together(lines, only):
    found = only(conversations(lines(talk(("human", Q), *CALLED, ("gpt", A), tools=TOOLS))))
    call, result = found.turns[1].messages[0], found.turns[2].messages[0]
    assert call.tool_calls[0].function.arguments == {"at": "."}
    assert call.tool_calls[0].model_extra["id"] == result.model_extra["tool_call_id"]
    assert found.tools == json.loads(TOOLS)
