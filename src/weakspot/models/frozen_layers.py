"""Layers whose frozen weights stay quantised: one matrix is dequantised while it is used, never a whole model.

A forward or backward pass holds the quantised weights and one dense matrix, a single expert's at most.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn import functional

from weakspot.models import quantised_weights, weight_files
from weakspot.models.quantised_weights import QuantisedLayer
from weakspot.models.vllm_names import ROUTED_EXPERT_MATRICES
from zddc.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_DTYPES = {"U8": "uint8", "F8_E4M3": "float8_e4m3fn", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}


class _Quantised(nn.Module):
    """Holds the tensors of a quantised layer as buffers, each with a first dimension for ``experts``, if any."""

    def hold(self, layer: QuantisedLayer, experts: int | None = None) -> None:
        """Make room for the tensors of a layer, on the meta device."""
        self.parts, self.block = tuple(layer.tensors), layer.block
        for name, tensor in layer.tensors.items():
            shape = tensor.shape if experts is None else (experts, *tensor.shape)
            empty = torch.empty(shape, dtype=getattr(torch, _DTYPES[tensor.dtype]), device="meta")
            self._parameters.pop(name, None)
            self.register_buffer(name, empty)

    def matrix(self, dtype: torch.dtype, expert: int | None = None) -> torch.Tensor:
        """Return the weight ``[out, in]``, that of one expert where there are several."""
        parts = {name: self._buffers[name] for name in self.parts}
        own = {name: part if expert is None else part[expert] for name, part in parts.items() if part is not None}
        return quantised_weights.dequantise(own, dtype, self.block)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> nn.Module:
        """Move the bits as asked for, but never change their types, which ``model.to(dtype)`` would."""
        bits = {name: self._buffers.pop(name) for name in self.parts}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, part in bits.items():
            moved = fn(cast("torch.Tensor", part))
            same = part is None or moved.dtype == part.dtype
            self._buffers[name] = moved if same else cast("torch.Tensor", part).to(moved.device)
        return self


class FrozenLinear(_Quantised, nn.Linear):
    """A linear layer with a quantised weight."""

    def __init__(self, linear: nn.Linear, layer: QuantisedLayer) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.register_parameter("weight", None)
        self.bias = linear.bias
        self.hold(layer)
        self._is_hf_initialized = True

    @property
    def qweight(self) -> torch.Tensor | None:
        """The bits, by the name at which PEFT looks for the device of a quantised layer."""
        return self._buffers[self.parts[0]]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``[..., out]`` for ``[..., in]``."""
        y = frozen_linear(x, self)
        return y if self.bias is None else y + self.bias


class FrozenMatrices(_Quantised):
    """One matrix of every routed expert of a block, quantised."""

    def __init__(self, layer: QuantisedLayer, experts: int) -> None:
        super().__init__()
        self.hold(layer, experts)


