"""Stores what was captured without holding up the traffic, and tries again where the disk refuses."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from weakspot.capture.keeping import Collected, journal_of
from weakspot.config import Config
from weakspot.data.journal import Journal, JournalError
from weakspot.gateway.metrics import Metrics
from weakspot.parsing import RecordError
from weakspot.workspace import Workspace
from zddc.errors import UserError

Task = Callable[[Journal], Collected]

MOST_PENDING = 1000
RETRY_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Keeper:
    """One journal, written by one thread; what it refuses waits in memory and is tried again."""

    def __init__(self, workspace: Workspace, config: Config, metrics: Metrics) -> None:
        self._journal = journal_of(workspace, config)
        self._metrics = metrics
        self._pending: deque[Task] = deque()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._retrying: asyncio.Task[None] | None = None

    async def keep(self, task: Task) -> None:
        """Store one interaction; return when it is acknowledged, or waits, or turned out to teach nothing."""
        if await self._stored(task):
            return
        if len(self._pending) >= MOST_PENDING:
            self._give_up("too many waiting")
        self._pending.append(task)
        self._metrics.pending.set(len(self._pending))
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry())

    async def close(self) -> None:
        """Try once more what waits, and count as lost what still cannot be stored."""
        if self._retrying is not None:
            self._retrying.cancel()
        if self._pending:
            await self._try_pending()
        while self._pending:
            self._give_up("not stored when the gateway ended")
        self._thread.shutdown()

    async def _retry(self) -> None:
        while self._pending:
            await asyncio.sleep(RETRY_SECONDS)
            await self._try_pending()

    async def _try_pending(self) -> None:
        while self._pending and await self._stored(self._pending[0], again=True):
            self._pending.popleft()
            self._metrics.pending.set(len(self._pending))

    async def _stored(self, task: Task, *, again: bool = False) -> bool:
        """Run the task in the journal's thread; False where the disk refused and another try may do."""
        try:
            kept = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, task)
        except RecordError as error:
            self._metrics.lost.labels(error.reason).inc()
            _log.warning("not captured: %s", error.detail)
            return True
        except (OSError, UserError) as error:
            self._metrics.capture_failures.labels(type(error).__name__).inc()
            if not again:
                _log.error("not stored yet, will try again: %s", error)
            return False
        self._metrics.captured.inc()
        if consultation := kept.interaction.metadata.consultation:
            self._metrics.consulted(consultation)
        return True

    def _run(self, task: Task) -> Collected:
        try:
            return task(self._journal)
        except JournalError:
            self._journal.reopen()
            return task(self._journal)

    def _give_up(self, why: str) -> None:
        self._pending.popleft()
        self._metrics.pending.set(len(self._pending))
        self._metrics.lost.labels("storage").inc()
        _log.error("an interaction is lost: %s", why)
