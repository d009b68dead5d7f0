"""Normalises the turns of a conversation: one form to recognise, ask and store, and one that strict servers accept.

Clients send system messages anywhere, several messages of one role in a row, tool results without a call and calls
without an id. The forms that providers document are kept as they are.
"""

from collections.abc import Callable, Iterator
from itertools import groupby, takewhile
from typing import Any

from weakspot.protocols.media import THOUGHTS
from weakspot.protocols.notice import without_notice
from weakspot.protocols.thoughts import split_thoughts
from weakspot.protocols.tools import function_call

Messages = list[dict[str, Any]]

BEGINNING = "(the conversation begins)"
_SYSTEM = ("system", "developer")
_REMINDER = "<system-reminder>\n{}\n</system-reminder>"


def canonical_turns(messages: Messages) -> Messages:
    """Return the turns of a chat completion request in one form; the given ones are not changed.

    There is at most one system message, the first: a later one becomes a reminder in the turn that it stands beside.
    Each tool call has an id of its own, and each result that of its call. An assistant's thoughts stand in
    ``reasoning_content``, and no notice of ours stands behind its answer. Fields that are not known are kept.
    """
    found = [_canonical_message(message) for message in messages]
    return list(with_identities(_with_system_first(found)))


def strict_turns(messages: Messages) -> Messages:
    """Return the turns as the strictest chat templates want them: system, user, and no two neighbours of one role.

    Everything else is as the client sent it, but for a notice of ours. A conversation that is so already is returned
    equal, so that its request goes on unchanged.
    """
    found: Messages = []
    runs = groupby(_with_system_first([_without_notice(one) for one in messages]), lambda one: one.get("role"))
    for role, run in runs:
        if role == "assistant" and all(one.get("role") == "system" for one in found):
            found.append({"role": "user", "content": BEGINNING})
        found += [_join_messages(list(run))] if role in ("user", "assistant") else run
    return found


def text_of(content: Any) -> str | None:
    """Return the text of a message's content without thoughts, None where it has none; other parts by their type."""
    if content is None or isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "\n".join(_text_of_part(part) for part in parts if part.get("type") not in THOUGHTS)


def _text_of_part(part: dict[str, Any]) -> str:
    kind = part.get("type")
    return str(part.get(kind) or "") if kind in ("text", "refusal") else f"[{kind}]"


def was_noticed(messages: Any) -> bool:
    """Whether a notice of ours stands behind an answer of a conversation as the client sent it."""
    sound = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    return any(_without_notice(one) is not one for one in sound)


def _canonical_message(message: dict[str, Any]) -> dict[str, Any]:
    """Return one message with the names of today for its role, its call and its thoughts."""
    found = dict(_without_notice(message))
    if found.get("role") == "function":  # OpenAI's protocol before November 2023
        found["role"] = "tool"
    if isinstance(call := found.pop("function_call", None), dict) and not found.get("tool_calls"):
        found["tool_calls"] = [{"type": "function", "function": call}]
    if found.get("role") == "assistant" and (content := found.get("content") or found.get("refusal")):
        thoughts, found["content"] = _split_content(content)
        if thoughts:
            found["reasoning_content"] = thoughts
    if found.get("role") != "assistant":
        found.pop("tool_calls", None)
    if isinstance(calls := found.get("tool_calls"), list):
        found["tool_calls"] = [one for call in calls if _is_call(one := function_call(call))]
    return found


def _is_call(call: Any) -> bool:
    """Whether a tool call names its function."""
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _split_content(content: Any) -> tuple[str, Any]:
    """Return the thoughts in an assistant's content, and the content without them."""
    if isinstance(content, str):
        return split_thoughts(content)
    if not isinstance(content, list):
        return "", content
    parts = [part for part in content if not (isinstance(part, dict) and part.get("type") in THOUGHTS)]
    found: list[str] = []
    while parts:
        first = parts[0] if isinstance(parts[0], dict) else {}
        if first.get("type") != "text" or not isinstance(first.get("text"), str):
            break
        thoughts, text = split_thoughts(first["text"])
        found += [thoughts] if thoughts else []
        if text:
            parts[0] = {**first, "text": text}
            break
        del parts[0]  # of a text of thoughts alone nothing is left, and the next text is the first
    return "\n\n".join(found), parts


