"""Stores what was captured without holding up the traffic, and tries again where the disk refuses."""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from weakspot.capture.recorder import Collected, journal_of
from weakspot.config import Config
from weakspot.gateway.metrics import Metrics
from weakspot.records import Use
from weakspot.records.parsing import RecordError
from weakspot.storage import append_log
from weakspot.storage.append_log import Journal, JournalError
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
        self._usage, self._allow_network = workspace.usage, config.collect.allow_network_filesystem
        self._metrics = metrics
        self._pending: deque[Task] = deque()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._retrying: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def keep(self, task: Task) -> None:
        """Store one interaction; return when it is acknowledged, or waits, or turned out to teach nothing."""
        if await self._stored(task):
            return
        self._pending.append(task)
        if len(self._pending) > MOST_PENDING:
            self._pending.popleft()
            self._give_up(1, "too many waiting")
        self._metrics.pending.set(len(self._pending))
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry())

    def note(self, use: Use) -> None:
        """Append a use behind what is being stored; nobody waits for it, and one that is refused is only counted."""
        self._thread.submit(self._note, use.to_json())

    async def close(self) -> None:
        """Try once more what waits, and count as lost what still cannot be stored."""
        self._closing.set()
        if self._retrying is not None:
            await self._retrying
        if self._pending:
            self._give_up(len(self._pending), "not stored when the gateway ended")
        self._thread.shutdown()

    async def _retry(self) -> None:
        while self._pending:
            try:
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._closing.wait()
            except TimeoutError:
                pass
            await self._try_pending()
            if self._closing.is_set():
                return

    async def _try_pending(self) -> None:
        while self._pending:
            task = self._pending.popleft()
            if not await self._stored(task, again=True):
                self._pending.appendleft(task)
                return
            self._metrics.pending.set(len(self._pending))

    async def _stored(self, task: Task, *, again: bool = False) -> bool:
        """Run the task in the journal's thread; False where the disk refused and another try may do."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._run, task)
        except RecordError as error:
            self._metrics.lost.labels(error.reason).inc()
            _log.warning("not captured: %s: %s", error.reason, error.detail)
        except (OSError, UserError) as error:
            self._metrics.capture_failures.labels(type(error).__name__).inc()
            if not again:
                _log.error("not stored yet, will try again: %s", error)
            return False
        except Exception as error:  # our bug, which must not take the client's answer with it
            self._metrics.lost.labels("bug").inc()
            # The error's own words may be the conversation's.
            _log.error("not captured: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        else:
            self._metrics.captured.inc()
        return True

    def _note(self, line: str) -> None:
        try:
            append_log.append(self._usage, [line], "process", allow_network=self._allow_network)
        except (OSError, UserError) as error:
            self._metrics.uses_lost.inc()
            _log.error("a use is not counted: %s", error)

    def _run(self, task: Task) -> Collected:
        try:
            return task(self._journal)
        except JournalError:
            self._journal.reopen()
            return task(self._journal)

    def _give_up(self, count: int, why: str) -> None:
        self._metrics.lost.labels("storage").inc(count)
        _log.error("%d interactions are lost: %s", count, why)
