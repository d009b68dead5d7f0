"""Runs the commands of zddc as a person would, in this process."""

from typer.main import get_command

from zddc import console
from zddc.cli import app

# Made once: to make it takes far longer than most commands do.
_COMMAND = get_command(app)


def run(*arguments: object) -> int:
    """Run a command, and return its status."""
    return console.run(_COMMAND, "zddc", [str(argument) for argument in arguments])
