"""The ``zddc`` command line: it parses, calls a module and prints; all logic is elsewhere."""

import sys

import typer

from zddc import console
from zddc.cli import (
    access,
    archive,
    deliverables,
    hashing,
    keys,
    names,
    renaming,
    serve,
    tokens,
    tools,
    transmittals,
    verification,
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def zddc(_version: console.VersionOption = False) -> None:
    """Zero Day Document Control: keep engineering documents in order by their names."""


# The order of the help: that in which a newcomer needs the commands.
for command in (
    names.parse,
    names.check,
    archive.list,
    archive.find,
    archive.show,
    archive.index,
    renaming.rename,
    hashing.hash,
    verification.verify,
    transmittals.transmit,
    transmittals.receive,
    deliverables.due,
    serve.serve,
    tools.tools,
):
    app.command()(command)
app.add_typer(deliverables.app, name="mdl")
app.add_typer(keys.app, name="keys")
app.add_typer(access.app, name="access")
app.add_typer(tokens.app, name="token")


def main() -> None:
    """Run ``zddc`` with the arguments of the process."""
    sys.exit(console.run(app, "zddc"))
