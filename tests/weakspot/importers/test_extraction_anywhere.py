"""Whatever stands where a format has something else: nothing breaks, and what is found is an interaction."""

import copy
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.config import Config
from weakspot.importers import (
    chat_logs,
    chatgpt,
    claude_code,
    cline,
    codex,
    open_webui,
    opencode,
    preferences,
    sharegpt,
)
from weakspot.importers.conversation_tree import Conversation
from weakspot.importers.extraction import consultations
from weakspot.records.parsing import RecordError, parse_interaction_object

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TURNS = [("user", "Why is the sky blue?"), ("assistant", "It is the sea."), ("user", "consult opus")]
TURNS.append(("assistant", "Rayleigh scattering."))
BLOCK = {"type": "tool_use", "id": "t", "name": "look", "input": {"at": "sky"}}


def claude_code_lines() -> list[dict]:
    lines = [
        {
            **{"type": role, "uuid": str(n), "parentUuid": str(n - 1) if n else None, "sessionId": "s"},
            **{"timestamp": "2025-10-31T14:30:00.000Z", "isSidechain": False, "isMeta": False},
            "message": {
                **{"role": role, "id": f"m{n}", "model": "qwen", "stop_reason": "end_turn"},
                **{"content": [{"type": "text", "text": text}], "usage": {"input_tokens": 1, "output_tokens": 1}},
            },
        }
        for n, (role, text) in enumerate(TURNS)
    ]
    lines[3]["message"]["content"].append(BLOCK)
    return lines


def opencode_export() -> list[dict]:
    tool = {"type": "tool", "tool": "look", "callID": "t", "state": {"status": "completed", "input": {}, "output": "x"}}
    turns = [
        {
            "info": {
                **{"id": f"m{n}", "role": role, "parentID": f"m{n - 1}", "modelID": "qwen", "finish": "stop"},
                **{"time": {"created": n, "completed": n}, "tokens": {"input": 1, "output": 1, "cache": {"read": 1}}},
            },
            "parts": [{"type": "text", "text": text, "synthetic": False}, *([tool] if role == "assistant" else [])],
        }
        for n, (role, text) in enumerate(TURNS)
    ]
    return [{"info": {"id": "ses_1", "parentID": None}, "messages": turns}]


def open_webui_export() -> list[dict]:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "Rayleigh."}]}]
    output += [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]
    output += [{"type": "function_call_output", "call_id": "c", "output": "x"}]
    stored = {
        str(n): {
            **{"id": str(n), "parentId": str(n - 1) if n else None, "childrenIds": [], "role": role, "content": text},
            **{"model": "qwen", "timestamp": n, "done": True, "usage": {"prompt_tokens": 1}, "info": {}},
            **({"output": output} if n == 3 else {}),
        }
        for n, (role, text) in enumerate(TURNS)
    }
    return [{"id": "c", "chat": {"history": {"messages": stored}, "params": {"system": "Be brief."}}}]


