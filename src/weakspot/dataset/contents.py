"""Loads every file of the dataset once for the checks, together with a list of what is damaged."""

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
    """A missing file (``line`` is None), or a line that is not a record of its kind."""

    file: Path
    line: int | None
    detail: str


@dataclass(frozen=True)
class Contents:
    """All files of the dataset: the examples of each file, the split assignments, and the rejected lines.

    ``raw`` maps the number of each raw line to its interaction's id, or to None if the line is not an interaction.
    """

    raw: dict[int, str | None]
    examples: list[Interaction]
    files: dict[Path, list[Interaction]]
    splits: dict[Split, list[Interaction]]
    assignments: dict[str, Assignment]
    rejections: list[Rejection]
    damage: list[Damage]


def load_contents(workspace: Workspace, domain: str | None) -> Contents:
    """Read every file of the dataset; if ``domain`` is given, without the files of the other domains.

    A damaged line is left out and listed in ``damage``.
    """
    damage: list[Damage] = []
    # An example has the same bytes in every file that contains it, so it is parsed once.
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
        raw={line.number: _interaction_id(line) for line in lines(workspace.raw)},
        examples=examples(workspace.all_examples),
        files={file: examples(file) for file in sorted({*own, workspace.multi_domain})},
        splits={split: examples(workspace.split(split)) for split in SPLITS},
        assignments={place.interaction_id: place for place in records(workspace.assignments, Assignment)},
        rejections=list(records(workspace.rejections, Rejection)),
        damage=damage,
    )


def _interaction_id(line: append_log.Line) -> str | None:
    try:
        return parse_interaction(line.data).id
    except RecordError:
        return None
