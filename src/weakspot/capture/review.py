"""What a reviewer decides about one interaction: accept, reject, edit, move to another domain, or take that back."""

from pydantic import ValidationError

from weakspot.capture.decisions import append, made_now, read_decisions
from weakspot.config import Config
from weakspot.records import Interaction, Message
from weakspot.records.parsing import explain
from weakspot.redaction.redact import scrub
from weakspot.teachers import known_secrets
from weakspot.workspace import Workspace
from zddc.errors import UserError


def judge(workspace: Workspace, config: Config, example: Interaction, *, accepted: bool) -> None:
    """Accept or reject an interaction; raise :class:`UserError` where its teacher's policy forbids training on it."""
    consultation = example.metadata.consultation
    if accepted and consultation is not None and consultation.policy == "refuse":
        terms = consultation.terms or "no terms noted"
        raise UserError(example.id, f"the policy for {consultation.teacher} is refuse ({terms})", "leave it out")
    append(workspace, config, [made_now(example.id, "accept" if accepted else "reject")])


def edit(workspace: Workspace, config: Config, captured: Interaction, query: str, expert: str) -> None:
    """Give an interaction other words; secrets in them are replaced, as in what is captured.

    ``captured`` is the interaction as it stands in the raw file: words that are the same are not written down.
    Raises :class:`UserError` for words that say nothing.
    """
    changed = {
        name: new
        for name, message, new in (("query", captured.query, query), ("expert", captured.expert, expert))
        if as_in_a_field(new) != editable(message)
    }
    cleaned = scrub(dict(changed), known_secrets(config)).value
    words = {name: str(text) for name, text in cleaned.items()} if isinstance(cleaned, dict) else {}
    try:
        append(workspace, config, [made_now(captured.id, "edit", **words)])
    except ValidationError:
        empty = ["the query" if name == "query" else "the answer" for name, text in words.items() if not text.strip()]
        problem = f"{' and '.join(empty)} would be empty"
        raise UserError(captured.id, problem, "write something, or reject the interaction") from None


def move(workspace: Workspace, config: Config, example: Interaction, domain: str) -> None:
    """Put an interaction into another domain; raise :class:`UserError` for what cannot be a domain's name."""
    try:
        append(workspace, config, [made_now(example.id, "move", domain=domain)])
    except ValidationError as error:
        raise UserError(example.id, explain(error), "choose another name") from None


def undo(workspace: Workspace, config: Config, identity: str) -> None:
    """Take back the latest decision about an interaction; raise :class:`UserError` where none stands."""
    if not read_decisions(workspace).standing.get(identity):
        raise UserError(identity, "nothing is decided about it", "there is nothing to undo")
    append(workspace, config, [made_now(identity, "undo")])


def as_in_a_field(text: str) -> str:
    """Return ``text`` as a web page's text field gives it back: line ends are LF, and there is no NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")


def editable(message: Message) -> str:
    """Return the words of a message that may be edited: all but its tool calls."""
    return as_in_a_field(message.content or "")
