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
from weakspot.importers.event_streams import body_of_stream, is_stream
from weakspot.importers.json_stream import BadLine, JsonEntry, LeftOut, entries, parse_json_text
from weakspot.importers.response_items import are_items, messages_of_answer, messages_of_input
from weakspot.importers.times import parse_time
from weakspot.protocols.parts import StopReason
from weakspot.records import Message
from weakspot.records.parsing import RecordError

Object = dict[str, Any]
# Keys under which programs log a request and its response.
_REQUESTS = ("request", "request_body", "body", "kwargs", "proxy_server_request")
_RESPONSES = ("response", "response_body", "response_obj", "output", "completion")
_BODIES = ("body", "body_raw")
_ENDS = ("endTime", "end_time", "timestamp", "created_at", "logged_at", "time", "ts", "startTime", "start_time")
# Who asked: the person where one is named, else the session.
_PERSONS = ("end_user", "user", "user_id", "user_api_key_end_user_id", "user_api_key_user_id", "end_user_id")
_SESSIONS = ("session_id", "litellm_session_id", "conversation_id", "thread_id", "chat_id", "prompt_cache_key")
_NOBODY = ("default_user_id", "default", "anonymous", "unknown", "user", "None")
_RESPONSE_STOPS: dict[str, StopReason] = {"completed": "stop", "incomplete": "length"}


@dataclass(frozen=True)
class Exchange:
    """One logged request, ``system`` separate, and the turn that answers it, empty where none is logged.

    ``follows`` is the id of the response that the request goes on from, ``response`` that of its own.
    """

    system: tuple[Message, ...]
    asked: list[tuple[Message, str | None]]
    answer: Turn
    tools: list[Any]
    follows: str = ""
    response: str = ""


def claims(value: Object) -> bool:
    """Return whether an object is a logged chat."""
    return _request(value) is not None


def conversations(file: Path) -> Iterator[Conversation | BadLine | LeftOut]:
    """Yield the conversations that the requests of a log belong to.

    Requests of the same person, or session where no person is named, with the same first message of the user are one
    conversation: a tree that branches where the requests differ. The system's messages are not compared, since they
    differ by model.
    """
    # A log may be larger than memory: first collect only the positions of each conversation's requests.
    places: dict[bytes, array[int]] = {}
    people: dict[bytes, str] = {}
    responses: dict[str, bytes] = {}
    for entry in entries(file):
        try:
            value = entry.value()
        except RecordError as error:
            yield BadLine(entry.number, error.reason, error.detail, str(file))
            continue
        request = _request(value)
        first = _first_question(request) if request else None
        if request is None or first is None:
            yield LeftOut(entry.number, _reason(value))
            continue
        if follows := str(request.get("previous_response_id") or ""):
            if follows not in responses:
                yield LeftOut(entry.number, "earlier-turns-missing")
                continue
            key = responses[follows]
        else:
            who = _who(value, request)
            key = hashlib.sha256((f"{who}\0" * bool(who) + _collapse_spaces(first)).encode()).digest()
            if who:
                people[key] = who
        if "input" in request and (own := _object(_response(value)).get("id")):
            responses[str(own)] = key
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
            yield Conversation(
                key.hex()[:24], where[0], joined.turns, joined.tools, by_text=True, who=people.get(key, "")
            )


def exchange(value: Object) -> Exchange | None:
    """Return the chat in an entry of a log, None where there is none."""
    request = _request(value)
    if request is None:
        return None
    system: list[Message] = []
    if text := messages.words(request.get("system") or request.get("instructions")):  # places of their own for it
        system.append(messages.text_message("system", text))
    asked: list[tuple[Message, str | None]] = []
    for message, model in _iter_messages(request):
        if message.role == "system":
            system.append(message)
        else:
            asked.append((message, model))
    response = _response(value)
    answer = _answer(value, request, response)
    if response is None and not answer.messages and asked and asked[-1][0].role == "assistant":
        # The log of a whole chat: its last message is the answer.
        said, model = asked.pop()
        answer = replace(answer, messages=(said,), model=model or answer.model)
    tools = request.get("tools") or _object(value.get("model_parameters")).get("tools")
    return Exchange(
        tuple(system),
        asked,
        answer,
        tools if isinstance(tools, list) else [],
        str(request.get("previous_response_id") or ""),
        str(_object(response).get("id") or ""),
    )


def _iter_messages(request: Object) -> Iterator[tuple[Message, str | None]]:
    given = _json(request["messages"] if request.get("messages") else request.get("input"))
    if isinstance(given, list) and all(isinstance(one, dict) and "role" in one for one in given):
        for one in given:
            for message in messages.messages_of(one):
                yield message, messages.text_or_none(one.get("model"))
    else:
        for message in messages_of_input(given):
            yield message, None


def _first_question(request: Object) -> str | None:
    return next((message.content or "" for message, _ in _iter_messages(request) if message.role == "user"), None)


