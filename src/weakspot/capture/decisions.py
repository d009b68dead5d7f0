"""What people decide about interactions: allow or refuse to train on them, or forget them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import ValidationError

from weakspot.capture.keeping import timestamp
from weakspot.config import Config
from weakspot.data import journal
from weakspot.parsing import RecordError, explain
from weakspot.records import Decision, Interaction
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass
class Decisions:
    """The latest decision by interaction id, and what was forgotten, by id and by content."""

    latest: dict[str, str] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    forgotten_contents: set[str] = field(default_factory=set)

    def require_allowed(self, example: Interaction) -> None:
        """Raise :class:`RecordError` for an interaction that must not be trained on.

        A person may allow what a policy asks about, and refuse anything; a policy that refuses stays.
        """
        if self.is_forgotten(example):
            raise RecordError("forgotten", "a person had it forgotten")
        consultation, decided = example.metadata.consultation, self.latest.get(example.id)
        if decided == "refuse":
            raise RecordError("policy-refuse", "a person refused it")
        if consultation is None or consultation.policy == "allow":
            return
        terms = f" ({consultation.terms})" if consultation.terms else ""
        if consultation.policy == "refuse":
            raise RecordError("policy-refuse", f"the policy for {consultation.teacher} is refuse{terms}")
        if decided != "allow":
            raise RecordError(
                "policy-ask", f"the policy for {consultation.teacher} is ask{terms}; see 'weakspot allow'"
            )

    def is_forgotten(self, example: Interaction) -> bool:
        """Whether a person had this very interaction forgotten, or one of the same messages."""
        if example.id in self.forgotten:
            return True
        return bool(self.forgotten_contents) and example.content_key() in self.forgotten_contents


def read_decisions(workspace: Workspace) -> Decisions:
    """Read every decision; raise :class:`UserError` for a line that is none: it may forbid something."""
    found = Decisions()
    for line in journal.read_lines(workspace.decisions):
        try:
            decision = Decision.from_json(line.data)
        except ValidationError as error:
            raise UserError(f"{workspace.decisions}:{line.number}", explain(error), "mend that line") from None
        found.latest[decision.interaction_id] = decision.action
        if decision.action == "forget":
            found.forgotten.add(decision.interaction_id)
            if decision.content:
                found.forgotten_contents.add(decision.content)
    return found


def decide(workspace: Workspace, config: Config, decisions: Sequence[tuple[str, str, str | None]]) -> None:
    """Append decisions, each an interaction id, an action, and for forgetting the hash of its messages."""
    if not decisions:
        return
    moment = timestamp(datetime.now(UTC))
    lines = [
        Decision.model_validate(
            {
                "interaction_id": identity,
                "action": action,
                "timestamp": moment,
                **({"content": content} if content else {}),
            }
        ).to_json()
        for identity, action, content in decisions
    ]
    collect = config.collect
    journal.append(workspace.decisions, lines, collect.durability, allow_network=collect.allow_network_filesystem)
