"""LoRA layers for many adapters at once: each row of a batch uses the low-rank pair of its own adapter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from weakspot.models import loading
from weakspot.models.frozen_layers import FrozenExperts, FrozenLinear, is_stacked_experts
from weakspot.settings import Lora
from weakspot.training.lora_layout import Layout, init_lora_a, init_lora_b
from weakspot.training.lora_matmul import lora_linear

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from weakspot.training.lora_moe import LoraRoutedExperts

PREFIX = "base_model.model."


class LoraLinear(nn.Module):
    """A frozen linear layer with a low-rank pair for each adapter: ``y = W x + s B A dropout(x)``."""

    def __init__(self, linear: nn.Linear, layout: Layout, number: int) -> None:
        super().__init__()
        self.linear, self.layout, self.number = linear, layout, number
        self.lora_A, self.lora_B = nn.ParameterDict(), nn.ParameterDict()
        self.settings: dict[int, Lora] = {}

    def add(self, slot: int, settings: Lora, generator: torch.Generator) -> None:
        """Add a low-rank pair for the adapter ``slot``; B is zero, so that it changes nothing yet."""
        weight = next(self.linear.buffers(), self.linear.weight)  # quantised weights are buffers
        self.lora_A[str(slot)] = init_lora_a((settings.rank, self.linear.in_features), weight, generator)
        self.lora_B[str(slot)] = init_lora_b((self.linear.out_features, settings.rank), weight)
        self.settings[slot] = settings

    def trainable_parameters(self, slot: int) -> dict[str, nn.Parameter]:
        """Return the pair of an adapter, by the last parts of the parameters' names."""
        return {"lora_A.weight": self.lora_A[str(slot)], "lora_B.weight": self.lora_B[str(slot)]}

    def peft_tensors(self, slot: int) -> dict[str, torch.Tensor]:
        """Return the tensors to store for an adapter, by the last parts of PEFT's names."""
        return {name: value.detach() for name, value in self.trainable_parameters(slot).items()}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output ``[..., out]`` for the input ``[..., in]``."""
        flat = x.reshape(-1, x.shape[-1])
        spans = self.layout.within(len(flat))
        if not spans:
            return self.linear(x)  # type: ignore[no-any-return]
        pairs = [part for slot, _, _ in spans for part in (self.lora_A[str(slot)], self.lora_B[str(slot)])]
        y = lora_linear(flat, self, spans, pairs)
        return y.view(*x.shape[:-1], y.shape[-1])

    @property
    def bias(self) -> torch.Tensor | None:
        """The frozen layer's bias, None if it has none."""
        return self.linear.bias

    def dense(self, like: torch.Tensor) -> torch.Tensor:
        """Return the frozen weight ``[out, in]`` in the dtype of ``like``; a quantised one is dequantised anew."""
        if isinstance(self.linear, FrozenLinear):
            return self.linear.matrix(like.dtype)
        weight = self.linear.weight
        if (state := getattr(weight, "quant_state", None)) is not None:
            from bitsandbytes.functional import dequantize_4bit

            weight = dequantize_4bit(weight.data, state)
        return weight if weight.dtype == like.dtype else weight.to(like.dtype)


@dataclass
class Adapters:
    """The adapted layers of a model by name, with the ``layout`` that they share.

    ``mixture`` is true if the model has routed experts, adapted or not.
    """

    layers: "dict[str, LoraLinear | LoraRoutedExperts]"
    layout: Layout
    mixture: bool = False

    def add(self, slot: int, settings: Lora, seed: int) -> None:
        """Add the adapter ``slot``; the same seed gives the same weights, whatever other adapters there are."""
        generator = torch.Generator().manual_seed(seed)
        for layer in self.layers.values():
            layer.add(slot, settings, generator)

    def parameters(self, slot: int) -> dict[str, nn.Parameter]:
        """Return the trained matrices of an adapter; those of linear layers have PEFT's names."""
        return {
            f"{PREFIX}{name}.{end}": value
            for name, layer in self.layers.items()
            for end, value in layer.trainable_parameters(slot).items()
        }

    def tensors(self, slot: int) -> dict[str, torch.Tensor]:
        """Return the tensors to store for an adapter, by PEFT's names."""
        return {
            f"{PREFIX}{name}.{end}": value
            for name, layer in self.layers.items()
            for end, value in layer.peft_tensors(slot).items()
        }

    def slots(self) -> Iterator[int]:
        """Yield the slots of all adapters."""
        yield from next(iter(self.layers.values())).settings


def attach(model: "PreTrainedModel", targets: Sequence[str]) -> Adapters:
    """Replace the layers that ``targets`` names, in full or by the last part, by LoRA layers; freeze everything else.

    No adapter is added yet. What sees or hears in a wrapped model stays as it is. Layers of one parent with the
    same input (q, k and v) share a dropout mask.
    """
    from weakspot.training.lora_moe import LoraRoutedExperts

    model.requires_grad_(False)
    adapters = Adapters({}, Layout())
    wanted, numbers = set(targets), dict[str, int]()
    decoder = set(loading.decoder(model).modules())
    for name, module in list(model.named_modules()):
        if module not in decoder:
            continue
        parent, _, last = name.rpartition(".")
        adapters.mixture |= is_stacked_experts(module) or isinstance(module, FrozenExperts)
        if not {name, last} & wanted:
            continue
        shared = f"{parent}:shared input" if last in _SHARE_INPUT else name
        if isinstance(module, nn.Linear):
            layer: LoraLinear | LoraRoutedExperts = LoraLinear(
                module, adapters.layout, numbers.setdefault(shared, len(numbers))
            )
        elif is_stacked_experts(module):
            layer = LoraRoutedExperts(module, adapters.layout)
        else:
            continue
        setattr(model.get_submodule(parent), last, layer)
        adapters.layers[name] = layer
    return adapters


_SHARE_INPUT = frozenset(
    {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "in_proj_qkvz", "in_proj_ba", "in_proj_qkv", "in_proj_z"}
)
