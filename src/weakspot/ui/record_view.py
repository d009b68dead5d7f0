"""Shows all of a record on the review page: each message, its use in training, and a digest of what was shown."""

import hashlib
import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from weakspot.records import Interaction, Message
from zddc.visible import split_visible

if TYPE_CHECKING:
    from markupsafe import Markup

Use = Literal["prompt", "trained", "not trained"]


class Turn(NamedTuple):
    """One message: where it stands, its role, its text with all its fields, and what becomes of it in training."""

    place: Literal["earlier", "query", "attempt", "local", "remark", "consultation", "expert"]
    role: str
    text: str
    use: Use


def turns_of(record: Interaction) -> list[Turn]:
    """Return every message of a record in its order."""
    prompt = {id(message) for message in record.prompt}
    middle = record.messages[len(record.context) + len(record.attempt) + 2 : -1]
    as_sent = record.metadata.query_as_sent
    query = _text(record.query)
    if as_sent is not None and as_sent != record.query.content:
        query = f"{query}\n\nin the prompt as it was sent:\n{as_sent}"
    return [
        *(Turn("earlier", message.role, _text(message), "prompt") for message in record.context),
        Turn("query", "user", query, "prompt"),
        *(
            Turn(
                "local" if message is record.local else "attempt",
                message.role,
                _text(message),
                "prompt" if id(message) in prompt else "not trained",
            )
            for message in record.attempt
        ),
        Turn("remark", "user", _text(record.escalation), "not trained"),
        *(Turn("consultation", message.role, _text(message), "prompt") for message in middle),
        Turn("expert", "assistant", _text(record.expert), "trained"),
    ]


def digest_of(captured: Interaction, revised: Interaction, domain: str) -> str:
    """Return a digest of what the page shows: the record as captured, as it was edited, and its domain."""
    shown = json.dumps([captured.model_dump(), revised.model_dump(), domain], sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


def mark_invisible(text: str) -> "Markup":
    """Return ``text`` as HTML in which the visible form of a character that cannot be seen is marked."""
    from markupsafe import Markup, escape

    pieces = split_visible(text)
    return Markup().join(Markup("<mark>{}</mark>").format(one) if hidden else escape(one) for one, hidden in pieces)


def _text(message: Message) -> str:
    # A chat template may use any other field, such as the thoughts of a model.
    others = {name: value for name, value in (message.model_extra or {}).items() if value is not None}
    fields = json.dumps(others, ensure_ascii=False, indent=1) if others else ""
    return "\n".join(part for part in (message.text, fields) if part)
