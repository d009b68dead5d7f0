"""The demo's questions, answered by a real llama.cpp from the files that are deployed."""

from pathlib import Path

import pytest
from tests.weakspot.deployment.conftest import DEMO_DOMAIN
from tests.weakspot.deployment.llama import served

from weakspot.deployment.gguf import writer
from weakspot.deployment.types import Destination
from weakspot.models import generation, loading
from weakspot.models.loading import Base
from weakspot.pipeline.deploy import deploy
from weakspot.workspace import AdapterName

pytestmark = [pytest.mark.serving, pytest.mark.timeout(600)]

ANSWER_TOKENS = 60


@pytest.fixture(scope="module")
def workspace(demo, tmp_path_factory):
    return demo.copied(tmp_path_factory.mktemp("gguf") / "training-data")


@pytest.fixture(scope="module")
def deployed(demo, workspace):
    return deploy(workspace, demo.config, DEMO_DOMAIN, Destination("gguf"), allow_unproven=True)


@pytest.fixture(scope="module")
def wanted(demo, workspace, deployed):
    """What the merged model answers in transformers."""
    import torch

    questions = demo.questions
    base = Base("merged", str(workspace.merged(AdapterName(DEMO_DOMAIN, 1))), None)
    model, tokenizer = loading.load_model(base, torch.float32), loading.load_tokenizer(base)
    prompts = [
        tokenizer.apply_chat_template(said(one), tokenize=False, add_generation_prompt=True) for one in questions
    ]
    return generation.generate_answers(model, tokenizer, prompts, ANSWER_TOKENS, 4)


def said(question):
    return [{"role": "user", "content": question}]


def answers(server, questions):
    return [server.chat("any", said(one), ANSWER_TOKENS).text for one in questions]


def test_the_merged_models_file_answers_as_the_merged_model(demo, deployed, wanted):
    assert deployed.proof.same_answers == deployed.proof.prompts == 4
    assert all(text.startswith('{"tracking_number": ') for text in wanted)
    with served(Path(deployed.location)) as server:
        assert answers(server, demo.questions) == wanted


def test_the_adapters_file_on_the_base_answers_so_too(embedded, demo, deployed, wanted, tmp_path):
    writer.write_model(Path(embedded.location), tmp_path / "base.gguf", "f32")
    adapter = Path(deployed.location).with_name(f"{deployed.adapter}-adapter.gguf")
    with served(tmp_path / "base.gguf", adapter) as server:
        assert answers(server, demo.questions[:4]) == wanted[:4]
    with served(tmp_path / "base.gguf") as server:
        assert answers(server, demo.questions[:1]) != wanted[:1]
