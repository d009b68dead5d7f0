"""Imports logs of chat completions: one request and its answer per line, as LiteLLM and other proxies write them."""

import hashlib
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weakspot.importers import messages
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, JsonEntry, entries
from weakspot.records import Message
from weakspot.records.parsing import RecordError

Object = dict[str, Any]
# Keys under which programs log a request and its response.
_REQUESTS = ("request", "request_body", "body", "kwargs", "proxy_server_request")
_RESPONSES = ("response", "response_body", "response_obj", "output", "completion")


@dataclass(frozen=True)
class Exchange:
    """One logged request, ``system`` separate, and the turn that answers it, empty where none is logged."""

    system: tuple[Message, ...]
    asked: list[tuple[Message, str | None]]
    answer: Turn
    tools: list[Any]


def claims(value: Object) -> bool:
    """Return whether an object is a logged chat."""
    return _request(value) is not None


def conversations(file: Path) -> Iterator[Conversation | BadLine]:
    """Yield the conversations that the requests of a log belong to.

    Requests with the same first message of the user are one conversation: a tree that branches where the requests
    differ. The system's messages are not compared, since they differ by model.
    """
    # A log may be larger than memory: first collect only the positions of each conversation's requests.
    places: dict[bytes, array[int]] = {}
    for entry in entries(file):
        try:
            first = _first_question(entry.value())
        except RecordError as error:
            yield BadLine(entry.number, error.reason, error.detail, str(file))
            continue
        # Embeddings, health checks and the like are logged as well: they are no chats.
        if first is not None:
            key = hashlib.sha256(_inner_model(first).encode()).digest()
            places.setdefault(key, array("Q")).extend((entry.number, entry.offset, len(entry.data)))
    with file.open("rb") as stream:
        for key, where in places.items():
            joined = _TreeBuilder()
            for n in range(0, len(where), 3):
                number, offset, length = where[n : n + 3]
                stream.seek(offset)
                found = exchange(JsonEntry(number, offset, stream.read(length)).value())
                if found is not None:
                    joined.add(found)
            yield Conversation(key.hex()[:24], where[0], joined.turns, joined.tools)


def exchange(value: Object) -> Exchange | None:
    """Return the chat in an entry of a log, None where there is none."""
    request = _request(value)
    if request is None:
        return None
    system: list[Message] = []
    if text := messages.words(request.get("system")):  # Anthropic's place for it
        system.append(messages.text_message("system", text))
    asked: list[tuple[Message, str | None]] = []
    for one in _list(request["messages"]):
        for message in messages.messages_of(one) if isinstance(one, dict) else ():
            if message.role == "system":
                system.append(message)
            else:
                asked.append((message, messages.text_or_none(one.get("model"))))
    answer = _answer(value, request)
    if not answer.messages and asked and asked[-1][0].role == "assistant":
        # The log of a whole chat: its last message is the answer.
        said, model = asked.pop()
        answer = replace(answer, messages=(said,), model=model or answer.model)
    tools = request.get("tools") or _object(value.get("model_parameters")).get("tools")
    return Exchange(tuple(system), asked, answer, tools if isinstance(tools, list) else [])


def _first_question(value: Object) -> str | None:
    asked = _list((_request(value) or {}).get("messages"))
    return next(
        (messages.words(one.get("content")) for one in asked if isinstance(one, dict) and one.get("role") == "user"),
        None,
    )


def _request(value: Object) -> Object | None:
    """Return the part of an entry that holds the messages."""
    if any(isinstance(one, dict) and "role" in one for one in _list(value.get("messages"))):
        return value
    nested = (_object(value.get(key)) for key in _REQUESTS)
    return next((found for one in nested if one and (found := _request(one))), None)


def _answer(value: Object, request: Object) -> Turn:
    response = next((one for key in _RESPONSES if (one := _json(value.get(key)))), value)
    if isinstance(response, dict) and isinstance(response.get("body"), dict):
        response = response["body"]
    body = _object(response)
    choice = _object(next(iter(_list(body.get("choices"))), None))
    if isinstance(response, str):
        said: Object = {"content": response}
    else:
        said = _object(choice.get("message")) or (body if body is not value else {})
    failed = bool(body.get("error")) or value.get("status") == "failure"
    ended = value.get("endTime") or value.get("end_time") or value.get("timestamp") or value.get("created_at")
    read, written = messages.token_counts(body.get("usage") or value.get("usage") or value)
    models = (body.get("model"), value.get("model"), request.get("model"))
    return Turn(
        "",
        None,
        () if failed else tuple(messages.messages_of({**said, "role": "assistant"})),
        next((model for model in models if messages.text_or_none(model)), None),
        messages.parse_time(ended) or messages.parse_time(body.get("created")),
        read,
        written,
        messages.stop_reason(choice.get("finish_reason") or body.get("stop_reason")),
    )


def _json(value: object) -> object:
    """Return a value, parsed where a log holds it as JSON text; other texts as they are."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return JsonEntry(0, 0, b'{"value":' + value.encode() + b"}").value()["value"]
        except (RecordError, KeyError):
            return value
    return value


def _object(value: object) -> Object:
    found = _json(value)
    return found if isinstance(found, dict) else {}


def _list(value: object) -> list[Any]:
    found = _json(value)
    return found if isinstance(found, list) else []


class _TreeBuilder:
    """Builds one tree of the requests of a conversation: a turn's id is a hash of all messages up to it."""

    def __init__(self) -> None:
        self.tools: list[Any] = []
        self._turns: dict[str, Turn] = {}
        self._system: tuple[Message, ...] | None = None

    @property
    def turns(self) -> list[Turn]:
        """The turns in the order in which they were logged."""
        return list(self._turns.values())

    def add(self, found: Exchange) -> None:
        """Add a request and its answer, as far as they are new."""
        if self._system is None:
            self._system = found.system
            self._turns[""] = Turn("", None, found.system)
        self.tools = found.tools or self.tools
        place = ""
        for message, model in found.asked:
            place = self._add_turn(place, Turn("", None, (message,), model))
        if found.answer.messages:
            self._add_turn(place, found.answer)

    def _add_turn(self, parent: str, turn: Turn) -> str:
        """Add a turn after ``parent`` unless it is there already; return its id."""
        identity = _hash(parent, turn.messages)
        there = self._turns.get(identity)
        if there is not None and turn.model and there.model and there.model != turn.model:
            identity = _hash(f"{identity}{turn.model}", turn.messages)  # two models gave the same answer
            there = self._turns.get(identity)
        if there is None or (turn.model and not there.model):
            self._turns[identity] = replace(turn, id=identity, parent=parent)
        return identity


def _hash(parent: str, said: Sequence[Message]) -> str:
    words = [(message.role, _inner_model(message.text)) for message in said]
    return hashlib.sha256(json.dumps([parent, words]).encode()).hexdigest()[:32]


def _inner_model(text: str) -> str:
    """Return a text with single spaces; it must be fast, since each request repeats the whole conversation."""
    return " ".join(text.split())
