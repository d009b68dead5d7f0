"""Imports interactions, each only once: from our own formats, and from conversations of other programs."""

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from weakspot.capture.decisions import load_decisions
from weakspot.capture.entrances import import_entrance
from weakspot.capture.feedback import store_ratings
from weakspot.capture.frames import user_text
from weakspot.capture.recorder import journal_of, line_of
from weakspot.capture.trigger_phrases import find_teacher
from weakspot.config import Config
from weakspot.importers import native
from weakspot.importers.extraction import IMPORTED_ID_PREFIX, consultations
from weakspot.importers.format_detection import ImportSource, find_sources
from weakspot.importers.json_stream import BadLine, LeftOut, entries
from weakspot.importers.model_names import teacher_in_name
from weakspot.records import Interaction, strictest
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object
from weakspot.redaction.redact import scrub
from weakspot.storage import append_log, atomic
from weakspot.teachers import api_keys
from weakspot.workspace import Workspace
from zddc.errors import UserError

_WRITTEN_AT_ONCE_CHARACTERS = 4_000_000
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Imported:
    """The result of an import: interactions added, those there already or forgotten, and the bad lines.

    ``ratings`` is the number of thumbs that were stored as decisions.
    """

    added: int
    already_there: int
    bad: list[BadLine]
    file: Path
    ratings: int = 0


@dataclass(frozen=True, slots=True)
class ImportCandidate:
    """A consultation that would be added: the beginnings of its texts, its models, and what is odd about it."""

    interaction_id: str
    query: str
    local: str
    expert: str
    local_model: str | None
    teacher: str
    turns: int
    incomplete: bool
    odd: tuple[str, ...]


@dataclass
class Examined:
    """What the files to import hold: their formats, and the new consultations in those of other programs.

    ``left_out`` counts by reason what holds no consultation, or looks like one and is none; ``not_understood`` are
    files of a folder that hold nothing that we know. ``ratings`` are the thumbs of what was found or is there already.
    """

    sources: list[ImportSource] = field(default_factory=list)
    not_understood: list[Path] = field(default_factory=list)
    conversations: int = 0
    found: list[ImportCandidate] = field(default_factory=list)
    already_there: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    bad: list[BadLine] = field(default_factory=list)
    ratings: dict[str, tuple[bool, str]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of consultations, and of what holds none: all of it was found, there already, left out, or bad."""
        return len(self.found) + self.already_there + sum(self.left_out.values()) + len(self.bad)

    @property
    def formats(self) -> dict[str, int]:
        """The number of files by their format."""
        return dict(Counter(source.format for source in self.sources))

    @property
    def foreign(self) -> bool:
        """Whether any file is of another program; our own formats hold interactions already."""
        return not all(source.own for source in self.sources)

    def summary(self) -> dict[str, Any]:
        """Return the findings as JSON values."""
        return {
            "formats": self.formats,
            "conversations": self.conversations,
            "read": self.total,
            "found": [asdict(one) for one in self.found],
            "left_out": self.left_out,
            "not_understood": [str(file) for file in self.not_understood],
        }


def examine(workspace: Workspace, config: Config, path: Path) -> Examined:
    """Look for consultations in a file or a folder of another program; nothing is imported.

    Raises :class:`UserError` for what is not understood.
    """
    done = Examined(*find_sources(config, path))
    known = _Known(workspace)
    for source in done.sources:
        for number, one in _extract_consultations(config, source, done):
            try:
                record = _scrub_interaction(one, config)
                _note_rating(record, done)
                if known.has(record):
                    done.already_there += 1
                    continue
                line_of(record, config)
            except RecordError as error:
                done.bad.append(BadLine(number, error.reason, error.detail, str(source.path)))
                continue
            known.add(record)
            done.found.append(_candidate(record))
    return done


def import_interactions(workspace: Workspace, config: Config, examined: Examined) -> Imported:
    """Append the consultations found, and all interactions of our own formats, that are not there yet."""
    known, into = _Known(workspace), _Batches(workspace, config)
    bad, already = [*examined.bad], examined.already_there
    chosen = {one.interaction_id for one in examined.found}
    for source in examined.sources:
        file_sha256 = atomic.sha256(source.path) if source.path.is_file() else None
        for number, one in _parse_native(config, source) if source.own else _extract_chosen(config, source, chosen):
            try:
                if isinstance(one, RecordError):
                    raise one
                entered = _enter_interaction(one, config, import_entrance(source.name), file_sha256)
                record = _scrub_interaction(entered, config)
                if known.has(record):
                    already += source.own  # the others were counted when they were examined
                    continue
                into.add(line_of(record, config))
            except RecordError as error:
                bad.append(BadLine(number, error.reason, error.detail, str(source.path)))
                continue
            known.add(record)
    into.write()
    rated = {identity: rating for identity, rating in examined.ratings.items() if known.has_id(identity)}
    return Imported(into.added, already, bad, workspace.raw, store_ratings(workspace, config, rated))


def empty_import(workspace: Workspace, examined: Examined) -> Imported:
    """Return the result of an import that the person declined."""
    return Imported(0, examined.already_there, examined.bad, workspace.raw)


def import_file(workspace: Workspace, config: Config, source: Path) -> Imported:
    """Append the interactions of a file, or the consultations in another program's, that are not there yet.

    A line of our own is in the raw format or ``{"query", "local", "expert"[, "domain"]}``; a missing id,
    timestamp is filled in. The source is the entrance, whatever the file says of it. Bad lines are returned with their
    number, and do not stop the import.
    """
    return import_interactions(workspace, config, examine(workspace, config, source))


def _extract_consultations(config: Config, source: ImportSource, done: Examined) -> Iterator[tuple[int, Interaction]]:
    """Yield the consultations in another program's file; ``done`` counts what else is in it."""
    try:
        for conversation in source.read(source.path) if source.read else ():
            if isinstance(conversation, BadLine):
                done.bad.append(conversation)
                continue
            if isinstance(conversation, LeftOut):
                done.left_out[conversation.reason] += 1
                continue
            done.conversations += 1
            found = 0
            for one in consultations(config, conversation, import_entrance(source.name)):
                found += 1
                if isinstance(one, RecordError):
                    done.left_out[one.reason] += 1
                else:
                    yield conversation.number, one
            if not found:
                done.left_out["no-consultation"] += 1
    except (OSError, UserError) as error:  # one of several files may be damaged
        done.bad.append(BadLine(0, "not-readable", str(error), str(source.path)))


def _extract_chosen(config: Config, source: ImportSource, chosen: Set[str]) -> Iterator[tuple[int, Interaction]]:
    """Yield the consultations that the person has seen; newer ones are left for the next import."""
    if chosen:
        yield from (found for found in _extract_consultations(config, source, Examined()) if found[1].id in chosen)


def _parse_native(config: Config, source: ImportSource) -> Iterator[tuple[int, Interaction | RecordError]]:
    for entry in entries(source.path):
        try:
            yield entry.number, native.interaction_of(config, entry)
        except RecordError as error:
            yield entry.number, error


def _enter_interaction(one: Interaction, config: Config, entrance: str, file_sha256: str | None) -> Interaction:
    """Return an imported record with its entrance as source, the hash of its file, and the stricter policy.

    What the file says of its source is kept beside it. Of the policies that the file and the settings have for the
    teacher that answered, the stricter one counts.
    """
    said, consultation = one.metadata.source, one.metadata.consultation
    changes: dict[str, Any] = {"source": entrance}
    if said not in (None, entrance):
        changes["source_before"] = said
    if file_sha256:
        changes["file_sha256"] = file_sha256
    if consultation is not None:
        names = {find_teacher(config, consultation.teacher), teacher_in_name(config, consultation.model)}
        known = [config.teachers[name] for name in names if name is not None]
        policy = strictest(consultation.policy, *(teacher.policy for teacher in known))
        if policy != consultation.policy:
            terms = next(teacher.terms for teacher in known if teacher.policy == policy)
            changes["consultation"] = {
                **consultation.model_dump(exclude_unset=True),
                **{"policy": policy, "terms": terms},
            }
    return one.with_metadata(changes)


def _scrub_interaction(one: Interaction, config: Config) -> Interaction:
    cleaned = scrub(one.model_dump(exclude_unset=True), api_keys(config))
    if not cleaned.counts:
        return one
    value: Any = cleaned.value
    counts = Counter(one.metadata.scrubbed or {}) + Counter(cleaned.counts)
    return parse_interaction_object(value, whole=False).with_metadata({"scrubbed": dict(counts)} if counts else {})


def _note_rating(record: Interaction, done: Examined) -> None:
    rated = (record.metadata.model_extra or {}).get("rated")
    if isinstance(rated, dict):
        done.ratings[record.id] = (bool(rated.get("up")), str(rated.get("comment") or ""))


def _candidate(record: Interaction) -> ImportCandidate:
    metadata, extra = record.metadata, record.metadata.model_extra or {}
    local_model = extra.get("local_model")
    return ImportCandidate(
        record.id,
        _beginning(user_text(record.query.text)),
        _beginning(record.local.text),
        _beginning(record.expert.text),
        local_model if isinstance(local_model, str) else None,
        metadata.consultation.teacher if metadata.consultation else "",
        len(record.messages),
        bool(metadata.incomplete),
        tuple(extra.get("odd") or ()),
    )


def _beginning(text: str) -> str:
    line = " ".join(text[: 4 * _SHOWN_CHARACTERS].split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 1]}…"


