"""Shared by both command lines: one-line errors, JSON lines, tables, logging, closed pipes."""

import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from types import TracebackType
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from zddc.errors import UserError
from zddc.visible import visible, visible_in_json


class VisibleConsole(Console):
    """A console on which no text can do more than be read: what a terminal would obey is shown instead.

    Texts are no markup. Only styles that our own code gives, and progress bars, make escape sequences.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(soft_wrap=True, highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make the text of a string visible before it is measured, in tables too."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Make the text of all else visible, however it came here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


# A pipe has no width: its output must not be cut to the width of an imaginary terminal.
out = VisibleConsole(width=None if sys.stdout.isatty() else 200)
err = VisibleConsole(stderr=True)


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
    """Print one JSON value on one line of standard output: readable text as it is, all else as JSON escapes."""
    sys.stdout.write(visible_in_json(json.dumps(value, ensure_ascii=False)) + "\n")


def log_to_stderr(name: str) -> None:
    """Make the loggers below ``name`` write to standard error; otherwise they are silent."""
    handler = logging.StreamHandler()
    handler.setFormatter(_VisibleFormatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    if logging.lastResort:  # writes the warnings of all other loggers
        logging.lastResort.setFormatter(_VisibleFormatter())
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _VisibleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a bug; its message may quote any text."""
    sys.stderr.write(visible("".join(traceback.format_exception(kind, error, trace))))


def run(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status: 0, 1 for a user's mistake, 130 for Ctrl-C.

    A user's mistake (:class:`UserError`, an unknown option, a full disk) is one line on standard error;
    any other exception is our bug and leaves its traceback.
    """
    sys.excepthook = print_traceback
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
            errno.ENAMETOOLONG: "give a shorter path",
            errno.EISDIR: "give a file, not a folder",
            errno.ENOTDIR: "check the path",
            errno.ELOOP: "put the file itself there, instead of a link",
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
    if "unexpected extra argument" in message:
        message += "; several words are one argument in quotes"
    return f"{name}: {message[:1].lower()}{message[1:]}; see '{name} --help'"


def _print_error(line: str) -> int:
    sys.stderr.write(visible(line) + "\n")
    return 1
