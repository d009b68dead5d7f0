"""Two processes that train together are one: real ones, started by torchrun, over a base that is whole or spread.

Where it does not matter that they begin with nothing, torchrun's own launcher forks them.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests import forked
from tests.weakspot.training.conftest import _watch, sequences

from weakspot.models import adapter_files, device, loading
from weakspot.models.loading import Base
from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora, Train
from weakspot.storage import atomic
from weakspot.training import activation_memory, checkpoints, distributed, fsdp, loop, lora_layers
from weakspot.training.adapter_trainer import AdapterTrainer, TrainingRun
from weakspot.training.distributed import ALONE, Ranks
from weakspot.training.packing import PackedBatch, PackedItem
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"]
BUDGET = 256
STEPS = 12


def three():
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


def both(base: Base, folder: Path) -> None:
    """Train in the processes that there are, over a whole base and over one that is spread."""
    with distributed.join_process_group() as together:
        for spread in (False, True):
            place = folder / ("spread" if spread else "whole")
            place.mkdir(exist_ok=True)
            _train(base, place, together.with_sharding(spread), recomputed=1 if spread else 0)


def _train(base: Base, place: Path, own: Ranks, recomputed: int) -> None:
    """Let the first process write down what came of it."""
    steps, gradients, digests = [[], [], []], [[], [], []], []
    model = fsdp.load_with_fsdp(base, torch.float32, own) if own.sharded else loading.load_model(base, torch.float32)
    adapters = lora_layers.attach(model, TARGETS)
    activation_memory.checkpoint_layers(model, recomputed)
    runs = [
        TrainingRun(f"run-{n}", data, val, settings, Lora(rank=4, alpha=4), place / f"run-{n}", "same", steps[n].append)
        for n, (data, val, settings) in enumerate(three())
    ]

    def look(_learners) -> None:
        hashed = hashlib.sha256()
        for slot in adapters.slots():
            for value in adapters.parameters(slot).values():
                hashed.update(value.detach().numpy().tobytes())
        digests.append(own.all_gather(hashed.hexdigest()))

    with pytest.MonkeyPatch.context() as patch:
        _watch(adapters, gradients, patch)
        loop.train(model, adapters, runs, budget=BUDGET, between=look, ranks=own)
    frozen = [parameter for parameter in model.get_decoder().layers.parameters() if not parameter.requires_grad]
    held = [getattr(parameter, "to_local", lambda whole=parameter: whole)().numel() for parameter in frozen]
    if own.first:
        told = {"steps": [[vars(one) for one in each] for each in steps], "digests": digests}
        told |= {"held": sum(held), "whole": sum(parameter.numel() for parameter in frozen)}
        (place / "told.json").write_text(json.dumps(told))
        flat = {
            f"{n}/{k}/{name}": g for n, own in enumerate(gradients) for k, s in enumerate(own) for name, g in s.items()
        }
        save_file(flat, place / "gradients.safetensors")


@dataclass
class Ended:
    """How a torchrun of two processes ended, and what each of them said, and it itself."""

    status: int
    out: list[str]
    err: list[str]
    launcher: str


def ended(logs: Path, status: int, launcher: str) -> Ended:
    said = {
        kind: [next(logs.glob(f"*/attempt_0/{rank}/{kind}.log")).read_text() for rank in (0, 1)]
        for kind in ("stdout", "stderr")
    }
    return Ended(status, said["stdout"], said["stderr"], launcher)


def options(logs: Path) -> list[str]:
    return ["--nproc-per-node", "2", "--redirects", "3", "--log-dir", str(logs)]


def torchrun(folder: Path, *arguments: object) -> Ended:
    """Run the command."""
    folder.mkdir()
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", *options(folder), *map(str, arguments)]
    with (folder / "launcher").open("wb") as said:
        running = subprocess.Popen(line, stdout=said, stderr=said, start_new_session=True)
        try:
            running.wait(timeout=forked.PATIENCE_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    return ended(folder, running.returncode, (folder / "launcher").read_text())


def torchrun_forked(folder: Path, function: Callable[..., object], *arguments: object) -> Ended:
    """Have both processes call a function."""
    with forked.begun(folder, launch, folder, function, *arguments) as running:
        return ended(folder, running.status(), running.err)


def launch(folder: Path, function: Callable[..., object], *arguments: object) -> None:
    """Do what torchrun does, but fork."""
    from torch.distributed.launcher.api import elastic_launch
    from torch.distributed.run import config_from_args, parse_args

    standalone = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    config, _, _ = config_from_args(parse_args([*standalone, *options(folder), "no.py"]))
    config.start_method = "fork"
    elastic_launch(config, _become_rank)(function, arguments)


def _become_rank(function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)  # what the launcher does about them is not inherited by a program
    forked.end_with_parent()
    function(*arguments)


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm().clamp(min=1e-12))


@pytest.fixture(scope="session")
def trained_by_two(made_once, small_base, tmp_path_factory):
    """What came of both trainings of two processes."""

    def build(folder: Path) -> None:
        two = torchrun_forked(
            tmp_path_factory.mktemp("logs") / "two", both, Base("small", str(small_base), None), folder
        )
        assert (two.status, two.err) == (0, ["", ""]), two.launcher

    return made_once("trained-by-two", build)


@pytest.mark.slow
@pytest.mark.parametrize("base", ["whole", "spread"])
def test_two_processes_make_the_steps_of_one(train, trained_by_two, tmp_path, base):
    place = trained_by_two / base
    told, gradients = json.loads((place / "told.json").read_text()), load_file(place / "gradients.safetensors")
    alone = train(*three(), targets=TARGETS, budget=BUDGET, folder=tmp_path / "alone", watch_gradients=True)
    assert [len(steps) for steps in told["steps"]] == [4, 3, 2]
    assert all(first == second for first, second in told["digests"])
    assert len({first for first, _ in told["digests"]}) == 4
    assert told["held"] == told["whole"] // (2 if base == "spread" else 1)
    for steps, others in zip(told["steps"], alone.steps, strict=True):
        for step, wanted in zip(steps, map(vars, others), strict=True):
            assert {key: value for key, value in step.items() if value is not None} == {
                key: pytest.approx(value, rel=1e-5) for key, value in wanted.items() if value is not None
            }
    for number, each in enumerate(alone.gradients):
        for place, step in enumerate(each):
            own = torch.cat([gradients[f"{number}/{place}/{name}"].reshape(-1) for name in step])
            assert relative(own, torch.cat([value.reshape(-1) for value in step.values()])) < 1e-5


@pytest.fixture
def command(taught):
    """A workspace, and how to train two of its domains."""
    workspace, config = taught
    settings = [f"model.base={config.model.base}", "lora.rank=4", "train.max_length=128", f"train.max_steps={STEPS}"]
    settings += ["train.save_steps=1", "train.learning_rate=1e-3"]
    line = [part for one in settings for part in ("--set", one)]
    return workspace, ["train", "colours", "numbers", "--workspace", workspace.root, *line]


def watched(folder: Path, tells: int | None, *arguments: object) -> None:
    """Run the command, tell of so many steps at most, and write down this process' number and the steps it makes."""
    rank, learn = os.environ["RANK"], AdapterTrainer.apply_step
    (folder / f"number-{rank}").write_text(str(os.getpid()))
    with (folder / f"made-{rank}").open("w", encoding="utf-8") as made:

        def noted(learner, *given):
            progress = learn(learner, *given)
            print(learner.slot, progress.step, file=made, flush=True)
            return progress

        AdapterTrainer.apply_step = noted
        if tells is not None:
            forked.hold(tells)
        forked.weakspot(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "status"), [("2", 0), ("1", -signal.SIGABRT)])
