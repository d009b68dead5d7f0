"""GGUF files are proved by another reader, or there are none."""

import pytest

from weakspot.config import load
from weakspot.deployment.gguf import architecture
from weakspot.deployment.targets import gguf
from weakspot.deployment.types import Candidate, Destination
from weakspot.models import adapters
from weakspot.records import MergedManifest
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)


@pytest.fixture(scope="session")
def tiny_base(thin):
    """What `accepted` is trained on: a small vocabulary is read and written in no time."""
    return thin("llama")


@pytest.fixture
def place(accepted):
    """Place the adapter as GGUF, under other settings where they are given."""
    workspace, config = accepted

    def place(*settings):
        chosen = config.model_copy(update={"deploy": load(workspace.config_file, settings).deploy})
        candidate = Candidate(NAME, adapters.read_manifest(workspace, NAME), adapters.read_scorecard(workspace, NAME))
        return workspace.gguf(NAME), gguf.place(workspace, chosen, candidate, Destination("gguf"))

    return place


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_a_folder_has_the_model_and_the_adapter_and_what_proves_them(place):
    folder, placed = place()
    assert names(folder) == ["colours-lora-v1-adapter.gguf", "colours-lora-v1-q8_0.gguf", "manifest.json"]
    assert (placed.location, placed.served_name) == (str(folder / "colours-lora-v1-q8_0.gguf"), None)
    manifest = MergedManifest.from_json((folder / "manifest.json").read_bytes())
    assert manifest.proof == placed.proof
    assert manifest.files.keys() == set(names(folder)) - {"manifest.json"}
    assert placed.proof.prompts == 8
    assert 0 < placed.proof.difference < 0.1 < placed.proof.change


def test_placing_it_again_does_nothing_but_for_another_quantisation(place):
    folder, first = place()
    written = (folder / "manifest.json").stat().st_mtime_ns
    assert place()[1] == first
    assert (folder / "manifest.json").stat().st_mtime_ns == written
    _, exact = place("deploy.quantisation=f32")
    assert names(folder)[1] == "colours-lora-v1-f32.gguf"
    assert exact.proof.difference < 1e-4 < first.proof.difference


def test_a_file_that_answers_otherwise_is_not_deployed(place, monkeypatch):
    monkeypatch.setattr(architecture.Architecture, "ordered", lambda self, name, tensor: tensor)
    with pytest.raises(UserError, match=r"is not applied as trained|answers as the base"):
        place("deploy.quantisation=f32")
    monkeypatch.undo()
    folder, _ = place("deploy.quantisation=f32")
    before = names(folder)
    monkeypatch.setattr(architecture.Architecture, "ordered", lambda self, name, tensor: tensor)
    with pytest.raises(UserError):
        place("deploy.quantisation=f16")
    assert names(folder) == before
