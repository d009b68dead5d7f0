"""Progress bars, shown only on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from zddc.console import err

Advance = Callable[[int, str], None]


@contextmanager
def bar(task: str, total: int | None = None) -> Iterator[Advance]:
    """Context manager: show a progress bar; it gives a function to call with a count done and a note to show."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        identity = progress.add_task(task, total=total, note="")

        def advance(count: int = 1, note: str = "") -> None:
            progress.update(identity, advance=count, note=note)

        yield advance


def silence_libraries() -> None:
    """Turn off the libraries' own progress bars and messages: every failure is reported once, by us."""
    from huggingface_hub.utils import logging as hub
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    hub.set_verbosity_error()
