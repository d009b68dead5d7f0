"""Index of the raw file for reviewers: the position of each interaction, and what a list shows of it."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakspot.capture.decisions import NO, YES, Decisions, load_decisions
from weakspot.config import Config
from weakspot.dataset.domains import with_domain
from weakspot.records import Interaction, Policy
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object
from weakspot.storage import append_log
from weakspot.workspace import Workspace

_SHOWN_CHARACTERS = 90


@dataclass(frozen=True)
class ReviewEntry:
    """One interaction of the raw file: what a list shows of it, and the position of the rest."""

    id: str
    offset: int
    length: int
    digest: bytes
    query: str
    domain: str | None
    """The domain that it was captured with; None where it must be detected."""
    policy: Policy
    incomplete: bool


@dataclass(frozen=True)
class Filter:
    """A filter of interactions; an empty field matches all of them."""

    domain: str = ""
    state: str = ""
    search: str = ""


STATES: dict[str, Callable[[Decisions, ReviewEntry], bool]] = {
    "undecided": lambda decisions, entry: decisions.judgement(entry.id) is None,
    "waiting": lambda decisions, entry: entry.policy == "ask" and decisions.judgement(entry.id) is None,
    "accepted": lambda decisions, entry: decisions.judgement(entry.id) in YES,
    "rejected": lambda decisions, entry: decisions.judgement(entry.id) in NO,
    "edited": lambda decisions, entry: decisions.latest(entry.id, "edit") is not None,
}


class ReviewIndex:
    """Index of the raw file. It holds no conversations: 100,000 interactions take some tens of megabytes."""

    def __init__(self, workspace: Workspace, config: Config) -> None:
        self._workspace, self._config = workspace, config
        self._entries: dict[str, ReviewEntry] = {}
        self._by_offset: dict[int, tuple[bytes, ReviewEntry | None]] = {}
        self._seen: list[object] = [None, None]
        self.decisions = Decisions()
        self._searched: tuple[str, list[ReviewEntry]] | None = None
        self._detected: dict[bytes, str] = {}

    def refresh(self) -> None:
        """Read what was captured, erased or decided since the last call; an unchanged line is not parsed again."""
        files = (self._workspace.raw, self._workspace.decisions)
        states = [(s.st_ino, s.st_size, s.st_mtime_ns) if (s := _stat(file)) else None for file in files]
        if states[1] != self._seen[1]:
            self.decisions = load_decisions(self._workspace)
        if states[0] != self._seen[0]:
            lines: dict[int, tuple[bytes, ReviewEntry | None]] = {}
            for line in append_log.read_lines(self._workspace.raw):
                digest = _digest(line.data)
                before = self._by_offset.get(line.offset)
                same = before is not None and before[0] == digest
                lines[line.offset] = before if before and same else (digest, self._entry(line, digest))
            self._by_offset, self._entries = lines, {}
            for _, entry in lines.values():
                if entry is not None:  # of two with the same id the first counts, as in process
                    self._entries.setdefault(entry.id, entry)
            self._searched = None
        self._seen = list(states)

    def _entry(self, line: append_log.Line, digest: bytes) -> ReviewEntry | None:
        try:
            example = parse_interaction_object(parse_json_object(line.data), whole=False)
        except RecordError:
            return None  # process reports it, with its line number
        words = " ".join(example.query.text[: 4 * _SHOWN_CHARACTERS].split())
        return ReviewEntry(
            id=example.id,
            offset=line.offset,
            length=len(line.data),
            digest=digest,
            query=words if len(words) <= _SHOWN_CHARACTERS else f"{words[: _SHOWN_CHARACTERS - 1]}…",
            domain=example.metadata.domain,
            policy=example.policy,
            incomplete=bool(example.metadata.incomplete),
        )

    def entry(self, identity: str) -> ReviewEntry:
        """Return what is known of an interaction; raise ``KeyError`` where there is none."""
        return self._entries[identity]

    def domain(self, entry: ReviewEntry) -> str:
        """Return the current domain of an interaction; a detected one is detected only once."""
        moved = self.decisions.latest(entry.id, "move")
        known = (moved and moved.domain) or entry.domain or self._detected.get(entry.digest)
        if known is None:
            captured = self.load(entry.id)
            known = with_domain(captured, self._config).domain if captured else self._config.collect.default_domain
            self._detected[entry.digest] = known
        return known

    def domains(self) -> list[str]:
        """Return every domain that occurs or that the settings name, in the order of the settings."""
        moves = (self.decisions.latest(identity, "move") for identity in self.decisions.standing)
        found = {one.domain for one in (*self._entries.values(), *moves) if one and one.domain}
        return self._config.ordered({*found, *self._config.domains, self._config.collect.default_domain})

    def matching(self, wanted: Filter) -> Sequence[ReviewEntry]:
        """Return the interactions that match the filter, in the order of capture."""
        found = self._find_text(wanted.search.casefold()) if wanted.search else self._entries.values()
        has_state = STATES.get(wanted.state)
        return [
            entry
            for entry in found
            if entry.id not in self.decisions.forgotten
            and (not wanted.domain or wanted.domain == self.domain(entry))
            and (has_state is None or has_state(self.decisions, entry))
        ]

    def load(self, identity: str) -> Interaction | None:
        """Return an interaction as it was captured; None where there is none, or not any more."""
        entry = self._entries.get(identity)
        if entry is None or identity in self.decisions.forgotten:
            return None
        with self._workspace.raw.open("rb") as stream:
            stream.seek(entry.offset)
            data = stream.read(entry.length)
        # Somebody may have erased it since.
        return parse_interaction_object(parse_json_object(data), whole=False) if _digest(data) == entry.digest else None

    def _find_text(self, search: str) -> list[ReviewEntry]:
        """Return the entries with ``search`` in the id or in a message; a new search reads the whole file."""
        if self._searched and self._searched[0] == search:
            return self._searched[1]
        found = []
        for line in append_log.read_lines(self._workspace.raw):
            digest, entry = self._by_offset.get(line.offset, (b"", None))
            if entry is None or self._entries.get(entry.id) is not entry or digest != _digest(line.data):
                continue
            messages = parse_json_object(line.data)["messages"]
            texts = (str(message.get("content") or "") for message in messages)
            if search in entry.id.casefold() or any(search in text.casefold() for text in texts):
                found.append(entry)
        self._searched = (search, found)
        return found


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except FileNotFoundError:
        return None
