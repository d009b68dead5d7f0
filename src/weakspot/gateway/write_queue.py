"""Write queue: stores captured interactions in a thread of its own, and retries when the disk fails."""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weakspot.capture.recorder import Collected, Unfitted, journal_of
from weakspot.config import Config
from weakspot.gateway.metrics import Metrics
from weakspot.records import UnheardWish, UsageEvent
from weakspot.storage import append_log
from weakspot.storage.append_log import Journal, JournalError
from weakspot.workspace import Workspace
from zddc.errors import UserError

Task = Callable[[Journal], Collected | Unfitted]

MOST_PENDING = 1000
RETRY_SECONDS = 5.0
_log = logging.getLogger(__name__)


class WriteQueue:
    """Writes one journal from one thread; what cannot be stored waits in memory for a retry."""

    def __init__(self, workspace: Workspace, config: Config, metrics: Metrics) -> None:
        self._journal = journal_of(workspace, config)
        self._usage, self._unheard = workspace.usage, workspace.unheard
        self._allow_network = config.collect.allow_network_filesystem
        self._metrics = metrics
        self._pending: deque[Task] = deque()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._retrying: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def store(self, task: Task) -> Collected | Unfitted | None:
        """Store one consultation; return what is on the disk, None where it waits for a retry or is lost."""
        done, stored = await self._try_to_store(task)
        if done:
            return stored
        self._pending.append(task)
        if len(self._pending) > MOST_PENDING:
            self._pending.popleft()
            self._give_up(1, "too many waiting")
        self._metrics.pending.set(len(self._pending))
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry())
        return None

    def note(self, use: UsageEvent) -> None:
        """Queue a usage event behind what is being stored; nobody waits for it, and a failure is only counted."""
        self._thread.submit(self._note, self._usage, use.to_json())

    def note_unheard(self, wish: UnheardWish) -> None:
        """Queue a wish that was not taken for one, as :meth:`note` does a usage event."""
        self._thread.submit(self._note, self._unheard, wish.to_json())

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
            if not (await self._try_to_store(task, again=True))[0]:
                self._pending.appendleft(task)
                # What began to wait during the retry did not count this one.
                self._metrics.pending.set(len(self._pending))
                return
            self._metrics.pending.set(len(self._pending))

    async def _try_to_store(self, task: Task, *, again: bool = False) -> tuple[bool, Collected | Unfitted | None]:
        """Run the task in the journal's thread; return whether it is done, and what it stored.

        It is not done where the disk failed and a retry may succeed.
        """
        stored = None
        try:
            stored = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, task)
        except (OSError, UserError) as error:
            self._metrics.capture_failures.labels(type(error).__name__).inc()
            if not again:
                _log.error("not stored yet, will try again: %s", error)
            return False, None
        except Exception as error:  # a bug of ours must not cost the client its answer
            self._metrics.lost.labels("bug").inc()
            # The error's text may quote the conversation.
            _log.error("not captured: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        if isinstance(stored, Unfitted):
            self._metrics.unfitted.labels(stored.reason).inc()
            _log.warning("not to be trained on: %s: %s; kept in %s", stored.reason, stored.detail, stored.file)
        elif stored is not None:
            self._metrics.captured.inc()
        return True, stored

    def _note(self, file: Path, line: str) -> None:
        try:
            append_log.append(file, [line], "process", allow_network=self._allow_network)
        except (OSError, UserError) as error:
            self._metrics.uses_lost.inc()
            _log.error("a usage event is not stored: %s", error)

    def _run(self, task: Task) -> Collected | Unfitted:
        try:
            return task(self._journal)
        except JournalError:
            self._journal.reopen()
            return task(self._journal)

    def _give_up(self, count: int, why: str) -> None:
        self._metrics.lost.labels("storage").inc(count)
        _log.error("%d %s lost: %s", count, "interaction is" if count == 1 else "interactions are", why)
