"""What cannot be stored holds up nobody, waits, is stored when there is room again, and is counted where it is lost."""

import asyncio
import threading

import pytest
from tests.servers import Reply
from tests.waiting import PATIENCE_SECONDS, happens
from tests.weakspot.gateway.worlds import World, opened

from weakspot.capture.recorder import Unfitted, conversation, store_interaction
from weakspot.config import Config
from weakspot.gateway import write_queue
from weakspot.gateway.metrics import Metrics
from weakspot.gateway.write_queue import WriteQueue
from weakspot.storage import append_log
from weakspot.storage.append_log import Journal
from weakspot.workspace import Workspace


def fill(file) -> None:
    """Write until there is no room for another byte."""
    with file.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 4096):
                pass
        except OSError:
            pass


async def consult(world: World, number: int) -> str:
    messages = [
        {"role": "user", "content": f"question {number}"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "consult the big coder"},
    ]
    async with world.openai() as client:
        answer = await client.chat.completions.create(model="m", messages=messages)
        return answer.choices[0].message.content


@pytest.mark.slow
async def test_a_full_disk_holds_up_no_traffic_and_loses_nothing(small_disk, world, monkeypatch, caplog):
    monkeypatch.setattr(write_queue, "RETRY_SECONDS", 0.1)
    workspace = Workspace(small_disk / "training-data")
    async with opened(workspace) as one, one.openai() as client:
        long = "A long answer. " * 400  # what is left of the file's last page is room enough for a short one
        one.coder.script = Reply(long)
        assert await consult(one, 0) == long
        fill(small_disk / "filler")
        for number in (1, 2, 3):
            assert await consult(one, number) == long
            answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "q"}])
            assert answer.choices[0].message.content == "No idea."
        assert len(one.records) == 1
        await one.counted("weakspot_capture_pending", 3)  # but for the moment in which one is tried again
        assert await one.metric("weakspot_capture_failures_total") >= 3
        assert "No space left on device" in caplog.text
        (small_disk / "filler").unlink()
        await happens(lambda: len(one.records) == 4)
        assert await consult(one, 4) == long
        assert sorted(record.query.content for record in one.records) == [f"question {n}" for n in range(5)]
        assert await one.metric("weakspot_capture_pending") == 0
        assert await one.metric("weakspot_captured_total") == 5
        assert await one.metric("weakspot_capture_lost_total") == 0


@pytest.mark.slow
async def test_what_still_waits_at_the_end_is_tried_once_more(world, workspace):
    async with world() as one:
        workspace.raw.parent.write_text("in the way")
        assert await consult(one, 1) == "Coder's answer."
        workspace.raw.parent.unlink()
    assert one.record.query.content == "question 1"


@pytest.mark.slow
async def test_what_cannot_be_stored_at_the_end_is_lost_and_said_so(world, workspace, caplog):
    async with world() as one:
        workspace.raw.parent.write_text("in the way")
        await consult(one, 1)
        await consult(one, 2)
    assert "2 interactions are lost: not stored when the gateway ended" in caplog.text


@pytest.fixture
def alone(workspace):
    """A keeper without a gateway, and its metrics."""
    metrics = Metrics()
    return WriteQueue(workspace, Config(), metrics), metrics


def storing(workspace: Workspace, number: int):
    return lambda into: store_interaction(workspace, Config(), conversation(f"q{number}", "a", "b", "c"), {}, into)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0


async def test_the_oldest_are_lost_where_too_many_wait(alone, workspace, monkeypatch):
    monkeypatch.setattr(write_queue, "MOST_PENDING", 3)
    one, metrics = alone
    workspace.root.write_text("in the way")
    for number in range(5):
        await one.store(storing(workspace, number))
    assert value(metrics, "weakspot_capture_lost_total", reason="storage") == 2
    workspace.root.unlink()
    await one.close()
    assert [
        b'"q%d"' % n in line.data for n, line in zip((2, 3, 4), append_log.read_lines(workspace.raw), strict=True)
    ] == [True] * 3


async def test_what_begins_to_wait_during_a_retry_is_counted_with_what_is_tried_again(alone, monkeypatch):
    monkeypatch.setattr(write_queue, "RETRY_SECONDS", 0.01)
    one, metrics = alone
    begun, may_fail = threading.Event(), threading.Event()

    def refused(_: Journal):
        raise OSError(28, "No space left on device")

    def refused_later(journal: Journal):
        begun.set()
        assert may_fail.wait(PATIENCE_SECONDS)
        return refused(journal)

    await one.store(refused)
    storing = asyncio.create_task(one.store(refused_later))
    await happens(begun.is_set)
    await happens(lambda: not one._pending)  # the first is tried again, behind the second
    may_fail.set()
    await storing
    await happens(lambda: value(metrics, "weakspot_capture_pending") == 2)
    await one.close()


async def test_what_is_being_stored_when_the_keeper_is_closed_is_stored_once(alone, workspace, monkeypatch):
    monkeypatch.setattr(write_queue, "RETRY_SECONDS", 0.01)
    one, metrics = alone
    workspace.root.write_text("in the way")
    for number in range(20):
        await one.store(storing(workspace, number))
    workspace.root.unlink()
    await happens(lambda: value(metrics, "weakspot_captured_total") > 2)
    await one.close()
    assert len(list(append_log.read_lines(workspace.raw))) == 20
    assert value(metrics, "weakspot_captured_total") == 20


async def test_what_is_not_fit_to_train_on_is_counted_by_its_reason(alone, tmp_path):
    one, metrics = alone
    unfitted = Unfitted("int_1", "empty-expert", "the expert's answer has no text", tmp_path)
    assert await one.store(lambda _: unfitted) is unfitted
    await one.close()
    assert value(metrics, "weakspot_unfitted_total", reason="empty-expert") == 1
    assert value(metrics, "weakspot_captured_total") == 0


async def test_a_bug_is_counted_and_its_words_are_not_logged(alone, caplog):
    words = "what was " + "said"

    def broken(_: Journal):
        raise KeyError(words)

    one, metrics = alone
    await one.store(broken)
    await one.close()
    assert value(metrics, "weakspot_capture_lost_total", reason="bug") == 1
    assert "KeyError" in caplog.text
    assert words not in caplog.text


async def test_a_failed_disk_is_opened_anew(alone, workspace):
    one, metrics = alone
    await one.store(storing(workspace, 1))
    one._journal.failed = True
    await one.store(storing(workspace, 2))
    await one.close()
    assert value(metrics, "weakspot_captured_total") == 2
    assert len(list(append_log.read_lines(workspace.raw))) == 2


@pytest.mark.slow
async def test_capture_that_fails_is_seen_in_the_metrics_of_the_gateway(world, workspace):
    async with world() as one:
        workspace.raw.mkdir(parents=True)
        one.coder.script = Reply("An answer.")
        assert await consult(one, 1) == "An answer."
        assert await one.metric('weakspot_capture_failures_total{reason="IsADirectoryError"}') == 1
        workspace.raw.rmdir()
