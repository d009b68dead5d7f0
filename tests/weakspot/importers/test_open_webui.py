"""Open WebUI's chats: exports and databases of its documented forms, older and newer."""

import json
import sqlite3

import pytest

from weakspot.importers import open_webui, sqlite
from weakspot.importers.extraction import consultations
from weakspot.importers.json_stream import BadLine


def message(identity: str, parent: str | None, role: str, content: object, time: int, **more) -> dict:
    return {
        **{"id": identity, "parentId": parent, "childrenIds": [], "role": role, "content": content},
        **({"model": "qwen2.5:7b", "modelName": "Qwen", "done": True} if role == "assistant" else {}),
        **{"timestamp": 1_761_921_000 + time, **more},
    }


def exported(*stored: dict, **chat) -> dict:
    history = {"messages": {one["id"]: one for one in stored}, "currentId": stored[-1]["id"]}
    inner = {"title": "A chat", "models": ["qwen2.5:7b"], "history": history, "messages": [], **chat}
    return {"id": "chat-1", "user_id": "u", "title": "A chat", "chat": inner, "archived": False, "meta": {}}


REGENERATED = (
    message("q", None, "user", "Why is the sky blue?", 0),
    message("a", "q", "assistant", "It is the sea.", 1),
    message("b", "q", "assistant", "Rayleigh scattering.", 9, model="anthropic.claude-opus-5-5"),
    message("q2", "b", "user", "And at dusk?", 20),
)


@pytest.fixture
def read(lines, only):
    """Read one exported chat."""
    return lambda *stored, **chat: only(open_webui.conversations(lines([exported(*stored, **chat)])))


def database_of(file, *rows: tuple[dict, list[dict]], messages: bool = True):
    """Write chats as Open WebUI's own tables hold them, their messages apart where ``messages``."""
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE chat (id VARCHAR(255) PRIMARY KEY, user_id TEXT, title TEXT, chat JSON)")
        if messages:
            database.execute(
                "CREATE TABLE chat_message (id TEXT PRIMARY KEY, chat_id TEXT, user_id TEXT, role TEXT,"
                " parent_id TEXT, content JSON, output JSON, model_id TEXT, done BOOLEAN, error JSON, usage JSON,"
                " created_at BIGINT, updated_at BIGINT)"
            )
        for chat, apart in rows:
            database.execute("INSERT INTO chat VALUES (?, 'u', 'A chat', ?)", (chat["id"], json.dumps(chat["chat"])))
            for one in apart:
                values = [one["id"], one["parentId"], one["role"], one.get("model"), one.get("done", True)]
                rest = [json.dumps(one["content"]), json.dumps(one.get("output")), json.dumps(one.get("usage"))]
                database.execute(
                    "INSERT INTO chat_message (id, chat_id, parent_id, role, model_id, done, content, output, usage,"
                    " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (f"{chat['id']}-{values[0]}", chat["id"], *values[1:], *rest, one["timestamp"]),
                )
    database.close()
    return file


def test_a_chat_is_a_tree_by_its_parents_alone(read, said):
    found = read(*reversed(REGENERATED))
    assert found.id == "chat-1"
    assert [(turn.id, turn.parent, turn.model) for turn in found.turns] == [
        ("q", None, None),
        ("a", "q", "qwen2.5:7b"),
        ("b", "q", "anthropic.claude-opus-5-5"),
        ("q2", "b", None),
    ]
    assert said(found)[2] == ("assistant", "Rayleigh scattering.")


def test_exports_of_one_chat_or_of_many_are_known():
    assert open_webui.claims(exported(*REGENERATED))
    assert open_webui.claims(exported(*REGENERATED)["chat"])
    assert not open_webui.claims({"chat": {"messages": []}})
    assert not open_webui.claims({"messages": []})


