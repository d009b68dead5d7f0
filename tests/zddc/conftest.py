"""Runs the commands of zddc as a person would, in this process."""

from collections.abc import Callable

import pytest
from tests.zddc import commands


@pytest.fixture
def zddc(capsys) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; answer its status, its standard output and its standard error."""

    def run(*arguments):
        status = commands.run(*arguments)
        return status, *capsys.readouterr()

    return run
