"""Adapters are PEFT's format, the same bytes for the same weights, and mean in PEFT what they meant in training."""

import json
import os
import subprocess
import sys

import pytest
import torch

from weakspot.models import adapter_files, loading
from weakspot.models.loading import Base
from weakspot.settings import Lora
from weakspot.training import adapter_export, lora_layers

pytestmark = pytest.mark.slow

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj"]
IDS = torch.tensor([[5, 6, 7, 300, 8]])


def loaded(folder):
    return loading.load_model(Base("tiny", str(folder), None), torch.float32, on_cpu=True)


@pytest.fixture
def mixture(tmp_path):
    """The folder of a mixture of four experts with random weights."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    torch.manual_seed(1)
    settings = Qwen3MoeConfig(
        vocab_size=400, hidden_size=32, intermediate_size=48, moe_intermediate_size=12, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, num_experts=4, num_experts_per_tok=2,
        mlp_only_layers=[1],
    )  # fmt: skip
    model = Qwen3MoeForCausalLM(settings)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.15)
    model.save_pretrained(tmp_path / "mixture")
    return tmp_path / "mixture"


def learned(folder, *settings: Lora, targets=ALL):
    """Return a base with an adapter for each of the settings, all of which change something."""
    model = loaded(folder)
    adapters = lora_layers.attach(model, targets)
    for slot, own in enumerate(settings):
        adapters.add(slot, own, 7 + slot)
        torch.manual_seed(slot)
        with torch.no_grad():
            for name, value in adapters.parameters(slot).items():
                if "lora_B" in name:
                    value.normal_(std=0.2)
    return model, adapters


def answered(model, adapters, slot):
    """Return the logits of an adapter in training, without dropout."""
    adapters.layout.spans = [(slot, 0, IDS.shape[1])]
    with torch.no_grad():
        return model(input_ids=IDS).logits


def test_plain_peft_loads_what_was_saved_and_answers_as_our_own_layers_do(tiny_base, tmp_path):
    from peft import AutoPeftModelForCausalLM

    model, adapters = learned(tiny_base, Lora(rank=4, alpha=8), Lora(rank=6, alpha=3, dropout=0.0))
    found = []
    for slot in (0, 1):
        adapter_export.save(adapters, slot, tmp_path / str(slot), str(tiny_base))
        again = AutoPeftModelForCausalLM.from_pretrained(tmp_path / str(slot)).eval()
        with torch.no_grad():
            found.append(again(input_ids=IDS).logits)
        torch.testing.assert_close(found[slot], answered(model, adapters, slot), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(*found, atol=1e-2)


@pytest.mark.parametrize("targets", [["q_proj", "experts"], ["gate_proj", "up_proj", "down_proj", "experts"]])
def test_plain_peft_answers_as_our_own_layers_do_on_a_mixture(mixture, tmp_path, targets):
    model, adapters = learned(mixture, Lora(rank=4, alpha=8), targets=targets)
    adapter_export.save(adapters, 0, tmp_path / "adapter", str(mixture))
    again = adapter_files.load(loaded(mixture), tmp_path / "adapter")
    with torch.no_grad():
        found = again(input_ids=IDS).logits
        with again.disable_adapter():
            base = again(input_ids=IDS).logits
    torch.testing.assert_close(found, answered(model, adapters, 0), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, base, atol=1e-2)


def test_the_settings_are_those_that_peft_itself_would_mean(tiny_base, tmp_path):
    from peft import LoraConfig, TaskType

    _, adapters = learned(tiny_base, Lora(rank=6, alpha=3, dropout=0.25))
    adapter_export.save(adapters, 0, tmp_path, "some/base")
    wanted = LoraConfig(
        r=6, lora_alpha=3, lora_dropout=0.25, target_modules=ALL, task_type=TaskType.CAUSAL_LM, inference_mode=True,
        base_model_name_or_path="some/base",
    )  # fmt: skip
    assert LoraConfig.from_pretrained(tmp_path).to_dict() == wanted.to_dict()
    # And after PEFT has written them itself.
    wanted.save_pretrained(tmp_path / "theirs")
    theirs = json.loads((tmp_path / "theirs" / adapter_files.SETTINGS).read_text())
    ours = json.loads((tmp_path / adapter_files.SETTINGS).read_text())
    theirs["target_modules"].sort()
    assert {key: theirs[key] for key in ours} == ours


def test_the_tensors_have_the_names_and_the_types_that_peft_gives_them(tiny_base, tmp_path):
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file

    _, adapters = learned(tiny_base, Lora(rank=4, alpha=8))
    adapter_export.save(adapters, 0, tmp_path / "ours", str(tiny_base))
    get_peft_model(loaded(tiny_base), LoraConfig(r=4, target_modules=ALL)).save_pretrained(tmp_path / "theirs")
    ours, theirs = (load_file(tmp_path / who / adapter_files.WEIGHTS) for who in ("ours", "theirs"))
    assert {name: (value.shape, value.dtype) for name, value in ours.items()} == {
        name: (value.shape, value.dtype) for name, value in theirs.items()
    }


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed_and_peft_is_not_imported(tiny_base, tmp_path):
    """Written by another process and by this one, whose hashes differ."""
    code = (
        "import sys, torch; from pathlib import Path; from weakspot.settings import Lora\n"
        "from weakspot.training import adapter_export, lora_layers; from weakspot.models import loading\n"
        "plain = loading.load_model(loading.Base('tiny', sys.argv[1], None), torch.float32)\n"
        f"adapters = lora_layers.attach(plain, {ALL}); adapters.add(0, Lora(rank=4, alpha=8), 7)\n"
        "adapter_export.save(adapters, 0, Path(sys.argv[2]), 'base')\n"
        "print(hash('it')); sys.exit('peft' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    command = [sys.executable, "-c", code, str(tiny_base), str(tmp_path / "theirs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) != hash("it")
    adapters = lora_layers.attach(loaded(tiny_base), ALL)
    adapters.add(0, Lora(rank=4, alpha=8), 7)
    adapter_export.save(adapters, 0, tmp_path / "ours", "base")
    for name in (adapter_files.SETTINGS, adapter_files.WEIGHTS):
        assert (tmp_path / "theirs" / name).read_bytes() == (tmp_path / "ours" / name).read_bytes()


def test_without_its_adapter_the_model_is_the_base(tiny_base, tmp_path):
    _, adapters = learned(tiny_base, Lora(rank=4, alpha=8))
    adapter_export.save(adapters, 0, tmp_path, str(tiny_base))
    plain = loaded(tiny_base)
    with torch.no_grad():
        wanted = plain(input_ids=IDS).logits
        again = adapter_files.load(plain, tmp_path)
        assert not torch.equal(again(input_ids=IDS).logits, wanted)
        with again.disable_adapter():
            assert torch.equal(again(input_ids=IDS).logits, wanted)


def test_a_full_disk_is_named_and_leaves_no_adapter(tiny_base, small_disk):
    _, adapters = learned(tiny_base, Lora(rank=128, alpha=8))
    with pytest.raises(OSError, match=r"No space left on device: .*adapter_model\.safetensors"):
        adapter_export.save(adapters, 0, small_disk / "adapter", str(tiny_base))
    assert not (small_disk / "adapter" / adapter_files.SETTINGS).exists()
