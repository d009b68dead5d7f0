"""The ledger never counts less than was spent: over time, over processes, after a kill, and without a working disk."""

import json
import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.storage import ledger as module
from weakspot.storage import locks
from weakspot.storage.ledger import Balance, Ledger, Limits, OverLimitError

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
SPENDERS, TIMES, KILLS = (8, 1250, 50) if SOAK else (4, 150, 5)
HOUR, DAY = 3600.0, 86_400.0


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def file(tmp_path):
    return tmp_path / "spending"


def test_what_was_reserved_counts_until_it_is_settled_and_then_what_it_cost(file, clock):
    ledger = Ledger(file)
    assert ledger.balance("sonnet") == Balance(0, 0)
    assert not file.exists()
    limits = Limits(1.0, 10)
    first, second = ledger.reserve("sonnet", 0.4, limits), ledger.reserve("sonnet", 0.5, limits)
    ledger.reserve("opus", 9.0, Limits())
    ledger.settle(first, 0.25)
    assert ledger.balance("sonnet") == Balance(0.75, 2)
    ledger.settle(second, None)
    assert ledger.balance("sonnet") == Ledger(file).balance("sonnet") == Balance(0.25, 1)


def test_a_full_hour_ends_when_its_oldest_consultation_is_an_hour_old(file, clock):
    ledger, limits = Ledger(file), Limits(count_per_hour=2)
    for _ in range(2):
        ledger.reserve("sonnet", 0, limits)
        clock.now += 600
    with pytest.raises(OverLimitError, match="2 of 2 consultations in the last hour") as refused:
        ledger.reserve("sonnet", 0, limits)
    assert refused.value.seconds == HOUR - 1200
    clock.now += HOUR - 1200
    ledger.reserve("sonnet", 0, limits)
    assert ledger.balance("sonnet").count == 2


def test_a_spent_budget_ends_when_enough_of_it_is_a_day_old(file, clock):
    ledger, limits = Ledger(file), Limits(usd_per_day=1.0)
    for usd in (0.1, 0.5, 0.6):
        ledger.settle(ledger.reserve("sonnet", 2.0, limits), usd)
        clock.now += 1000
    with pytest.raises(OverLimitError, match=r"1\.20 of 1\.00 US dollars in the last 24 hours") as refused:
        ledger.reserve("sonnet", 0.1, limits)
    assert refused.value.seconds == DAY - 2000
    clock.now += DAY - 2000
    ledger.reserve("sonnet", 0.1, limits)


def test_what_is_in_flight_may_soon_cost_less(file, clock):
    ledger, limits = Ledger(file), Limits(usd_per_day=1.0)
    flying = ledger.reserve("sonnet", 1.5, limits)
    with pytest.raises(OverLimitError) as refused:
        ledger.reserve("sonnet", 0.1, limits)
    assert refused.value.seconds == 5
    clock.now += HOUR  # its process is gone
    with pytest.raises(OverLimitError) as refused:
        ledger.reserve("sonnet", 0.1, limits)
    assert refused.value.seconds == DAY - HOUR
    ledger.settle(flying, 0.2)
    ledger.reserve("sonnet", 0.1, limits)


@pytest.mark.parametrize("limits", [Limits(usd_per_day=0.0), Limits(count_per_hour=0)])
def test_a_limit_of_nothing_never_ends(file, limits):
    with pytest.raises(OverLimitError) as refused:
        Ledger(file).reserve("sonnet", 0.1, limits)
    assert refused.value.seconds is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.sampled_from(["a", "b"]), st.floats(0, 2)),
        st.tuples(st.just("settle"), st.integers(0, 30), st.one_of(st.none(), st.floats(0, 1))),
        st.tuples(st.just("wait"), st.floats(0, 40_000)),
        st.tuples(st.just("reopen")),
        st.tuples(st.just("torn"), st.binary(max_size=20).filter(lambda data: b"\n" not in data)),
    ),
    max_size=40,
)


@given(steps=STEPS, few=st.sampled_from([3, 10_000]))
def test_any_course_of_events_keeps_to_the_limits(steps, few, tmp_path_factory):
    """A second account of what happened, in a list, agrees with the ledger; so does another process's at each step."""
    file, clock, limits = tmp_path_factory.mktemp("ledger") / "spending", Clock(), Limits(3.0, 5)
    ledgers, turn, made = [Ledger(file), Ledger(file)], 0, []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "time", clock)
        patched.setattr(module, "_MOST_STALE_LINES", few)
        for step in steps:
            turn += 1
            match step:
                case ("reserve", account, usd):
                    day = [one for one in made if one["account"] == account and one["at"] > clock.now - DAY]
                    hour = [one for one in day if one["at"] > clock.now - HOUR]
                    fits = sum(one["usd"] for one in day) < 3.0 and len(hour) < 5
                    try:
                        identity = ledgers[turn % 2].reserve(account, usd, limits)
                    except OverLimitError:
                        assert not fits
                    else:
                        assert fits
                        made.append({"id": identity, "account": account, "at": clock.now, "usd": usd})
                case ("settle", number, usd) if number < len(made):
                    ledgers[turn % 2].settle(made[number]["id"], usd)
                    if usd is None:
                        del made[number]
                    else:
                        made[number]["usd"] = usd
                case ("wait", seconds):
                    clock.now += seconds
                case ("reopen",):
                    ledgers = [Ledger(file), Ledger(file)]
                case ("torn", data) if file.exists():
                    with file.open("ab") as stream:
                        stream.write(data)
            for account in "ab":
                day = [one for one in made if one["account"] == account and one["at"] > clock.now - DAY]
                for ledger in (*ledgers, Ledger(file)):
                    assert ledger.balance(account).usd == pytest.approx(sum(one["usd"] for one in day))


