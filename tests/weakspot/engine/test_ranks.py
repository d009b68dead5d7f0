"""Two processes that train together are one: real ones, started by torchrun, over a base that is whole or spread.

As a program this file is what torchrun starts: it trains three adapters and writes down what came of each step.
"""

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from weakspot.data import store
from weakspot.engine import checkpoints, layers, loop, memory, ranks
from weakspot.engine.learner import Run
from weakspot.engine.ranks import ALONE, Ranks
from weakspot.engine.rows import Piece, Row
from weakspot.model import bases, lora
from weakspot.model.bases import Base
from weakspot.model.view import Tokens
from weakspot.tables import Lora, Train
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"]
BUDGET = 256


def three(sequences):
    """Three adapters with an objective each, so that the base is asked as well; two are done early."""
    own = Train(batch_size=3, gradient_accumulation=2, learning_rate=1e-2, eval_steps=2)
    return [
        (
            sequences(14 + 3 * n, seed=n, paired=True),
            sequences(3, seed=90 + n, paired=True),
            own.model_copy(update={"objective": objective, "seed": n, "max_steps": 4 - n}),
        )
        for n, objective in enumerate(["sft", "dpo", "orpo"])
    ]


def main(base: str, folder: str, *wanted: str) -> None:
    """Train in the processes that there are, and let the first write down what came of it."""
    from conftest import _watch, sequences

    place, steps, gradients, digests = Path(folder), [[], [], []], [[], [], []], []
    with ranks.joined() as together, pytest.MonkeyPatch.context() as patch:
        own = together.keeping_step("spread" in wanted)
        given = Base("tiny", base, None)
        model = bases.load_spread(given, torch.float32, own) if own.sharded else bases.load_model(given, torch.float32)
        adapters = layers.attach(model, TARGETS)
        memory.checkpoint_layers(model, 1 if "recompute" in wanted else 0)
        _watch(adapters, gradients, patch)
        runs = [
            Run(f"run-{n}", data, val, settings, Lora(rank=4, alpha=4), place / f"run-{n}", "same", steps[n].append)
            for n, (data, val, settings) in enumerate(three(sequences))
        ]

        def look(_learners) -> None:
            hashed = hashlib.sha256()
            for slot in adapters.slots():
                for value in adapters.parameters(slot).values():
                    hashed.update(value.detach().numpy().tobytes())
            digests.append(own.gathered(hashed.hexdigest()))

        loop.train(model, adapters, runs, budget=BUDGET, between=look, ranks=own)
        frozen = [parameter for parameter in model.get_decoder().layers.parameters() if not parameter.requires_grad]
        held = [getattr(parameter, "to_local", lambda whole=parameter: whole)().numel() for parameter in frozen]
        if own.first:
            told = {"steps": [[vars(one) for one in each] for each in steps], "digests": digests}
            told |= {"held": sum(held), "whole": sum(parameter.numel() for parameter in frozen)}
            (place / "told.json").write_text(json.dumps(told))
            flat = {
                f"{n}/{k}/{name}": g
                for n, own in enumerate(gradients)
                for k, s in enumerate(own)
                for name, g in s.items()
            }
            save_file(flat, place / "gradients.safetensors")


@dataclass
class Ended:
    """How a torchrun of two processes ended, and what each of them said."""

    status: int
    out: list[str]
    err: list[str]


def started(folder: Path, *arguments: object) -> subprocess.Popen:
    logs = ["--redirects", "3", "--log-dir", str(folder)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *logs]
    return subprocess.Popen(
        [*command, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def torchrun(folder: Path, *arguments: object) -> Ended:
    status = started(folder, *arguments).wait(timeout=200)
    said = {
        kind: [next(folder.glob(f"*/attempt_0/{rank}/{kind}.log")).read_text() for rank in (0, 1)]
        for kind in ("stdout", "stderr")
    }
    return Ended(status, said["stdout"], said["stderr"])


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm().clamp(min=1e-12))


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [["whole"], ["spread", "recompute"]], ids=["whole", "spread"])
def test_two_processes_make_the_steps_of_one(train, sequences, tiny_base, tmp_path, wanted):
    ended = torchrun(tmp_path / "logs", __file__, tiny_base, tmp_path, *wanted)
    assert (ended.status, ended.err) == (0, ["", ""])
    told, gradients = json.loads((tmp_path / "told.json").read_text()), load_file(tmp_path / "gradients.safetensors")
    alone = train(*three(sequences), targets=TARGETS, budget=BUDGET, folder=tmp_path / "alone", watch_gradients=True)
    assert [len(steps) for steps in told["steps"]] == [4, 3, 2]
    assert all(first == second for first, second in told["digests"])
    assert len({first for first, _ in told["digests"]}) == 4
    assert told["held"] == told["whole"] // (2 if "spread" in wanted else 1)
    for steps, others in zip(told["steps"], alone.steps, strict=True):
        for step, wanted_ in zip(steps, map(vars, others), strict=True):
            assert {key: value for key, value in step.items() if value is not None} == {
                key: pytest.approx(value, rel=1e-5) for key, value in wanted_.items() if value is not None
            }
    for number, each in enumerate(alone.gradients):
        for place, step in enumerate(each):
            own = torch.cat([gradients[f"{number}/{place}/{name}"].reshape(-1) for name in step])
            assert relative(own, torch.cat([value.reshape(-1) for value in step.values()])) < 1e-5


