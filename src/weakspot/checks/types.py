"""What every check is given, and what it answers with."""

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
    """Why the claim of a check does not hold."""

    level: Level
    detail: str
    place: object = None


@dataclass(frozen=True)
class Subject:
    """What is checked: the workspace with all that it holds, or one domain of it."""

    workspace: Workspace
    config: Config
    contents: Contents
    domain: str | None

    def has(self, example: Interaction) -> bool:
        """Whether the report is about this example."""
        return self.domain in (None, example.domain)

    def those(self, examples: Iterable[Interaction]) -> list[Interaction]:
        """The examples that the report is about."""
        return [example for example in examples if self.has(example)]

    @property
    def examples(self) -> list[Interaction]:
        """The examples of ``all.jsonl`` that the report is about."""
        return self.those(self.contents.examples)

    @property
    def domains(self) -> dict[str, dict[Split, list[Interaction]]]:
        """The same by domain and, as the split files have them, by split."""
        found: dict[str, dict[Split, list[Interaction]]] = {}
        for split, examples in self.contents.splits.items():
            for example in self.those(examples):
                found.setdefault(example.domain, {one: [] for one in SPLITS})[split].append(example)
        return found


def several(things: Sequence[str]) -> str:
    """Return how many there are and the first three, to go after what they are."""
    shown = ", ".join(things[:3])
    return f"{len(things)}: {shown}{', …' if len(things) > 3 else ''}"
