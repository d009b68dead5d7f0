"""Lists the interactions that wait for a person's permission to be trained on, and gives or refuses it."""

from collections.abc import Sequence
from dataclasses import dataclass

from weakspot.capture.decisions import decide, load_decisions
from weakspot.capture.recorder import iter_interactions
from weakspot.config import Config
from weakspot.records.parsing import RecordError
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass(frozen=True)
class WaitingInteraction:
    """An interaction that is left out of training until a person allows it.

    ``teacher`` is empty where no teacher was asked: ``source`` says by which entrance it came in.
    """

    interaction_id: str
    teacher: str
    terms: str
    query: str
    source: str = ""


def list_waiting(workspace: Workspace) -> list[WaitingInteraction]:
    """Return the interactions that wait for permission, oldest first."""
    decisions = load_decisions(workspace)
    found = []
    for example in iter_interactions(workspace):
        try:
            decisions.require_permission(example)
        except RecordError as error:
            if error.reason == "policy-ask":
                consultation = example.metadata.consultation
                teacher, terms = (consultation.teacher, consultation.terms) if consultation else ("", "")
                source = example.metadata.source or ""
                found.append(WaitingInteraction(example.id, teacher, terms, example.query.text, source))
    return found


def permit(
    workspace: Workspace, config: Config, ids: Sequence[str], *, teacher: str | None = None, refuse: bool = False
) -> list[str]:
    """Allow, or refuse, training on these interactions, or on all that wait for ``teacher``; return their ids.

    Raises :class:`UserError` for an unknown id, and for one whose policy does not permit it.
    """
    if teacher is not None and teacher not in config.teachers:
        raise UserError(f"--teacher {teacher}", "no such teacher", f"there are {', '.join(config.teachers)}")
    chosen = list(ids) or [one.interaction_id for one in list_waiting(workspace) if teacher in (None, one.teacher)]
    known = {example.id: example for example in iter_interactions(workspace)} if ids else {}
    for identity in ids:
        if identity not in known:
            raise UserError(identity, "no such interaction", "run 'weakspot allow' to list those that wait")
        if not refuse and known[identity].policy == "refuse":
            raise UserError(identity, known[identity].policy_reason, "leave it out")
    decide(workspace, config, [(identity, "refuse" if refuse else "allow", None) for identity in chosen])
    return chosen