def _request(value: Object) -> Object | None:
    """Return the part of an entry that holds the messages, or the input of a request to the Responses API."""
    if any(isinstance(one, dict) and "role" in one for one in _list(value.get("messages"))):
        return value
    nested = (_object(value.get(key)) for key in _REQUESTS)
    found = next((found for one in nested if one and (found := _request(one))), None)
    return found or (value if _is_input(value) else None)


def _is_input(value: Object) -> bool:
    """Return whether a value is a request to the Responses API; one for an embedding has an input as well."""
    given = _json(value.get("input") or value.get("messages"))
    if isinstance(given, str):
        of_responses = "responses" in str(value.get("call_type") or "") or bool(value.get("previous_response_id"))
        return of_responses or "instructions" in value or are_items(_object(value.get("response")).get("output"))
    return any(isinstance(one, dict) and "role" in one for one in given) if isinstance(given, list) else False


def _reason(value: Object) -> str:
    """Return why an entry is no chat: it is one of another kind, or its texts were not logged."""
    kind = str(value.get("call_type") or "")
    return "texts-not-logged" if any(word in kind for word in ("completion", "responses", "messages")) else "no-chat"


def _who(value: Object, request: Object) -> str:
    """Return who asked, empty where the log does not say it: equal words of two people are two conversations."""
    metadata = _object(value.get("metadata"))
    places = (value, request, metadata, _object(request.get("metadata")), _object(value.get("model_parameters")))
    for keys in (_PERSONS, _SESSIONS):
        for key in keys:
            for one in places:
                if (said := str(one.get(key) or "")) and said not in _NOBODY:
                    return f"{key} {said}"
    return ""


def _response(value: Object) -> object:
    """Return what a log holds of the answer, decoded as far as it can be; None where it has no place for one."""
    held = next((one for key in _RESPONSES if (one := value.get(key))), None)
    response = _decode(held)
    for _ in range(2):
        if not isinstance(response, dict) or not (
            inner := next((response[key] for key in _BODIES if response.get(key)), None)
        ):
            break
        response = {**_body_object(inner), "status_code": response.get("status_code") or response.get("status")}
    return response


def _decode(value: object) -> object:
    value = _json(value)
    if isinstance(value, list) and any(isinstance(one, dict) and "choices" in one for one in value):
        value = "".join(f"data: {json.dumps(one)}\n\n" for one in value)  # the chunks of a stream
    if isinstance(value, str) and is_stream(value):
        return body_of_stream(value) or {"error": "a stream that cannot be decoded"}
    if isinstance(value, str) and value.lstrip()[:2] in ('{"', "[{"):
        return {"error": "JSON that was cut"}
    return value


def _body_object(value: object) -> Object:
    found = _decode(value)
    return found if isinstance(found, dict) else {"content": found}


def _answer(value: Object, request: Object, response: object) -> Turn:
    body = _object(response) or (value if response is None else {})
    choice = _object(next(iter(_list(body.get("choices"))), None))
    items = response if are_items(response) else body.get("output")
    if isinstance(items, list) and are_items(items):
        said = tuple(messages_of_answer(items))
    else:
        found = {"content": response} if isinstance(response, str) else _object(choice.get("message"))
        found = found or (body if body is not value else {})
        said = tuple(messages.messages_of({**found, "role": "assistant"}))
    status = body.get("status_code")
    failed = bool(body.get("error")) or body.get("status") == "failed" or value.get("status") == "failure"
    failed = failed or (isinstance(status, int) and status >= 400)
    read, written = messages.token_counts(body.get("usage") or value.get("usage") or value)
    models = (body.get("model"), value.get("model"), request.get("model"))
    times = (*(value.get(key) for key in _ENDS), body.get("created"), body.get("created_at"))
    held = _object(value.get("response"))
    stop = messages.stop_reason(choice.get("finish_reason") or body.get("stop_reason"))
    return Turn(
        "",
        None,
        () if failed else said,
        next((model for model in models if messages.text_or_none(model)), None),
        next((moment for one in (*times, held.get("timestamp")) if (moment := parse_time(one))), None),
        read,
        written,
        stop or _RESPONSE_STOPS.get(str(body.get("status"))),
        broken_off=bool(body.get("incomplete")) or body.get("status") in ("in_progress", "cancelled"),
    )


def _json(value: object) -> object:
    """Return a value, parsed where a log holds it as JSON text; other texts as they are."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return parse_json_text(value)
        except RecordError:
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
        self._responses: dict[str, str] = {}
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
        place = self._responses.get(found.follows, "")
        for message, model in found.asked:
            place = self._add_turn(place, Turn("", None, (message,), model))
        if found.answer.messages:
            place = self._add_turn(place, found.answer)
        if found.response:
            self._responses[found.response] = place

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
    words = [(message.role, _collapse_spaces(message.text)) for message in said]
    return hashlib.sha256(json.dumps([parent, words]).encode()).hexdigest()[:32]


def _collapse_spaces(text: str) -> str:
    """Return a text with single spaces; it must be fast, since each request repeats the whole conversation."""
    return " ".join(text.split())
