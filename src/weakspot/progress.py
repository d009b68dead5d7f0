"""Progress on a terminal, silence in a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from zddc.console import err

Advance = Callable[[int, str], None]


@contextmanager
def bar(task: str, total: int | None = None) -> Iterator[Advance]:
    """Show a bar for the block; call what it gives with a count done and a note to show beside it."""
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
