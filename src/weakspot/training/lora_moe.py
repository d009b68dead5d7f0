"""LoRA on the routed experts of a mixture-of-experts block."""

from dataclasses import dataclass

import torch
from torch import nn

from weakspot.models.frozen_layers import tokens_of_each_expert
from weakspot.settings import Lora
from weakspot.training.lora_layout import Layout, Span, init_lora_a, init_lora_b
from weakspot.training.lora_matmul import lora_linear


@dataclass(frozen=True)
class _RoutedExpertMatrix:
    """One matrix of one routed expert, as a :class:`Frozen` layer; its input has no dropout, as in PEFT."""

    weight: torch.Tensor
    layout: Layout
    settings: dict[int, Lora]
    number: int = 0
    bias: None = None

    def dense(self, like: torch.Tensor) -> torch.Tensor:
        return self.weight if self.weight.dtype == like.dtype else self.weight.to(like.dtype)


class LoraRoutedExperts(nn.Module):
    """The frozen routed experts of a block: each matrix of each expert has a low-rank pair for each adapter.

    The experts are stacked in two three-dimensional parameters, one of them for gate and up together, as in
    transformers 5 for Qwen3.
    """

    def __init__(self, experts: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.experts, self.layout = experts, layout
        self.lora_A, self.lora_B = nn.ParameterDict(), nn.ParameterDict()
        self.settings: dict[int, Lora] = {}

    def _matrices(self) -> dict[str, torch.Tensor]:
        """Return the frozen matrices ``[experts, out, in]`` by name."""
        gate, up = self.experts.gate_up_proj.chunk(2, dim=1)  # type: ignore[operator]
        return {"gate_proj": gate, "up_proj": up, "down_proj": self.experts.down_proj}  # type: ignore[dict-item]

    def add(self, slot: int, settings: Lora, generator: torch.Generator) -> None:
        """Add low-rank pairs for the adapter ``slot``; B is zero, so that they change nothing yet."""
        self.settings[slot] = settings.model_copy(update={"dropout": 0.0})
        for name, matrix in self._matrices().items():
            count, out, width = matrix.shape
            self.lora_A[f"{name}:{slot}"] = init_lora_a((count, settings.rank, width), matrix, generator)
            self.lora_B[f"{name}:{slot}"] = init_lora_b((count, out, settings.rank), matrix)

    def trainable_parameters(self, slot: int) -> dict[str, nn.Parameter]:
        """Return the pairs of an adapter; one parameter holds those of all routed experts."""
        sides = {"lora_A": self.lora_A, "lora_B": self.lora_B}
        return {
            f"{name}.{side}.weight": pairs[f"{name}:{slot}"]
            for name in self._matrices()
            for side, pairs in sides.items()
        }

    def peft_tensors(self, slot: int) -> dict[str, torch.Tensor]:
        """Return the tensors to store for an adapter, a pair for each routed expert, named as vLLM and PEFT expect."""
        return {
            f"{number}.{name}": matrix
            for name, parameter in self.trainable_parameters(slot).items()
            for number, matrix in enumerate(parameter.detach().unbind())
        }

    def forward(self, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the weighted sum of the outputs of each token's routed experts.

        ``hidden`` is ``[tokens, width]``, ``chosen`` and ``weights`` are ``[tokens, k]``.
        """
        spans = self.layout.within(len(hidden))
        if not spans:
            return self.experts(hidden, chosen, weights)  # type: ignore[no-any-return]
        frozen = {name: matrix.unbind() for name, matrix in self._matrices().items()}
        sides = {
            (name, slot): (self.lora_A[f"{name}:{slot}"].unbind(), self.lora_B[f"{name}:{slot}"].unbind())
            for name in frozen
            for slot, _, _ in spans
        }
        out = torch.zeros_like(hidden)
        for expert, tokens, places in tokens_of_each_expert(chosen):
            own = _spans_of(tokens, spans)

            def product(x: torch.Tensor, name: str, expert: int = expert, own: list[Span] = own) -> torch.Tensor:
                pairs = [side[expert] for slot, _, _ in own for side in sides[name, slot]]
                return lora_linear(x, _RoutedExpertMatrix(frozen[name][expert], self.layout, self.settings), own, pairs)

            x = hidden[tokens]
            inner = self.experts.act_fn(product(x, "gate_proj")) * product(x, "up_proj")  # type: ignore[operator]
            weighted = product(inner, "down_proj") * weights[tokens, places, None].to(hidden.dtype)
            out = out.index_add(0, tokens, weighted)
        return out


def _spans_of(tokens: torch.Tensor, spans: list[Span]) -> list[Span]:
    """Return which of ``tokens``, in ascending order, belong to which adapter."""
    if tokens.is_meta:
        return [(spans[0][0], 0, len(tokens))]
    edges = torch.tensor([edge for _, start, stop in spans for edge in (start, stop)], device=tokens.device)
    places = torch.searchsorted(tokens, edges).tolist()
    found = [(slot, *places[2 * n : 2 * n + 2]) for n, (slot, _, _) in enumerate(spans)]
    return [span for span in found if span[1] < span[2]]
