"""Counts the bytes of the activations of a training step by tracing it on meta tensors.

Layers of one kind take the same, so a model of many layers is traced with one or two of each kind, and a pass over
many tokens with fewer: the rest is linear in both.
"""

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weakspot.settings import Lora

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_LEAST_TRACED_TOKENS = 256
_TOKENS_OF_A_CHUNK = 64
"""Linear attention computes in chunks of so many tokens."""


@dataclass(frozen=True)
class Workload:
    """The adapters to train on the layers ``targets``, one for each of the settings ``adapters``.

    ``tokens`` is the largest number of tokens in a round of all adapters, ``longest`` that of a sequence,
    ``supervised`` the share of tokens under loss, and ``shards`` the number of processes that the base is sharded
    over.
    """

    targets: Sequence[str]
    adapters: Sequence[Lora]
    tokens: int
    longest: int
    supervised: float
    four_bit: bool = False
    shards: int = 1


class ActivationMemory:
    """The bytes of activations of an adapted model on the meta device, for any number of tokens and of layers."""

    def __init__(self, model: "PreTrainedModel", adapters: Any, work: Workload, dtype: "torch.dtype") -> None:
        from weakspot.training.chunked_cross_entropy import chunk_rows

        self.model, self.adapters, self.work, self.dtype = model, adapters, work, dtype
        self.layers = checkpointable_layers(model)
        self._kinds = _group_layers(model, self.layers)
        text = model.config.get_text_config()
        self._hidden, rows = int(text.hidden_size), chunk_rows(int(text.vocab_size))
        # From so many tokens on, a chunk of the logits is full, and all else grows by the token.
        self._unit = -(-max(_LEAST_TRACED_TOKENS, rows) // _TOKENS_OF_A_CHUNK) * _TOKENS_OF_A_CHUNK
        self._share = max(work.supervised, min(1.0, rows / self._unit))
        self._known: dict[tuple[Any, ...], int] = {}

    def peak(self, tokens: int, checkpointed: int) -> int:
        """Return the peak of a forward and a backward pass in which the first layers are recomputed."""
        try:
            if len(self.layers) <= 2 * len(self._kinds):
                return self._trace(tokens, self.work, range(len(self.layers)), checkpointed)
            if tokens <= 2 * self._unit:
                return self._assemble(tokens, self.work, checkpointed)
        except RuntimeError:  # the architecture reads values, and meta tensors have none
            return _estimate_peak(self.model, self.dtype, self.work, tokens, checkpointed)
        once, twice = (self.peak(count, checkpointed) for count in (self._unit, 2 * self._unit))
        return once + (twice - once) * (tokens - self._unit) // self._unit

    def _assemble(self, tokens: int, work: Workload, checkpointed: int) -> int:
        """Return the peak by one layer of each kind, and by another; between none and all recomputed it is linear."""
        work = replace(work, supervised=self._share)
        one = [group[0] for group in self._kinds]
        depth = len(self.layers)
        kept = self._trace(tokens, work, one, 0)
        nothing = kept + sum(
            (len(group) - 1) * (self._trace(tokens, work, [*one, group[1]], 0) - kept)
            for group in self._kinds
            if len(group) > 1
        )
        if not checkpointed:
            return nothing
        inputs = tokens * self._hidden * self.dtype.itemsize
        everything = self._trace(tokens, work, one, depth) + (depth - len(one)) * inputs
        return nothing + (everything - nothing) * checkpointed // depth

    def _trace(self, tokens: int, work: Workload, numbers: Sequence[int], checkpointed: int) -> int:
        """Return the peak of a pass through the layers of these ``numbers`` only."""
        key = (tokens, work.supervised, tuple(numbers), checkpointed)
        if key not in self._known:
            checkpoint_layers(self.model, 0)
            checkpoint_layers(self.model, checkpointed)
            with _skip_layers(self.model, [one for n, one in enumerate(self.layers) if n not in numbers]):
                self._known[key] = _trace_peak(self.model, self.adapters, work, tokens)
        return self._known[key]


def _group_layers(model: "PreTrainedModel", layers: "Sequence[torch.nn.Module]") -> list[list[int]]:
    """Return the numbers of the layers of each kind: of one class, with tensors of the same shapes."""
    text = model.config.get_text_config()
    types = getattr(text, "layer_types", None) or []
    found: dict[Any, list[int]] = {}
    for number, layer in enumerate(layers):
        shapes = tuple((name, one.shape, one.dtype) for name, one in layer.state_dict().items())
        kind = types[number] if number < len(types) else ""
        found.setdefault((type(layer), kind, shapes), []).append(number)
    return list(found.values())


@contextlib.contextmanager
def _skip_layers(model: "PreTrainedModel", layers: "Sequence[torch.nn.Module]") -> Iterator[None]:
    """Context manager: these layers return what they are given."""
    from types import MethodType

    def skip(_layer: Any, hidden_states: Any, *_given: Any, **_options: Any) -> Any:
        return hidden_states

    try:
        for layer in layers:
            layer.forward = MethodType(skip, layer)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def checkpointable_layers(model: "PreTrainedModel") -> "list[torch.nn.Module]":
    """Return the layers that can be recomputed in the backward pass, in order."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def checkpoint_layers(model: "PreTrainedModel", count: int) -> None:
    """Recompute the first ``count`` layers in the backward pass.

    The backward pass reaches the first layers last. What they recompute then fits where the activations of later
    layers were freed.
    """
    layers = checkpointable_layers(model)
    if count and layers:
        model.activation_checkpointing_enable()
    for number, layer in enumerate(layers):
        layer.gradient_checkpointing = number < count  # type: ignore[assignment]


def _trace_peak(model: "PreTrainedModel", adapters: Any, work: Workload, tokens: int) -> int:
    """Return the peak bytes of a forward and a backward pass over ``tokens``, without the parameters."""
    import torch

    from weakspot.models.tokenization import Tokens
    from weakspot.training import logprobs
    from weakspot.training.packing import PackedBatch, PackedItem

    slots = list(adapters.slots())[:tokens]
    lengths = [tokens // len(slots)] * len(slots)
    lengths[0] += tokens % len(slots)
    pieces = [
        PackedItem(Tokens("", (0,) * length, max(1, length - round(length * work.supervised))), slot)
        for slot, length in zip(slots, lengths, strict=True)
    ]
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.empty_like(parameter)
    row = PackedBatch.of(pieces, "meta")
    known: list[torch.Tensor] = [*model.parameters(), *model.buffers()]
    known += [p.grad for p in model.parameters() if p.grad is not None]
    with count_new_bytes(known) as counter:
        adapters.layout.set(row, dropout=True)
        losses = logprobs.answer_losses(model, row)
        torch.stack([one.sum() for one in losses]).sum().backward()
        adapters.layout.set(None, dropout=False)
        del losses
    extra = 0
    if work.four_bit:  # each layer's weight is dequantised while it is used
        extra = max(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear)) * 2
    return int(counter.peak + extra)


def _estimate_peak(
    model: "PreTrainedModel", dtype: "torch.dtype", work: Workload, tokens: int, checkpointed: int
) -> int:
    """Estimate the same as :func:`_trace_peak`: 12 hidden and 4 intermediate vectors a layer, 1 if recomputed."""
    from weakspot.training.chunked_cross_entropy import chunk_rows

    text = model.config.get_text_config()
    hidden, layers = int(text.hidden_size), int(text.num_hidden_layers)
    kept = 12 * hidden + 4 * int(getattr(text, "intermediate_size", None) or 4 * hidden)
    vectors = (layers - checkpointed) * kept + checkpointed * hidden + (kept if checkpointed else 0)
    logits = min(chunk_rows(int(text.vocab_size)), round(tokens * work.supervised)) * int(text.vocab_size) * 8
    return tokens * vectors * dtype.itemsize + logits


def count_new_bytes(known: "Sequence[torch.Tensor]") -> Any:
    """Return a context that counts the bytes of all new tensors; those of ``known`` are not counted."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.weak import WeakIdKeyDictionary

    class Counting(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.now = self.peak = 0
            self._seen = WeakIdKeyDictionary()
            for tensor in known:
                self._seen[tensor.untyped_storage()] = None

        def __torch_dispatch__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            for leaf in tree_leaves(out):
                if isinstance(leaf, torch.Tensor):
                    self._note(leaf)
            return out

        def _note(self, tensor: torch.Tensor) -> None:
            storage = tensor.untyped_storage()
            if storage not in self._seen:
                self._seen[storage] = None
                size = storage.nbytes()
                self.now += size
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._gone, size)

        def _gone(self, size: int) -> None:
            self.now -= size

    return Counting()
