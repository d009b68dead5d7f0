"""A real Ray of this machine alone: tasks with their errors, a killed worker, and adapters trained by it.

As a program this file runs tasks of its own on it and prints what came.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from weakspot.config import load
from weakspot.models import adapter_files
from weakspot.pipeline.train import train
from weakspot.training import checkpoints, ray_cluster
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError


def counted(folder: Path, limit: int) -> Iterator[tuple[str, int]]:
    """Count to ``limit``, but die half way where it was not died before."""
    for number in range(limit):
        if number == 2 and not (folder / "died").exists():
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield Path.cwd().name, number


def refused(_folder: Path, thing: str) -> Iterator[str]:
    yield "began"
    raise UserError(thing, "is wrong", "mend it")


def main(folder: str) -> None:
    place = Path(folder)
    (place / "here").mkdir()
    os.chdir(place / "here")
    told = {}
    tasks = {"one": (place, 4), "two": (place, 2)}
    told["counted"] = list(ray_cluster.spread(counted, tasks))
    told["refused"] = []
    try:
        for item in ray_cluster.spread(refused, {"one": (place, "this"), "two": (place, "that")}):
            told["refused"].append(item)
    except UserError as error:
        told["error"] = str(error)
    (place / "told.json").write_text(json.dumps(told))


@pytest.mark.slow
def test_tasks_tell_what_comes_of_them_and_are_begun_again_where_they_die(tmp_path):
    done = subprocess.run([sys.executable, __file__, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert sorted(told["counted"]) == sorted(["here", n] for n in (0, 0, 1, 1, 2, 3))
    assert [n for _, n in told["counted"]].count(0) == 2
    assert told["refused"] == ["began", "began"]
    assert told["error"] in ("this: is wrong; mend it", "that: is wrong; mend it")


@pytest.mark.slow
@pytest.mark.timeout(600)  # seven processes that load torch, one after the other
def test_a_cluster_trains_the_adapters_that_this_process_does_and_a_killed_worker_goes_on(taught, tmp_path):
    workspace, config = taught
    other = Workspace(tmp_path / "other")
    shutil.copytree(workspace.root, other.root)
    settings = ["lora.rank=4", "train.max_length=128", "train.max_steps=16", "train.save_steps=1"]
    options = [part for one in (f"model.base={config.model.base}", *settings) for part in ("--set", one)]
    command = ["train", "colours", "numbers", "--engine", "ray", "--json", "--workspace", str(workspace.root), *options]
    driver = subprocess.Popen(
        [sys.executable, "-m", "weakspot", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    folder, seen = workspace.adapter_checkpoint(AdapterName("colours", 1)), set[int]()
    while max(checkpoints.steps(folder), default=0) < 3:
        assert driver.poll() is None
        time.sleep(0.01)
    worker = at_work(driver.pid)
    worker.kill()
    reached = max(checkpoints.steps(folder))
    while folder.exists():
        assert driver.poll() is None
        seen.update(checkpoints.steps(folder))
        time.sleep(0.01)
    out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, err
    assert min(seen) == reached
    assert [json.loads(line)["domain"] for line in out.splitlines()] == ["colours", "numbers"]
    assert "Traceback" not in err
    changed = load(workspace.config_file, options[1::2])
    for domain in ("colours", "numbers"):
        train(other, changed, domain)
        mine, theirs = (one.adapter(AdapterName(domain, 1)) / adapter_files.WEIGHTS for one in (workspace, other))
        assert mine.read_bytes() == theirs.read_bytes()


def at_work(driver: int) -> psutil.Process:
    """Return the worker of a driver's Ray that is at a task."""
    (worker,) = [one for one in psutil.Process(driver).children(recursive=True) if one.name() == "ray::_guarded"]
    return worker


def test_without_ray_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"^--engine ray: Ray is not installed; run: pip install 'zddc\[ray\]'$"):
        next(ray_cluster.spread(counted, {}))


def test_a_cluster_is_not_reached_through_rays_client(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://somewhere:10001")
    with pytest.raises(UserError, match=r"^RAY_ADDRESS=ray://somewhere:10001: is a Ray client's; run this on a"):
        next(ray_cluster.spread(counted, {}))


if __name__ == "__main__":
    main(*sys.argv[1:])
