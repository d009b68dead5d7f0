"""The faster number of threads writes, and what was set before is set again."""

import pytest
import torch

from weakspot.models import threads
from weakspot.models.threads import FasterThreads

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """A clock by which a step takes as long as the test says of its number of threads."""

    class Clock:
        now = 0.0
        costs = {1: 1.0, 2: 1.0}  # noqa: RUF012

        def perf_counter(self):
            return self.now

        def work(self):
            self.now += self.costs[torch.get_num_threads()]

    found = Clock()
    monkeypatch.setattr(threads, "time", found)
    return found


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def steps(faster, clock, count):
    used = []
    for _ in range(count):
        with faster.step():
            used.append(torch.get_num_threads())
            clock.work()
    return used


@pytest.mark.parametrize(("costs", "wanted"), [({1: 3.0, 2: 2.0}, 2), ({1: 2.0, 2: 3.0}, 1)])
def test_both_are_tried_and_the_faster_is_kept(clock, costs, wanted):
    clock.costs = costs
    with FasterThreads(CPU) as faster:
        assert steps(faster, clock, 10) == [2, 2, 1, 1, *[wanted] * 6]
    assert torch.get_num_threads() == 2


def test_what_was_found_is_looked_at_again_when_the_machine_has_changed(clock):
    with FasterThreads(CPU) as faster:
        clock.costs = {1: 3.0, 2: 2.0}
        first = steps(faster, clock, 64)
        clock.costs = {1: 2.0, 2: 9.0}
        second = steps(faster, clock, 64)
    assert (first[-1], second[-1]) == (2, 1)


def test_one_thread_is_left_alone(clock):
    torch.set_num_threads(1)
    with FasterThreads(CPU) as faster:
        assert set(steps(faster, clock, 10)) == {1}
    assert torch.get_num_threads() == 1


def test_a_gpu_needs_no_threads(clock):
    with FasterThreads(torch.device("cuda")) as faster:
        assert set(steps(faster, clock, 10)) == {2}


def test_an_error_leaves_the_number_of_threads_as_it_was(clock):
    def fail():
        with FasterThreads(CPU) as faster:
            steps(faster, clock, 3)
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert torch.get_num_threads() == 2
