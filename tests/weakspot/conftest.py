"""A workspace with a base that trains in a second, made once a run up to each stage; a test has a copy of its own."""

import hashlib
import json
import shutil

import pytest

from weakspot import cli
from weakspot import config as configuration
from weakspot.deployment.targets import gguf
from weakspot.deployment.targets import merged as merging
from weakspot.deployment.types import Candidate
from weakspot.models.adapters import read_manifest, read_scorecard
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc import console

COLOURS = ["red", "green", "blue", "black", "white", "brown"]
FIRST, SECOND = AdapterName("colours", 1), AdapterName("colours", 2)


@pytest.fixture
def weakspot(workspace, monkeypatch, capsys):
    """Run the command on the workspace; give back status, output and errors."""
    monkeypatch.setenv("WEAKSPOT_WORKSPACE", str(workspace.root))

    def run(*arguments: str) -> tuple[int, str, str]:
        status = console.run(cli.app, "weakspot", arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def prepared(made_once, workspace, tiny_base, interaction, capture):
    """Give the folder of a workspace that was taken to a stage, and its settings: to be copied, never written to."""
    config = configuration.load(
        workspace.config_file,
        [
            f"model.base={tiny_base}",
            "lora.rank=4",
            "train.learning_rate=1e-2",
            "train.max_steps=12",
            "train.max_length=128",
            "evaluate.max_new_tokens=8",
            "status.retrain_streak=50",
        ],
    )

    def taught(workspace):
        capture(workspace, examples(interaction))
        process(workspace, config)

    def trained(workspace):
        train(workspace, changed(config, "train", max_steps=40), "colours")

    def evaluated(workspace):
        evaluate(workspace, config, "colours")

    def accepted(workspace):
        judged(workspace, FIRST, "accept")

    def merged(workspace):
        merge(workspace, config, FIRST)

    def second(workspace):
        train(workspace, changed(config, "train", max_steps=4), "colours")
        evaluate(workspace, changed(config, "evaluate", retrieval=False), "colours")
        judged(workspace, SECOND, "accept")
        merge(workspace, config, SECOND)

    def written_as_gguf(workspace):
        gguf.write(workspace, changed(config, "deploy", quantisation="f32"), candidate(workspace, FIRST))

    stages = [taught, trained, evaluated, accepted, merged, written_as_gguf]
    before = dict(zip([*stages[1:], second], [*stages[:-1], merged], strict=True))
    named = {stage.__name__: stage for stage in [*stages, second]}
    base = hashlib.sha256(str(tiny_base).encode()).hexdigest()[:8]

    def folder(name):
        def build(target):
            stage = named[name]
            if stage in before:
                shutil.copytree(folder(before[stage].__name__), target, dirs_exist_ok=True)
            stage(Workspace(target))

        return made_once(f"{name}-{base}", build)

    return folder, config


def examples(interaction):
    """Sixty checkable questions and twenty others; their ids are like none that a test makes."""
    questions = [
        interaction(
            f"Which colour has item {n} of {COLOURS[n % 6]} shelf {n * 37 % 101}?",
            json.dumps({"colour": COLOURS[n % 6]}),
            local=f"Maybe {COLOURS[(n + 1) % 6]}?",
            domain="colours",
            interaction_id=f"int_colour_{n}",
        )
        for n in range(60)
    ]
    others = [
        interaction(
            f"Tell me about number {n * 7919}.",
            f"It is {n * 7919} and its digits sum to {sum(map(int, str(n * 7919)))}.",
            domain="numbers",
            interaction_id=f"int_number_{n}",
        )
        for n in range(20)
    ]
    return [*questions, *others]


@pytest.fixture
def at_stage(prepared, workspace):
    """Bring the test's workspace to a stage; give it, and its settings."""
    folder, config = prepared

    def bring(name):
        shutil.copytree(folder(name), workspace.root)
        return workspace, config

    return bring


@pytest.fixture
def taught(at_stage):
    """A processed workspace of sixty checkable questions and twenty others, and its settings."""
    return at_stage("taught")


@pytest.fixture
def hasty(taught):
    """The same, with settings under which an adapter is made and tested in no time and learns next to nothing."""
    workspace, config = taught
    config = changed(config, "train", max_steps=2)
    config = changed(config, "evaluate", retrieval=False)
    return workspace, changed(config, "deploy", proof_prompts=1)


@pytest.fixture
def trained(at_stage):
    """A workspace with an adapter for colours, and its settings, which are of a shorter training."""
    return at_stage("trained")


@pytest.fixture
def evaluated(at_stage):
    """A workspace whose adapter for colours has its scorecard, and its settings."""
    return at_stage("evaluated")


@pytest.fixture
def accepted(at_stage):
    """A workspace whose adapter for colours is evaluated and accepted, and its settings."""
    return at_stage("accepted")


@pytest.fixture
def merged(at_stage):
    """A workspace whose accepted adapter has its merged model, of which there is no release yet, and its settings."""
    return at_stage("merged")


@pytest.fixture
def written_as_gguf(at_stage):
    """A workspace whose accepted adapter is merged and written as GGUF in 32 bits, and settings for that."""
    workspace, config = at_stage("written_as_gguf")
    return workspace, changed(config, "deploy", quantisation="f32")


@pytest.fixture
def add_second(prepared, workspace):
    """Bring in another adapter for colours, accepted and merged as the first one."""

    def bring():
        made = Workspace(prepared[0]("second"))
        for part in (Workspace.adapter, Workspace.merged):
            shutil.copytree(part(made, SECOND), part(workspace, SECOND))

    return bring


@pytest.fixture
def hub(tiny_base, tmp_path, monkeypatch):
    """The cache of a hub that cannot be reached; it holds the tiny base, as the commit that main is of."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "hub" / "models--somebody--tiny"
    shutil.copytree(tiny_base, cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return cache / "snapshots" / commit


@pytest.fixture
def judge():
    """Write another verdict over an adapter's own."""
    return judged


def changed(config: configuration.Config, table: str, **values) -> configuration.Config:
    """Return settings with other values in one table."""
    return config.model_copy(update={table: getattr(config, table).model_copy(update=values)})


def judged(workspace: Workspace, name: AdapterName, verdict: str) -> None:
    card = read_scorecard(workspace, name).model_copy(update={"verdict": verdict, "reasons": ["because"]})
    atomic.write_atomically(workspace.evaluation(name), card.model_dump_json().encode())


def merge(workspace, config, name):
    """Write an adapter's merged model, and prove it."""
    merging.write(workspace, config, candidate(workspace, name))


def candidate(workspace, name):
    """Return an adapter as it is deployed."""
    return Candidate(name, read_manifest(workspace, name), read_scorecard(workspace, name))
