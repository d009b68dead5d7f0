"""The numbers that quantised bits stand for, by the formats' definitions, and back."""

import itertools

import pytest
import torch
from tests.weakspot.models.test_vllm_names import asked_vllm

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
    found, unknown = quantised_weights.read_quantised_layers(tensors, {"weight_block_size": [64, 32]})
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
    assert quantised_weights.read_quantised_layers(tensors, {})[1] in tensors


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


# What compressed-tensors itself says, in the environment of vLLM: both ways, and of FP8 by blocks and by rows.
_ASK_COMPRESSED_TENSORS = r"""
import sys
from compressed_tensors.compressors.nvfp4.base import NVFP4PackedCompressor
from compressed_tensors.compressors.naive_quantized.base import NaiveQuantizationCompressor
from compressed_tensors.quantization.quant_scheme import preset_name_to_scheme
from compressed_tensors.quantization.utils.helpers import calculate_qparams, generate_gparam
from safetensors.torch import load_file, save_file

given, answer = load_file(sys.argv[1]), {}
scheme = preset_name_to_scheme("NVFP4A16", ["Linear"])
weight = given["weight"]
divisor = generate_gparam(weight.min(), weight.max())
groups = weight.unflatten(-1, (-1, 16))
scale, _ = calculate_qparams(groups.amin(-1), groups.amax(-1), scheme.weights, divisor)
parts = {"weight": weight, "weight_scale": scale, "weight_global_scale": divisor}
answer |= NVFP4PackedCompressor.compress(parts, scheme)
bits = {name: given[name] for name in ("weight_packed", "weight_scale", "weight_global_scale")}
answer["nvfp4"] = NVFP4PackedCompressor.decompress(bits, scheme)["weight"]
for name in ("rows", "blocks"):
    bits = {"weight": given[name], "weight_scale": given[f"{name}_scale"]}
    answer[name] = NaiveQuantizationCompressor.decompress(bits, scheme)["weight"]
save_file({name: value.data.contiguous() for name, value in answer.items()}, sys.argv[2])
"""


@pytest.mark.serving
@pytest.mark.timeout(300)
def test_bits_and_numbers_are_those_of_compressed_tensors(tmp_path):
    from safetensors.torch import load_file, save_file

    torch.manual_seed(4)
    weight = torch.randn(64, 256) * torch.logspace(-3, 1, 64)[:, None]
    weight[3] = 0
    bits = quantised_weights.quantise(weight, quantised_weights.global_scale(weight.abs().max()))
    fp8 = weight.clamp(-400, 400).to(torch.float8_e4m3fn)
    rows, blocks = torch.rand(64, 1) + 0.1, torch.rand(2, 4) + 0.1
    given = {"weight": weight, **bits, "rows": fp8, "rows_scale": rows, "blocks": fp8, "blocks_scale": blocks}
    save_file({name: one.clone() for name, one in given.items()}, tmp_path / "given.safetensors")
    asked_vllm(_ASK_COMPRESSED_TENSORS, str(tmp_path / "given.safetensors"), str(tmp_path / "answer.safetensors"))
    answer = load_file(tmp_path / "answer.safetensors")
    for name, one in bits.items():
        assert torch.equal(answer[name].float(), one.float()), name
    assert torch.equal(answer["nvfp4"], quantised_weights.dequantise(bits, torch.bfloat16))
    for name, scale, block in (("rows", rows, (1, 1)), ("blocks", blocks, (32, 64))):
        ours = quantised_weights.dequantise({"weight": fp8, "weight_scale": scale}, torch.float32, block)
        assert torch.equal(answer[name].float(), ours), name


# Which layers vLLM takes for quantised, by the configuration that ``weakspot quantize`` writes.
_ASK_WHICH = r"""
import json, sys
from vllm.model_executor.layers.quantization.compressed_tensors.compressed_tensors import CompressedTensorsConfig
from torch.nn import Linear

config = CompressedTensorsConfig.from_config(json.loads(sys.argv[1]))
config.packed_modules_mapping = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"]}
found = {name: config.get_scheme_dict(Linear(1, 1), name) for name in sys.argv[2:]}
weights = {name: one and one["weights"] for name, one in found.items()}
print(json.dumps({name: bool(one) and config._is_nvfp4_format(one) for name, one in weights.items()}))
"""


@pytest.mark.serving
@pytest.mark.timeout(300)
def test_vllm_takes_the_routed_experts_and_nothing_else_for_nvfp4():
    import json

    from weakspot.models import quantise_experts

    layer = "model.layers.0"
    names = [
        *(f"{layer}.mlp.experts.{n}.{matrix}" for n in (0, 511) for matrix in ("gate_proj", "up_proj", "down_proj")),
        *(f"{layer}.{one}" for one in ("self_attn.qkv_proj", "self_attn.o_proj", "linear_attn.in_proj_qkvz")),
        *(f"{layer}.mlp.{one}" for one in ("shared_expert.gate_up_proj", "shared_experts.down_proj", "gate")),
        "lm_head",
    ]
    answer = json.loads(asked_vllm(_ASK_WHICH, json.dumps(quantise_experts.CONFIGURATION), *names)[-1])
    assert answer == {name: ".experts." in name for name in names}
