"""Short answers are sent by a thread, and what takes the event loop by the loop; no disk is waited for before."""

import asyncio
import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import granian
import pytest
from tests.waiting import PATIENCE_SECONDS, until
from tests.zddc.server.test_app import Recorded

from zddc.access.policy import Policy
from zddc.server.app import App
from zddc.server.direct import Direct, worker_of
from zddc.server.identity import Identity
from zddc.server.metrics import Metrics
from zddc.server.threads import Threads
from zddc.server.watching import Watcher


class Watched:
    """A request as granian has it: what is sent, from which thread, and how it ended."""

    def __init__(self, path="/a.txt", method="GET", headers=(), breaks=False):
        self.scope = {"type": "http", "http_version": "1.1", "method": method, "raw_path": path.encode()}
        self.scope |= {"query_string": b"", "headers": [(b"host", b"a"), *headers], "client": ("127.0.0.1", 1)}
        self.proto, self.messages, self.threads, self.breaks = self, [], set(), breaks
        self.error, self.ended = None, threading.Event()

    def send(self, message):
        self.threads.add(threading.current_thread().name)
        if self.breaks:
            raise RuntimeError("the connection is gone")
        self.messages.append(message)
        return asyncio.sleep(0) if message.get("more_body") else _Done()

    async def receive(self):
        await asyncio.Event().wait()

    def done(self):
        self.ended.set()

    def err(self, error):
        self.error = error
        self.ended.set()

    def taskref(self, task):
        self.task = task

    @property
    def status(self):
        return self.messages[0]["status"]

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages)


class _Done:
    def __await__(self):
        return iter(())


@pytest.fixture
def root(tmp_path):
    (tmp_path / ".zddc").write_text("acl: {allow: [anonymous]}\n")
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "large.bin").write_bytes(bytes(300_000))
    return tmp_path


@pytest.fixture
def served(root):
    """Take requests in threads of their own, as granian does, while a loop runs; return when all are answered."""
    with Policy(root) as policy:
        watcher, audit = Watcher(root), Recorded()
        watcher.read_all()
        app = App(root, policy, Identity("x-email"), watcher, audit, Metrics())

        def take(*asked: Watched, meanwhile=lambda: None):
            async def run():
                with Threads.of_this_loop(2) as threads, ThreadPoolExecutor(4, "granian") as granian:
                    direct = Direct(app, threads)
                    for one in asked:
                        granian.submit(direct.take, one)
                    await asyncio.to_thread(meanwhile)
                    await asyncio.gather(*(asyncio.to_thread(one.ended.wait, PATIENCE_SECONDS) for one in asked))

            asyncio.run(run())
            return asked[0]

        take.app, take.audit = app, audit
        yield take


def test_a_short_answer_is_sent_by_the_thread_that_has_the_request(served):
    got = served(Watched())
    assert (got.status, got.body, got.threads, got.error) == (200, b"hello", {"granian_0"}, None)
    assert served.audit.entries[0].items() >= {"status": 200, "bytes": 5, "decision": "allow"}.items()
    assert served.app._metrics.at_once == 0
    assert not served.app._at_once


def test_a_long_one_and_what_the_loop_has_to_wait_for_are_sent_by_the_loop(served):
    got = served(Watched("/large.bin"))
    assert (got.status, got.body, got.threads) == (200, bytes(300_000), {"MainThread"})
    for one in (Watched("/a.txt", "PUT"), Watched("/a.txt", headers=[(b"authorization", b"Basic x")])):
        assert served(one).threads == {"MainThread"}
    assert [entry["status"] for entry in served.audit.entries] == [200, 405, 200]
    assert served.app._metrics.at_once == 0


def test_what_is_refused_is_answered_and_recorded(served):
    for status, one in (
        (404, Watched("/none")),
        (400, Watched("/a//b")),
        (204, Watched("/none", "OPTIONS")),
        (431, Watched(headers=[(b"x", b"y")] * 100)),
    ):
        assert served(one).status == status
        assert served.audit.entries[-1]["status"] == status


def test_an_answer_that_cannot_be_sent_is_recorded_and_its_connection_cut(served):
    got = served(Watched(breaks=True))
    assert "gone" in str(got.error)
    assert len(served.audit.entries) == 1
    assert served.app._metrics.at_once == 0


