"""Imports preference files: a prompt with a better and a worse answer, as OpenAI and other trainers take them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weakspot.importers import messages
from weakspot.importers.conversation_tree import Conversation, Turn
from weakspot.importers.json_stream import BadLine, LeftOut, parse_json_text, read_each
from weakspot.importers.times import parse_time
from weakspot.records import Message
from weakspot.records.parsing import RecordError

Object = dict[str, Any]
# The keys of prompt, better and worse answer: OpenAI's and Fireworks', TRL's, ms-swift's and OpenPipe's.
_FORMS = (
    ("input", "preferred_output", "non_preferred_output"),
    ("prompt", "chosen", "rejected"),
    ("messages", None, "rejected_response"),
    ("messages", None, "rejected_message"),
    (None, "chosen", "rejected"),
)


def claims(value: Object) -> bool:
    """Return whether an object is a prompt with two answers."""
    return _form(value) is not None


def conversations(file: Path) -> Iterator[Conversation | BadLine | LeftOut]:
    """Yield each prompt as a conversation that has two answers: one with a thumbs-down, and then the better one."""

    def convert(number: int, value: Object) -> Iterator[Conversation | LeftOut]:
        if (form := _form(value)) is None:
            yield LeftOut(number, "no-preference")
            return
        prompt, better, worse = _parts(value, *form)
        if not prompt or prompt[-1].role != "user":
            yield LeftOut(number, "no-question")
        elif not better or not worse:
            yield LeftOut(number, "no-answer")
        else:
            given = value.get("input")
            tools = (given if isinstance(given, dict) else value).get("tools")
            yield Conversation(
                f"{file.stem}/{number}",
                number,
                list(_turns(value, prompt, better, worse)),
                tools if isinstance(tools, list) else [],
            )

    yield from read_each(file, convert)


def _form(value: Object) -> tuple[str | None, str | None, str] | None:
    return next((form for form in _FORMS if all(key is None or key in value for key in form)), None)


def _parts(
    value: Object, prompt: str | None, better: str | None, worse: str
) -> tuple[list[Message], list[Message], list[Message]]:
    """Return the messages of prompt and answers; where one list holds prompt and answer, its end is the answer."""
    if prompt is None and better is not None:
        chosen, rejected = (_messages(value[key], "assistant") for key in (better, worse))
        same = next((n for n, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), 0)
        return chosen[:same], chosen[same:], rejected[same:]
    asked = _messages(value[prompt or ""], "user")
    bad = _messages(value[worse], "assistant")
    if better is not None:
        return asked, _without(asked, _messages(value[better], "assistant")), _without(asked, bad)
    end = max((n + 1 for n, one in enumerate(asked) if one.role == "user"), default=0)
    return asked[:end], asked[end:], bad


def _without(prompt: list[Message], answer: list[Message]) -> list[Message]:
    """Return an answer without the prompt, which some programs repeat in it."""
    return answer[len(prompt) :] if answer[: len(prompt)] == prompt else answer


def _messages(value: object, role: str) -> list[Message]:
    if isinstance(value, str) and value.startswith(('{"', '[{"')):
        with contextlib.suppress(RecordError):
            value = parse_json_text(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        value = value[-1]  # one answer for each turn: the last turn is the one that is asked
    if isinstance(value, dict):
        value = value["messages"] if isinstance(value.get("messages"), list) else [value]
    if isinstance(value, str):
        return list(messages.messages_of({"role": role, "content": value}))
    found = (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()
    return [message for one in found for message in messages.messages_of({"role": role, **one})]


def _turns(value: Object, prompt: list[Message], better: list[Message], worse: list[Message]) -> Iterator[Turn]:
    moment = parse_time(value.get("timestamp") or value.get("created_at"))
    last: str | None = None
    for number, message in enumerate(prompt):
        yield Turn(str(number), last, (message,), moment=moment)
        last = str(number)
    yield Turn("worse", last, tuple(worse), moment=moment, rating=-1)
    yield Turn("better", last, tuple(better), moment=moment)
