"""What `process` writes beside the examples: where each belongs, and what was left out."""

from typing import Literal

from weakspot.records.interactions import Record

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

# A key that programs count by; the detail beside it is the sentence a person reads.
Reason = Literal[
    "too-large",
    "not-json",
    "bad-schema",
    "wrong-roles",
    "empty-query",
    "empty-expert",
    "truncated",
    "duplicate-id",
    "exact-duplicate",
    "links-splits",
    "policy-ask",
    "policy-refuse",
    "rejected",
    "forgotten",
]


class Rejection(Record):
    """A raw line that was left out: its number, the byte that it begins at, and why."""

    line: int
    offset: int | None = None
    reason: Reason
    detail: str
    interaction_id: str | None = None


class Assignment(Record):
    """An example's group and the split that the group is in, for ever."""

    interaction_id: str
    group: str
    split: Split
    domain: str


class Snapshot(Record):
    """The manifest of an immutable copy of the dataset: SHA-256 by file, and the counts."""

    files: dict[str, str]
    counts: dict[str, int]
    near_duplicate_threshold: float