def test_what_counts_no_more_is_removed_while_others_use_the_file(file, clock, monkeypatch):
    monkeypatch.setattr(module, "_MOST_STALE_LINES", 50)
    first, second = Ledger(file), Ledger(file)
    for number in range(300):
        one = first if number % 2 else second
        one.settle(one.reserve("sonnet", 0.5, Limits()), 0.25)
        clock.now += DAY / 5
    assert len(file.read_bytes().splitlines()) < 100
    assert first.balance("sonnet") == second.balance("sonnet") == Balance(1.0, 0)


def test_threads_share_a_ledger(file):
    ledger, limits, taken = Ledger(file), Limits(count_per_hour=40), []

    def take():
        for _ in range(20):
            try:
                taken.append(ledger.reserve("sonnet", 0.1, limits))
            except OverLimitError:
                return

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 40


# Each asks as often as it may, at a random price, and settles some at a random lower one; it says what it was given.
SPENDER = """
import random, sys, time
from pathlib import Path
from weakspot.storage.ledger import Ledger, Limits, OverLimitError
file, seed, times = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance, ledger, limits = random.Random(seed), Ledger(file), Limits(usd_per_day=float(sys.argv[4]))
for _ in range(times):
    usd = chance.uniform(0.01, 0.5)
    try:
        identity = ledger.reserve("sonnet", usd, limits)
    except OverLimitError:
        continue
    print("reserved", identity, usd, flush=True)
    if chance.random() < 0.7:
        usd *= chance.random()
        ledger.settle(identity, usd)
        print("settled", identity, usd, flush=True)
"""


def spend(file, seed, times, budget):
    command = [sys.executable, "-c", SPENDER, str(file), str(seed), str(times), str(budget)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(output):
    """Return by reservation what it may have cost at least, as its process has said."""
    found = {}
    for line in output.splitlines():
        words = line.split(" ")
        if len(words) == 3 and line in output.rpartition("\n")[0].splitlines():
            found[words[1]] = float(words[2])
    return found


@pytest.mark.slow
def test_several_processes_exceed_a_budget_by_no_more_than_what_was_in_flight(file):
    budget, most = SPENDERS * TIMES / 30, 0.5
    spenders = [spend(file, seed, TIMES, budget) for seed in range(SPENDERS)]
    said = {}
    for spender in spenders:
        said |= told(spender.communicate()[0])
        assert spender.returncode == 0
    spent = sum(said.values())
    assert budget <= spent <= budget + most * len(spenders)
    assert Ledger(file).balance("sonnet").usd == pytest.approx(spent)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(KILLS))
def test_after_a_kill_nothing_is_counted_as_less_than_it_may_have_cost(file, seed):
    chance = random.Random(seed)
    spender = spend(file, seed, 100_000, 1e9)
    lines = [spender.stdout.readline() for _ in range(chance.randrange(1, 150))]
    spender.send_signal(signal.SIGKILL)
    said = told("".join(lines) + spender.communicate()[0] + "\n")
    before = {}
    for line in file.read_bytes().splitlines():
        value = json.loads(line) if line.endswith(b"}") else {}
        if "reserved" in value:
            before[value["reserved"]] = value["usd"]
    ledger = Ledger(file)
    assert set(said) <= set(before)
    # Of the last one it may only just have been said what it cost.
    assert ledger.balance("sonnet").usd >= sum(said.values()) - max(before.values())
    ledger.reserve("sonnet", 0.5, Limits())
    assert Ledger(file).balance("sonnet").count == len(before) + 1


def test_without_a_working_disk_it_counts_in_memory_and_writes_later(file, monkeypatch):
    ledger, limits, working = Ledger(file), Limits(1.0, 3), locks.open_and_lock

    def full(file, **options):
        raise OSError(28, "No space left on device", str(file))

    ledger.reserve("sonnet", 0.1, limits)
    monkeypatch.setattr(locks, "open_and_lock", full)
    ledger.settle(ledger.reserve("sonnet", 0.9, limits), 0.2)
    ledger.reserve("sonnet", 0.1, limits)
    with pytest.raises(OverLimitError):
        ledger.reserve("sonnet", 0.1, limits)
    monkeypatch.setattr(locks, "open_and_lock", working)
    with pytest.raises(OverLimitError):
        ledger.reserve("sonnet", 0.1, limits)
    ledger.reserve("opus", 0.1, limits)
    assert Ledger(file).balance("sonnet") == Balance(pytest.approx(0.4), 3)
