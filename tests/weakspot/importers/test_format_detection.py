"""What a file is, is told by what is in it; what is nothing we know is one clear line."""

import json
import shutil
import sqlite3

import pytest

from weakspot.importers.format_detection import find_sources
from zddc.errors import UserError

CHAT = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
OPEN_WEBUI = {"id": "c", "chat": {"history": {"messages": {"m": {"id": "m", "role": "user", "content": "q"}}}}}
OPENCODE = {"info": {"id": "ses_1"}, "messages": []}
CLAUDE_CODE = {"type": "summary", "summary": "A title", "leafUuid": "u"}


@pytest.fixture
def named(tmp_path):
    """Write a file whose name tells nothing."""

    def write(text: str):
        file = tmp_path / "data.txt"
        file.write_text(text)
        return file

    return write


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        (json.dumps({"query": "q", "local": "l", "expert": "e"}), "query/local/expert file"),
        (json.dumps({"messages": CHAT, "metadata": {}}), "raw-format file"),
        ("", "empty file"),
        (json.dumps(CLAUDE_CODE), "Claude Code session"),
        (json.dumps([OPEN_WEBUI]), "Open WebUI export"),
        (json.dumps(OPEN_WEBUI["chat"], indent=2), "Open WebUI export"),
        (json.dumps(OPENCODE, indent=2), "opencode export"),
        (json.dumps({"messages": CHAT}), "chat log"),
        (json.dumps([{"request": {"messages": CHAT}, "response": {}}]), "chat log"),
        ("not json\n{}\n[]\n" + json.dumps(CLAUDE_CODE), "Claude Code session"),
    ],
)
def test_a_file_is_known_by_its_content(config, named, text, format_):
    file = named(text)
    (found,), unknown = find_sources(config, file)
    assert (found.path, found.format, unknown) == (file, format_, [])


def test_databases_are_known_by_their_tables(config, opencode_database, tmp_path):
    plain = shutil.copy(opencode_database, tmp_path / "plain")
    chats = tmp_path / "chats"
    with sqlite3.connect(chats) as database:
        database.execute("CREATE TABLE chat (id, user_id, chat)")
    database.close()
    assert [one.format for one in find_sources(config, plain)[0]] == ["opencode database"]
    assert [one.format for one in find_sources(config, chats)[0]] == ["Open WebUI database"]


@pytest.mark.parametrize(
    "text", ["no json at all", "[1, 2]", "{}", '{"a": 1}\n' * 1001 + json.dumps(CLAUDE_CODE), "[\nx"]
)
def test_what_is_nothing_we_know_is_one_line_that_names_what_is(config, named, text):
    with pytest.raises(UserError) as caught:
        find_sources(config, named(text))
    line = str(caught.value)
    assert "nothing in it is understood; what can be imported: our own format," in line
    assert "\n" not in line
    for name in ("Claude Code", "opencode", "Open WebUI", "LiteLLM", "OpenAI"):
        assert name in line


def test_a_database_of_another_program_is_not_understood(config, tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE session (id)")
    database.close()
    with pytest.raises(UserError, match="nothing in it is understood"):
        find_sources(config, tmp_path / "other.db")


def test_a_folder_is_searched_for_what_may_be_known(config, tmp_path, opencode_database):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "session.jsonl").write_text(json.dumps(CLAUDE_CODE))
    (tmp_path / "a" / "other.json").write_text("{}")
    (tmp_path / "a" / "picture.png").write_text(json.dumps(CLAUDE_CODE))
    for name in ("message", "part"):
        (tmp_path / "storage" / name).mkdir(parents=True)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found, unknown = find_sources(config, tmp_path)
    assert [(one.path.name, one.format) for one in found] == [
        ("session.jsonl", "Claude Code session"),
        ("opencode.db", "opencode database"),
        ("storage", "opencode storage"),
    ]
    assert [file.name for file in unknown] == ["other.json"]


@pytest.mark.parametrize("head", ["PK\x03\x04", "\x28\xb5\x2f\xfd", "\x1f\x8b\x08"], ids=["zip", "zst", "gz"])
def test_what_is_packed_is_to_be_unpacked(config, tmp_path, head):
    file = tmp_path / "export.zip"
    file.write_bytes(head.encode("latin-1") + b"...")
    for given in (file, tmp_path):
        with pytest.raises(UserError, match=r"export\.zip: is packed; unpack it, and give what was in it"):
            find_sources(config, given)
    (tmp_path / "session.jsonl").write_text(json.dumps(CLAUDE_CODE))
    assert find_sources(config, tmp_path)[1] == [file]


def test_a_folder_of_nothing_is_a_users_mistake(config, tmp_path):
    with pytest.raises(UserError, match="nothing in it is understood"):
        find_sources(config, tmp_path)
