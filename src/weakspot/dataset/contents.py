"""The dataset as it lies on disk, read once, what is damaged with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from weakspot.records import SPLITS, Assignment, Interaction, Record, Rejection, Split
from weakspot.records.parsing import RecordError, explain, parse_interaction
from weakspot.storage import append_log
from weakspot.workspace import Workspace

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True)
class Damage:
    """A file that is missing (``line`` is None), or a line of it that is no such record."""

    file: Path
    line: int | None
    detail: str


@dataclass(frozen=True)
class Contents:
    """The examples of ``all.jsonl`` and of every other file of them, and what became of each raw line.

    ``raw`` has the interaction's id by line number, None for a line that holds none.
    """

    raw: dict[int, str | None]
    examples: list[Interaction]
    files: dict[Path, list[Interaction]]
    splits: dict[Split, list[Interaction]]
    assignments: dict[str, Assignment]
    rejections: list[Rejection]
    damage: list[Damage]


def read(workspace: Workspace, domain: str | None) -> Contents:
    """Read every file of the dataset; where ``domain`` is given, not those of the other domains.

    A damaged line is left out and told of in ``damage``.
    """
    damage: list[Damage] = []
    # A record's line is the same bytes in every file that it is in: it is parsed once.
    parsed: dict[bytes, Interaction] = {}

    def lines(file: Path) -> Iterator[append_log.Line]:
        if not file.exists():
            damage.append(Damage(file, None, "is missing"))
        return append_log.read_lines(file)

    def examples(file: Path) -> list[Interaction]:
        found = []
        for line in lines(file):
            try:
                example = parsed.get(line.data) or parse_interaction(line.data)
                if example.metadata.domain is None:
                    raise RecordError("bad-schema", "metadata.domain: field required")
                found.append(parsed.setdefault(line.data, example))
            except RecordError as error:
                damage.append(Damage(file, line.number, error.detail))
        return found

    def records(file: Path, kind: type[AnyRecord]) -> Iterator[AnyRecord]:
        for line in lines(file):
            try:
                yield kind.from_json(line.data)
            except ValidationError as error:
                damage.append(Damage(file, line.number, explain(error)))

    own = workspace.example_files().values() if domain is None else [workspace.examples(domain)]
    return Contents(
        raw={line.number: _id(line) for line in lines(workspace.raw)},
        examples=examples(workspace.all_examples),
        files={file: examples(file) for file in sorted({*own, workspace.multi_domain})},
        splits={split: examples(workspace.split(split)) for split in SPLITS},
        assignments={place.interaction_id: place for place in records(workspace.assignments, Assignment)},
        rejections=list(records(workspace.rejections, Rejection)),
        damage=damage,
    )


def _id(line: append_log.Line) -> str | None:
    try:
        return parse_interaction(line.data).id
    except RecordError:
        return None
