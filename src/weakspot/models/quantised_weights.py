"""Formats of quantised weights: which layers of a checkpoint have one, and the numbers that their bits stand for.

NVFP4 is 4 bits a weight (E2M1), with a scale in 8 bits (E4M3) for 16 weights of a row and one in 32 bits for the
matrix. compressed-tensors stores it as ``weight_packed``, ``weight_scale`` and ``weight_global_scale``, by which is
divided; ModelOpt as ``weight``, ``weight_scale`` and ``weight_scale_2``, which is a factor. FP8 is E4M3 with a factor
for the matrix, for a row or for a block: ``weight_scale``, or ``weight_scale_inv``, which is a factor all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.models.weight_files import StoredTensor

if TYPE_CHECKING:
    import torch

GROUP = 16
"""Weights of a row that share a scale in NVFP4."""
# The magnitudes of E2M1 by their three bits; the fourth is the sign.
_E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_LARGEST_E2M1, _LARGEST_E4M3 = 6.0, 448.0
# A group of zeros has this scale, as in compressed-tensors.
_SCALE_OF_ZEROS = 0.125
_BLOCK = (128, 128)
# The tensors of a layer with their types, by safetensors' names: each entry is one way to store it.
_LAYOUTS = (
    {"weight_packed": {"U8"}, "weight_scale": {"F8_E4M3"}, "weight_global_scale": {"F32"}},
    {"weight": {"U8"}, "weight_scale": {"F8_E4M3"}, "weight_scale_2": {"F32"}},
    {"weight": {"F8_E4M3"}, "weight_scale_inv": {"F32", "BF16", "F16"}},
    {"weight": {"F8_E4M3"}, "weight_scale": {"F32", "BF16", "F16"}},
)
_PLAIN = frozenset({"F64", "F32", "F16", "BF16", "I64", "BOOL"})


@dataclass(frozen=True)
class QuantisedLayer:
    """The tensors of a quantised layer, by the last parts of their names; ``block`` is the rows and columns of a scale.

    ``block`` counts only where the scales are neither one for the matrix nor one for each row.
    """

    tensors: dict[str, StoredTensor]
    block: tuple[int, int] = _BLOCK

    @property
    def shape(self) -> tuple[int, int]:
        """The rows and columns of the weight that it stands for."""
        bits = self.tensors.get("weight_packed") or self.tensors["weight"]
        rows, columns = bits.shape
        return rows, columns * (2 if bits.dtype == "U8" else 1)


def is_known(settings: Mapping[str, Any]) -> bool:
    """Return whether a ``quantization_config`` names a method whose files can be read here.

    What the files hold is found by :func:`read_quantised_layers`.
    """
    match settings.get("quant_method"):
        case "compressed-tensors":
            groups = [one.get("format") for one in (settings.get("config_groups") or {}).values()]
            formats = {one for one in groups if one} or {settings.get("format")}
            return formats <= {"nvfp4-pack-quantized", "float-quantized"}
        case "modelopt" | "modelopt_fp4":
            return str(settings.get("quant_algo", "NVFP4")).upper() in ("NVFP4", "FP8")
        case "fp8":
            return True
        case _:
            return False


def method_of(config: Any) -> str | None:
    """Return the method by which a base's weights are quantised, as its configuration names it; None if they are not.

    A wrapped model may say it of its language model only.
    """
    settings = settings_of(config)
    return None if settings is None else str(settings.get("quant_method") or "unknown method")


def settings_of(config: Any) -> dict[str, Any] | None:
    """Return a configuration's ``quantization_config``, None if it has none."""
    for part in (config, config.get_text_config()):
        if found := getattr(part, "quantization_config", None):
            return found if isinstance(found, dict) else dict(found.to_dict())
    return None


def forget_settings(config: Any) -> None:
    """Take out of a configuration what would make transformers quantise layers in its own way."""
    for part in (config, config.get_text_config()):
        if hasattr(part, "quantization_config"):
            del part.quantization_config


def read_quantised_layers(
    tensors: Mapping[str, StoredTensor], settings: Mapping[str, Any]
) -> tuple[dict[str, QuantisedLayer], str | None]:
    """Return the quantised layers of a checkpoint by their stored names, and the first tensor of an unknown format.

    The files decide, not the lists of the ``quantization_config`` in ``settings``.
    """
    found: dict[str, QuantisedLayer] = {}
    block = _block(settings)
    for name, tensor in tensors.items():
        layer, _, last = name.rpartition(".")
        if tensor.dtype in _PLAIN or last not in ("weight", "weight_packed"):
            if tensor.dtype not in _PLAIN and not last.startswith(("weight_scale", "input_scale")):
                return found, name
            continue
        layout = next(
            (
                one
                for one in _LAYOUTS
                if last in one
                and all(getattr(tensors.get(f"{layer}.{part}"), "dtype", None) in types for part, types in one.items())
            ),
            None,
        )
        if layout is None:
            return found, name
        found[layer] = QuantisedLayer({part: tensors[f"{layer}.{part}"] for part in layout}, block)
    return found, None


