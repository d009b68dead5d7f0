"""Gives a conversation the forms that chat templates differ in, so that a strict one can write it without loss."""

import hashlib
import itertools
import json
import re
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from weakspot.protocols.turns import strict_turns, with_identities

Turn = dict[str, Any]
Turns = list[Turn]

_ALPHABET = string.digits + string.ascii_letters
# Mistral's templates want exactly as many characters.
_ID_LENGTH = 9


def forms(turns: Sequence[Turn], reply: Turn) -> Iterator[tuple[Turns, Turn]]:
    """Yield a conversation and its answer as they are, then in other forms, those with the fewest changes first.

    The changes, in the order of trial: the system text in front of the first user turn; neighbours of one role as
    one turn; ids of nine letters and digits, and the tool's name beside each result; arguments as JSON text; one call
    a turn; for a template that knows no tools, results as text of the user's. None of them loses anything. The answer's
    own calls stay in one turn.
    """
    yield list(turns), reply
    whole = [*turns, reply]
    for count in range(1, len(_CHANGES) + 1):
        for chosen in itertools.combinations(_CHANGES, count):
            # The last one first: results as text are neighbours of the user's turns.
            steps = list(itertools.accumulate(reversed(chosen), lambda found, change: change(found), initial=whole))
            if all(before != after for before, after in itertools.pairwise(steps)):
                yield steps[-1][:-1], steps[-1][-1]


def _with_system_in_user_turn(turns: Turns) -> Turns:
    if turns[0]["role"] != "system":
        return turns
    first = next((n for n, turn in enumerate(turns) if turn["role"] == "user"), None)
    if first is None:
        return turns
    text = f"{turns[0]['content']}\n\n{turns[first]['content']}"
    return [*turns[1:first], {**turns[first], "content": text}, *turns[first + 1 :]]


def _with_one_turn_a_role(turns: Turns) -> Turns:
    return [*strict_turns(turns[:-1]), turns[-1]]


def _with_short_ids(turns: Turns) -> Turns:
    if not any(turn.get("tool_calls") for turn in turns):
        return turns
    found: Turns = []
    names: dict[str, str] = {}
    for turn in with_identities(turns):
        changed = dict(turn)
        if turn.get("tool_calls"):
            changed["tool_calls"] = [{**call, "id": _short_id(call["id"])} for call in turn["tool_calls"]]
            names |= {call["id"]: call["function"]["name"] for call in changed["tool_calls"]}
        elif turn["role"] == "tool":
            changed["tool_call_id"] = identity = _short_id(turn["tool_call_id"])
            changed |= {"name": names[identity]} if identity in names else {}
        found.append(changed)
    return found


def _short_id(identity: str) -> str:
    if len(identity) == _ID_LENGTH and identity.isascii() and identity.isalnum():
        return identity
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest())
    return "".join(_ALPHABET[number // len(_ALPHABET) ** place % len(_ALPHABET)] for place in range(_ID_LENGTH))


def _with_arguments_as_text(turns: Turns) -> Turns:
    def with_text(call: Turn) -> Turn:
        arguments = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        return {**call, "function": {**call["function"], "arguments": arguments}}

    return [
        {**turn, "tool_calls": [with_text(call) for call in turn["tool_calls"]]} if turn.get("tool_calls") else turn
        for turn in turns
    ]


def _with_one_call_a_turn(turns: Turns) -> Turns:
    if not any(len(turn.get("tool_calls") or ()) > 1 for turn in turns[:-1]):
        return turns
    found: Turns = []
    waiting: Turns = []  # turns of one call each, which wait for their results
    for turn in [*with_identities(turns[:-1]), turns[-1]]:
        if turn["role"] == "tool" and waiting:
            place = next((n for n, one in enumerate(waiting) if _calls(one, turn)), 0)
            found += [waiting.pop(place), turn]
            continue
        found += waiting
        waiting = []
        calls: list[Turn] = turn.get("tool_calls") or []
        if len(calls) > 1 and turn is not turns[-1]:
            waiting = [
                {**turn, "content": turn["content"] if call is calls[0] else "", "tool_calls": [call]} for call in calls
            ]
        else:
            found.append(turn)
    return found


def _with_results_as_text(turns: Turns) -> Turns:
    """Return tool results as Hermes and Qwen write them, where the calls are written as text, too."""
    if any(turn.get("tool_calls") for turn in turns):
        return turns
    return [
        {"role": "user", "content": f"<tool_response>\n{turn['content']}\n</tool_response>"}
        if turn["role"] == "tool"
        else turn
        for turn in turns
    ]


def _calls(turn: Turn, result: Turn) -> bool:
    return bool(turn["tool_calls"][0]["id"] == result["tool_call_id"])


_CHANGES: tuple[Callable[[Turns], Turns], ...] = (
    _with_system_in_user_turn,
    _with_one_turn_a_role,
    _with_short_ids,
    _with_arguments_as_text,
    _with_one_call_a_turn,
    _with_results_as_text,
)


class Marks:
    """A copy of turns in which each text has a mark of its own, to see which of them a template writes."""

    _FORM = re.compile(r"zq\d+qz")

    def __init__(self) -> None:
        self._count = 0

    @classmethod
    def find(cls, text: str) -> set[str]:
        """Return the marks in a text."""
        return {*cls._FORM.findall(text)}

    def with_marks(self, turn: Turn) -> tuple[Turn, list[str]]:
        """Return a turn with marks in its text or, where it has any, in its calls; and the marks."""
        marks: list[str] = []

        def mark(text: str) -> str:
            self._count += 1
            marks.append(f"zq{self._count}qz")
            end = len(text.rstrip())
            return f"{text[:end]}{marks[-1]}{text[end:]}"

        def mark_leaves(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: mark_leaves(one) for key, one in value.items()}
            if isinstance(value, list):
                return [mark_leaves(one) for one in value]
            return mark(value) if isinstance(value, str) and value.strip() else value

        if calls := turn.get("tool_calls"):
            changed = []
            for call in calls:
                function, text = call["function"], call["function"]["arguments"]
                whole = json.loads(text) if isinstance(text, str) else text
                arguments = mark_leaves(whole)
                if isinstance(text, str):
                    arguments = json.dumps(arguments, ensure_ascii=False)
                changed.append(
                    {**call, "function": {**function, "name": mark(function["name"]), "arguments": arguments}}
                )
            return {**turn, "tool_calls": changed}, marks
        if not turn["content"].strip():
            return turn, marks
        return {**turn, "content": mark(turn["content"])}, marks
