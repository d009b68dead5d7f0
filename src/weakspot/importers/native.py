"""Our own formats: interactions as the raw file holds them, and objects of query, local and expert."""

from datetime import UTC, datetime
from typing import Any

from weakspot.capture.frames import user_text
from weakspot.capture.recorder import conversation, new_id, require_plain_id, timestamp
from weakspot.capture.trigger_phrases import parse_trigger
from weakspot.config import Config
from weakspot.importers.json_stream import JsonEntry
from weakspot.importers.messages import words
from weakspot.records import Interaction
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object

_FLAT = frozenset({"query", "local", "expert", "domain"})


def claims_raw(config: Config, value: dict[str, Any]) -> bool:
    """Return whether an object is an interaction: it has our metadata, or its last question is a trigger phrase."""
    turns = value.get("messages")
    if not isinstance(turns, list) or value.keys() - {"messages", "metadata"}:
        return False
    if isinstance(value.get("metadata"), dict):
        return True
    asked = [words(one.get("content")) for one in turns if isinstance(one, dict) and one.get("role") == "user"]
    return bool(asked) and (
        asked[-1] == config.collect.escalation or parse_trigger(config, user_text(asked[-1])) is not None
    )


def claims_flat(value: dict[str, Any]) -> bool:
    """Return whether an object is meant to have the three texts of a consultation."""
    return "messages" not in value and len(_FLAT & value.keys()) >= 2


def interaction_of(config: Config, entry: JsonEntry) -> Interaction:
    """Return the interaction of a line, its id and timestamp filled in where they are missing.

    Raises :class:`RecordError` as :func:`parse_interaction_object` does, and for an id that is not plain. An answer
    that is marked as incomplete is accepted.
    """
    value = parse_json_object(entry.data)
    if "messages" not in value:
        value = _from_flat(value, config)
    metadata = value.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise RecordError("bad-schema", "metadata: not an object")
    now = datetime.now(UTC)
    filled: dict[str, Any] = {"timestamp": timestamp(now), "interaction_id": new_id(now)}
    value["metadata"] = {**filled, **metadata}
    return require_plain_id(parse_interaction_object(value, whole=False))


def _from_flat(value: dict[str, Any], config: Config) -> dict[str, Any]:
    unknown, missing = sorted(set(value) - _FLAT), sorted(_FLAT - {"domain"} - set(value))
    if unknown or missing:
        what = f"no {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
        raise RecordError("bad-schema", f"{what}: neither the raw format nor query, local, expert[, domain]")
    query, local, expert = value["query"], value["local"], value["expert"]
    if not all(isinstance(text, str) for text in (query, local, expert)):
        raise RecordError("bad-schema", "query, local and expert must be texts")
    turns = conversation(query, local, expert, config.collect.escalation)
    metadata = {"domain": value["domain"]} if value.get("domain") is not None else {}
    return {"messages": turns, "metadata": metadata}
