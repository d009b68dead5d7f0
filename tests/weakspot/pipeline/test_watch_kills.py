"""``watch`` killed at many points: nothing is lost, and what is live is always whole and accepted.

In ``make test`` it dies three times, once in each of its longest stages; in ``make soak`` twenty times.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import pytest
from tests.processes import started

from weakspot.deployment.releases import is_live, live, read_releases
from weakspot.deployment.targets.merged import load_manifest
from weakspot.models import adapter_files, adapters
from weakspot.records import Assignment
from weakspot.storage import append_log
from weakspot.workspace import AdapterName

SOAK = "WEAKSPOT_SOAK" in os.environ
MOMENT = "moment"  # dies by the clock
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if SOAK else 600)]

# Forks anew for each line that it reads, so that every start is a process of its own but imports are paid once.
# A line is a stage and a number: the process kills itself when it is about to change that many files in that stage.
NURSERY = """
import os, signal, sys
import torch, transformers, peft, scipy.stats, matplotlib.pyplot
from weakspot import cli
from weakspot.models import adapters

root, log = sys.argv[2], os.open(sys.argv.pop(), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def changed(event, arguments):
    if event == "open" and (not isinstance(arguments[2], int) or not arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        return None
    known = event in ("open", "os.rename", "os.mkdir", "os.remove", "os.chmod")
    return arguments[0] if known and not isinstance(arguments[0], int) else None

def stage_of(path):
    place, *below = os.path.relpath(os.fsdecode(path), root).split(os.sep)
    if place != "adapters":
        dataset = place in ("processed", "validation", "snapshots")
        return "processing" if dataset else "deploying" if place == "releases.jsonl" else None
    if "-merged" in "".join(below[:1]):
        return "deploying"
    return "evaluating" if any(name in "".join(below[1:]) for name in ("evaluation.", "expected.")) else "training"

def dying(wanted, left):
    def look(event, arguments):
        nonlocal left
        path = changed(event, arguments)
        stage = stage_of(path) if path is not None else None
        if stage is not None:
            os.write(log, f"{stage}\\n".encode())
            left -= stage == wanted
            if stage == wanted and left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    return look

print("ready", flush=True)
for line in sys.stdin:
    stage, number = line.split()
    if (child := os.fork()) == 0:
        os.dup2(2, 1)
        sys.addaudithook(dying(stage, int(number)))
        sys.argv = ["weakspot", "watch", "--once", *sys.argv[1:]]
        cli.main()
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def settings(tiny_base) -> list[str]:
    # Without max_steps: the second adapter learns longer, from more, and is better than the first.
    return [
        f"model.base={tiny_base}", "lora.rank=4", "train.learning_rate=1e-2", "train.epochs=1", "train.batch_size=4",
        "train.save_steps=4", "train.max_length=128", "evaluate.retrieval=false", "evaluate.max_harm=10",
        "deploy.proof_prompts=2", "watch.idle_minutes=0", "status.retrain_streak=1000",
    ]  # fmt: skip


@dataclass
class Nursery:
    """Starts ``weakspot watch --once`` on a workspace as often as asked."""

    process: subprocess.Popen
    log: Path

    def read(self) -> str:
        line = self.process.stdout.readline().strip()
        assert line, "it ended"
        return line

    def start(self, stage: str = "none", number: int = 0) -> int:
        """Start it, to die at the file of that number in a stage; return its process."""
        self.process.stdin.write(f"{stage} {number}\n")
        self.process.stdin.flush()
        return int(self.read())

    def ended(self) -> int:
        """Wait for what was started; return the status that the system gives."""
        return int(self.read())

    def finish(self) -> None:
        """Let it go through to its end."""
        self.start()
        assert self.ended() == 0

    def changed(self) -> Counter[str]:
        """Count the files that were changed so far, by stage."""
        return Counter(self.log.read_text().split())


@contextlib.contextmanager
def nursery(workspace, settings, log) -> Iterator[Nursery]:
    options = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-c", NURSERY, "--workspace", workspace.root, *options, log]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        found = Nursery(process, log)
        assert found.read() == "ready"
        yield found


def require_sound(workspace, captured: int, places: dict[str, str]) -> str | None:
    """Check everything that must hold at any moment; return the live adapter."""
    assert sum(1 for _ in append_log.read_lines(workspace.raw)) == captured
    for line in append_log.read_lines(workspace.assignments):
        place = Assignment.from_json(line.data)
        assert places.setdefault(place.interaction_id, place.split) == place.split
    found = read_releases(workspace)
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    current = live(found).get(("colours", "merged"))
    if current is None:
        return None
    name = AdapterName.parse(current.adapter)
    manifest = adapters.read_manifest(workspace, name)  # compares the files with their digests
    assert manifest.files[adapter_files.WEIGHTS] == current.adapter_sha256
    assert adapters.read_scorecard(workspace, name).verdict == "accept"
    assert load_manifest(workspace, name).adapter_sha256 == current.adapter_sha256
    assert current.location == str(workspace.merged(name))
    return current.adapter


def deaths(files: Counter[str], chance: random.Random):
    """Yield where it dies: a stage, and which of its files it is about to change then.

    In a soak any stage, and every other time at a moment instead, which is told by no stage.
    """
    stages = ["training", "evaluating", "deploying"]
    if not SOAK:
        yield from ((stage, chance.randint(1, files[stage])) for stage in stages)
    for number in range(20 if SOAK else 0):
        stage = chance.choice([*stages, "processing"])
        yield (MOMENT, 0) if number % 2 else (stage, chance.randint(1, files[stage]))


def test_killed_at_many_points_it_goes_on_and_deploys_only_whole_and_accepted_adapters(
    workspace, settings, tmp_path, capture, interaction
):
    colours = ["red", "green", "blue", "black", "white", "brown"]
    chance, numbers = random.Random(11), count()
    captured, places, reached = 0, {}, Counter()

    def consult(number: int) -> int:
        """Capture so many consultations more, which make the domain due."""
        made = list(islice(numbers, number))
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
        return number

    with nursery(workspace, settings, tmp_path / "changed") as watch:
        captured += consult(60)
        begun = time.monotonic()
        watch.finish()
        longest = time.monotonic() - begun
        assert require_sound(workspace, captured, places) == "colours-lora-v1"
        files = watch.changed()
        assert set(files) == {"processing", "training", "evaluating", "deploying"}
        for stage, number in deaths(files, chance):
            status = None
            while status != signal.SIGKILL:  # a round that goes on where another ended changes fewer files
                if not workspace.adapter_checkpoint(workspace.next_adapter("colours")).exists() and _settled(workspace):
                    captured += consult(50)
                child = watch.start(stage, number)
                if stage == MOMENT:
                    time.sleep(chance.uniform(0, longest))
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                status = watch.ended()
                assert status in (0, signal.SIGKILL)
                reached[stage if status else "ended before"] += 1
                require_sound(workspace, captured, places)
        watch.finish()
    newest = str(workspace.newest_adapter("colours"))
    answers = require_sound(workspace, captured, places)
    verdict = adapters.read_scorecard(workspace, AdapterName.parse(newest)).verdict
    print(f"killed while {dict(reached)}; newest {newest} {verdict}; live {answers}")
    assert verdict != "accept" or answers == newest
    assert len(set(reached) - {"ended before", MOMENT}) >= 3
    assert workspace.newest_adapter("colours").version >= 2


def _settled(workspace) -> bool:
    """Whether the newest adapter was taken to its end."""
    name = workspace.newest_adapter("colours")
    card = adapters.read_scorecard(workspace, name)
    return card is not None and (card.verdict != "accept" or is_live(read_releases(workspace), str(name)))