def test_the_database_of_newer_and_older_versions_holds_the_same(tmp_path, read):
    of_export = read(*REGENERATED).turns
    empty = {**exported(*REGENERATED), "chat": {"history": {}}}
    newer = database_of(tmp_path / "newer.db", (empty, list(REGENERATED)))
    mixed = database_of(tmp_path / "mixed.db", (exported(*REGENERATED), []))
    older = database_of(tmp_path / "older.db", (exported(*REGENERATED), []), messages=False)
    for file in (newer, mixed, older):
        assert open_webui.claims_tables(sqlite.tables(file))
        (found,) = open_webui.conversations_of_database(file)
        assert (found.id, found.turns) == ("chat-1", of_export)


def test_the_chats_own_instruction_is_the_systems(read, said):
    assert said(read(REGENERATED[0], params={"system": "Be brief."}))[0] == ("system", "Be brief.")
    assert said(read(REGENERATED[0], system="Be brief."))[0] == ("system", "Be brief.")


def test_calls_and_results_of_newer_versions_are_kept_and_thoughts_are_not(read):
    output = [
        {"type": "reasoning", "content": [{"type": "output_text", "text": "Hm."}]},
        {"type": "message", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "c1", "name": "search", "arguments": '{"q": "sky"}'},
        {"type": "function_call", "call_id": "c2", "name": "search", "arguments": '{"q": "sea"}'},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "blue"}]},
        {"type": "function_call_output", "call_id": "c2", "output": "salt"},
        {"type": "message", "content": [{"type": "output_text", "text": "It scatters."}]},
    ]
    usage = {"input_tokens": 5, "output_tokens": 2}
    answer = message("a", "q", "assistant", "<details>shown</details>", 1, output=output, usage=usage)
    turn = read(REGENERATED[0], answer).turns[-1]
    assert [(one.role, one.content) for one in turn.messages] == [
        ("assistant", "I look."),
        ("tool", "blue"),
        ("tool", "salt"),
        ("assistant", "It scatters."),
    ]
    assert [call.function.arguments for call in turn.messages[0].tool_calls] == [{"q": "sky"}, {"q": "sea"}]
    assert (turn.input_tokens, turn.output_tokens) == (5, 2)


@pytest.mark.parametrize(
    "call",
    [
        'arguments="{&quot;q&quot;:&quot;a &gt; b&quot;}" result="&quot;blue&quot;"',
        """arguments='"{\\"q\\":\\"a > b\\"}"' result='"blue"' files='""'""",
    ],
)
def test_calls_and_thoughts_of_older_versions_are_taken_out_of_the_answer(read, call):
    content = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n> Hm.\n</details>\n'
        f'I look.\n<details type="tool_calls" done="true" id="c1" name="search" {call}>\n'
        "<summary>Tool Executed</summary>\n</details>\nIt scatters. <details><summary>More</summary>x</details>"
    )
    turn = read(REGENERATED[0], message("a", "q", "assistant", content, 1)).turns[-1]
    assert [(one.role, one.content) for one in turn.messages] == [
        ("assistant", "I look."),
        ("tool", "blue"),
        ("assistant", "It scatters. <details><summary>More</summary>x</details>"),
    ]
    assert turn.messages[0].tool_calls[0].function.arguments == {"q": "a > b"}


@pytest.mark.parametrize("change", [{"done": False}, {"error": {"content": "Connection lost"}}])
def test_an_answer_that_did_not_end_is_broken_off(read, change):
    assert read(REGENERATED[0], message("a", "q", "assistant", "It", 1, **change)).turns[-1].broken_off


def test_a_picture_in_a_question_is_a_word(read, said):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:x"}}]
    assert said(read(message("q", None, "user", content, 0))) == [("user", "What is it?\n[image]")]


