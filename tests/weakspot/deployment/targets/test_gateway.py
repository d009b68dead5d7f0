"""The alias is pointed only at what a real server answers as trained."""

import pytest
from tests.weakspot.deployment.llama import served

from weakspot.deployment.openai_client import OpenAIClient
from weakspot.deployment.targets import gateway, gguf
from weakspot.deployment.types import Candidate, Destination
from weakspot.models import adapters
from weakspot.records import Release
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)


@pytest.fixture(scope="session")
def tiny_base(thin):
    """What is trained on: a small vocabulary is read and written in no time."""
    return thin("llama")


@pytest.fixture
def candidate(written_as_gguf):
    workspace, _ = written_as_gguf
    return Candidate(NAME, adapters.read_manifest(workspace, NAME), adapters.read_scorecard(workspace, NAME))


@pytest.fixture
def file(written_as_gguf, candidate):
    return gguf.model_file(*written_as_gguf, candidate)


def test_a_server_that_has_the_model_by_its_name_is_proved_and_pointed_at(written_as_gguf, candidate, file):
    workspace, config = written_as_gguf
    with served(file, name=str(NAME)) as server:
        placed = gateway.place(workspace, config, candidate, Destination("gateway", server.url))
        assert (placed.location, placed.served_name) == (server.url, "colours-lora-v1")
        assert placed.proof.same_answers == placed.proof.prompts == 8
        # llama.cpp is made to write the expert's answers, and serves no base beside.
        assert placed.proof.effect.slope == pytest.approx(1, abs=0.01)
        assert placed.proof.effect.apart < 0.03
        assert placed.proof.effect.noise is None


def test_the_base_by_the_adapters_name_is_not(written_as_gguf, candidate, tiny_base, tmp_path):
    workspace, config = written_as_gguf
    gguf.writer.write_model(tiny_base, tmp_path / "base.gguf", "f32")
    with (
        served(tmp_path / "base.gguf", name=str(NAME)) as server,
        pytest.raises(UserError, match="answers as the base does: the server ignores the adapter"),
    ):
        gateway.place(workspace, config, candidate, Destination("gateway", server.url))


def test_a_server_without_it_that_takes_none_is_told_how_to_be_started(written_as_gguf, candidate, file):
    workspace, config = written_as_gguf
    with served(file, name="other") as server:
        with pytest.raises(UserError, match=r"takes no adapters while it runs; start it as: VLLM_ALLOW\S+ vllm serve"):
            gateway.place(workspace, config, candidate, Destination("gateway", server.url))
        earlier = Release(
            action="deploy", domain="colours", target="gateway", location=server.url, adapter="colours-lora-v1"
        ).model_copy(update={"served_name": "colours-lora-v1"})
        with pytest.raises(UserError, match="start it as"):
            gateway.restore(workspace, config, earlier)


def test_going_back_to_the_base_asks_no_server(written_as_gguf):
    workspace, config = written_as_gguf
    gateway.restore(workspace, config, None)
    assert OpenAIClient.of(config).url
