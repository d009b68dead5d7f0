"""The log of people's decisions about interactions: allow, refuse, accept, reject, edit, move, undo, forget, thumbs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from weakspot.capture.recorder import timestamp
from weakspot.config import Config
from weakspot.records import Decision, Interaction
from weakspot.records.parsing import RecordError, parse_record
from weakspot.storage import append_log
from weakspot.workspace import Workspace

YES, NO = ("allow", "accept"), ("refuse", "reject")
THUMBS = ("thumbs-down", "thumbs-up")


@dataclass
class Decisions:
    """The decisions in force by interaction id, oldest first, and what was forgotten, by id and by content.

    ``thumbs`` are the latest ones of the answers' readers, who decide nothing for others.
    """

    standing: defaultdict[str, list[Decision]] = field(default_factory=lambda: defaultdict(list))
    thumbs: dict[str, Decision] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    forgotten_contents: set[str] = field(default_factory=set)

    def add(self, decision: Decision) -> None:
        """Apply the next decision of the log."""
        if decision.action in THUMBS:
            self.thumbs[decision.interaction_id] = decision
            return
        earlier = self.standing[decision.interaction_id]
        if decision.action == "forget":
            self.forgotten.add(decision.interaction_id)
            if decision.content:
                self.forgotten_contents.add(decision.content)
        elif decision.action != "undo":
            earlier.append(decision)
        elif earlier:
            earlier.pop()

    def latest(self, identity: str, *actions: str) -> Decision | None:
        """Return the latest decision in force about an interaction that is one of ``actions``."""
        # ``standing[identity]`` would add an entry for every id that is asked about.
        made = reversed(self.standing.get(identity, ()))
        return next((decision for decision in made if decision.action in actions), None)

    def judgement(self, identity: str) -> str | None:
        """Return whether a person wants an interaction trained on: allow, accept, refuse, reject, or None."""
        found = self.latest(identity, *YES, *NO)
        return found.action if found else None

    def require_permission(self, example: Interaction) -> None:
        """Raise :class:`RecordError` for an interaction that must not be trained on.

        A person may allow what a policy of "ask" holds back, and refuse anything, but not allow what a policy refuses.
        A thumbs-down counts until a person decides; a thumbs-up allows nothing.
        """
        if self.is_forgotten(example):
            raise RecordError("forgotten", "a person had it forgotten")
        decided = self.judgement(example.id)
        if decided == "refuse":
            raise RecordError("policy-refuse", "a person refused it")
        if decided == "reject":
            raise RecordError("rejected", "a person rejected it")
        if decided is None and (thumb := self.thumbs.get(example.id)) and thumb.action == "thumbs-down":
            raise RecordError("rejected", f"its reader gave it a thumbs-down{_comment_text(thumb.comment)}")
        if example.policy == "refuse":
            raise RecordError("policy-refuse", example.policy_reason)
        if example.policy == "ask" and decided is None:
            raise RecordError("policy-ask", f"{example.policy_reason}; see 'weakspot allow'")

    def with_edits(self, example: Interaction) -> Interaction:
        """Return an interaction with a person's edits of text and domain; its metadata has the time of the edit."""
        edit, move = self.latest(example.id, "edit"), self.latest(example.id, "move")
        if edit and (edit.query or edit.expert):
            example = example.with_texts(edit.query, edit.expert).with_metadata({"edited": edit.timestamp})
        if move and move.domain:
            example = example.with_metadata({"domain": move.domain})
        return example

    def is_forgotten(self, example: Interaction) -> bool:
        """Return whether this interaction, or one with the same messages, was forgotten."""
        if example.id in self.forgotten:
            return True
        return bool(self.forgotten_contents) and not self.forgotten_contents.isdisjoint(example.content_keys())


def _comment_text(comment: str | None) -> str:
    return f": {' '.join(comment.split())[:200]}" if comment else ""


def load_decisions(workspace: Workspace) -> Decisions:
    """Read every decision; raise :class:`UserError` for a damaged line, since it may forbid something."""
    found = Decisions()
    for _, decision in read_decisions(workspace.decisions):
        found.add(decision)
    return found


def read_decisions(file: Path) -> Iterator[tuple[append_log.Line, Decision]]:
    """Yield each line of a file with the decision in it; raise :class:`UserError` for a damaged line."""
    for line in append_log.read_lines(file):
        yield line, parse_record(Decision, line.data, f"{file}:{line.number}", "mend that line")


def decide(workspace: Workspace, config: Config, decisions: Sequence[tuple[str, str, str | None]]) -> None:
    """Append decisions, each an interaction id, an action, and for "forget" the hash of its messages.

    Forgetting also erases the texts of earlier edits, and of readers' comments.
    """
    if not decisions:
        return
    made = [new_decision(identity, action, content=content) for identity, action, content in decisions]
    append_decisions(workspace, config, made)
    forgotten = {decision.interaction_id for decision in made if decision.action == "forget"}
    if forgotten:
        _erase_edits(workspace, config, forgotten)


def new_decision(identity: str, action: str, **words: str | None) -> Decision:
    """Return a decision with the time of now; raises pydantic's ``ValidationError`` for invalid values."""
    said = {name: word for name, word in words.items() if word is not None}
    moment = timestamp(datetime.now(UTC))
    return Decision.model_validate({"interaction_id": identity, "action": action, "timestamp": moment, **said})


def append_decisions(workspace: Workspace, config: Config, decisions: Sequence[Decision]) -> None:
    """Append decisions to the log, as durably as the settings say."""
    collect, lines = config.collect, [decision.to_json() for decision in decisions]
    append_log.append(workspace.decisions, lines, collect.durability, allow_network=collect.allow_network_filesystem)


def _erase_edits(workspace: Workspace, config: Config, identities: set[str]) -> None:
    edits: dict[append_log.Line, str | None] = {}
    for line, decision in read_decisions(workspace.decisions):
        if decision.action in ("edit", *THUMBS) and decision.interaction_id in identities:
            edits[line] = None
    if edits:
        collect = config.collect
        append_log.replace(
            workspace.decisions, edits, collect.durability, allow_network=collect.allow_network_filesystem
        )