def _block(settings: Mapping[str, Any]) -> tuple[int, int]:
    groups = (settings.get("config_groups") or {}).values()
    given = [(one.get("weights") or {}).get("block_structure") for one in groups]
    sizes = settings.get("weight_block_size") or next((one for one in given if one), None) or _BLOCK
    rows, columns = map(int, sizes)
    return rows, columns


def dequantise(
    parts: "Mapping[str, torch.Tensor]", dtype: "torch.dtype", block: tuple[int, int] = _BLOCK
) -> "torch.Tensor":
    """Return the weight ``[out, in]`` that the tensors of a layer stand for, computed in fp32 and rounded once."""
    scale = parts.get("weight_scale_inv", parts.get("weight_scale"))
    if scale is None:
        raise ValueError(f"no scale among {sorted(parts)}")
    if "weight_packed" in parts:
        return _unpack(parts["weight_packed"], scale.float() / parts["weight_global_scale"]).to(dtype)
    if "weight_scale_2" in parts:
        return _unpack(parts["weight"], scale.float() * parts["weight_scale_2"]).to(dtype)
    weight = parts["weight"].float()
    return weight.mul_(_expand(scale.float(), weight.shape, block)).to(dtype)


def _unpack(packed: "torch.Tensor", scale: "torch.Tensor") -> "torch.Tensor":
    """Return ``[out, in]`` for ``packed`` ``[out, in / 2]`` and ``scale`` ``[out, in / 16]``; low bits come first."""
    import torch

    numbers = torch.tensor([*_E2M1, *(-one for one in _E2M1)], device=packed.device)
    bytes_ = torch.arange(256, device=packed.device)
    pairs = torch.stack((numbers[bytes_ & 15], numbers[bytes_ >> 4]), 1)
    values = pairs[packed.int()].view(*scale.shape, GROUP)
    return values.mul_(scale[..., None]).flatten(-2)


def _expand(scale: "torch.Tensor", shape: "torch.Size", block: tuple[int, int]) -> "torch.Tensor":
    """Return the scales as a tensor that a weight of this shape can be multiplied by."""
    if scale.numel() == 1:
        return scale.reshape(1, 1)
    if scale.shape[0] == shape[0]:
        return scale.reshape(-1, 1)
    rows, columns = block
    return scale.repeat_interleave(rows, 0)[: shape[0]].repeat_interleave(columns, 1)[:, : shape[1]]


def describe_nvfp4(rows: int, columns: int) -> QuantisedLayer:
    """Return a layer of this shape as :func:`quantise` would make it, in no file."""
    shapes = {
        "weight_packed": ("U8", (rows, columns // 2)),
        "weight_scale": ("F8_E4M3", (rows, columns // GROUP)),
        "weight_global_scale": ("F32", (1,)),
    }
    return QuantisedLayer({name: StoredTensor(Path(), dtype, shape, 0, 0) for name, (dtype, shape) in shapes.items()})


def global_scale(largest: "torch.Tensor") -> "torch.Tensor":
    """Return ``weight_global_scale`` of NVFP4 for a matrix whose largest magnitude is ``largest``: ``[1]``, in fp32."""
    import torch

    largest = largest.float().clamp(min=torch.finfo(torch.float32).tiny)
    return torch.nan_to_num(_LARGEST_E4M3 * _LARGEST_E2M1 / largest, nan=1.0, posinf=1.0).reshape(1)


def quantise(weight: "torch.Tensor", scale: "torch.Tensor") -> "dict[str, torch.Tensor]":
    """Return the tensors of compressed-tensors for ``weight``, ``[out, in]``, and its :func:`global_scale`.

    Each group's scale makes its largest weight 6, and the weights are rounded to the nearest number, ties to even.
    """
    import torch

    groups = weight.float().unflatten(-1, (-1, GROUP))
    own = (groups.abs().amax(-1) / _LARGEST_E2M1 * scale).clamp(max=_LARGEST_E4M3).to(torch.float8_e4m3fn)
    own = torch.where(own.float() == 0, _SCALE_OF_ZEROS, own.float())
    groups = groups / (own / scale)[..., None]
    size = groups.abs()
    code = (size > 0.25).to(torch.uint8)
    for bound, included in ((0.75, True), (1.25, False), (1.75, True), (2.5, False), (3.5, True), (5.0, False)):
        code += size >= bound if included else size > bound
    code += groups.signbit().to(torch.uint8) << 3
    code = code.flatten(-2)
    return {
        "weight_packed": code[..., 0::2] | (code[..., 1::2] << 4),
        "weight_scale": own.to(torch.float8_e4m3fn),
        "weight_global_scale": scale,
    }
