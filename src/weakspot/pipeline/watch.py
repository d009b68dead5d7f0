"""Retraining by itself: when something is due and nobody is asking, from process to deploy."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from datetime import time as time_of_day

from weakspot.config import Config
from weakspot.pipeline.run import Step, due, refreshed, taken_through, trained
from weakspot.pipeline.status import status
from weakspot.settings import Watch
from weakspot.storage import atomic
from weakspot.workspace import Workspace
from zddc.errors import UserError


def watch(
    workspace: Workspace,
    config: Config,
    *,
    once: bool = False,
    now: Callable[[], datetime] = datetime.now,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Step]:
    """Run what is due whenever it may, for ever or ``once``, yielding each step when it is done.

    Killed at any point, the next call goes on where it was: each stage writes whole files, training resumes, and
    an adapter is live only by the release that is written last. What went wrong in one domain is a step called
    "error", keeps no other domain from its turn, and is tried again. ``now`` is local time.

    Raises :class:`UserError` where another is watching, and for an error outside of any domain if ``once``.
    """
    with atomic.locked(workspace.watch_lock, "watch"):
        settled: object = None
        reported: set[Step] = set()
        while True:
            seen = _inputs(workspace)
            reason = why_not(workspace, config.watch, now())
            if reason:
                if once:
                    yield Step("watch", None, f"not now: {reason}")
            elif seen != settled:
                failed = set()
                for step in _round(workspace, config, once=once):
                    if step.stage == "error":
                        failed.add(step)
                    if step not in reported:  # an error that stays is told once
                        yield step
                settled, reported = (None, failed) if failed else (seen, set())
            if once:
                return
            sleep(config.watch.interval_seconds)


def why_not(workspace: Workspace, settings: Watch, moment: datetime) -> str:
    """Return why nothing may be trained at a moment; empty if it may."""
    if settings.window and not _within(settings.window, moment.time()):
        return f"outside of {settings.window}"
    files = [file for file in (workspace.raw, workspace.usage) if file.exists()]
    last = max((datetime.fromtimestamp(file.stat().st_mtime) for file in files), default=None)  # noqa: DTZ006
    if last is not None and moment - last < timedelta(minutes=settings.idle_minutes):
        return f"last asked at {last:%H:%M}, not yet {settings.idle_minutes:g} minutes ago"
    return ""


def _within(window: str, moment: time_of_day) -> bool:
    start, end = (time_of_day.fromisoformat(part) for part in window.split("-"))
    return start <= moment < end if start < end else moment >= start or moment < end


def _inputs(workspace: Workspace) -> object:
    """Return what a round depends on: while it stays the same, another one does nothing."""
    return tuple(atomic.FileState.of(file) for file in (workspace.raw, workspace.decisions))


def _round(workspace: Workspace, config: Config, *, once: bool) -> Iterator[Step]:
    try:
        yield from refreshed(workspace, config)
        domains = status(workspace, config).domains
    except UserError as error:
        if once:
            raise
        yield Step("error", None, str(error))
        return
    yield from _trained(workspace, config, due(workspace, domains))
    for entry in domains:
        try:
            yield from taken_through(workspace, config, entry.domain)
        except UserError as error:
            yield Step("error", entry.domain, str(error))


def _trained(workspace: Workspace, config: Config, reasons: dict[str, str]) -> Iterator[Step]:
    """Train what is due together, and where that cannot be, each alone."""
    try:
        yield from trained(workspace, config, reasons)
    except UserError as error:
        for domain, reason in reasons.items():
            if len(reasons) == 1:
                yield Step("error", domain, str(error))
            else:
                yield from _trained(workspace, config, {domain: reason})
