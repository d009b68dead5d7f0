"""The demo's questions, answered by a real llama.cpp from the files that are deployed."""

import runpy
from itertools import islice
from pathlib import Path

import pytest
from tests.weakspot.serving.llama import served

from weakspot.config import load
from weakspot.model import bases, generating
from weakspot.model.bases import Base
from weakspot.serving import gguf_files
from weakspot.serving.placement import Destination
from weakspot.stages.deploy import deploy
from weakspot.stages.process import process
from weakspot.stages.train import train
from weakspot.workspace import AdapterName, Workspace

pytestmark = pytest.mark.slow

DEMO = Path(__file__).parents[3] / "examples" / "first-adapter"
DOMAIN = "zddc-naming"
TAUGHT, ASKED, ANSWER_TOKENS = 60, 30, 60


@pytest.fixture(scope="module")
def demo(embedded, interaction, capture, tmp_path_factory):
    """A workspace with an adapter for the demo's task, its settings, and questions that it never saw."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMO)
        run = runpy.run_path(str(DEMO / "run.py"))
    names = list(islice(run["file_names"](TAUGHT + ASKED, seed=7), TAUGHT + ASKED))
    workspace = Workspace(tmp_path_factory.mktemp("demo") / "training-data")
    taught = [interaction(run["question"](name), run["expert"](name), domain=DOMAIN) for name in names[:TAUGHT]]
    capture(workspace, taught)
    settings = ["train.max_steps=16", "deploy.quantisation=f16", "deploy.proof_prompts=4", "lora.rank=16"]
    config = load(DEMO / "weakspot.toml", settings)
    process(workspace, config)
    train(workspace, config, DOMAIN)
    return workspace, config, [run["question"](name) for name in names[TAUGHT:]]


@pytest.fixture(scope="module")
def deployed(demo):
    workspace, config, _ = demo
    return deploy(workspace, config, DOMAIN, Destination("gguf"), allow_unproven=True)


@pytest.fixture(scope="module")
def wanted(demo, deployed):
    """What the merged model answers in transformers."""
    import torch

    workspace, _, questions = demo
    base = Base("merged", str(workspace.merged(AdapterName(DOMAIN, 1))), None)
    model, tokenizer = bases.load_model(base, torch.float32), bases.load_tokenizer(base)
    prompts = [
        tokenizer.apply_chat_template(said(one), tokenize=False, add_generation_prompt=True) for one in questions
    ]
    return generating.answers(model, tokenizer, prompts, ANSWER_TOKENS, 4)


def said(question):
    return [{"role": "user", "content": question}]


def answers(server, questions):
    return [server.chat("any", said(one), ANSWER_TOKENS).text for one in questions]


def test_the_merged_models_file_answers_as_the_merged_model(demo, deployed, wanted):
    assert deployed.proof.same_answers == deployed.proof.prompts == 4
    assert all(text.startswith('{"tracking_number": ') for text in wanted)
    with served(Path(deployed.location)) as server:
        assert answers(server, demo[2]) == wanted


def test_the_adapters_file_on_the_base_answers_so_too(embedded, demo, deployed, wanted, tmp_path):
    gguf_files.write(Path(embedded.location), tmp_path / "base.gguf", "f32")
    adapter = Path(deployed.location).with_name(f"{deployed.adapter}-adapter.gguf")
    with served(tmp_path / "base.gguf", adapter) as server:
        assert answers(server, demo[2][:4]) == wanted[:4]
    with served(tmp_path / "base.gguf") as server:
        assert answers(server, demo[2][:1]) != wanted[:1]
