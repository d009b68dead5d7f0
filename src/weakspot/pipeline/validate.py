"""Checks that the workspace's files are intact, and warns about what would make the dataset bad for training."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from weakspot.checks.integrity import (
    adapters,
    bases,
    duplicates,
    files,
    ids,
    lines,
    raw_lines,
    releases,
    snapshots,
    unfitted,
)
from weakspot.checks.quality import answers, balance, leakage, split_sizes, token_lengths
from weakspot.checks.types import CheckInput, Level, Problem
from weakspot.config import Config
from weakspot.dataset import contents, reading
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import Workspace
from zddc.errors import UserError

# The docstring of a check is its claim, which is shown if the check finds no problem.
Check = Callable[[CheckInput], Iterator[Problem]]
CHECKS: tuple[Check, ...] = (
    lines,
    raw_lines,
    unfitted,
    files,
    ids,
    duplicates,
    snapshots,
    adapters,
    releases,
    leakage,
    balance,
    split_sizes,
    answers,
    token_lengths,
)


@dataclass(frozen=True)
class Finding:
    """The result of a check: its claim if it holds, else what is wrong and where."""

    check: str
    level: Level
    detail: str
    place: str | None


@dataclass(frozen=True)
class Counts:
    """Numbers of what was checked; ``domains`` has the number of examples by domain and split."""

    raw_lines: int
    examples: int
    rejections: int
    domains: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Report:
    """The findings of every check, in order, and the verdict on all of them."""

    verdict: Literal["pass", "warnings", "failures"]
    findings: list[Finding]
    counts: Counts


def validate(workspace: Workspace, config: Config, domain: str | None, *, full: bool = False) -> Report:
    """Run every check, only on one domain's examples if ``domain`` is given; nothing is changed.

    With ``full``, every byte of the adapters' bases is checked, too, which takes as long as reading them. Raises
    :class:`UserError` if there is no dataset yet, or no example of that domain.
    """
    if not workspace.all_examples.exists():
        raise UserError(workspace.all_examples, "no dataset yet", "run 'weakspot process'")
    domain = None if domain == MULTI_DOMAIN else domain
    if domain is not None:
        reading.require_domain(workspace, domain)
    subject = CheckInput(workspace, config, contents.load_contents(workspace, domain), domain)
    findings = [finding for check in (*CHECKS, *([bases] if full else [])) for finding in _findings(check, subject)]
    levels = {finding.level for finding in findings}
    return Report(
        verdict="failures" if "failure" in levels else "warnings" if "warning" in levels else "pass",
        findings=findings,
        counts=_counts(subject),
    )


def _counts(subject: CheckInput) -> Counts:
    return Counts(
        raw_lines=len(subject.contents.raw),
        examples=len(subject.examples),
        rejections=len(subject.contents.rejections),
        domains={
            domain: {split: len(examples) for split, examples in splits.items()}
            for domain, splits in subject.domains.items()
        },
    )


def _findings(check: "Check", subject: CheckInput) -> Iterator[Finding]:
    """Run a check and yield its problems; if there are none, yield its claim, which is its docstring."""
    claim = Problem("pass", (check.__doc__ or "").rstrip("."))
    for problem in list(check(subject)) or [claim]:
        place = None if problem.place is None else str(problem.place)
        yield Finding(check.__name__.replace("_", "-"), problem.level, problem.detail, place)
