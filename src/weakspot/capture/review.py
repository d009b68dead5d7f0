"""A reviewer's actions on one interaction: accept, reject, edit, move to another domain, and undo."""

from pydantic import ValidationError

from weakspot.capture.decisions import append_decisions, load_decisions, new_decision
from weakspot.config import Config
from weakspot.records import Interaction, Message
from weakspot.records.parsing import explain
from weakspot.redaction.redact import scrub
from weakspot.teachers import api_keys
from weakspot.workspace import Workspace
from zddc.errors import UserError


def judge(workspace: Workspace, config: Config, example: Interaction, *, accepted: bool) -> None:
    """Accept or reject an interaction; raise :class:`UserError` where its teacher's policy forbids training on it."""
    if accepted and example.policy == "refuse":
        raise UserError(example.id, example.policy_reason, "leave it out")
    append_decisions(workspace, config, [new_decision(example.id, "accept" if accepted else "reject")])


def edit(workspace: Workspace, config: Config, captured: Interaction, query: str, expert: str) -> None:
    """Change query and answer of an interaction; secrets in the new texts are replaced, as in captured ones.

    ``captured`` is the interaction as it stands in the raw file: only texts that differ from it are stored.
    Raises :class:`UserError` for an empty text.
    """
    changed = {
        name: new
        for name, message, new in (("query", captured.query, query), ("expert", captured.expert, expert))
        if as_form_text(new) != editable_text(message)
    }
    cleaned = scrub(dict(changed), api_keys(config)).value
    words = {name: str(text) for name, text in cleaned.items()} if isinstance(cleaned, dict) else {}
    try:
        append_decisions(workspace, config, [new_decision(captured.id, "edit", **words)])
    except ValidationError:
        empty = ["the query" if name == "query" else "the answer" for name, text in words.items() if not text.strip()]
        problem = f"{' and '.join(empty)} would be empty"
        raise UserError(captured.id, problem, "write something, or reject the interaction") from None


def move(workspace: Workspace, config: Config, example: Interaction, domain: str) -> None:
    """Move an interaction to another domain; raise :class:`UserError` for an invalid domain name."""
    try:
        append_decisions(workspace, config, [new_decision(example.id, "move", domain=domain)])
    except ValidationError as error:
        raise UserError(example.id, explain(error), "choose another name") from None


def undo(workspace: Workspace, config: Config, identity: str) -> None:
    """Undo the latest decision about an interaction; raise :class:`UserError` where there is none."""
    if not load_decisions(workspace).standing.get(identity):
        raise UserError(identity, "nothing is decided about it", "there is nothing to undo")
    append_decisions(workspace, config, [new_decision(identity, "undo")])


def as_form_text(text: str) -> str:
    """Return ``text`` as a web page's text field gives it back: line ends are LF, and there is no NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")


def editable_text(message: Message) -> str:
    """Return the text of a message that may be edited: all but its tool calls."""
    return as_form_text(message.content or "")