def chat_log() -> list[dict]:
    asked = [{"role": role, "content": text} for role, text in TURNS]
    choice = {"message": {**asked[3], "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}}
    return [
        {
            **{"model": "claude-opus-5-5", "messages": asked[:3], "endTime": 1.0, "status": "success"},
            **{"response": {"choices": [choice], "usage": {"prompt_tokens": 1}}, "model_parameters": {"tools": []}},
        },
        {"request": {"messages": asked[:1]}, "response": json.dumps({"content": [BLOCK], "stop_reason": "max_tokens"})},
    ]


def responses_log() -> list[dict]:
    asked = [{"role": role, "content": [{"type": "input_text", "text": text}]} for role, text in TURNS[:3]]
    output = [{"type": "message", "content": [{"type": "output_text", "text": TURNS[3][1]}]}]
    return [
        {
            **{"model": "claude-opus-5-5", "input": asked, "instructions": "Be brief.", "end_user": "ann"},
            "response": {"id": "r", "output": output, "status": "completed", "usage": {"input_tokens": 1}},
        }
    ]


def codex_session() -> list[dict]:
    lines = [{"timestamp": "2026-03-01T10:00:00Z", "type": "session_meta", "payload": {"id": "s", "source": "cli"}}]
    for number, (role, text) in enumerate(TURNS):
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": role, "content": content}
        lines += [
            {"timestamp": number, "type": "turn_context", "payload": {"model": "qwen"}},
            {"timestamp": number, "type": "response_item", "payload": item},
            {
                "timestamp": number,
                "type": "event_msg",
                "payload": {"type": "token_count", "info": {"last_token_usage": {}}},
            },
        ]
    return [*lines, {"type": "event_msg", "payload": {"type": "thread_rolled_back", "num_turns": 0}}]


def cline_task() -> list[dict]:
    return [
        {
            "role": role,
            "content": [{"type": "text", "text": text}],
            "ts": 1772359200000,
            "modelInfo": {"modelId": "qwen"},
        }
        for role, text in TURNS
    ]


def chatgpt_export() -> list[dict]:
    nodes = {
        str(n): {
            "id": str(n),
            "parent": str(n - 1) if n else None,
            "message": {
                **{"author": {"role": role}, "create_time": 1772359200.5, "recipient": "all", "weight": 1.0},
                **{"content": {"content_type": "text", "parts": [text]}, "metadata": {"model_slug": "qwen"}},
            },
        }
        for n, (role, text) in enumerate(TURNS)
    }
    return [{"conversation_id": "c", "mapping": nodes}]


def sharegpt_file() -> list[dict]:
    said = [{"from": "gpt" if role == "assistant" else "human", "value": text} for role, text in TURNS]
    return [{"id": "1", "conversations": said, "system": "Be brief.", "tools": "[]"}]


def preference_file() -> list[dict]:
    asked, worse, _, better = ({"role": role, "content": text} for role, text in TURNS)
    return [
        {"input": {"messages": [asked], "tools": []}, "preferred_output": [better], "non_preferred_output": [worse]},
    ]


FORMATS = {
    "Claude Code": (claude_code_lines, claude_code.conversations),
    "opencode": (opencode_export, opencode.conversations),
    "Open WebUI": (open_webui_export, open_webui.conversations),
    "chat log": (chat_log, chat_logs.conversations),
    "log of responses": (responses_log, chat_logs.conversations),
    "Codex": (codex_session, codex.conversations),
    "Cline": (cline_task, cline.conversations),
    "ChatGPT": (chatgpt_export, chatgpt.conversations),
    "ShareGPT": (sharegpt_file, sharegpt.conversations),
    "preferences": (preference_file, preferences.conversations),
}


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory):
    return tmp_path_factory.mktemp("any")


def places(value: object) -> Iterator[tuple[object, object]]:
    """Yield every container in a JSON value with every key in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places(inner)


def found(read, file) -> list:
    conversations = (one for one in read(file) if isinstance(one, Conversation))
    return [one for conversation in conversations for one in consultations(Config(), conversation, "import:test")]


@pytest.mark.parametrize("name", FORMATS)
def test_unchanged_there_is_one_consultation(name, tmp_path):
    make, read = FORMATS[name]
    (tmp_path / "file").write_text("\n".join(json.dumps(one) for one in make()))
    (one,) = found(read, tmp_path / "file")
    assert one.query.content == "Why is the sky blue?"


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=min(60, settings.default.max_examples))
@given(data=st.data())
def test_anything_may_stand_anywhere(name, somewhere, data):
    make, read = FORMATS[name]
    values = copy.deepcopy(make())
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(places(values))))
        container[key] = data.draw(ANY)
    file = somewhere / "file"
    file.write_bytes(b"\n".join(json.dumps(one).encode() for one in values))
    for one in found(read, file):
        if not isinstance(one, RecordError):
            assert parse_interaction_object(one.model_dump(exclude_unset=True), whole=False) == one
