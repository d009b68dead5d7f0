"""Preference files, as documents and public reports describe what trainers take."""

import json

import pytest

from weakspot.importers.extraction import consultations
from weakspot.importers.json_stream import LeftOut
from weakspot.importers.preferences import claims, conversations
from weakspot.records.parsing import RecordError

Q, A, X = "Why does the build fail?", "No idea.", "A comma is missing."
ASKED, WORSE, BETTER = ({"role": r, "content": c} for r, c in (("user", Q), ("assistant", A), ("assistant", X)))
SYSTEM = {"role": "system", "content": "Be brief."}
GREETING = {"role": "assistant", "content": "How can I help?"}


def openai(*asked: dict, **more) -> dict:
    return {"input": {"messages": [*asked], **more}, "preferred_output": [BETTER], "non_preferred_output": [WORSE]}


# Documents and reports of what trainers take, each a question with a better and a worse answer.
REPORTS = {
    "OpenAI's guide": openai(ASKED, tools=[], parallel_tool_calls=True),
    "Microsoft Foundry's guide: a system's message": openai(SYSTEM, ASKED),
    "Together's guide: an answer at the beginning": openai(GREETING, ASKED),
    "openai-tools: a list as the input": {**openai(), "input": [ASKED]},
    "huggingface/trl#1115: three texts": {"prompt": Q, "chosen": X, "rejected": A},
    "huggingface/trl#2131: the prompt in both answers": {"chosen": [ASKED, BETTER], "rejected": [ASKED, WORSE]},
    "NVIDIA-NeMo/RL#1027: with a system's message": {
        "chosen": [SYSTEM, ASKED, BETTER],
        "rejected": [SYSTEM, ASKED, WORSE],
    },
    "UltraFeedback: the prompt as a text, and in both answers": {
        **{"prompt": Q, "chosen": [ASKED, BETTER], "rejected": [ASKED, WORSE], "score_chosen": 8.0},
    },
    "kakao/diatool-dpo#2: JSON in texts": {
        "chosen": json.dumps({"messages": [ASKED, BETTER], "tools": []}),
        "rejected": json.dumps({"messages": [ASKED, WORSE], "tools": []}),
    },
    "modelscope/ms-swift#7184: the worse answer beside the chat": {"messages": [ASKED, BETTER], "rejected_response": A},
    "modelscope/ms-swift#7184: a worse answer for each turn": {
        "messages": [ASKED, WORSE, ASKED, BETTER],
        "rejected_response": ["x", A],
    },
    "OpenPipe's guide: a message as the worse answer": {"messages": [ASKED, BETTER], "rejected_message": WORSE},
}


@pytest.mark.parametrize("report", REPORTS)
def test_each_form_is_one_consultation_that_waits_for_a_person(report, lines, only, config):
    assert claims(REPORTS[report])
    (one,) = consultations(config, only(conversations(lines(REPORTS[report]))), "import:preferences")
    assert (one.query.content, one.local.content, one.expert.content) == (Q, A, X)
    assert (one.policy, one.metadata.consultation, one.metadata.incomplete) == ("ask", None, None)
    assert (
        "only a rating says that the answer is better: no teacher is named, nor any model"
        in one.metadata.model_extra["odd"]
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (openai(ASKED, GREETING), "no-question"),
        (openai(), "no-question"),
        ({**openai(ASKED), "preferred_output": []}, "no-answer"),
        ({"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: No"}, "no-question"),
        ({"question": Q, "pos_answer": X, "neg_answer": A}, "no-preference"),  # hiyouga/LlamaFactory#4720
    ],
)
def test_what_is_no_pair_of_answers_is_left_out_with_a_reason(lines, value, reason):
    assert list(conversations(lines(value))) == [LeftOut(1, reason)]


def test_two_answers_that_are_the_same_are_no_preference(lines, only, config):
    value = {**openai(ASKED), "non_preferred_output": [BETTER]}
    (one,) = consultations(config, only(conversations(lines(value))), "import:preferences")
    assert isinstance(one, RecordError)
    assert one.reason == "same-answer"
