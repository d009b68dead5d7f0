"""Import interactions, each only once: from our own formats, and those found in what other programs store."""

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from weakspot.capture.decisions import read_decisions
from weakspot.capture.recorder import journal_of, line_of
from weakspot.capture.trigger_phrases import spoken
from weakspot.config import Config
from weakspot.importers import native
from weakspot.importers.extraction import FOUND_ID, consultations
from weakspot.importers.format_detection import Source, sources
from weakspot.importers.json_stream import BadLine, entries
from weakspot.records import Interaction
from weakspot.records.parsing import RecordError, interaction, parse_json_object
from weakspot.redaction.redact import scrub
from weakspot.storage import append_log
from weakspot.teachers import known_secrets
from weakspot.workspace import Workspace
from zddc.errors import UserError

_WRITTEN_AT_ONCE_CHARACTERS = 4_000_000
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Imported:
    """What came of an import: interactions added, those there already or forgotten by a person, and what is bad."""

    added: int
    already_there: int
    bad: list[BadLine]
    file: Path


@dataclass(frozen=True)
class Found:
    """A consultation that would be added: what was asked, who answered first and then, and in how many turns."""

    interaction_id: str
    query: str
    local_model: str | None
    teacher: str
    turns: int
    incomplete: bool


@dataclass
class Examined:
    """What files hold: how many there are of each format, and the new consultations in other programs'.

    ``left_out`` counts by reason what looked like a consultation and is none; ``not_understood`` are files
    of a folder that hold nothing that we know.
    """

    sources: list[Source] = field(default_factory=list)
    not_understood: list[Path] = field(default_factory=list)
    conversations: int = 0
    found: list[Found] = field(default_factory=list)
    already_there: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    bad: list[BadLine] = field(default_factory=list)

    @property
    def formats(self) -> dict[str, int]:
        """The number of files by their format."""
        return dict(Counter(source.format for source in self.sources))

    @property
    def foreign(self) -> bool:
        """Whether there is anything but our own formats, in which nothing need be found."""
        return not all(source.own for source in self.sources)

    def summary(self) -> dict[str, Any]:
        """Return what there is to tell as JSON values."""
        return {
            "formats": self.formats,
            "conversations": self.conversations,
            "found": [asdict(one) for one in self.found],
            "left_out": self.left_out,
            "not_understood": [str(file) for file in self.not_understood],
        }


def examine(workspace: Workspace, config: Config, path: Path) -> Examined:
    """Look for consultations in a file or a folder of another program; nothing is imported.

    Raises :class:`UserError` for what is not understood.
    """
    done = Examined(*sources(config, path))
    known = _Known(workspace)
    for source in done.sources:
        for number, one in _foreign(config, source, done):
            try:
                record = _scrubbed(one, config)
                if known.has(record):
                    done.already_there += 1
                    continue
                line_of(record, config)
            except RecordError as error:
                done.bad.append(BadLine(number, error.reason, error.detail, str(source.path)))
                continue
            known.add(record)
            done.found.append(_shown(record))
    return done


def import_examined(workspace: Workspace, config: Config, examined: Examined) -> Imported:
    """Append what was found, and all that our own formats hold, as far as it is not there yet."""
    known, into = _Known(workspace), _Batches(workspace, config)
    bad, already = [*examined.bad], examined.already_there
    chosen = {one.interaction_id for one in examined.found}
    for source in examined.sources:
        for number, one in _own(config, source) if source.own else _chosen(config, source, chosen):
            try:
                if isinstance(one, RecordError):
                    raise one
                record = _scrubbed(one, config)
                if known.has(record):
                    already += source.own  # the others were counted when they were examined
                    continue
                into.add(line_of(record, config))
            except RecordError as error:
                bad.append(BadLine(number, error.reason, error.detail, str(source.path)))
                continue
            known.add(record)
    into.write()
    return Imported(into.added, already, bad, workspace.raw)


