"""Writes one interaction to the raw file: replaces secrets, completes its metadata, checks it, and appends it.

What was answered and is no interaction goes to a file of its own, so that nothing that was paid for is lost.
"""

import json
import logging
import secrets as random_source
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from weakspot.config import Config
from weakspot.dataset.domains import Detection, detect_domain
from weakspot.records import Interaction, Thoughts, UnfittedConsultation
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object
from weakspot.redaction.redact import scrub, scrub_text
from weakspot.storage import append_log
from weakspot.storage.append_log import Journal
from weakspot.teachers import api_keys
from weakspot.workspace import Workspace
from zddc.errors import UserError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Collected:
    """One captured interaction, the adapter that will learn from it, and how its domain was found."""

    interaction: Interaction
    adapter: str
    file: Path
    hits: dict[str, dict[str, list[str]]]


@dataclass(frozen=True)
class Unfitted:
    """A consultation that is stored, but is no interaction: why, and in which file it is."""

    interaction_id: str
    reason: str
    detail: str
    file: Path


def store_interaction(
    workspace: Workspace,
    config: Config,
    messages: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    into: Journal | None = None,
) -> Collected:
    """Append one interaction durably, through ``into`` where the caller keeps a journal open.

    Secrets are replaced first. What ``metadata`` lacks is filled in: domain and adapter, time and id. An
    answer that is marked incomplete is kept, and ``process`` leaves it out.

    Raises :class:`RecordError` for an invalid interaction, ``OSError`` or :class:`UserError` where it cannot
    be stored; nothing is acknowledged then.
    """
    now = datetime.now(UTC)
    filled = {"timestamp": timestamp(now), "interaction_id": new_id(now), **metadata}
    cleaned = scrub({"messages": list(messages), "metadata": filled}, api_keys(config))
    draft = require_plain_id(parse_interaction_object(cleaned.value, whole=False))
    domain = draft.metadata.domain
    found = Detection(domain, {}) if domain else detect_domain(draft, config)
    adapter = workspace.next_adapter(found.domain).label
    counted = {"scrubbed": dict(cleaned.counts)} if cleaned.counts else {}
    record = draft.with_metadata({"domain": found.domain, "adapter": adapter, **counted})
    (into or journal_of(workspace, config)).append([line_of(record, config)])
    return Collected(record, adapter, workspace.raw, found.hits)


def store_unfitted(
    workspace: Workspace, config: Config, one: UnfittedConsultation, secrets: Sequence[str] = ()
) -> Unfitted:
    """Append a consultation that is no interaction; secrets are replaced first.

    Raises ``OSError`` or :class:`UserError` where it cannot be stored.
    """
    # Half a character, which cannot be written, may be the very reason.
    plain = json.loads(json.dumps(one.model_dump(), ensure_ascii=False).encode("utf-8", "replace"))
    cleaned = scrub(plain, [*api_keys(config), *secrets])
    collect = config.collect
    append_log.append(
        workspace.unfitted,
        [json.dumps(cleaned.value, ensure_ascii=False)],
        collect.durability,
        allow_network=collect.allow_network_filesystem,
    )
    return Unfitted(one.id, one.reason, one.detail, workspace.unfitted)


def store_thoughts(
    workspace: Workspace,
    config: Config,
    identity: str,
    thoughts: str,
    secrets: Sequence[str] = (),
    *,
    of: Literal["expert", "local"] = "expert",
) -> None:
    """Append a model's thoughts, without secrets; a failure is only logged, since nothing depends on them."""
    cleaned = scrub_text(thoughts, [*api_keys(config), *secrets])
    line = Thoughts(interaction_id=identity, thoughts=cleaned, of=of).to_json()
    try:
        append_log.append(workspace.thoughts, [line], "process", allow_network=config.collect.allow_network_filesystem)
    except (OSError, UserError) as error:
        _log.error("a model's thoughts are not stored: %s", error)


def journal_of(workspace: Workspace, config: Config) -> Journal:
    """Return the journal of the raw file, as durable as the settings say."""
    collect = config.collect
    return Journal(workspace.raw, collect.durability, allow_network=collect.allow_network_filesystem)


def require_plain_id(record: Interaction) -> Interaction:
    """Return ``record``; raise :class:`RecordError` where its id could not be typed or shown as it is."""
    if not (record.id.isascii() and record.id.isprintable()):
        raise RecordError("bad-schema", "metadata.interaction_id: not of printable ASCII characters only")
    return record


def line_of(record: Interaction, config: Config) -> str:
    """Return ``record`` as a line of the raw file; raise :class:`RecordError` where it is too long."""
    line = record.to_json()
    try:
        size, limit = len(line.encode("utf-8")), config.collect.max_record_bytes
    except UnicodeEncodeError:  # a command line's text that was not UTF-8
        raise RecordError("not-json", "a text holds a lone surrogate, which is no character") from None
    if size > limit:
        raise RecordError("too-large", f"{size:,} bytes, more than the {limit:,} of [collect] max_record_bytes")
    return line


def new_id(moment: datetime) -> str:
    """Return a fresh interaction id, ``int_<milliseconds>_<six random characters>``."""
    alphabet = string.ascii_lowercase + string.digits
    tail = "".join(random_source.choice(alphabet) for _ in range(6))
    return f"int_{int(moment.timestamp() * 1000)}_{tail}"


def timestamp(moment: datetime) -> str:
    """Return a time as text for metadata: UTC, to the millisecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def conversation(query: str, local: str, expert: str, escalation: str) -> list[dict[str, Any]]:
    """Return the four turns of a plain consultation."""
    turns = [("user", query), ("assistant", local), ("user", escalation), ("assistant", expert)]
    return [{"role": role, "content": text} for role, text in turns]


def iter_interactions(workspace: Workspace) -> Iterator[Interaction]:
    """Yield the readable interactions of the raw file."""
    for line in append_log.read_lines(workspace.raw):
        try:
            yield parse_interaction_object(parse_json_object(line.data))
        except RecordError:
            continue  # process reports it, with its line number
