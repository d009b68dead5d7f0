"""Input and output types of checks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from weakspot.config import Config
from weakspot.dataset.contents import Contents
from weakspot.records import SPLITS, Interaction, Split
from weakspot.workspace import Workspace

Level = Literal["pass", "warning", "failure"]


@dataclass(frozen=True)
class Problem:
    """A reason why the claim of a check does not hold, and its place."""

    level: Level
    detail: str
    place: object = None


@dataclass(frozen=True)
class CheckInput:
    """The input of every check: a workspace and its contents; checks report on ``domain`` only, if it is given."""

    workspace: Workspace
    config: Config
    contents: Contents
    domain: str | None

    def has(self, example: Interaction) -> bool:
        """Return whether the report covers this example."""
        return self.domain in (None, example.domain)

    def in_scope(self, examples: Iterable[Interaction]) -> list[Interaction]:
        """Return those of ``examples`` that the report covers."""
        return [example for example in examples if self.has(example)]

    @property
    def examples(self) -> list[Interaction]:
        """The examples of ``all.jsonl`` that the report covers."""
        return self.in_scope(self.contents.examples)

    @property
    def domains(self) -> dict[str, dict[Split, list[Interaction]]]:
        """The same examples by domain and by split, as they are in the split files."""
        found: dict[str, dict[Split, list[Interaction]]] = {}
        for split, examples in self.contents.splits.items():
            for example in self.in_scope(examples):
                found.setdefault(example.domain, {one: [] for one in SPLITS})[split].append(example)
        return found


def format_names(things: Sequence[str]) -> str:
    """Return the number of names and the first three of them, as "5: a, b, c, …"."""
    shown = ", ".join(things[:3])
    return f"{len(things)}: {shown}{', …' if len(things) > 3 else ''}"