@pytest.fixture
def hanging(monkeypatch):
    """A disk that does not answer before its event is set."""
    answers, read = threading.Event(), os.pread

    def hang(*given):
        answers.wait(PATIENCE_SECONDS)
        return read(*given)

    monkeypatch.setattr(os, "pread", hang)
    return answers


def test_what_comes_while_one_thread_answers_is_answered_by_it_too(served, monkeypatch):
    two, left, read = [Watched(), Watched()], threading.Event(), os.pread

    def leave(_seconds):
        left.set()
        assert all(one.ended.wait(PATIENCE_SECONDS) for one in two)

    def read_when_another_has_come(*given):
        left.wait(PATIENCE_SECONDS)
        return read(*given)

    monkeypatch.setattr("zddc.server.direct.time", SimpleNamespace(sleep=leave, monotonic=time.monotonic))
    monkeypatch.setattr(os, "pread", read_when_another_has_come)
    served(*two)
    assert {one.status for one in two} == {200}
    assert two[0].threads == two[1].threads
    assert len(two[0].threads) == 1


def test_where_answers_take_long_nobody_waits_for_the_one_before(served, monkeypatch):
    clock = SimpleNamespace(sleep=pytest.fail, monotonic=itertools.count().__next__)  # a second for each answer
    monkeypatch.setattr("zddc.server.direct.time", clock)
    asked = [Watched(), Watched()]

    async def run():
        with Threads.of_this_loop(2) as threads:
            direct = Direct(served.app, threads)
            direct.take(asked[0])
            with direct._answering:
                direct.take(asked[1])
                assert await asyncio.to_thread(asked[1].ended.wait, PATIENCE_SECONDS)

    asyncio.run(run())
    assert [(one.status, one.threads) for one in asked] == [(200, {"MainThread"}), (200, {"disk-1"})]


def test_who_asks_is_told_of_an_error_whichever_thread_answers(served, hanging, monkeypatch):
    answer = served.app.answer

    def fail(asked):
        answer(asked)
        raise RuntimeError("broken")

    monkeypatch.setattr(served.app, "answer", fail)
    asked = [Watched() for _ in range(20)]
    served(*asked, meanwhile=hanging.set)
    assert {str(one.error) for one in asked} == {"broken"}


def test_what_needs_no_disk_is_answered_while_all_disks_hang(served, hanging, monkeypatch):
    monkeypatch.setattr("zddc.server.app.FEW_AT_ONCE", 3)
    waiting, health, refused = [Watched() for _ in range(20)], Watched("/.health"), Watched("/a//b")

    def see():
        try:
            assert health.ended.wait(PATIENCE_SECONDS)
            assert refused.ended.wait(PATIENCE_SECONDS)
        finally:
            hanging.set()

    served(*waiting, health, refused, meanwhile=see)
    assert (health.status, refused.status) == (200, 400)
    assert {one.status for one in waiting} == {200}
    assert {name[:4] for one in waiting for name in one.threads} == {"gran", "disk"}
    assert {name[:4] for one in (health, refused) for name in one.threads} == {"gran"}


def test_after_a_disk_has_hung_all_is_as_it_was(served, hanging):
    """Where a thread was lent to a disk, it comes back."""
    served(*(Watched() for _ in range(20)), meanwhile=hanging.set)
    later = [Watched() for _ in range(200)]
    served(*later)
    assert {one.status for one in later} == {200}


def test_too_many_are_refused_while_all_disks_hang(served, hanging, monkeypatch):
    for name, most in (("FEW_AT_ONCE", 1), ("MOST_OF_ONE", 4), ("MOST_AT_ONCE", 8)):
        monkeypatch.setattr(f"zddc.server.app.{name}", most)
    asked = [Watched() for _ in range(20)]

    def see():
        try:
            until(lambda: sum(one.ended.is_set() for one in asked) == 16)  # all but the four that hang
        finally:
            hanging.set()

    served(*asked, meanwhile=see)
    statuses = [one.status for one in asked]
    assert {status: statuses.count(status) for status in statuses} == {200: 4, 429: 16}
    assert served.app._metrics.at_once == 0
    assert not served.app._at_once


def test_another_granian_is_left_to_its_own_ways(served, monkeypatch):
    assert worker_of(served.app, None)
    monkeypatch.setattr(granian, "__version__", "3.0.0")
    assert worker_of(served.app, None) is None