def nothing_imported(workspace: Workspace, examined: Examined) -> Imported:
    """Return what is the case where the person did not want it."""
    return Imported(0, examined.already_there, examined.bad, workspace.raw)


def import_file(workspace: Workspace, config: Config, source: Path) -> Imported:
    """Append the interactions of a file, or those that are found in another program's, that are not there yet.

    A line of our own is in the raw format or ``{"query", "local", "expert"[, "domain"]}``; a missing id,
    timestamp or source is filled in. What is bad is returned by number and stops nothing.
    """
    return import_examined(workspace, config, examine(workspace, config, source))


def _foreign(config: Config, source: Source, done: Examined) -> Iterator[tuple[int, Interaction]]:
    """Yield the consultations in another program's file; ``done`` counts what else is in it."""
    try:
        for conversation in source.read(source.path) if source.read else ():
            if isinstance(conversation, BadLine):
                done.bad.append(conversation)
                continue
            done.conversations += 1
            for one in consultations(config, conversation, f"{native.IMPORTED}:{source.name}"):
                if isinstance(one, RecordError):
                    done.left_out[one.reason] += 1
                else:
                    yield conversation.number, one
    except (OSError, UserError) as error:  # one of several files may be damaged
        done.bad.append(BadLine(0, "not-readable", str(error), str(source.path)))


def _chosen(config: Config, source: Source, chosen: Set[str]) -> Iterator[tuple[int, Interaction]]:
    """Yield the consultations that a person has seen; what came in since is left for another time."""
    if chosen:
        yield from (found for found in _foreign(config, source, Examined()) if found[1].id in chosen)


def _own(config: Config, source: Source) -> Iterator[tuple[int, Interaction | RecordError]]:
    for entry in entries(source.path):
        try:
            yield entry.number, native.interaction_of(config, entry)
        except RecordError as error:
            yield entry.number, error


def _scrubbed(one: Interaction, config: Config) -> Interaction:
    cleaned = scrub(one.model_dump(exclude_unset=True), known_secrets(config))
    if not cleaned.counts:
        return one
    value: Any = cleaned.value
    counts = Counter(one.metadata.scrubbed or {}) + Counter(cleaned.counts)
    return interaction(value, whole=False).described({"scrubbed": dict(counts)} if counts else {})


def _shown(record: Interaction) -> Found:
    metadata = record.metadata
    local_model = (metadata.model_extra or {}).get("local_model")
    return Found(
        record.id,
        " ".join(spoken(record.query.text).split())[:_SHOWN_CHARACTERS],
        local_model if isinstance(local_model, str) else None,
        metadata.consultation.teacher if metadata.consultation else "",
        len(record.messages),
        bool(metadata.incomplete),
    )


class _Batches:
    """Appends lines some at a time: each append waits for the disk."""

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
    """The interactions that need not be imported: those in the raw file, and those that a person had forgotten."""

    def __init__(self, workspace: Workspace) -> None:
        self._decisions = read_decisions(workspace)
        self._content_by_id: dict[str, str] = {}
        self._contents: set[str] = set()
        for line in append_log.read_lines(workspace.raw):
            try:
                self.add(interaction(parse_json_object(line.data), whole=False))
            except RecordError:
                continue  # process reports it, with its line number

    def add(self, record: Interaction) -> None:
        content = record.content_key()
        self._content_by_id[record.id] = content
        self._contents.add(content)

    def has(self, record: Interaction) -> bool:
        """Whether it is not to be added; raise :class:`RecordError` for an id that is another interaction's."""
        if self._decisions.is_forgotten(record):
            return True
        content = record.content_key()
        if self._content_by_id.get(record.id, content) != content:
            if record.id.startswith(FOUND_ID):
                return True  # the same place of the same conversation, edited since or scrubbed by other rules
            raise RecordError("duplicate-id", f"{record.id} is there already with other messages")
        return content in self._contents
