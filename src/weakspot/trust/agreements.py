"""Agreements: a person's word that the settings of a workspace may send something to an address.

They are remembered in the user's own folder by workspace, address and variable, never in the workspace.
"""

import contextlib
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from weakspot.records import Record
from weakspot.storage import append_log
from weakspot.trust.recipients import Recipient
from weakspot.workspace import Workspace, agreements_file
from zddc.errors import UserError


class Agreement(Record):
    """One agreement, as it is remembered."""

    workspace: str
    address: str
    variable: str
    timestamp: str


@dataclass(frozen=True)
class Standing:
    """A recipient, and why it counts; ``reason`` is empty where a person has to agree first."""

    recipient: Recipient
    reason: str


def standings(
    workspace: Workspace, recipients: Sequence[Recipient], *, named: bool, settings: Sequence[str] = ()
) -> list[Standing]:
    """Return why each recipient counts, or that it does not.

    ``named`` says whether a person named the workspace, and it was not just found; ``settings`` are those of the
    command line, which are a person's own word.
    """
    said = set(_iter_texts([_parse_setting(setting) for setting in settings]))
    known = _read_agreements(workspace)
    return [Standing(one, _reason(one, known, said, named=named)) for one in sorted(set(recipients))]


def require_agreements(
    workspace: Workspace,
    recipients: Sequence[Recipient],
    *,
    named: bool,
    settings: Sequence[str] = (),
    ask: Callable[[str], bool] | None = None,
) -> None:
    """Raise :class:`UserError` for a recipient that nobody agreed to; ``ask`` puts a question to a person, if any.

    What is agreed to is remembered.
    """
    for one in standings(workspace, recipients, named=named, settings=settings):
        if one.reason:
            continue
        if ask is None:
            problem = f"wants to {one.recipient.act}, and nobody agreed to that"
            raise UserError(workspace.config_file, problem, "see 'weakspot trust --list', agree with 'weakspot trust'")
        if not ask(f"this workspace wants to {one.recipient.act}: allow?"):
            problem = f"wants to {one.recipient.act}, and you do not agree"
            raise UserError(workspace.config_file, problem, "change that setting; nothing was done")
        remember_agreements(workspace, [one.recipient])


def remember_agreements(workspace: Workspace, recipients: Sequence[Recipient]) -> None:
    """Remember that a person agreed to these recipients for this workspace."""
    moment, root = datetime.now(UTC).isoformat(timespec="seconds"), str(workspace.root.resolve())
    made = [
        Agreement(workspace=root, address=one.address, variable=one.variable, timestamp=moment) for one in recipients
    ]
    # The home folder may be on a network file system; where one is lost there, it is asked for again.
    append_log.append(agreements_file(), [one.to_json() for one in made], allow_network=True)


def _read_agreements(workspace: Workspace) -> dict[Recipient, str]:
    """Return what a person agreed to for this workspace, with the day of it."""
    root, found = str(workspace.root.resolve()), dict[Recipient, str]()
    for line in append_log.read_lines(agreements_file()):
        with contextlib.suppress(ValueError):  # a damaged line: it is asked about again
            one = Agreement.from_json(line.data)
            if one.workspace == root:
                found[Recipient(one.address, one.variable)] = one.timestamp[:10]
    return found


def _reason(one: Recipient, known: dict[Recipient, str], said: set[str], *, named: bool) -> str:
    if one.command:
        named_it = one.command in said
        return "the command line names it" if named_it else f"you agreed on {known[one]}" if one in known else ""
    if one.is_loopback and not one.variable:
        return "this machine, without a key"
    if one.is_own:
        return "the provider's own"
    if one.address in said and (not one.variable or one.variable in said):
        return "the command line names it"
    if one.is_loopback and named and one.has_model_key:
        return "this machine, and you named the workspace"
    return f"you agreed on {known[one]}" if one in known else ""


def _parse_setting(setting: str) -> object:
    text = setting.partition("=")[2].strip()
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _iter_texts(value: object) -> Iterator[str]:
    """Yield every text in the values of settings; addresses as they are compared, without a last slash."""
    if isinstance(value, str):
        yield value.rstrip("/")
    elif isinstance(value, dict):
        for part in value.values():
            yield from _iter_texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _iter_texts(part)
