"""A base whose experts are quantised: what it is on the disk, what it computes, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.weakspot.architectures import ARCHITECTURES

from weakspot.models import loading, quantise_experts, quantised_weights, weight_files
from weakspot.models.loading import Base
from weakspot.pipeline.quantize import quantize
from zddc.errors import UserError

pytestmark = pytest.mark.slow
NEXT, STACKED = (next(one for one in ARCHITECTURES if one.kind == kind) for kind in ("qwen3_next", "qwen3_5_moe"))


@pytest.fixture(scope="module", params=[NEXT, STACKED], ids=["a tensor for each expert", "one tensor for all"])
def base(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "base"
    request.param.save(folder)
    return folder


def split(folder: Path, target: Path) -> Path:
    """Write a base's weights into three files, so that gate and up of an expert are in different ones."""
    shutil.copytree(folder, target)
    tensors = load_file(folder / "model.safetensors")
    (target / "model.safetensors").unlink()
    place = {name: f"model-{number % 3}.safetensors" for number, name in enumerate(sorted(tensors))}
    for file in set(place.values()):
        part = {name: one for name, one in tensors.items() if place[name] == file}
        save_file(part, target / file, {"format": "pt"})
    (target / weight_files.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": place}))
    return target


def logits(folder):
    model = loading.load_model(Base("x", str(folder), None), torch.float32, on_cpu=True)
    with torch.inference_mode():
        return model(torch.arange(3, 40)[None]).logits


def dense_copy(base, quantised, target):
    """Write the dense base that the quantised one stands for."""
    bits = load_file(quantised / "model.safetensors")

    def number(layer):
        parts = ("weight_packed", "weight_scale", "weight_global_scale")
        return quantised_weights.dequantise({part: bits[f"{layer}.{part}"] for part in parts}, torch.float32)

    shutil.copytree(base, target)
    found = {}
    for name, one in load_file(base / "model.safetensors").items():
        if ".experts." not in name:
            found[name] = bits[name]
        elif one.dim() == 2:
            found[name] = number(name.removesuffix(".weight"))
        else:
            at, _, matrix = name.rpartition(".")
            parts = ["gate_proj", "up_proj"] if matrix == "gate_up_proj" else [matrix]
            found[name] = torch.stack(
                [torch.cat([number(f"{at}.{n}.{part}") for part in parts]) for n in range(len(one))]
            )
    save_file(found, target / "model.safetensors", {"format": "pt"})
    return target


def test_it_computes_what_its_dense_copy_does(base, tmp_path):
    found = quantize(str(base), tmp_path / "q")
    assert torch.equal(logits(tmp_path / "q"), logits(dense_copy(base, tmp_path / "q", tmp_path / "dense")))
    tensors = weight_files.read_tensors(tmp_path / "q")
    assert found.experts_bytes == sum(one.size for name, one in tensors.items() if ".experts." in name)
    assert found.rest_bytes == sum(one.size for name, one in tensors.items() if ".experts." not in name)


def test_all_but_the_routed_experts_is_as_it_was_bit_by_bit(base, tmp_path):
    quantize(str(base), tmp_path / "q")
    before, after = (load_file(one / "model.safetensors") for one in (base, tmp_path / "q"))
    kept = {name for name in before if ".experts." not in name}
    assert kept == {name for name in after if ".experts." not in name}
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert {one.name for one in base.iterdir()} == {one.name for one in (tmp_path / "q").iterdir()}


def test_gate_and_up_of_an_expert_have_one_global_scale(base, tmp_path):
    quantize(str(base), tmp_path / "q")
    bits = load_file(tmp_path / "q" / "model.safetensors")
    gates = {
        name: one
        for name, one in bits.items()
        if name.endswith("gate_proj.weight_global_scale") and ".experts." in name
    }
    assert len(gates) == 12
    assert all(torch.equal(one, bits[name.replace("gate_proj", "up_proj")]) for name, one in gates.items())


def test_a_base_of_several_files_becomes_the_same(base, tmp_path):
    quantize(str(base), tmp_path / "one")
    quantize(str(split(base, tmp_path / "three")), tmp_path / "q")
    assert torch.equal(logits(tmp_path / "q"), logits(tmp_path / "one"))
    index = json.loads((tmp_path / "q" / weight_files.INDEX).read_text())["weight_map"]
    assert index.keys() == weight_files.read_tensors(tmp_path / "one").keys()


class Killed(BaseException):
    """What ends a process at this place."""


@pytest.mark.parametrize("after", [0, 14, 30])
def test_one_that_was_cut_short_is_no_model_and_goes_on_where_it_was(base, tmp_path, after, monkeypatch):
    folder, target, seen = split(base, tmp_path / "three"), tmp_path / "q", []

    def stop(count, note):
        seen.append(note)
        if len(seen) > after:
            raise Killed

    with pytest.raises(Killed):
        quantise_experts.quantise_experts(folder, target, stop)
    with pytest.raises(UserError, match=r"config\.json is missing"):
        quantize(str(target), tmp_path / "again")
    whole = {one: one.stat().st_ino for one in target.glob("*.safetensors")}
    quantise_experts.quantise_experts(folder, target)
    assert {one: one.stat().st_ino for one in whole} == whole
    quantise_experts.quantise_experts(folder, tmp_path / "straight")
    names = sorted(one.name for one in target.iterdir())
    assert names == sorted(one.name for one in (tmp_path / "straight").iterdir())
    assert all((target / name).read_bytes() == (tmp_path / "straight" / name).read_bytes() for name in names)


def test_what_cannot_be_quantised_is_one_line(base, tmp_path):
    quantize(str(base), tmp_path / "q")
    with pytest.raises(UserError, match="q: is there already; give another --out, or remove it"):
        quantize(str(base), tmp_path / "q")
    with pytest.raises(UserError, match="is quantised already; take the full-precision base"):
        quantize(str(tmp_path / "q"), tmp_path / "twice")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="holds something else"):
        quantize(str(base), tmp_path / "full")


@pytest.mark.parametrize(("kind", "problem"), [("llama", "no routed experts"), ("gpt_oss", "of a kind that is not")])
def test_a_base_without_such_experts_is_refused(kind, problem, tmp_path):
    next(one for one in ARCHITECTURES if one.kind == kind).save(tmp_path / "base")
    with pytest.raises(UserError, match=problem):
        quantize(str(tmp_path / "base"), tmp_path / "q")
    assert not (tmp_path / "q").exists()


def test_rows_that_are_no_whole_groups_are_refused(tmp_path):
    import dataclasses

    odd = dataclasses.replace(NEXT, settings={**NEXT.settings, "moe_intermediate_size": 12})
    odd.save(tmp_path / "base")
    with pytest.raises(UserError, match=r"down_proj\.weight has 12 columns, and NVFP4 needs a multiple of 16"):
        quantize(str(tmp_path / "base"), tmp_path / "q")
