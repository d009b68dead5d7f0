"""Imports opencode's sessions: its database, the JSON files of older versions, and ``opencode export``."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from weakspot.importers import messages, sqlite
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, JsonEntry, LeftOut, document, read_each
from weakspot.importers.messages import LoggedCall, attachment_marks
from weakspot.importers.times import parse_time
from weakspot.records import Message
from weakspot.records.parsing import RecordError

# `opencode run "two words"` stores the words with these quotes around them.
_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
Object = dict[str, Any]


def claims(value: Object) -> bool:
    """Return whether an object is an exported session."""
    turns = value.get("messages")
    return (
        isinstance(value.get("info"), dict)
        and isinstance(turns, list)
        and all(isinstance(one, dict) and isinstance(one.get("info"), dict) for one in turns)
    )


def claims_tables(tables: Mapping[str, set[str]]) -> bool:
    """Return whether the tables of a database are opencode's."""
    return all("data" in tables.get(name, ()) for name in ("message", "part")) and "session" in tables


def claims_folder(folder: Path) -> bool:
    """Return whether a folder is the storage of an older version."""
    return (folder / "message").is_dir() and (folder / "part").is_dir()


def conversations(file: Path) -> Iterator[Conversation | BadLine | LeftOut]:
    """Yield the sessions of exported files; sessions of subagents are left out."""

    def convert(number: int, value: Object) -> Iterator[Conversation | LeftOut]:
        if not claims(value) or value["info"].get("parentID"):
            yield LeftOut(number, "subagent" if claims(value) else "no-chat")
        else:
            stored = [(one["info"], _objects(one.get("parts"))) for one in value["messages"]]
            yield _conversation(str(value["info"].get("id") or file.stem), number, stored)

    yield from read_each(file, convert)


def conversations_of_database(file: Path) -> Iterator[Conversation | BadLine]:
    """Yield the sessions of a database, one after the other."""
    with sqlite.open_database(file) as database:
        sessions = database.execute("SELECT rowid, id FROM session WHERE parent_id IS NULL ORDER BY time_created, id")
        for number, session in sessions:
            bad: list[BadLine] = []

            def report(row: str, error: RecordError, number: int = number, bad: list[BadLine] = bad) -> None:
                bad.append(BadLine(number, error.reason, f"{row}: {error.detail}", str(file)))

            of_session = _rows(database, "message", "session_id", session, report)
            stored = [(info, list(_rows(database, "part", "message_id", info["id"], report))) for info in of_session]
            yield from bad
            yield _conversation(session, number, stored)


def conversations_of_folder(folder: Path) -> Iterator[Conversation | BadLine]:
    """Yield the sessions of an older version: a folder of messages per session, a folder of parts per message."""
    subagents = {
        str(info.get("id")) for info in _files(folder / "session", lambda _: None, "**/*.json") if info.get("parentID")
    }
    for number, session in enumerate(sorted((folder / "message").iterdir()), start=1):
        if session.name in subagents or not session.is_dir():
            continue
        bad: list[BadLine] = []
        stored = [
            (info, list(_files(folder / "part" / str(info.get("id")), bad.append)))
            for info in _files(session, bad.append)
        ]
        yield from bad
        yield _conversation(session.name, number, stored)


def _rows(
    database: sqlite3.Connection, table: str, key: str, value: str, report: Callable[[str, RecordError], None]
) -> Iterator[Object]:
    query = f"SELECT id, data FROM {table} WHERE {key} = ? ORDER BY time_created, id"  # noqa: S608
    for identity, data in database.execute(query, (value,)):
        try:
            found = JsonEntry(0, 0, data if isinstance(data, bytes) else str(data).encode()).value()
        except RecordError as error:
            report(identity, error)
        else:
            yield {**found, "id": identity}


def _files(folder: Path, report: Callable[[BadLine], None], pattern: str = "*.json") -> Iterator[Object]:
    for file in sorted(folder.glob(pattern)):
        try:
            yield {"id": file.stem, **document(file).value()}
        except RecordError as error:
            report(BadLine(1, error.reason, error.detail, str(file)))


def _objects(value: object) -> list[Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _conversation(session: str, number: int, stored: Iterable[tuple[Object, list[Object]]]) -> Conversation:
    """Put the turns in order: each answer after the question that it names, each question after the last answer."""
    found = list(stored)
    place = {str(info.get("id")): n for n, (info, _) in enumerate(found)}
    # A question that was typed during an answer is stored in the middle of it.
    found.sort(key=lambda one: place.get(str(one[0].get("parentID")), place[str(one[0].get("id"))]))
    turns: list[Turn] = []
    for info, parts in found:
        parent = turns[-1].id if turns else None
        turns.append(
            _answer(info, parts, parent) if info.get("role") == "assistant" else _question(info, parts, parent)
        )
    return Conversation(session, number, turns)


def _question(info: Object, parts: list[Object], parent: str | None) -> Turn:
    # What opencode writes in the user's name is no word of theirs: reminders, read files, "Continue if you have ...".
    own = [
        part for part in parts if part.get("type") == "text" and not part.get("ignored") and not part.get("synthetic")
    ]
    text = messages.words(own)
    if quoted := _QUOTED.fullmatch(text):
        text = quoted[1].replace('\\"', '"')
    marks, odd = attachment_marks(part.get("mime") for part in parts if part.get("type") == "file")
    said: tuple[Message, ...] = ()
    if (own or marks) and info.get("role") == "user":
        said = (messages.text_message("user", marks + text),)
    return Turn(str(info.get("id")), parent, said, moment=_time(info, "created"), odd=odd)


def _answer(info: Object, parts: list[Object], parent: str | None) -> Turn:
    identity, finish = str(info.get("id")), info.get("finish")
    text = "\n\n".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    if info.get("summary") is True:  # a compaction: from here on, the model knew only this summary
        return Turn(identity, None, (messages.text_message("system", text),))
    calls, results = [], []
    for part in parts:
        state = part.get("state")
        if part.get("type") == "tool" and isinstance(state, dict):
            call = str(part.get("callID") or part.get("id"))
            calls.append(LoggedCall(call, str(part.get("tool") or ""), state.get("input")))
            if state.get("status") in ("completed", "error"):
                results.append(messages.result(call, str(state.get("output") or state.get("error") or "")))
    counts = info.get("tokens")
    read, written = _tokens(counts if isinstance(counts, dict) else {})
    completed = _time(info, "completed")
    return Turn(
        identity,
        parent,
        (*messages.answer(text, calls), *results),
        messages.text_or_none(info.get("modelID")),
        completed or _time(info, "created"),
        read,
        written,
        messages.stop_reason(finish),
        broken_off=bool(info.get("error")) or completed is None or finish == "error",
    )


def _time(info: Object, key: str) -> Any:
    time = info.get("time")
    return parse_time(time.get(key)) if isinstance(time, dict) else None


def _tokens(counts: Object) -> tuple[int | None, int | None]:
    cache = counts.get("cache")
    cached = cache if isinstance(cache, dict) else {}
    read = [n for n in (counts.get("input"), cached.get("read"), cached.get("write")) if type(n) is int]
    written = [n for n in (counts.get("output"), counts.get("reasoning")) if type(n) is int]
    return (sum(read) if read else None), (sum(written) if written else None)
