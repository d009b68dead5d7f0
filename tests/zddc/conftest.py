"""Runs the commands of zddc as a person would, in this process."""

from collections.abc import Callable

import pytest

from zddc import console
from zddc.cli import app


@pytest.fixture
def zddc(capsys) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; answer its status, its standard output and its standard error."""

    def run(*arguments):
        status = console.run(app, "zddc", [str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run
