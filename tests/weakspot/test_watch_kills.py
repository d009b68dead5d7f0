"""``watch`` killed at twenty random points: nothing is lost, and what is live is always whole and accepted."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import islice

import pytest

from weakspot import adapters
from weakspot.data import journal
from weakspot.model import lora
from weakspot.records import Assignment
from weakspot.releases import answering, live, read_releases
from weakspot.serving.merged import read_merged
from weakspot.workspace import AdapterName

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KILLS = 20
# Forks anew for each line that it reads, so that every start is a process of its own but imports are paid once.
NURSERY = """
import os, sys
import torch, transformers, peft, scipy.stats, matplotlib.pyplot
from weakspot import adapters, cli
print(0, flush=True)
for _ in sys.stdin:
    if (child := os.fork()) == 0:
        os.setsid()
        sys.argv = ["weakspot", "watch", "--once", *sys.argv[1:]]
        cli.main()
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def settings(tiny_base) -> list[str]:
    return [
        f"model.base={tiny_base}", "lora.rank=4", "train.learning_rate=1e-2", "train.max_steps=24",
        "train.save_steps=4", "train.max_length=128", "evaluate.retrieval=false", "evaluate.max_harm=10",
        "watch.idle_minutes=0", "status.retrain_streak=1000",
    ]  # fmt: skip


@pytest.fixture
def nursery(workspace, settings):
    """Starts ``weakspot watch --once`` on the workspace as often as asked."""
    options = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-c", NURSERY, "--workspace", str(workspace.root), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert ended(process) == 0  # everything is imported
        yield process
        process.kill()


def started(nursery) -> int:
    nursery.stdin.write("go\n")
    nursery.stdin.flush()
    while not (line := nursery.stdout.readline().strip()).isdigit():
        assert line or nursery.poll() is None
    return int(line)


def ended(nursery) -> int:
    """Wait for what was started; return its status, passing over what it said."""
    while True:
        line = nursery.stdout.readline().strip()
        if line.isdigit():
            return int(line)


def require_sound(workspace, captured: int, places: dict[str, str]) -> str | None:
    """Check everything that must hold at any moment; return the live adapter."""
    assert sum(1 for _ in journal.read_lines(workspace.raw)) == captured
    for line in journal.read_lines(workspace.assignments):
        place = Assignment.from_json(line.data)
        assert places.setdefault(place.interaction_id, place.split) == place.split
    found = read_releases(workspace)
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    current = live(found).get(("colours", "merged"))
    if current is None:
        return None
    name = AdapterName.parsed(current.adapter)
    manifest = adapters.read_manifest(workspace, name)  # compares the files with their digests
    assert manifest.files[lora.WEIGHTS] == current.adapter_sha256
    assert adapters.read_scorecard(workspace, name).verdict == "accept"
    assert read_merged(workspace, name).adapter_sha256 == current.adapter_sha256
    assert current.location == str(workspace.merged(name))
    return current.adapter


def test_killed_at_twenty_random_points_it_goes_on_and_deploys_only_whole_and_accepted_adapters(
    workspace, nursery, capture, interaction
):
    colours = ["red", "green", "blue", "black", "white", "brown"]
    chance, numbers = random.Random(11), iter(range(10_000))
    captured, places, reached = 0, {}, Counter()

    def consult(count: int) -> int:
        """Capture so many consultations more, which make the domain due."""
        made = list(islice(numbers, count))
        capture(
            workspace,
            [
                interaction(
                    f"Which colour has item {n} of shelf {n * 37 % 101}?",
                    f"Item {n} is {colours[n % 6]}.",
                    domain="colours",
                )
                for n in made
            ],
        )
        return count

    captured += consult(60)
    begun = time.monotonic()
    started(nursery)
    assert ended(nursery) == 0
    longest = time.monotonic() - begun
    assert require_sound(workspace, captured, places) == "colours-lora-v1"
    while reached.total() - reached["ended before"] < KILLS:
        known = workspace.next_adapter("colours")
        if not workspace.adapter_checkpoint(known).exists() and _settled(workspace):
            captured += consult(50)
        child = started(nursery)
        time.sleep(chance.uniform(0, longest))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        reached[_stage(workspace) if ended(nursery) == signal.SIGKILL else "ended before"] += 1
        require_sound(workspace, captured, places)
    started(nursery)
    assert ended(nursery) == 0
    newest = str(workspace.newest_adapter("colours"))
    live = require_sound(workspace, captured, places)
    verdict = adapters.read_scorecard(workspace, AdapterName.parsed(newest)).verdict
    print(f"killed while {dict(reached)}; one round {longest:.1f} s; newest {newest} {verdict}; live {live}")
    assert verdict != "accept" or live == newest
    assert len(set(reached) - {"ended before"}) >= 3
    assert workspace.newest_adapter("colours").version >= 2


def _stage(workspace) -> str:
    """Name what a killed round was at, going by what it left."""
    name = workspace.newest_adapter("colours")
    if workspace.adapter_checkpoint(workspace.next_adapter("colours")).exists():
        return "training"
    if adapters.read_scorecard(workspace, name) is None:
        return "evaluating"
    if adapters.read_scorecard(workspace, name).verdict == "accept" and read_merged(workspace, name) is None:
        return "merging"
    return "processing or done"


def _settled(workspace) -> bool:
    """Whether the newest adapter was taken to its end."""
    name = workspace.newest_adapter("colours")
    card = adapters.read_scorecard(workspace, name)
    return card is not None and (card.verdict != "accept" or answering(read_releases(workspace), str(name)))
