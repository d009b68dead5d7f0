"""Records that `process` writes: split assignments, rejected lines, snapshot manifests."""

from typing import Literal

from weakspot.records.interactions import Record

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

# A fixed key for programs to count; the detail next to it is a sentence for people.
Reason = Literal[
    "too-large",
    "not-json",
    "bad-schema",
    "wrong-roles",
    "empty-query",
    "empty-expert",
    "truncated",
    "redacted",
    "same-answer",
    "duplicate-id",
    "exact-duplicate",
    "links-splits",
    "policy-ask",
    "policy-refuse",
    "rejected",
    "forgotten",
]


class Rejection(Record):
    """A raw line that was left out: its number, its byte offset, and the reason."""

    line: int
    offset: int | None = None
    reason: Reason
    detail: str
    interaction_id: str | None = None


class Assignment(Record):
    """The group of an example and the split of that group, which never changes."""

    interaction_id: str
    group: str
    split: Split
    domain: str


class Snapshot(Record):
    """The manifest of a snapshot, an immutable copy of the dataset: SHA-256 of each file, and the counts.

    ``earlier`` has the SHA-256 of each manifest that it had before an interaction in it was forgotten.
    """

    files: dict[str, str]
    counts: dict[str, int]
    near_duplicate_threshold: float
    earlier: list[str] | None = None
