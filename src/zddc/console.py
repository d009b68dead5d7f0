"""Shared by both command lines: one-line errors, JSON lines, tables, logging, closed pipes."""

import errno
import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from zddc.errors import UserError

# A pipe has no width: its output must not be cut to the width of an imaginary terminal.
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def _print_version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        out.print(f"{context.info_name} {version('zddc')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
]


def table(*columns: str) -> Table:
    """Return an empty table in the style of this project; columns never break inside a word."""
    return Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)


def print_json(value: object) -> None:
    """Print one JSON value on one line of standard output, non-ASCII text as it is."""
    # Names that are not valid Unicode reach us with lone surrogates; a backslash escape is their JSON form.
    line = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    sys.stdout.write(line + "\n")


def log_to_stderr(name: str) -> None:
    """Make the loggers below ``name`` write to standard error; otherwise they are silent."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def run(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status: 0, 1 for a user's mistake, 130 for Ctrl-C.

    A user's mistake (:class:`UserError`, an unknown option, a full disk) is one line on standard error;
    any other exception is our bug and leaves its traceback.
    """
    try:
        status = app(args=arguments, prog_name=name, standalone_mode=False)
        sys.stdout.flush()  # here, and not at exit, where a broken pipe would leave a traceback
    except UserError as error:
        return _print_error(str(error))
    except typer.TyperException as error:
        return _print_error(_format_usage_error(error.format_message(), name))
    except (BrokenPipeError, SystemExit):  # typer makes the first into the second
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        thing = error.filename or name
        remedies = {
            errno.ENOSPC: "free some space and run the command again, nothing was damaged",
            errno.EDQUOT: "free some space and run the command again, nothing was damaged",
            errno.EACCES: "check who may read and write there",
            errno.EPERM: "check who may read and write there",
            errno.EROFS: "choose a place that can be written",
            errno.ENOENT: "check the path",
            errno.EISDIR: "give a file, not a folder",
            errno.ENOTDIR: "check the path",
            errno.EFBIG: "choose a file system that takes large files",
        }
        if error.errno not in remedies:
            raise
        return _print_error(f"{thing}: {str(error.strerror).lower()}; {remedies[error.errno]}")
    except (KeyboardInterrupt, typer.Abort):
        err.print("interrupted")
        return 130
    return status if isinstance(status, int) else 0


def _format_usage_error(message: str, name: str) -> str:
    if message.startswith("Usage:"):  # no arguments at all: the message is the whole help
        return message
    message = message.rstrip(".").replace("\n", " ")
    return f"{name}: {message[:1].lower()}{message[1:]}; see '{name} --help'"


def _print_error(line: str) -> int:
    sys.stderr.write(line + "\n")
    return 1