class FrozenExperts(nn.Module):
    """The routed experts of a block with quantised weights; each expert that was routed to is dequantised in turn."""

    def __init__(self, experts: nn.Module, layers: Mapping[str, QuantisedLayer], count: int) -> None:
        super().__init__()
        self.count, self.shapes = count, {name: layer.shape for name, layer in layers.items()}
        self._gate = cast("Callable[[torch.Tensor], torch.Tensor]", experts._apply_gate)
        for name, layer in layers.items():
            setattr(self, name, FrozenMatrices(layer, count))

    def forward(self, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the weighted sum of the experts' outputs: ``[tokens, width]``, as transformers' experts do."""
        out = torch.zeros_like(hidden)
        for expert, tokens, places in tokens_of_each_expert(chosen):
            x = hidden[tokens]
            gate_up = [frozen_linear(x, getattr(self, name), expert) for name in ("gate_proj", "up_proj")]
            inner = self._gate(torch.cat(gate_up, -1))
            y = frozen_linear(inner, cast("_Quantised", self.down_proj), expert)
            out = out.index_add(0, tokens, (y * weights[tokens, places, None]).to(hidden.dtype))
        return out


class _FrozenMatmul(torch.autograd.Function):
    """A product with a frozen matrix, which exists while it is computed and again while its gradient is."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: _Quantised, expert: int | None) -> torch.Tensor:
        ctx.layer, ctx.expert = layer, expert
        return functional.linear(x, layer.matrix(x.dtype, expert))

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (slope,) = slopes
        return slope @ ctx.layer.matrix(slope.dtype, ctx.expert), None, None


def frozen_linear(x: torch.Tensor, layer: _Quantised, expert: int | None = None) -> torch.Tensor:
    """Return the product of ``x``, ``[..., in]``, with a quantised matrix, without its bias."""
    y: torch.Tensor = _FrozenMatmul.apply(x, layer, expert)  # type: ignore[no-untyped-call]
    return y


def tokens_of_each_expert(chosen: torch.Tensor) -> "list[tuple[int, torch.Tensor, torch.Tensor]]":
    """Return expert, token indices and top-k slots for every expert that was routed to; ``chosen`` is ``[tokens, k]``.

    On the meta device one expert has all tokens: to plan memory, that needs as much as many.
    """
    if chosen.is_meta:
        places = torch.empty(chosen.numel(), dtype=torch.long, device="meta")
        return [(0, places, torch.empty_like(places))]
    return [(expert, *torch.where(chosen == expert)) for expert in chosen.unique().tolist()]


def is_stacked_experts(module: nn.Module) -> bool:
    """True if a module holds the routed experts of a block in three-dimensional parameters."""
    return getattr(getattr(module, "gate_up_proj", None), "ndim", 0) == 3 and hasattr(module, "down_proj")


def install(model: "PreTrainedModel", quantised: Mapping[str, QuantisedLayer], name: str) -> None:
    """Replace the layers of a model on the meta device that ``quantised`` has, by their stored names.

    Raises :class:`UserError` about the base ``name`` for experts that are quantised in part, or computed in an unusual
    way.
    """
    linear = {at: module for at, module in model.named_modules() if isinstance(module, nn.Linear)}
    blocks = {at: module for at, module in model.named_modules() if is_stacked_experts(module)}
    probes = {at: f"{at}.0.{ROUTED_EXPERT_MATRICES[0]}" for at in blocks}
    stored = weight_files.stored_names({f"{layer}.weight" for layer in quantised}, [*linear, *probes.values()])
    layers = {at: quantised[place.removesuffix(".weight")] for at, place in stored.items()}
    for at, module in linear.items():
        if at in layers:
            _replace(model, at, FrozenLinear(module, layers[at]))
    frozen = {at: stored[probe] for at, probe in probes.items() if probe in stored}
    if frozen and len(frozen) < len(blocks):
        raise UserError(name, "the routed experts of some layers are quantised, and of others not", "use another base")
    for at, place in frozen.items():
        prefix, module = place.removesuffix(f"0.{ROUTED_EXPERT_MATRICES[0]}.weight"), blocks[at]
        count = int(cast("torch.Tensor", module.gate_up_proj).shape[0])
        kinds = [
            {_kind(quantised.get(f"{prefix}{n}.{matrix}")) for n in range(count)} for matrix in ROUTED_EXPERT_MATRICES
        ]
        if not is_usual(module) or any(len(kind) > 1 or None in kind for kind in kinds):
            raise UserError(name, f"{at} is quantised in part, or in an unusual way", "use another base")
        first = {matrix: quantised[f"{prefix}0.{matrix}"] for matrix in ROUTED_EXPERT_MATRICES}
        _replace(model, at, FrozenExperts(module, first, count))


def quantise_on_meta_device(model: "PreTrainedModel", name: str) -> None:
    """Replace the routed experts of a model without weights by such as ``weakspot quantize`` makes, to plan memory.

    Raises :class:`UserError` about the base ``name`` if it has no experts that can be quantised.
    """
    blocks = {at: module for at, module in model.named_modules() if is_stacked_experts(module)}
    if not blocks or not all(map(is_usual, blocks.values())):
        raise UserError(name, "has no routed experts that could be quantised", "plan without --experts")
    for at, module in blocks.items():
        count, rows, width = (int(size) for size in cast("torch.Tensor", module.gate_up_proj).shape)
        shapes = {"gate_proj": (rows // 2, width), "up_proj": (rows // 2, width), "down_proj": (width, rows // 2)}
        layers = {matrix: quantised_weights.describe_nvfp4(*shape) for matrix, shape in shapes.items()}
        _replace(model, at, FrozenExperts(module, layers, count))


def is_usual(experts: nn.Module) -> bool:
    """True for stacked experts that compute ``down(act(gate x) * (up x))``, or with a gate of their own."""
    return not any(getattr(experts, name, True) for name in ("is_transposed", "has_bias", "has_post_expert_norm"))


def count_bytes(model: nn.Module) -> int:
    """Return the bytes of all quantised weights of a model."""
    quantised = [module for module in model.modules() if isinstance(module, _Quantised)]
    return sum(part.nbytes for module in quantised for part in module.buffers(recurse=False))


def _kind(layer: QuantisedLayer | None) -> object:
    """Return what must be the same of all experts, so that their tensors can be stacked."""
    return layer and tuple((name, one.dtype, one.shape) for name, one in layer.tensors.items())


def _replace(model: nn.Module, at: str, module: nn.Module) -> None:
    parent, _, last = at.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