class _Batches:
    """Appends lines in batches, since each append waits for the disk."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self.added = 0
        self._journal = journal_of(workspace, config)
        self._waiting: list[str] = []
        self._characters = 0

    def add(self, line: str) -> None:
        self._waiting.append(line)
        self._characters += len(line)
        self.added += 1
        if self._characters >= _WRITTEN_AT_ONCE_CHARACTERS:
            self.write()

    def write(self) -> None:
        if self._waiting:
            self._journal.append(self._waiting)
        self._waiting, self._characters = [], 0


class _Known:
    """The interactions that need no import: those in the raw file, and those that were forgotten."""

    def __init__(self, workspace: Workspace) -> None:
        self._decisions = load_decisions(workspace)
        self._content_by_id: dict[str, str] = {}
        self._contents: set[str] = set()
        for line in append_log.read_lines(workspace.raw):
            try:
                self.add(parse_interaction_object(parse_json_object(line.data), whole=False))
            except RecordError:
                continue  # process reports it, with its line number

    def add(self, record: Interaction) -> None:
        content = record.content_key()
        self._content_by_id[record.id] = content
        self._contents.add(content)

    def has_id(self, identity: str) -> bool:
        """Return whether an interaction with this id is there."""
        return identity in self._content_by_id

    def has(self, record: Interaction) -> bool:
        """Return whether an interaction need not be added; raise :class:`RecordError` where another one has its id."""
        if self._decisions.is_forgotten(record):
            return True
        content = record.content_key()
        if self._content_by_id.get(record.id, content) != content:
            if record.id.startswith(IMPORTED_ID_PREFIX):
                return True  # the same place of the same conversation, edited since or scrubbed by other rules
            raise RecordError("duplicate-id", f"{record.id} is there already with other messages")
        return content in self._contents