def test_a_process_of_a_group_ends_well_whatever_aborts_on_the_way_out(processes, status):
    aborting = (
        "import atexit, os, sys; from weakspot.cli import main; "
        "atexit.register(os.abort); sys.argv[1:] = ['--version']; main()"
    )
    environment = {**os.environ, "WORLD_SIZE": processes}
    ended = subprocess.run(
        [sys.executable, "-c", aborting], env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (status, "")
    assert ended.stdout.startswith("weakspot ")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_first_process_writes_and_speaks_and_a_killed_pass_is_gone_on_from(command, tmp_path):
    workspace, arguments = command
    shutil.copytree(workspace.root, tmp_path / "other")
    elsewhere = [tmp_path / "other" if one == workspace.root else one for one in arguments]
    spread = torchrun(tmp_path / "spread", "-m", "weakspot", *elsewhere, "--set", "train.shard=true")
    assert (spread.status, spread.err, spread.out[1]) == (0, ["", ""], ""), spread.launcher
    assert [line for line in spread.out[0].splitlines() if line.startswith("next:")] == [
        "next: weakspot evaluate colours",
        "next: weakspot evaluate numbers",
    ]
    folder, other = (workspace.adapter_checkpoint(AdapterName(domain, 1)) for domain in ("colours", "numbers"))
    logs = tmp_path / "killed"
    with forked.begun(logs, launch, logs, watched, logs, 2 * (STEPS - 2), *arguments) as killed:
        killed.until(lambda: max(checkpoints.find_steps(folder), default=0) >= 3)
        os.kill(int((logs / "number-0").read_text()), signal.SIGKILL)
        assert killed.status() == 1, killed.err
    reached = max({*checkpoints.find_steps(folder)} & {*checkpoints.find_steps(other)})
    assert not workspace.adapter_manifest(AdapterName("colours", 1)).exists()
    again = torchrun_forked(tmp_path / "again", watched, tmp_path / "again", None, *arguments)
    assert again.status == 0, (again.err, again.launcher)
    for rank in (0, 1):
        made = [
            tuple(map(int, line.split())) for line in (tmp_path / "again" / f"made-{rank}").read_text().splitlines()
        ]
        assert made == [(slot, step) for step in range(reached + 1, STEPS + 1) for slot in (0, 1)]
    for domain in ("colours", "numbers"):
        mine, theirs = (
            Workspace(root).adapter(AdapterName(domain, 1)) for root in (workspace.root, tmp_path / "other")
        )
        assert (mine / adapter_files.WEIGHTS).read_bytes() == (theirs / adapter_files.WEIGHTS).read_bytes()
        assert {one.name for one in mine.iterdir()} == {one.name for one in theirs.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["the lock is taken, which the first alone sees", "a domain that nobody has"])
def test_an_error_is_one_line_and_ends_all(command, tmp_path, wrong):
    workspace, arguments = command
    with atomic.hold_lock(workspace.lock, "train") if "lock" in wrong else contextlib.nullcontext():
        line = [("nothing" if one == "numbers" else one) for one in arguments]
        failed = torchrun_forked(tmp_path / "logs", forked.weakspot, *line)
    line = "another process, train or deploy is running here" if "lock" in wrong else "nothing: no examples"
    assert failed.status == 1
    assert "".join(failed.err).count("\n") == 1
    assert line in "".join(failed.err)
    assert failed.out == ["", ""]


def rows(*lengths: int) -> list[PackedBatch]:
    return [
        PackedBatch.of([PackedItem(Tokens(str(n), (1,) * length, 1), 0)], "cpu") for n, length in enumerate(lengths)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("sharded", [False, True])
def test_every_row_counts_once_and_a_spread_base_keeps_step(count, sharded):
    given = rows(5, 9, 3, 7, 7)
    dealt = [Ranks(number, count).with_sharding(sharded).share(given) for number in range(count)]
    counted = sorted(id(row) for own in dealt for row, counts in own if counts)
    assert counted == sorted(map(id, given))
    assert not sharded or len({len(own) for own in dealt}) == 1


def test_a_row_is_short_enough_that_there_is_one_for_every_process():
    assert Ranks(0, 4).batch_budget(4096, 1000) == 250
    assert Ranks(0, 4).batch_budget(100, 1000) == 100
    assert ALONE.batch_budget(4096, 1000) == 1000


def test_alone_there_is_nobody_to_ask():
    assert ALONE.all_gather("own") == ["own"]
    assert ALONE.broadcast_from_first(lambda: 7) == 7
    assert ALONE.first
    ALONE.wait()
    ALONE.require_same("own", "anything")
    with distributed.join_process_group() as together:
        assert together == ALONE


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two: is not a number of processes; start them with torchrun, or unset it"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE=2: LOCAL_RANK, MASTER_ADDR, MASTER_PORT not set; start"),
    ],
)
def test_an_environment_that_names_no_group_is_refused(monkeypatch, environment, line):
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"^{line}"), distributed.join_process_group():
        pass


def test_a_process_takes_the_gpu_of_its_own_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.local_gpu() == 0
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device.local_gpu() == 1
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="LOCAL_RANK=2: this machine has 2 GPUs"):
        device.local_gpu()