def _without_notice(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without a notice of ours, the same one where there is none."""
    content = message.get("content")
    if message.get("role") != "assistant" or not content:
        return message
    if isinstance(content, str):
        plain = without_notice(content)
        return message if plain == content else {**message, "content": plain}
    last = content[-1] if isinstance(content, list) and isinstance(content[-1], dict) else {}
    text = last.get("text")
    if not isinstance(text, str) or (plain := without_notice(text)) == text:
        return message
    return {**message, "content": [*content[:-1], {**last, "text": plain}] if plain else content[:-1]}


def _with_system_first(messages: Messages) -> Messages:
    """Return the messages with one system message in front; later ones become reminders where they stand.

    Moved to the front, they would change the beginning of the prompt with each request, and cost the local server its
    prefix cache.
    """
    leading = list(takewhile(lambda one: one.get("role") in _SYSTEM, messages))
    found: Messages = [{**_join_messages(leading), "role": "system"}] if leading else []
    reminders: list[str] = []
    for message in [*messages[len(leading) :], None]:
        if message is not None and message.get("role") in _SYSTEM:
            reminders.append(_REMINDER.format(text_of(message.get("content")) or ""))
            continue
        behind = message
        if reminders and found[-1].get("role") in ("user", "tool"):
            found[-1] = {**found[-1], "content": _join_contents([found[-1].get("content"), *reminders])}
        elif reminders and message is not None and message.get("role") == "user":
            behind = {**message, "content": _join_contents(["\n\n".join(reminders), message.get("content")])}
        elif reminders:
            found.append({"role": "user", "content": "\n\n".join(reminders)})
        reminders.clear()
        found += [behind] if behind is not None else []
    return found


def _join_messages(run: Messages) -> dict[str, Any]:
    """Return messages of one role as one."""
    if len(run) == 1:
        return run[0]
    fields = {key: value for one in run for key, value in one.items()}
    calls = [call for one in run for call in one.get("tool_calls") or ()]
    content = _join_contents([one.get("content") for one in run])
    return {**fields, "content": content, **({"tool_calls": calls} if calls else {})}


def _join_contents(contents: list[Any]) -> Any:
    found = [one for one in contents if one]
    if len(found) < 2:
        return found[0] if found else contents[-1]
    texts = list(takewhile(lambda one: isinstance(one, str), found))
    if len(texts) == len(found):
        return "\n\n".join(texts)
    first = ["\n\n".join(texts)] if texts else []
    return [part for one in (*first, *found[len(texts) :]) for part in _parts(one)]


def _parts(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else [content]  # which the server refuses


def with_identities(messages: Messages) -> Iterator[dict[str, Any]]:
    """Yield the messages with an id of its own for each call, which its result has as well."""
    taken: set[str] = set()
    waiting: list[tuple[Any, Any, str]] = []  # of each call without a result: the id sent, its name, its id here
    for message in messages:
        calls = message.get("tool_calls")
        if message.get("role") == "tool":
            yield {**message, "tool_call_id": _take_call(waiting, message) or _new_identity(taken)}
        elif isinstance(calls, list) and calls and all(isinstance(call, dict) for call in calls):
            waiting, named = [], []
            for call in calls:
                sent = call.get("id")
                here = sent if isinstance(sent, str) and sent and sent not in taken else _new_identity(taken)
                taken.add(here)
                function = call.get("function")
                waiting.append((sent, function.get("name") if isinstance(function, dict) else None, here))
                named.append({**call, "id": here})
            yield {**message, "tool_calls": named}
        else:
            yield message


def _take_call(waiting: list[tuple[Any, Any, str]], result: dict[str, Any]) -> str | None:
    """Remove the call that a result belongs to from those that wait, and return its id; None where there is none."""
    sent, name = result.get("tool_call_id"), result.get("name")
    tests: tuple[Callable[[tuple[Any, Any, str]], bool], ...] = (
        lambda call: bool(sent) and call[0] == sent,
        lambda call: not sent and bool(name) and call[1] == name,
        lambda call: not sent or not call[0],
    )
    for belongs in tests:
        for call in waiting:
            if belongs(call):
                waiting.remove(call)
                return call[2]
    return None


def _new_identity(taken: set[str]) -> str:
    number = len(taken)
    while f"call_{number}" in taken:
        number += 1
    taken.add(f"call_{number}")
    return f"call_{number}"
