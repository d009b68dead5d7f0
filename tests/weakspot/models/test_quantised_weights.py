"""The numbers that quantised bits stand for, by the formats' definitions, and back."""

import itertools

import pytest
import torch

from weakspot.models import quantised_weights
from weakspot.models.weight_files import StoredTensor

E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]


def nvfp4_by_hand(packed, scale):
    """Weight by weight, as the format is defined; low bits come first."""
    rows = []
    for bytes_, factors in zip(packed.tolist(), scale.tolist(), strict=True):
        codes = list(itertools.chain.from_iterable((one & 15, one >> 4) for one in bytes_))
        rows.append([E2M1[code] * factors[place // 16] for place, code in enumerate(codes)])
    return torch.tensor(rows, dtype=torch.float64).float()


def drawn(out=8, width=64):
    generator = torch.Generator().manual_seed(1)
    packed = torch.randint(256, (out, width // 2), generator=generator).to(torch.uint8)
    scale = (torch.rand((out, width // 16), generator=generator) * 400 + 1).to(torch.float8_e4m3fn)
    return packed, scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_layouts_of_nvfp4_are_what_the_format_says(dtype):
    packed, scale = drawn()
    divisor = torch.tensor([512.0])
    wanted = nvfp4_by_hand(packed, scale.float() / 512).to(dtype)
    theirs = {"weight_packed": packed, "weight_scale": scale, "weight_global_scale": divisor}
    assert torch.equal(quantised_weights.dequantise(theirs, dtype), wanted)
    modelopt = {"weight": packed, "weight_scale": scale, "weight_scale_2": torch.tensor(1 / 512)}
    assert torch.equal(quantised_weights.dequantise(modelopt, dtype), wanted)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("weight_scale", torch.tensor(0.5)),
        ("weight_scale", torch.tensor([0.5])),
        ("weight_scale", torch.rand(6, 1) + 0.1),
        ("weight_scale", torch.rand(6) + 0.1),
        ("weight_scale_inv", torch.rand(2, 3) + 0.1),
    ],
    ids=["matrix", "matrix of one", "rows", "flat rows", "blocks"],
)
def test_fp8_has_a_factor_for_the_matrix_a_row_or_a_block(name, scale):
    weight = torch.randn(6, 10).to(torch.float8_e4m3fn)
    found = quantised_weights.dequantise({"weight": weight, name: scale}, torch.float32, (4, 4))
    for row, column in itertools.product(range(6), range(10)):
        factor = scale[row // 4, column // 4] if scale.shape == (2, 3) else scale.flatten()[row % scale.numel()]
        assert found[row, column] == weight[row, column].float() * factor


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_weight_becomes_the_nearest_number_of_its_group(dtype):
    weight = (torch.randn(16, 64) * torch.logspace(-3, 1, 16)[:, None]).to(dtype)
    scale = quantised_weights.global_scale(weight.abs().max())
    found = quantised_weights.quantise(weight, scale)
    again = quantised_weights.dequantise(found, torch.float32)
    factors = (found["weight_scale"].float() / scale)[..., None]
    choices = factors[..., None] * torch.tensor(E2M1)
    nearest = (choices - weight.float().unflatten(-1, (-1, 16))[..., None]).abs().amin(-1)
    ours = (again - weight.float()).unflatten(-1, (-1, 16)).abs()
    assert torch.allclose(ours, nearest, rtol=1e-5, atol=1e-12)


def test_what_is_quantised_once_stays_the_same():
    scale = quantised_weights.global_scale(torch.tensor(3.0))
    once = quantised_weights.quantise(torch.randn(8, 32).clamp(-3, 3), scale)
    dense = quantised_weights.dequantise(once, torch.float32)
    twice = quantised_weights.dequantise(quantised_weights.quantise(dense, scale), torch.float32)
    assert torch.equal(dense, twice)


def test_ties_go_to_the_even_number_and_zeros_stay_zeros():
    ties = torch.tensor([[0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 6.0, *[0.0] * 8], [0.0] * 16])
    found = quantised_weights.quantise(ties, torch.tensor([1.0]))
    dense = quantised_weights.dequantise(found, torch.float32)
    assert dense[0, :8].tolist() == [0, 1, 1, 2, 2, 4, 4, 6]
    assert not dense[1].any()


def stored(**dtypes):
    from pathlib import Path

    return {name.replace("__", "."): StoredTensor(Path("x"), dtype, (4, 16), 0, 0) for name, dtype in dtypes.items()}


def test_the_files_say_which_layers_are_quantised():
    tensors = stored(
        a__weight_packed="U8", a__weight_scale="F8_E4M3", a__weight_global_scale="F32", a__input_global_scale="F32",
        b__weight="U8", b__weight_scale="F8_E4M3", b__weight_scale_2="F32", b__input_scale="F32",
        c__weight="F8_E4M3", c__weight_scale_inv="F32", d__weight="F8_E4M3", d__weight_scale="BF16", e__weight="BF16",
    )  # fmt: skip
    found, unknown = quantised_weights.find_quantised_layers(tensors, {"weight_block_size": [64, 32]})
    assert unknown is None
    assert {name: layer.shape for name, layer in found.items()} == {
        "a": (4, 32), "b": (4, 32), "c": (4, 16), "d": (4, 16)
    }  # fmt: skip
    assert {layer.block for layer in found.values()} == {(64, 32)}


@pytest.mark.parametrize(
    "tensors",
    [
        stored(a__qweight="I32", a__scales="F16"),
        stored(a__weight="F8_E4M3"),
        stored(a__weight="F8_E5M2", a__weight_scale="F32"),
        stored(a__weight="U8", a__weight_scale="U8"),
        stored(a__weight_packed="I32", a__weight_scale="BF16"),
    ],
    ids=["AWQ", "no scale", "E5M2", "MXFP4", "four bits of integers"],
)
def test_a_format_that_is_not_known_is_named_by_its_first_tensor(tensors):
    assert quantised_weights.find_quantised_layers(tensors, {})[1] in tensors


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, True),
        ({"quant_method": "compressed-tensors", "format": "float-quantized"}, True),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized"}, False),
        ({"quant_method": "compressed-tensors", "config_groups": {"a": {"format": "int-quantized"}}}, False),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, True),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}, False),
        ({"quant_method": "fp8"}, True),
        ({"quant_method": "awq"}, False),
        ({}, False),
    ],
)
def test_the_methods_that_are_known(settings, known):
    assert quantised_weights.is_known(settings) is known
