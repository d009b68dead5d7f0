"""Tasks of Cline and Roo Code, as public reports describe what their versions write."""

import json

import pytest

from weakspot.importers.cline import claims, conversations
from weakspot.importers.extraction import consultations
from weakspot.importers.json_stream import BadLine, LeftOut

Q, A, E, X = "Why does the build fail?", "No idea.", "consult opus", "A comma is missing."
DETAILS = "<environment_details>\n# Current Mode\n<model>claude-3-7-sonnet</model>\n</environment_details>"
OPUS = {"modelId": "claude-opus-5-5", "providerId": "anthropic", "mode": "act"}


def said(role: str, *texts: str, **more) -> dict:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts], **more}


HISTORY = [
    said("user", f"<task>\n{Q}\n</task>", DETAILS, ts=1772359201000),
    said("assistant", A, ts=1772359202000, modelInfo={"modelId": "qwen3", "providerId": "ollama"}),
    said("user", f"[attempt_completion] Result:\n<feedback>\n{E}\n</feedback>", DETAILS, ts=1772359203000),
    said("assistant", X, ts=1772359204000, modelInfo=OPUS, metrics={"input_tokens": 7, "output_tokens": 5}),
]
BARE = [{key: one[key] for key in ("role", "content")} for one in HISTORY]


def seen(kind: str, text: str, number: int, **more) -> dict:
    return {"ts": 1772359200000 + number, "type": "say", "say": kind, "text": text, **more}


SHOWN = [
    seen("task", Q, 1, conversationHistoryIndex=-1),
    seen("api_req_started", '{"request": "…"}', 2, conversationHistoryIndex=-1, modelInfo={"modelId": "qwen3"}),
    seen("text", A, 3, conversationHistoryIndex=0, modelInfo={"modelId": "qwen3"}),
    seen("user_feedback", E, 4, conversationHistoryIndex=1),
    seen("api_req_started", '{"request": "…"}', 5, conversationHistoryIndex=1, modelInfo=OPUS),
    seen("completion_result", X, 6, conversationHistoryIndex=2, modelInfo=OPUS),
]
FAILED = {"ts": 9, "type": "ask", "ask": "api_req_failed", "text": "any text", "conversationHistoryIndex": 1}
TOOL = [
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "read_file", "input": {"path": "a"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x = 1"}]},
]
HISTORY_FILE, SHOWN_FILE = "api_conversation_history.json", "ui_messages.json"

# Reports of what other readers of these files met, each a task in which Opus is consulted.
REPORTS = {
    "cline/cline#954: an ordinary task": {HISTORY_FILE: HISTORY},
    "RooCodeInc/Roo-Code#9580: another model's name in the words": {HISTORY_FILE: BARE},
    "cline/cline#6900: no times and models but in the other file": {HISTORY_FILE: BARE, SHOWN_FILE: SHOWN},
    "cline/cline#616: only what the user saw is left": {SHOWN_FILE: SHOWN},
    "cline/cline#9948: a request that failed": {SHOWN_FILE: [*SHOWN[:3], FAILED, *SHOWN[3:]]},
    "partial texts between": {SHOWN_FILE: [*SHOWN[:2], seen("text", "No", 2, partial=True), *SHOWN[2:]]},
    "a first message of the kind text": {SHOWN_FILE: [{**SHOWN[0], "say": "text"}, *SHOWN[1:]]},
    "tools of the protocol itself": {HISTORY_FILE: [HISTORY[0], *TOOL, *HISTORY[1:]]},
    "contents that are texts": {
        HISTORY_FILE: [{**one, "content": "\n".join(part["text"] for part in one["content"])} for one in HISTORY]
    },
    "cline/cline#2321: a list without its end": {HISTORY_FILE: json.dumps(HISTORY)[:-1]},
    "cline/cline#335: a bracket too many": {HISTORY_FILE: json.dumps(HISTORY) + "]"},
}


def write(folder, files: dict) -> None:
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def task(tmp_path):
    folder = tmp_path / "1772359200000"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("report", REPORTS)
def test_what_was_reported_is_one_consultation(report, task, config):
    write(task, REPORTS[report])
    found = [one for one in conversations(task / next(iter(REPORTS[report]))) if not isinstance(one, BadLine)]
    (one,) = consultations(config, found[0], "import:cline")
    assert (one.query.content, one.local.content, one.expert.content) == (Q, A, X)
    assert one.metadata.conversation_id == "1772359200000"
    assert one.metadata.consultation.teacher == "opus"


def test_models_and_times_may_stand_in_the_other_file(task, only):
    write(task, {HISTORY_FILE: BARE, SHOWN_FILE: SHOWN})
    turns = only(conversations(task / HISTORY_FILE)).turns
    assert [turn.model for turn in turns] == [None, "qwen3", None, "claude-opus-5-5"]
    assert turns[3].moment.isoformat() == "2026-03-01T10:00:00.005000+00:00"


def test_a_model_that_only_the_words_name_is_not_believed(task, only, config):
    write(task, {HISTORY_FILE: BARE})
    (one,) = consultations(config, only(conversations(task / HISTORY_FILE)), "import:cline")
    assert one.policy == "ask"
    assert "that opus answered is assumed: the log names no model" in one.metadata.model_extra["odd"]


def test_the_same_task_is_read_once(task):
    write(task, {HISTORY_FILE: HISTORY, SHOWN_FILE: SHOWN})
    assert list(conversations(task / SHOWN_FILE)) == [LeftOut(1, "in-the-other-file")]


@pytest.mark.parametrize(
    "files",
    [
        {HISTORY_FILE: [*HISTORY[:3], said("assistant", "A com\n\n[Response interrupted by user]", modelInfo=OPUS)]},
        {SHOWN_FILE: [*SHOWN, seen("api_req_started", '{"cancelReason": "user_cancelled"}', 7)]},
    ],
)
def test_an_answer_that_the_user_stopped_is_incomplete(task, only, config, files):
    write(task, files)
    (one,) = consultations(config, only(conversations(task / next(iter(files)))), "import:cline")
    assert one.metadata.incomplete


def test_a_question_of_the_model_is_its_words(task, only, said):
    ask = {"ts": 1, "type": "ask", "ask": "followup", "text": '{"question": "Which file?", "options": ["a"]}'}
    write(task, {SHOWN_FILE: [SHOWN[0], ask]})
    assert said(only(conversations(task / SHOWN_FILE)))[-1] == ("assistant", "Which file?")


def test_a_logged_chat_is_no_task():
    assert not claims({"messages": [], "role": "user", "content": "x"})
    assert not claims({"type": "say"})
