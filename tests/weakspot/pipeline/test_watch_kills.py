"""``watch`` killed at many points: nothing is lost, and what is live is always whole and accepted.

In ``make test`` it dies three times, once in each of its longest stages; in ``make soak`` twenty times.
"""

import os
import random
import signal
import sys
import time
from collections import Counter
from itertools import count, islice
from pathlib import Path

import pytest
from tests import forked

from weakspot.deployment.releases import is_live, live, read_releases
from weakspot.deployment.targets.merged import load_manifest
from weakspot.models import adapter_files, adapters
from weakspot.records import Assignment
from weakspot.storage import append_log
from weakspot.workspace import AdapterName

SOAK = "WEAKSPOT_SOAK" in os.environ
MOMENT = "moment"  # dies by the clock
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(3600 if SOAK else 600)]


def written_file(event: str, arguments: tuple) -> str | None:
    """Return the file that a call of the system is about to change; None where it changes none, or has no name."""
    if event == "open" and (not isinstance(arguments[2], int) or not arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        return None
    known = event in ("open", "os.rename", "os.mkdir", "os.remove", "os.chmod")
    return os.fsdecode(arguments[0]) if known and not isinstance(arguments[0], int) else None


def stage_of(file: str, root: Path) -> str | None:
    """Return the stage that writes a file; None for what belongs to none, as locks."""
    place, *below = Path(os.path.relpath(file, root)).parts or [""]
    if place != "adapters":
        dataset = place in ("processed", "validation", "snapshots")
        return "processing" if dataset else "deploying" if place == "releases.jsonl" else None
    if "-merged" in "".join(below[:1]):
        return "deploying"
    return "evaluating" if any(name in "".join(below[1:]) for name in ("evaluation.", "expected.")) else "training"


def watch(root: Path, options: list[str], log: Path, stage: str, number: int) -> None:
    """Run ``weakspot watch --once``, which dies when it is about to change the file of that number in a stage.

    The stages of all files that it changes are written to a log.
    """
    left, stream = number, os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def look(event: str, arguments: tuple) -> None:
        nonlocal left
        file = written_file(event, arguments)
        found = stage_of(file, root) if file is not None else None
        if found is not None:
            os.write(stream, f"{found}\n".encode())
            left -= found == stage
            if found == stage and left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
    forked.weakspot("watch", "--once", "--workspace", root, *options)


@pytest.fixture
def settings(tiny_base) -> list[str]:
    # Without max_steps: the second adapter learns longer, from more, and is better than the first.
    return [
        f"model.base={tiny_base}", "lora.rank=4", "train.learning_rate=1e-2", "train.epochs=1", "train.batch_size=4",
        "train.save_steps=4", "train.max_length=128", "evaluate.retrieval=false", "evaluate.max_harm=10",
        "deploy.proof_prompts=2", "watch.idle_minutes=0", "status.retrain_streak=1000",
    ]  # fmt: skip


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
    captured, places, reached, rounds = 0, {}, Counter(), count()
    options = [word for setting in settings for word in ("--set", setting)]

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

    def one_round(stage: str = "none", number: int = 0) -> int:
        """Run it, until it ends or dies; return its status."""
        folder = tmp_path / f"round-{next(rounds)}"
        with forked.begun(folder, watch, workspace.root, options, tmp_path / "changed", stage, number) as process:
            if stage == MOMENT:
                time.sleep(chance.uniform(0, longest))
                process.kill()
            status = process.status()
            assert status in (0, -signal.SIGKILL), process.err
            return status

    captured += consult(60)
    began = time.monotonic()
    assert one_round() == 0
    longest = time.monotonic() - began
    assert require_sound(workspace, captured, places) == "colours-lora-v1"
    files = Counter((tmp_path / "changed").read_text().split())
    assert set(files) == {"processing", "training", "evaluating", "deploying"}
    for stage, number in deaths(files, chance):
        status = 0
        while not status:  # a round that goes on where another ended changes fewer files
            if not workspace.adapter_checkpoint(workspace.next_adapter("colours")).exists() and _settled(workspace):
                captured += consult(50)
            status = one_round(stage, number)
            reached[stage if status else "ended before"] += 1
            require_sound(workspace, captured, places)
    assert one_round() == 0
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
