"""A real Ray of this machine alone: tasks with their errors, a killed worker, and adapters trained by it.

As a program this file runs tasks of its own on it and prints what came, or the ``weakspot`` command with a worker that
dies.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weakspot.config import load
from weakspot.models import adapter_files
from weakspot.pipeline import train as stage
from weakspot.pipeline.train import train
from weakspot.training import ray_cluster
from weakspot.training.adapter_trainer import AdapterTrainer
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

PATIENCE_SECONDS = 500
STEPS, LAST = 8, 4


def task(folder: Path, kind: str, given: int | str) -> Iterator[tuple[str, int] | str]:
    yield from counted(folder, given) if kind == "counted" else refused(given)


def counted(folder: Path, limit: int) -> Iterator[tuple[str, int]]:
    """Count to ``limit``, but die half way where it was not died before."""
    for number in range(limit):
        if number == 2 and not (folder / "died").exists():
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield Path.cwd().name, number


def refused(thing: str) -> Iterator[str]:
    yield "began"
    raise UserError(thing, "is wrong", "mend it")


def run_tasks(folder: str) -> None:
    place = Path(folder)
    (place / "here").mkdir()
    os.chdir(place / "here")
    tasks = {
        "one": (place, "counted", 4),
        "this": (place, "refused", "this"),
        "two": (place, "counted", 2),
        "that": (place, "refused", "that"),
    }
    told = {"items": []}
    try:
        for item in ray_cluster.run_on_cluster(task, tasks):
            told["items"].append(item)
    except UserError as error:
        told["error"] = str(error)
    (place / "told.json").write_text(json.dumps(told))


def trained(workspace: Workspace, *given: object) -> Iterator[object]:
    """Train, and write down the steps that are made; the first time, die in step ``LAST`` of the first domain."""
    notes, learn = workspace.root.with_name("made"), AdapterTrainer.apply_step

    def noted(learner: AdapterTrainer, *values: object) -> object:
        progress = learn(learner, *values)
        with notes.open("a", encoding="utf-8") as made:
            print(learner.run.name, os.getpid(), progress.step, file=made)
        died = workspace.root.with_name("died")
        if learner.run.name == "colours-lora-v1" and progress.step == LAST and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return progress

    AdapterTrainer.apply_step = noted
    yield from stage._prepare_and_train(workspace, *given)


def run_command(*arguments: str) -> None:
    """Run the command; of what its workers do they write down the steps."""
    from weakspot.cli import main

    stage._prepare_and_train = trained  # of this process alone: a worker has its own
    sys.argv = ["weakspot", *arguments]
    main()


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_SECONDS + 100)
def test_tasks_tell_what_comes_of_them_and_are_begun_again_where_they_die(tmp_path):
    """Also where others fail; the error of one of those is raised at the end."""
    done = program("tasks", tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    found = [item for item in told["items"] if item != "began"]
    assert sorted(found) == sorted(["here", n] for n in (0, 0, 1, 1, 2, 3))
    assert [n for _, n in found].count(0) == 2
    assert [item for item in told["items"] if item == "began"] == ["began", "began"]
    assert told["error"] in ("this: is wrong; mend it", "that: is wrong; mend it")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(PATIENCE_SECONDS + 100)
def test_a_cluster_trains_the_adapters_that_this_process_does_and_a_killed_worker_goes_on(taught, tmp_path):
    workspace, config = taught
    other = Workspace(tmp_path / "other")
    shutil.copytree(workspace.root, other.root)
    settings = ["lora.rank=4", "train.max_length=128", f"train.max_steps={STEPS}", "train.save_steps=1"]
    options = [part for one in (f"model.base={config.model.base}", *settings) for part in ("--set", one)]
    line = ["train", "colours", "numbers", "--engine", "ray", "--json", "--workspace", workspace.root, *options]
    done = program("command", *line)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["domain"] for line in done.stdout.splitlines()] == ["colours", "numbers"]
    assert "Traceback" not in done.stderr
    made: dict[str, dict[str, list[int]]] = {}
    for line in workspace.root.with_name("made").read_text(encoding="utf-8").splitlines():
        name, process, step = line.split()
        made.setdefault(name, {}).setdefault(process, []).append(int(step))
    # The step in which it died had left nothing.
    killed, again = made["colours-lora-v1"].values()
    assert killed == list(range(1, LAST + 1))
    assert again == list(range(LAST, STEPS + 1))
    assert list(made["numbers-lora-v1"].values()) == [list(range(1, STEPS + 1))]
    changed = load(workspace.config_file, options[1::2])
    for domain in ("colours", "numbers"):
        train(other, changed, domain)
        mine, theirs = (one.adapter(AdapterName(domain, 1)) / adapter_files.WEIGHTS for one in (workspace, other))
        assert mine.read_bytes() == theirs.read_bytes()


def test_without_ray_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"^--engine ray: Ray is not installed; run: pip install 'zddc\[ray\]'$"):
        next(ray_cluster.run_on_cluster(counted, {}))


def test_a_cluster_is_not_reached_through_rays_client(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://somewhere:10001")
    with pytest.raises(
        UserError, match=r"^RAY_ADDRESS=ray://somewhere:10001: is the address of a Ray client; run this on a"
    ):
        next(ray_cluster.run_on_cluster(counted, {}))


if __name__ == "__main__":
    {"tasks": run_tasks, "command": run_command}[sys.argv[1]](*sys.argv[2:])
