"""Retrains automatically: when something is due and nobody is asking, runs everything from process to deploy."""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from datetime import time as time_of_day

from weakspot.config import Config
from weakspot.pipeline.gpu_handover import hand_over_gpu
from weakspot.pipeline.run import (
    Step,
    deploy_newest,
    evaluate_newest,
    needs_gpu,
    process_and_validate,
    train_due,
    training_reasons,
)
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
    """Run what is due whenever it is allowed, for ever or ``once``, and yield each step when it is done.

    If the process is killed, the next call continues: each stage writes whole files, training resumes, and an adapter
    goes live only with the release that is written last. An error in one domain is yielded as a step "error"; the
    other domains still run, and this one is tried again later. ``now`` is local time.

    Raises :class:`UserError` if another process is watching, and with ``once`` for an error outside of any domain.
    """
    with atomic.hold_lock(workspace.watch_lock, "watch"):
        settled: object = None
        reported: set[Step] = set()
        while True:
            seen = _inputs(workspace)
            reason = reason_to_wait(workspace, config.watch, now())
            if reason:
                if once:
                    yield Step("watch", None, f"not now: {reason}")
            elif seen != settled:
                failed = set()
                for step in _run_round(workspace, config, once=once):
                    if step.stage == "error":
                        failed.add(step)
                    if step not in reported:  # an error that stays is reported once
                        yield step
                settled, reported = (None, failed) if failed else (seen, set())
            if once:
                return
            sleep(config.watch.interval_seconds)


def reason_to_wait(workspace: Workspace, settings: Watch, moment: datetime) -> str:
    """Return the reason why training must wait at this moment; empty if it may start."""
    if settings.window and not _within(settings.window, moment.time()):
        return f"outside of {settings.window}"
    files = [file for file in (workspace.raw, workspace.usage) if file.exists()]
    last = max((datetime.fromtimestamp(file.stat().st_mtime) for file in files), default=None)  # noqa: DTZ006
    if last is not None and moment - last < timedelta(minutes=settings.idle_minutes):
        return f"last asked at {last:%H:%M}, less than [watch] idle_minutes = {settings.idle_minutes:g} ago"
    return ""


def _within(window: str, moment: time_of_day) -> bool:
    start, end = (time_of_day.fromisoformat(part) for part in window.split("-"))
    return start <= moment < end if start < end else moment >= start or moment < end


def _inputs(workspace: Workspace) -> object:
    """Return the state of the files that a round depends on: while it is the same, another round does nothing."""
    return tuple(atomic.FileState.of(file) for file in (workspace.raw, workspace.decisions))


def _run_round(workspace: Workspace, config: Config, *, once: bool) -> Iterator[Step]:
    try:
        yield from process_and_validate(workspace, config)
        domains = status(workspace, config).domains
    except UserError as error:
        if once:
            raise
        yield Step("error", None, str(error))
        return
    reasons = training_reasons(workspace, domains)
    try:
        with hand_over_gpu(config) if needs_gpu(workspace, reasons, domains) else contextlib.nullcontext():
            yield from _train_together_or_alone(workspace, config, reasons)
            for entry in domains:
                yield from _report_error(entry.domain, evaluate_newest(workspace, config, entry.domain))
    except UserError as error:
        yield Step("error", None, str(error))
        return
    for entry in domains:
        yield from _report_error(entry.domain, deploy_newest(workspace, config, entry.domain))


def _report_error(domain: str, steps: Iterator[Step]) -> Iterator[Step]:
    try:
        yield from steps
    except UserError as error:
        yield Step("error", domain, str(error))


def _train_together_or_alone(workspace: Workspace, config: Config, reasons: dict[str, str]) -> Iterator[Step]:
    """Train what is due in one pass; if that fails, train each domain alone."""
    try:
        yield from train_due(workspace, config, reasons)
    except UserError as error:
        for domain, reason in reasons.items():
            if len(reasons) == 1:
                yield Step("error", domain, str(error))
            else:
                yield from _train_together_or_alone(workspace, config, {domain: reason})
