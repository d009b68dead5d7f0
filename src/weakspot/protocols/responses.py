"""OpenAI's Responses API, as far as it must be read to see what a user says in it."""

from typing import Any

from weakspot.protocols.turns import Messages

_TEXTS = ("input_text", "output_text", "text")


def turns_of_responses(body: dict[str, Any]) -> Messages:
    """Return the turns of a request as chat messages: roles and texts only; empty where there is no input."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    items = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [{"role": one["role"], "content": _text(one.get("content"))} for one in items if "role" in one]


def _text(content: Any) -> str:
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = (part for part in content if isinstance(part, dict) and part.get("type") in _TEXTS)
    return "\n".join(str(part.get("text") or "") for part in parts)
