"""The merged model is PEFT's, bit by bit, made in the memory of one tensor."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.weakspot import quantised

from weakspot.models import adapter_files, loading, merge
from weakspot.models.loading import Base
from weakspot.settings import Lora
from weakspot.training import adapter_export, lora_layers
from zddc.errors import UserError

pytestmark = pytest.mark.slow


def adapter(base, folder, dtype=torch.float32, **settings):
    plain = loading.load_model(Base("tiny", str(base), None), dtype)
    adapters = lora_layers.attach(plain, ["down_proj", "k_proj", "q_proj"])
    adapters.add(0, Lora(rank=4, alpha=8, **settings), 3)
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in adapters.parameters(0).items():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    adapter_export.save(adapters, 0, folder, str(base))


def merged(base, folder, target):
    target.mkdir()
    merge.merge(base, folder, target)
    return {name: value for file in target.glob("*.safetensors") for name, value in load_file(file).items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_tensor_equals_peft_merge_and_unload(tiny_base, tmp_path, dtype):
    base = tmp_path / "base"
    model = loading.load_model(Base("tiny", str(tiny_base), None), dtype)
    model.save_pretrained(base)
    adapter(base, tmp_path / "adapter", dtype)
    from peft import PeftModel

    fresh = loading.load_model(Base("tiny", str(base), None), dtype)
    wanted = PeftModel.from_pretrained(fresh, str(tmp_path / "adapter")).merge_and_unload().state_dict()
    got = merged(base, tmp_path / "adapter", tmp_path / "merged")
    assert got.keys() == wanted.keys() - {"lm_head.weight"}
    assert all(torch.equal(got[name], wanted[name]) and got[name].dtype == dtype for name in got)
    untouched = load_file(base / "model.safetensors")
    assert any(not torch.equal(got[name], untouched[name]) for name in got)


def test_a_base_in_several_files_is_merged_file_by_file(tiny_base, tmp_path):
    base = tmp_path / "base"
    loading.load_model(Base("tiny", str(tiny_base), None), torch.float32).save_pretrained(base, max_shard_size="100KB")
    assert len(list(base.glob("*.safetensors"))) > 1
    adapter(base, tmp_path / "adapter")
    whole = merged(tiny_base, tmp_path / "adapter", tmp_path / "one")
    parts = merged(base, tmp_path / "adapter", tmp_path / "many")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_an_adapter_of_another_base_is_refused(tiny_base, tmp_path):
    adapter(tiny_base, tmp_path / "adapter")
    tensors = load_file(tmp_path / "adapter" / adapter_files.WEIGHTS)
    save_file(
        {n.replace("layers.1", "layers.7"): t for n, t in tensors.items()},
        tmp_path / "adapter" / adapter_files.WEIGHTS,
    )
    with pytest.raises(UserError, match=r"touches model\.layers\.7.*which the base does not have"):
        merged(tiny_base, tmp_path / "adapter", tmp_path / "merged")


def test_a_quantised_layer_is_refused(tiny_base, tmp_path):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    tensors = load_file(base / "model.safetensors")
    name = next(name for name in tensors if "q_proj" in name)
    save_file({**tensors, name: tensors[name].to(torch.float8_e4m3fn)}, base / "model.safetensors")
    adapter(tiny_base, tmp_path / "adapter")
    with pytest.raises(UserError, match=r"q_proj.weight is quantised \(F8_E4M3\), and merging would ruin"):
        merged(base, tmp_path / "adapter", tmp_path / "merged")
    assert not list((tmp_path / "merged").iterdir())


def test_a_layer_whose_bits_have_a_name_of_their_own_is_refused_too(tiny_base, tmp_path):
    base, _ = quantised.convert(tiny_base, tmp_path, "nvfp4-packed", lambda layer: layer.endswith("q_proj"))
    adapter(tiny_base, tmp_path / "adapter")
    with pytest.raises(UserError, match=r"q_proj.weight is quantised \(U8\), and merging would ruin the adapter"):
        merged(base, tmp_path / "adapter", tmp_path / "merged")


def test_a_base_with_quantised_layers_elsewhere_is_merged_into(tiny_base, tmp_path):
    base, dense = quantised.convert(tiny_base, tmp_path, "nvfp4-packed", lambda layer: layer.endswith("up_proj"))
    adapter(tiny_base, tmp_path / "adapter")
    found, wanted = (merged(one, tmp_path / "adapter", tmp_path / f"merged-{one.name}") for one in (base, dense))
    kept = [name for name in wanted if "up_proj" not in name]
    assert all(torch.equal(found[name], wanted[name]) for name in kept)
    assert any(name.endswith("weight_packed") for name in found)


def test_weights_that_are_stored_twice_stay_behind(tiny_base, tmp_path):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    for name in ("consolidated.safetensors", "params.json", "pytorch_model.bin"):
        (base / name).write_bytes((base / "model.safetensors").read_bytes())
    adapter(tiny_base, tmp_path / "adapter")
    merged(base, tmp_path / "adapter", tmp_path / "merged")
    assert {file.name for file in (tmp_path / "merged").iterdir()} == {file.name for file in tiny_base.iterdir()}


@pytest.mark.parametrize("odd", [{"use_dora": True}, {"rank_pattern": {"q_proj": 8}}, {"modules_to_save": ["lm_head"]}])
def test_an_adapter_that_is_more_than_lora_is_refused(tiny_base, tmp_path, odd):
    adapter(tiny_base, tmp_path / "adapter")
    file = tmp_path / "adapter" / adapter_files.SETTINGS
    file.write_text(json.dumps({**json.loads(file.read_text()), **odd}))
    with pytest.raises(UserError, match=f"not plain LoRA \\({next(iter(odd))}\\)"):
        merged(tiny_base, tmp_path / "adapter", tmp_path / "merged")