@pytest.fixture
def command(taught):
    """A workspace, and what trains two of its domains."""
    workspace, config = taught
    settings = [f"model.base={config.model.base}", "lora.rank=4", "train.max_length=128", "train.max_steps=16"]
    settings += ["train.save_steps=1", "train.learning_rate=1e-3"]
    options = [part for one in settings for part in ("--set", one)]
    return workspace, ["-m", "weakspot", "train", "colours", "numbers", "--workspace", workspace.root, *options]


@pytest.mark.slow
@pytest.mark.timeout(600)  # six processes that load torch, two at a time
def test_the_first_process_writes_and_speaks_and_a_killed_pass_is_gone_on_from(command, tmp_path):
    workspace, arguments = command
    shutil.copytree(workspace.root, tmp_path / "other")
    elsewhere = [tmp_path / "other" if one == workspace.root else one for one in arguments]
    spread = torchrun(tmp_path / "spread", *elsewhere, "--set", "train.shard=true")
    assert (spread.status, spread.err, spread.out[1]) == (0, ["", ""], "")
    assert [line for line in spread.out[0].splitlines() if line.startswith("next:")] == [
        "next: weakspot evaluate colours",
        "next: weakspot evaluate numbers",
    ]
    folder, other = (workspace.adapter_checkpoint(AdapterName(domain, 1)) for domain in ("colours", "numbers"))
    killed = started(tmp_path / "killed", *arguments)
    while max(checkpoints.steps(folder), default=0) < 3:
        assert killed.poll() is None
        time.sleep(0.01)
    for child in psutil.Process(killed.pid).children():
        if child.environ().get("RANK") == "0":
            child.kill()
    assert killed.wait() == 1
    reached = max({*checkpoints.steps(folder)} & {*checkpoints.steps(other)})
    assert not workspace.adapter_manifest(AdapterName("colours", 1)).exists()
    again, seen = started(tmp_path / "again", *arguments), set[int]()
    while again.poll() is None:
        seen.update(checkpoints.steps(folder))
        time.sleep(0.01)
    assert again.returncode == 0
    assert min(seen) >= reached
    for domain in ("colours", "numbers"):
        mine, theirs = (
            Workspace(root).adapter(AdapterName(domain, 1)) for root in (workspace.root, tmp_path / "other")
        )
        assert (mine / lora.WEIGHTS).read_bytes() == (theirs / lora.WEIGHTS).read_bytes()
        assert {one.name for one in mine.iterdir()} == {one.name for one in theirs.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["the lock is taken, which the first alone sees", "a domain that nobody has"])
def test_an_error_is_one_line_and_ends_all(command, tmp_path, wrong):
    workspace, arguments = command
    with store.locked(workspace.lock, "train") if "lock" in wrong else contextlib.nullcontext():
        ended = torchrun(tmp_path, *(("nothing" if one == "numbers" else one) for one in arguments))
    line = "another process, train or deploy is running here" if "lock" in wrong else "nothing: no examples"
    assert ended.status == 1
    assert "".join(ended.err).count("\n") == 1
    assert line in "".join(ended.err)
    assert ended.out == ["", ""]


def rows(*lengths: int) -> list[Row]:
    return [Row.of([Piece(Tokens(str(n), (1,) * length, 1), 0)], "cpu") for n, length in enumerate(lengths)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("sharded", [False, True])
def test_every_row_counts_once_and_a_spread_base_keeps_step(count, sharded):
    given = rows(5, 9, 3, 7, 7)
    dealt = [Ranks(number, count).keeping_step(sharded).share(given) for number in range(count)]
    counted = sorted(id(row) for own in dealt for row, counts in own if counts)
    assert counted == sorted(map(id, given))
    assert not sharded or len({len(own) for own in dealt}) == 1


def test_a_row_is_short_enough_that_there_is_one_for_every_process():
    assert Ranks(0, 4).even(4096, 1000) == 250
    assert Ranks(0, 4).even(100, 1000) == 100
    assert ALONE.even(4096, 1000) == 1000


def test_alone_there_is_nobody_to_ask():
    assert ALONE.gathered("own") == ["own"]
    assert ALONE.from_first(lambda: 7) == 7
    assert ALONE.first
    ALONE.wait()
    ALONE.require_same("own", "anything")
    with ranks.joined() as together:
        assert together == ALONE


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two: is no number of processes; start them by torchrun, or unset it"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE=2: LOCAL_RANK, MASTER_ADDR, MASTER_PORT not set; start"),
    ],
)
def test_an_environment_that_names_no_group_is_refused(monkeypatch, environment, line):
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"^{line}"), ranks.joined():
        pass


def test_a_process_takes_the_gpu_of_its_own_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert ranks.local_gpu() == 0
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert ranks.local_gpu() == 1
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="LOCAL_RANK=2: there are 2 GPUs here"):
        ranks.local_gpu()


if __name__ == "__main__":
    main(*sys.argv[1:])
