"""Options that several commands share, and the checks of what was given."""

from pathlib import Path
from typing import Annotated

import typer

from zddc.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
ROOT_HELP = "The root of the archive; the environment variable ZDDC_ROOT may name it instead."
Root = Annotated[Path, typer.Option("--root", metavar="DIR", envvar="ZDDC_ROOT", help=ROOT_HELP)]


def require_folder(folder: Path) -> None:
    """Raise :class:`UserError` for what is not a folder."""
    if not folder.is_dir():
        problem = "not a folder" if folder.exists() else "no such folder"
        raise UserError(folder, problem, "give a folder that is there")
