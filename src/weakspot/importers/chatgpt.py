"""Imports ChatGPT's data export, ``conversations.json``: each conversation is a tree of messages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weakspot.importers import messages
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, LeftOut, read_each
from weakspot.importers.messages import LoggedCall, attachment_marks
from weakspot.importers.times import parse_time

Object = dict[str, Any]
# Thoughts, and what the user told ChatGPT about themselves in its settings.
_UNSPOKEN = ("thoughts", "reasoning_recap", "model_editable_context", "user_editable_context")
_BROKEN_OFF = ("in_progress", "finished_partial_completion", "interrupted", "error")


def claims(value: Object) -> bool:
    """Return whether an object is a conversation of an export."""
    nodes = value.get("mapping")
    return isinstance(nodes, dict) and all(isinstance(one, dict) and "message" in one for one in nodes.values())


def conversations(file: Path) -> Iterator[Conversation | BadLine | LeftOut]:
    """Yield the conversations of an export."""

    def convert(number: int, value: Object) -> Iterator[Conversation | LeftOut]:
        if not claims(value):
            yield LeftOut(number, "no-chat")
            return
        name = str(value.get("conversation_id") or value.get("id") or f"{file.stem}/{number}")
        yield Conversation(name, number, list(_turns(value)))

    yield from read_each(file, convert)


def _turns(value: Object) -> Iterator[Turn]:
    """Yield parents before their children, as Open WebUI's importer does; by ``parent``, since all nodes have it."""
    nodes: Object = value["mapping"]
    children: dict[str | None, list[str]] = {}
    for key, node in nodes.items():
        parent = node.get("parent")
        children.setdefault(parent if isinstance(parent, str) and parent in nodes else None, []).append(key)
    spoken = any(_slug(node.get("message")) for node in nodes.values())
    # Newer exports name the model only once where it is the same in all of a conversation.
    model = None if spoken else messages.text_or_none(value.get("default_model_slug"))
    waiting: list[tuple[str, str | None]] = [(key, None) for key in children.pop(None, ())]
    for key, parent in waiting:
        yield _turn(key, parent, _object(nodes[key].get("message")), model)
        waiting += [(child, key) for child in sorted(children.pop(key, ()), key=lambda one: _seconds(nodes[one]))]


def _turn(key: str, parent: str | None, message: Object, model: str | None) -> Turn:
    role, metadata = _object(message.get("author")).get("role"), _object(message.get("metadata"))
    content = _object(message.get("content"))
    moment = parse_time(message.get("create_time"))
    hidden = metadata.get("is_visually_hidden_from_conversation") or message.get("weight") == 0
    if not role or content.get("content_type") in _UNSPOKEN or (hidden and role != "tool"):
        return Turn(key, parent, moment=moment)
    text, kinds = _words(content)
    if role == "tool":
        return Turn(key, parent, (messages.result(str(parent), text),), moment=moment)
    if role == "user":
        marks, odd = attachment_marks([*kinds, *_attachments(metadata)])
        said = (messages.text_message("user", marks + text),) if marks or text else ()
        return Turn(key, parent, said, moment=moment, odd=odd)
    if role == "system":
        return Turn(key, parent, (messages.text_message("system", text),) if text.strip() else (), moment=moment)
    return _answer(Turn(key, parent, model=_slug(message) or model, moment=moment), message, text)


def _answer(turn: Turn, message: Object, text: str) -> Turn:
    recipient = message.get("recipient")
    called = isinstance(recipient, str) and recipient not in ("", "all")
    said = (
        messages.answer("", [LoggedCall(turn.id, str(recipient), {"input": text})]) if called else messages.answer(text)
    )
    details = _object(_object(message.get("metadata")).get("finish_details"))
    stop = messages.stop_reason(details.get("type"))
    cut = message.get("status") in _BROKEN_OFF or details.get("type") == "interrupted"
    return Turn(turn.id, turn.parent, said, turn.model, turn.moment, stop=stop, broken_off=cut)


def _words(content: Object) -> tuple[str, list[str]]:
    """Return the text of a message, and the kinds of what is no text in it."""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return messages.words(content.get("text") or content.get("result") or ""), []
    texts, kinds = [], []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):  # what was said aloud
            texts.append(part["text"])
        elif isinstance(part, dict):
            kinds.append("image" if "image" in str(part.get("content_type")) else "file")
    return "\n".join(text for text in texts if text), kinds


def _attachments(metadata: Object) -> list[str]:
    """Return the kinds of attachment_marks files; a picture is in the parts as well."""
    found = metadata.get("attachments")
    kinds = [str(_object(one).get("mime_type") or "") for one in (found if isinstance(found, list) else ())]
    return [kind for kind in kinds if not kind.startswith("image")]


def _slug(message: object) -> str | None:
    return messages.text_or_none(_object(_object(message).get("metadata")).get("model_slug"))


def _seconds(node: Object) -> float:
    time = _object(node.get("message")).get("create_time")
    return float(time) if isinstance(time, int | float) else 0.0


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}