def test_a_chat_that_cannot_be_read_is_reported_and_stops_nothing(tmp_path, lines):
    file = tmp_path / "export.json"
    file.write_text(
        f'[{json.dumps(exported(*REGENERATED))}, {{"chat": nonsense}}, {json.dumps(exported(*REGENERATED))}]'
    )
    first, bad, last = open_webui.conversations(file)
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.reason) == (2, "not-json")
    assert first.turns == last.turns
    with sqlite3.connect(database_of(tmp_path / "webui.db", (exported(*REGENERATED), []))) as database:
        database.execute("INSERT INTO chat VALUES ('chat-2', 'u', 'Broken', '{')")
    database.close()
    first, bad = open_webui.conversations_of_database(tmp_path / "webui.db")
    assert (bad.line, bad.reason) == (2, "not-json")


def test_in_the_arena_who_answered_stands_beside_the_models_name(read, config):
    arena = {"model": "arena-model", "arena": True}
    found = read(
        message("q", None, "user", "Why is the sky blue?", 0, models=["arena-model", "arena-model"]),
        message("a", "q", "assistant", "It is the sea.", 1, **arena, selectedModelId="qwen2.5:7b", modelIdx=0),
        message(
            "b", "q", "assistant", "Rayleigh.", 2, **arena, selectedModelId="anthropic.claude-opus-5-5", modelIdx=1
        ),
    )
    (one,) = consultations(config, found, "import:open-webui")
    assert (one.local.content, one.expert.content, one.metadata.consultation.teacher) == (
        *("It is the sea.", "Rayleigh."),
        "opus",
    )


def test_files_and_pictures_are_marks(read, said):
    files = [{"type": "file", "name": "a.pdf", "file": {}}, {"type": "image", "url": "data:image/png;base64,x"}]
    found = read(message("q", None, "user", "What do they say?", 0, files=files))
    assert said(found) == [("user", "[file]\n[image]\nWhat do they say?")]
    assert len(found.turns[0].odd) == 2


DOWN, UP = {"annotation": {"rating": -1, "reason": "wrong"}}, {"annotation": {"rating": 1, "comment": "thanks"}}


def test_a_thumbs_down_and_a_better_answer_are_a_consultation_that_waits_for_a_person(read, config):
    found = read(
        message("q", None, "user", "Why is the sky blue?", 0),
        message("a", "q", "assistant", "It is the sea.", 1, **DOWN),
        message("b", "q", "assistant", "Rayleigh scattering.", 9, model="llama3.1:70b", **UP),
    )
    (one,) = consultations(config, found, "import:open-webui")
    assert (one.local.content, one.expert.content) == ("It is the sea.", "Rayleigh scattering.")
    assert (one.policy, one.metadata.consultation) == ("ask", None)
    assert one.metadata.model_extra["rated"] == {"up": True, "comment": "thanks"}
    assert one.metadata.model_extra["odd"] == [
        "only a rating says that the answer is better: no teacher is named, but llama3.1:70b"
    ]


def test_without_a_thumbs_down_or_a_better_answer_there_is_none(read, config):
    asked = message("q", None, "user", "Why is the sky blue?", 0)
    first, second = message("a", "q", "assistant", "The sea.", 1), message("b", "q", "assistant", "Rayleigh.", 2)
    for answers in (
        (first, second),
        ({**first, **UP}, second),
        ({**first, **DOWN}, {**second, **DOWN}),
        (first, second | DOWN),
    ):
        assert list(consultations(config, read(asked, *answers), "import:open-webui")) == []


def test_what_a_teacher_says_behind_a_thumbs_down_is_about_that_question(read, config):
    found = read(
        message("q", None, "user", "Why is the sky blue?", 0),
        message("a", "q", "assistant", "It is the sea.", 1, **DOWN),
        message("q2", "a", "user", "No, think again.", 2),
        message("b", "q2", "assistant", "Rayleigh.", 3, model="claude-opus-5-5"),
    )
    (one,) = consultations(config, found, "import:open-webui")
    assert (one.query.content, one.escalation.content) == ("Why is the sky blue?", "No, think again.")
