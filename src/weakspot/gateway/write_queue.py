"""Write queue: stores captured interactions in a thread of its own, and retries when the disk fails."""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from weakspot.capture.recorder import Collected, journal_of
from weakspot.config import Config
from weakspot.gateway.metrics import Metrics
from weakspot.records import UsageEvent
from weakspot.records.parsing import RecordError
from weakspot.storage import append_log
from weakspot.storage.append_log import Journal, JournalError
from weakspot.workspace import Workspace
from zddc.errors import UserError

Task = Callable[[Journal], Collected]

MOST_PENDING = 1000
RETRY_SECONDS = 5.0
_log = logging.getLogger(__name__)


class WriteQueue:
    """Writes one journal from one thread; what cannot be stored waits in memory for a retry."""

    def __init__(self, workspace: Workspace, config: Config, metrics: Metrics) -> None:
        self._journal = journal_of(workspace, config)
        self._usage, self._allow_network = workspace.usage, config.collect.allow_network_filesystem
        self._metrics = metrics
        self._pending: deque[Task] = deque()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._retrying: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def store(self, task: Task) -> None:
        """Store one interaction; return once it is on the disk, waits for a retry, or is refused as invalid."""
        if await self._try_to_store(task):
            return
        self._pending.append(task)
        if len(self._pending) > MOST_PENDING:
            self._pending.popleft()
            self._give_up(1, "too many waiting")
        self._metrics.pending.set(len(self._pending))
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry())

    def note(self, use: UsageEvent) -> None:
        """Queue a usage event behind what is being stored; nobody waits for it, and a failure is only counted."""
        self._thread.submit(self._note, use.to_json())

    async def close(self) -> None:
        """Retry once what waits, and count as lost what still cannot be stored."""
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
            if not await self._try_to_store(task, again=True):
                self._pending.appendleft(task)
                # What began to wait during the retry did not count this one.
                self._metrics.pending.set(len(self._pending))
                return
            self._metrics.pending.set(len(self._pending))

    async def _try_to_store(self, task: Task, *, again: bool = False) -> bool:
        """Run the task in the journal's thread; return False where the disk failed and a retry may succeed."""
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
        except Exception as error:  # a bug of ours must not cost the client its answer
            self._metrics.lost.labels("bug").inc()
            # The error's text may quote the conversation.
            _log.error("not captured: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        else:
            self._metrics.captured.inc()
        return True

    def _note(self, line: str) -> None:
        try:
            append_log.append(self._usage, [line], "process", allow_network=self._allow_network)
        except (OSError, UserError) as error:
            self._metrics.uses_lost.inc()
            _log.error("a usage event is not stored: %s", error)

    def _run(self, task: Task) -> Collected:
        try:
            return task(self._journal)
        except JournalError:
            self._journal.reopen()
            return task(self._journal)

    def _give_up(self, count: int, why: str) -> None:
        self._metrics.lost.labels("storage").inc(count)
        _log.error("%d %s lost: %s", count, "interaction is" if count == 1 else "interactions are", why)
