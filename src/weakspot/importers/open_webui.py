"""Imports Open WebUI's chats from JSON exports and from its database; each chat is a tree of messages."""

import html
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from weakspot.importers import messages, sqlite
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, JsonEntry, entries, parse_json_text
from weakspot.importers.messages import LoggedCall, attachment_marks
from weakspot.importers.response_items import are_items, messages_of_answer
from weakspot.importers.times import parse_time
from weakspot.records import Message
from weakspot.records.parsing import RecordError

Object = dict[str, Any]
# Older versions write a model's reasoning and tool calls into its answer.
_DETAILS = re.compile(r"<details((?:\s+\w+=(?:\"[^\"]*\"|'[^']*'))+)\s*>.*?</details>\s*", re.DOTALL)
_ATTRIBUTE = re.compile(r"(\w+)=(?:\"([^\"]*)\"|'([^']*)')")


def claims(value: Object) -> bool:
    """Return whether an object is an exported chat, or the inner part of one."""
    chat = value.get("chat") if isinstance(value.get("chat"), dict) else value
    history = chat.get("history") if isinstance(chat, dict) else None
    return isinstance(history, dict) and isinstance(history.get("messages"), dict)


def claims_tables(tables: Mapping[str, set[str]]) -> bool:
    """Return whether the tables of a database are Open WebUI's."""
    return {"chat", "user_id"} <= tables.get("chat", set())


def conversations(file: Path) -> Iterator[Conversation | BadLine]:
    """Yield the chats of an export."""
    for entry in entries(file):
        yield _parse_chat(entry, file)


def conversations_of_database(file: Path) -> Iterator[Conversation | BadLine]:
    """Yield the chats of a database."""
    with sqlite.open_database(file) as database:
        columns = {row[0] for row in database.execute("SELECT name FROM pragma_table_info('chat_message')")}
        for number, identity, chat in database.execute("SELECT rowid, id, chat FROM chat ORDER BY rowid"):
            data = chat if isinstance(chat, bytes) else str(chat or "{}").encode()
            # Newer versions store messages in a table of their own; the chat holds only older ones.
            yield _parse_chat(JsonEntry(number, 0, data), file, identity, _rows(database, columns, identity))


def _parse_chat(
    entry: JsonEntry, file: Path, identity: str | None = None, rows: Sequence[Object] = ()
) -> Conversation | BadLine:
    try:
        value = entry.value()
    except RecordError as error:
        return BadLine(entry.number, error.reason, error.detail, str(file))
    chat = value["chat"] if isinstance(value.get("chat"), dict) else value
    name = identity or str(value.get("id") or chat.get("id") or f"{file.stem}/{entry.number}")
    history = _object(_object(chat.get("history")).get("messages"))
    stored = rows or [{"id": key, **one} for key, one in history.items() if isinstance(one, dict)]
    system = messages.text_or_none(_object(chat.get("params")).get("system") or chat.get("system"))
    return Conversation(name, entry.number, list(_turns(stored, system)))


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _rows(database: sqlite3.Connection, columns: set[str], chat: str) -> list[Object]:
    if not {"chat_id", "parent_id", "role", "content"} <= columns:
        return []
    rows = database.execute("SELECT * FROM chat_message WHERE chat_id = ? ORDER BY created_at, rowid", (chat,))
    return [_message(dict(row), f"{chat}-") for row in rows]


def _message(row: Object, prefix: str) -> Object:
    """Return a row in the form of an export: other names, a shorter id, and JSON parsed."""
    names = {"parent_id": "parentId", "model_id": "model", "created_at": "timestamp"}
    found: Object = {}
    for key, value in row.items():
        held_as_json = key in ("content", "output", "error", "usage", "files", "annotation") and isinstance(value, str)
        found[names.get(key, key)] = _json(value) if held_as_json else value
    return {**found, "id": str(row["id"]).removeprefix(prefix)}


def _turns(stored: Sequence[Object], system: str | None) -> Iterator[Turn]:
    """Yield parents before their children, siblings oldest first; by ``parentId``, as some versions omit children."""
    first = "system" if system else None
    if system:
        yield Turn("system", None, (messages.text_message("system", system),))
    known = {str(one["id"]) for one in stored}
    children: dict[str | None, list[Object]] = {}
    for one in sorted(stored, key=_seconds):
        above = str(one.get("parentId"))
        children.setdefault(above if above in known else None, []).append(one)
    waiting = [(one, first) for one in children.pop(None, ())]
    for one, parent in waiting:
        yield _turn(one, parent)
        waiting += [(child, str(one["id"])) for child in children.pop(str(one["id"]), ())]


def _seconds(one: Object) -> float:
    time = one.get("timestamp")
    return float(time) if isinstance(time, int | float) else 0.0


def _turn(one: Object, parent: str | None) -> Turn:
    identity, time = str(one["id"]), parse_time(one.get("timestamp"))
    if one.get("role") != "assistant":
        said = tuple(messages.messages_of({"role": one.get("role"), "content": one.get("content")}))[:1]
        files = one.get("files")
        marks, odd = attachment_marks(_kind(file) for file in (files if isinstance(files, list) else ()))
        if marks and said:
            said = (said[0].model_copy(update={"content": marks + (said[0].content or "")}),)
        return Turn(identity, parent, said, moment=time, odd=odd)
    rating, comment = _rating(one.get("annotation"))
    read, written = messages.token_counts(one.get("usage") or _object(one.get("info")).get("usage"))
    return Turn(
        identity,
        parent,
        tuple(
            messages_of_answer(one["output"])
            if are_items(one.get("output"))
            else _content(messages.words(one.get("content")))
        ),
        # In the arena the model's name is that of the arena, and who answered stands beside it.
        messages.text_or_none(one.get("selectedModelId")) or messages.text_or_none(one.get("model")),
        time,
        read,
        written,
        broken_off=bool(one.get("error")) or one.get("done") in (False, 0),
        rating=rating,
        comment=comment,
    )


def _kind(file: object) -> str:
    found = _object(file)
    return str(found.get("content_type") or found.get("type") or "")


def _rating(annotation: object) -> tuple[int, str]:
    """Return the thumb of an answer, 1, -1 or 0 for none, and the reader's words."""
    found = _object(annotation)
    rating, said = found.get("rating"), (found.get("reason"), found.get("comment"))
    value = int(rating) if isinstance(rating, int | str) and str(rating) in ("1", "-1") else 0
    return value, ": ".join(one for one in said if isinstance(one, str) and one)


def _content(text: str) -> Iterator[Message]:
    """Yield the messages of an answer that holds its tool calls and its reasoning as HTML."""
    said, begin = "", 0
    for details in _DETAILS.finditer(text):
        values = {name: html.unescape(one or other) for name, one, other in _ATTRIBUTE.findall(details[1])}
        if values.get("type") not in ("reasoning", "tool_calls"):
            continue
        said += text[begin : details.start()]
        begin = details.end()
        if values["type"] == "tool_calls":
            call = LoggedCall(values.get("id", ""), values.get("name", ""), _json(values.get("arguments", "{}")))
            yield from messages.answer(said.strip(), [call])
            said = ""
            if "result" in values:
                result = _json(values["result"])
                shown = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
                yield messages.result(call.id, shown)
    yield from messages.answer((said + text[begin:]).strip() if begin else text)


def _json(text: str) -> Any:
    """Return a text parsed as JSON, or the text itself where it is no JSON."""
    try:
        return parse_json_text(text)
    except RecordError:
        return text
