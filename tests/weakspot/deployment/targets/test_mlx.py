"""What is exported for mlx-lm is the trained adapter: mlx-lm's own loader reads it, and computes the same."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.processes import output_of
from tests.weakspot.models.test_target_modules import ALPHA, RANK, adapter, delta, model_of, names_of

from weakspot.deployment.targets import mlx
from weakspot.deployment.types import MERGED, Candidate
from weakspot.models import adapters
from weakspot.records import MergedManifest
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)
MLX = Path(__file__).parents[4] / "build" / "mlx"
IDS = [3, 17, 99, 4, 56, 23, 8]
KINDS = ["llama", "qwen2", "qwen3", "qwen3_moe", "qwen3_next"]

_ASK_MLX = """
import json, sys
from pathlib import Path
import mlx.core as mx
from mlx_lm.tuner.utils import load_adapters
from mlx_lm.utils import load_model

base, adapter, ids = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
model, _ = load_model(Path(base))
found = [model(mx.array([ids])).tolist()]
load_adapters(model, adapter)
model.eval()
print(json.dumps([*found, model(mx.array([ids])).tolist()]))
"""


def candidate(workspace) -> Candidate:
    return Candidate(NAME, adapters.read_manifest(workspace, NAME), adapters.read_scorecard(workspace, NAME))


def test_the_folder_is_proved_and_written_once(accepted):
    workspace, config = accepted
    placed = mlx.place(workspace, config, candidate(workspace), MERGED)
    assert (placed.location, placed.served_name) == (str(workspace.mlx(NAME)), None)
    assert placed.proof.same_answers == placed.proof.prompts == 8
    assert placed.proof.effect.slope == pytest.approx(1, abs=1e-3)
    manifest = MergedManifest.from_json(workspace.mlx_manifest(NAME).read_bytes())
    assert sorted(manifest.files) == ["adapter_config.json", "adapters.safetensors"]
    settings = json.loads((workspace.mlx(NAME) / mlx.SETTINGS).read_text())
    assert settings["lora_parameters"]["keys"] == [f"self_attn.{one}_proj" for one in "koqv"]
    before = workspace.mlx_manifest(NAME).stat().st_mtime_ns
    mlx.place(workspace, config, candidate(workspace), MERGED)
    assert workspace.mlx_manifest(NAME).stat().st_mtime_ns == before


def test_a_wrong_layout_is_not_deployed(accepted, monkeypatch):
    workspace, config = accepted
    real = mlx.convert

    def transposed(*arguments):
        real(*arguments)
        file = arguments[1] / mlx.WEIGHTS
        tensors = {
            name: one.T.reshape(one.shape).contiguous() if "lora_a" in name else one
            for name, one in load_file(file).items()
        }
        save_file(tensors, file)

    monkeypatch.setattr(mlx, "convert", transposed)
    with pytest.raises(UserError, match=r"for mlx: (is not applied as trained|answers as the base does)"):
        mlx.place(workspace, config, candidate(workspace), MERGED)
    assert not workspace.mlx(NAME).exists()


def test_a_base_that_mlx_names_otherwise_is_refused(accepted, monkeypatch):
    workspace, config = accepted
    monkeypatch.setattr(mlx, "MODEL_TYPES", frozenset({"qwen3"}))
    with pytest.raises(
        UserError, match=r"for mlx: a base of type llama is not known; deploy it as 'merged' \(known: qwen3"
    ):
        mlx.place(workspace, config, candidate(workspace), MERGED)


@pytest.fixture
def exported(tmp_path):
    """Make a base of a kind with random weights, an adapter of every layer, and what mlx-lm is given of it."""

    def made(kind):
        model = model_of(kind)
        model.save_pretrained(tmp_path / "base")
        file = tmp_path / "base" / "config.json"  # mlx-lm reads these keys as transformers wrote them before version 5
        settings = json.loads(file.read_text())
        experts = {"num_experts": settings["num_local_experts"]} if "num_local_experts" in settings else {}
        file.write_text(json.dumps(settings | settings["rope_parameters"] | experts))
        mixture = "moe" in kind or "next" in kind
        names = names_of(model, "experts" if mixture else "all-linear")
        pairs = adapter(tmp_path / "adapter", names, mixture=mixture)
        (tmp_path / "mlx").mkdir()
        mlx.convert(tmp_path / "adapter", tmp_path / "mlx", model.config.num_hidden_layers)
        return model, pairs

    return made


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_adds_what_was_trained(exported, tmp_path, kind):
    model, pairs = exported(kind)
    before = {name: one.clone() for name, one in model.named_parameters()}
    mlx.add_to(model, tmp_path / "mlx")
    settings = json.loads((tmp_path / "mlx" / mlx.SETTINGS).read_text())
    assert settings["lora_parameters"]["scale"] == ALPHA / RANK
    for name, pair in pairs.items():
        block, _, rest = name.partition(".experts.")
        if not rest:
            changed = model.get_parameter(f"{name}.weight") - before[f"{name}.weight"]
        else:
            number, matrix = rest.split(".")
            stack = f"{block}.experts.{'down_proj' if matrix == 'down_proj' else 'gate_up_proj'}"
            both = (model.get_parameter(stack) - before[stack])[int(number)]
            half = len(both) // 2
            changed = {"down_proj": both, "gate_proj": both[:half], "up_proj": both[half:]}[matrix]
        torch.testing.assert_close(changed, delta(pair), rtol=1e-3, atol=1e-5)


@pytest.mark.serving
@pytest.mark.parametrize("kind", KINDS)
def test_mlx_lm_itself_computes_what_was_trained(exported, tmp_path, kind):
    if not MLX.exists():
        pytest.fail("no mlx-lm in build/mlx: make test-serving")
    model, _ = exported(kind)
    expected = [model(torch.tensor([IDS])).logits]
    mlx.add_to(model, tmp_path / "mlx")
    expected.append(model(torch.tensor([IDS])).logits)
    environment = os.environ | {"PYTHONPATH": str(MLX)}
    places = str(tmp_path / "base"), str(tmp_path / "mlx"), json.dumps(IDS)
    said = json.loads(output_of([sys.executable, "-c", _ASK_MLX, *places], env=environment).splitlines()[-1])
    for ours, theirs in zip(expected, said, strict=True):
        torch.testing.assert_close(torch.tensor(theirs), ours.detach(), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(*expected, atol=0.1)
    shutil.rmtree(tmp_path / "base")
