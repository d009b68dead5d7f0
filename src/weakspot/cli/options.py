"""Options that the commands share, and what they load: workspace, settings, texts."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weakspot import config as configuration
from weakspot import workspace as workspaces
from weakspot.config import Config
from weakspot.storage import permissions
from weakspot.storage.regular_file import open_regular
from weakspot.workspace import Workspace
from zddc.console import err
from zddc.errors import UserError

if TYPE_CHECKING:
    from weakspot.trust.recipients import Recipient

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", help="The folder; else WEAKSPOT_WORKSPACE, the nearest weakspot.toml, ./training-data."
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Override a setting, for this run.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DomainArgument = Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="A domain; without one, multi-domain.")]


def find_workspace(workspace: Path | None) -> Workspace:
    """Return the workspace that was meant, its files kept to their owner; say so where others could read them.

    Settings of other people that lie on the way are passed over.
    """
    from weakspot.trust.ownership import find_stranger

    found = workspaces.find_workspace(workspace, find_stranger, lambda line: err.print(line, markup=False))
    sharing = configuration.load(found.config_file).workspace
    parts = [part for part in found.parts if part.name not in sharing.allow_links]
    if mended := permissions.mend(parts, group=sharing.group_readable):
        who = "you and your group" if sharing.group_readable else "you"
        what = "1 file or folder" if mended == 1 else f"{mended} files and folders"
        err.print(f"{found.root}: permissions of {what} mended: only {who} may read what is there now")
    return found


def open_workspace(workspace: Path | None, settings: list[str] | None) -> tuple[Workspace, Config]:
    """Find the workspace and load its settings."""
    found = find_workspace(workspace)
    return found, configuration.load(found.config_file, settings or ())


def require_agreements(
    place: Workspace, workspace: Path | None, settings: list[str] | None, recipients: "Sequence[Recipient]"
) -> None:
    """Make sure that a person agreed to what the settings send where; ask where there is a terminal."""
    from weakspot.trust import agreements

    def ask(question: str) -> bool:
        return typer.confirm(question, err=True)

    agreements.require_agreements(
        place,
        recipients,
        named=workspaces.is_named(workspace),
        settings=settings or (),
        ask=ask if sys.stdin.isatty() and sys.stderr.isatty() else None,
    )


def load_text(option: str, value: str) -> str:
    """Return the text of an option: the value itself, the content of ``@file``, or standard input for ``-``."""
    try:
        if value == "-":
            return sys.stdin.read()
        if value.startswith("@"):
            with open_regular(Path(value[1:])) as stream:
                return stream.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{option} {value}", f"not UTF-8 at byte {error.start}", "save the text as UTF-8") from None
    return value
