"""Stores what readers thought of an expert's answer, a thumb up or down with a comment, among the decisions."""

from collections.abc import Mapping

from weakspot.capture.decisions import append_decisions, load_decisions, new_decision
from weakspot.config import Config
from weakspot.records import Decision
from weakspot.records.interactions import LONGEST_COMMENT
from weakspot.records.parsing import RecordError, parse_metadata
from weakspot.redaction.redact import scrub_text
from weakspot.storage import append_log
from weakspot.teachers import api_keys
from weakspot.workspace import Workspace


def store_ratings(workspace: Workspace, config: Config, ratings: Mapping[str, tuple[bool, str]]) -> int:
    """Append thumbs by interaction id, each up or not with the reader's words; return how many were new.

    Secrets in the words are replaced. Raises ``OSError`` or :class:`UserError` where they cannot be stored.
    """
    if not ratings:
        return 0
    known = load_decisions(workspace)
    made = [
        thumb
        for identity, (up, comment) in ratings.items()
        if identity not in known.forgotten
        and not _is_same(thumb := _thumb(config, identity, up, comment), known.thumbs)
    ]
    if made:
        append_decisions(workspace, config, made)
    return len(made)


def store_feedback(workspace: Workspace, config: Config, identity: str, comment: str, *, up: bool) -> str | None:
    """Store a thumb about the interaction with this id, or whose answer has it; return its id, None for an unknown one.

    Raises as :func:`store_ratings` does.
    """
    found = _find_interaction(workspace, identity)
    if found is not None:
        store_ratings(workspace, config, {found: (up, comment)})
    return found


def _find_interaction(workspace: Workspace, identity: str) -> str | None:
    wanted = identity.encode("utf-8", "replace")
    for line in append_log.read_lines(workspace.raw):
        if wanted not in line.data:
            continue
        try:
            metadata = parse_metadata(line.data)
        except RecordError:
            continue  # process reports it, with its line number
        if identity in (metadata.get("interaction_id"), metadata.get("answer_id")):
            return str(metadata["interaction_id"]) if "interaction_id" in metadata else None
    return None


def _thumb(config: Config, identity: str, up: bool, comment: str) -> Decision:
    words = scrub_text(comment, api_keys(config))[:LONGEST_COMMENT] or None
    return new_decision(identity, "thumbs-up" if up else "thumbs-down", comment=words)


def _is_same(thumb: Decision, known: Mapping[str, Decision]) -> bool:
    before = known.get(thumb.interaction_id)
    return before is not None and (before.action, before.comment) == (thumb.action, thumb.comment)
