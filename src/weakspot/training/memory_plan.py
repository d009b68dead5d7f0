"""How training uses the memory of a machine: traced on tensors without content, so that nothing has to be tried out.

A model of the true shape, on the meta device, runs a forward and a backward pass; every tensor that comes and goes is
counted. So the plan knows the peak of a machine that is not there, and of a model that was never downloaded.
"""

import re
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weakspot.settings import Lora
from weakspot.training.distributed import ALONE, Ranks
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_NF4 = 0.5 + 1 / 64 * (1 + 4 / 256)
"""Bytes of a weight in NF4 with double quantisation: four bits, a byte for 64 of them, four bytes for 256 of those."""
_CONTEXT = 1 << 30
"""Of a GPU, what CUDA, its libraries' workspaces and gaps between tensors take."""
_FAST = {"cuda": 4096, "cpu": 1024}
"""Tokens in a forward pass that keep the machine busy: for fewer it is worth while to recompute layers."""
_ENOUGH = {"cuda": 16_384, "cpu": 1024}
"""Tokens past which a bigger pass is no faster."""


@dataclass(frozen=True)
class Plan:
    """How the memory is used, in bytes; what a forward pass takes, and how many layers are recomputed.

    ``weights`` is the frozen base, ``adapters`` the trained matrices with gradients and moments, ``activations`` what
    comes and goes in a forward and a backward pass, ``overhead`` what the process takes without any of it.
    """

    device: str
    capacity: int
    layers: int
    checkpointed_layers: int
    micro_batch_tokens: int
    weights: int
    adapters: int
    activations: int
    overhead: int

    @property
    def peak(self) -> int:
        """The most that will be in use at once."""
        return self.weights + self.adapters + self.activations + self.overhead

    @property
    def fits(self) -> bool:
        """Whether the machine has that much."""
        return self.peak <= self.capacity

    @property
    def recompute(self) -> str:
        """In words: none, selective or full."""
        return {0: "none", self.layers: "full"}.get(self.checkpointed_layers, "selective")


@dataclass(frozen=True)
class Machine:
    """What is planned for: ``device`` is cpu or cuda, ``capacity`` and ``overhead`` are bytes."""

    name: str
    device: str
    capacity: int
    overhead: int

    @classmethod
    def this(cls, ranks: Ranks = ALONE) -> "Machine":
        """Return what this process runs on, with what is free on it now; of several ``ranks``, the tightest."""
        import psutil
        import torch

        each = f", in each of {ranks.count} processes" if ranks.count > 1 else ""
        if torch.cuda.is_available():
            free, _ = torch.cuda.mem_get_info()
            own = cls(torch.cuda.get_device_name() + each, "cuda", int(free), _CONTEXT)
        else:
            used = int(psutil.Process().memory_info().rss)
            name = f"CPU, {torch.get_num_threads()} threads{each}"
            own = cls(name, "cpu", psutil.virtual_memory().available // ranks.here + used, used)
        return min(ranks.gathered(own), key=lambda one: one.capacity - one.overhead)

    @classmethod
    def named(cls, text: str) -> "Machine":
        """Return a GPU of so much memory, as ``24GB``; raise :class:`UserError` for what is none."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:GB|GiB|G)", text.strip(), re.IGNORECASE)
        if match is None or float(match[1]) == 0:
            raise UserError(f"--on {text}", "not an amount of memory", "write --on 24GB")
        return cls(f"a GPU of {match[1]} GB", "cuda", int(float(match[1]) * (1 << 30)), _CONTEXT)


@dataclass(frozen=True)
class Work:
    """What is to be trained: on ``targets``, an adapter for each of ``adapters``.

    ``tokens`` are those of a round of all adapters at most, ``longest`` those of the longest sequence, ``supervised``
    the share of them under loss, ``shards`` over how many processes the base is spread.
    """

    targets: Sequence[str]
    adapters: Sequence[Lora]
    tokens: int
    longest: int
    supervised: float
    four_bit: bool = False
    shards: int = 1


def plan(
    model: "PreTrainedModel",
    dtype: "torch.dtype",
    work: Work,
    machine: Machine,
    *,
    tokens: int = 0,
    recompute: bool | None = None,
) -> Plan:
    """Return how to train on a machine; ``model`` is on the meta device, and is changed.

    As few layers as possible are recomputed while a forward pass has as many tokens as make it fast, or all that there
    are; then it gets as many as fit. ``tokens`` fixes their number, ``recompute`` whether all layers are recomputed or
    none. What fits in no way has the smallest plan there is, and ``fits`` says no.
    """
    from weakspot.models import packed_attention
    from weakspot.training import lora_layers

    packed_attention.install(model)
    adapters = lora_layers.attach(model.to(dtype), work.targets)  # type: ignore[arg-type]
    for slot, settings in enumerate(work.adapters):
        adapters.add(slot, settings, 0)
    model.train()
    weights = _weights(model, dtype, work)
    trained = sum(p.numel() for slot in adapters.slots() for p in adapters.parameters(slot).values())
    states = trained * (20 if machine.device == "cpu" else 16)  # on a CPU the best ones so far lie beside them
    depth = len(checkpointable(model))

    def peak(count: int, checkpointed: int) -> int:
        checkpoint_layers(model, checkpointed)
        wasted = _holes(model, dtype, count) if machine.device == "cpu" else 0
        try:
            return _traced(model, adapters, work, count) + wasted
        except RuntimeError:  # an architecture that looks at values, which there are none of
            return _guessed(model, dtype, work, count, checkpointed) + wasted

    def drawn(count: int, checkpointed: int) -> Plan:
        return Plan(
            machine.name, machine.capacity, depth, checkpointed, count, weights, states, peak(count, checkpointed),
            machine.overhead,
        )  # fmt: skip

    if not packed_attention.installed(model):  # one sequence in a pass
        work = replace(work, tokens=work.longest)
    least = min(work.longest, work.tokens)
    fast, most = (max(least, min(work.tokens, limit[machine.device])) for limit in (_FAST, _ENOUGH))
    if tokens:
        fast = most = max(least, min(tokens, work.tokens))
    if not recompute and (simplest := drawn(most, 0)).fits:
        return simplest
    # The peak grows with the tokens and falls with the layers recomputed, both in a straight line.
    corners = {(count, layer): peak(count, layer) for count in (least, 2 * least) for layer in (0, depth)}
    room = machine.capacity - weights - states - machine.overhead

    def most_fitting(layer: int) -> int:
        """Return how many tokens fit where so many layers are recomputed, by the straight lines."""
        share = layer / max(depth, 1)
        at, twice = ((1 - share) * corners[count, 0] + share * corners[count, depth] for count in (least, 2 * least))
        return least + int((room - at) * least / max(twice - at, 1))

    layers_ = range(depth + 1) if recompute is None else [depth if recompute else 0]
    layer = next((one for one in layers_ if most_fitting(one) >= fast), layers_[-1])
    best = drawn(min(most, max(least, most_fitting(layer))), layer)
    if not best.fits and not (smallest := drawn(least, layer)).fits:
        return smallest
    while not best.fits:  # the smallest does
        best = drawn(max(least, int(best.micro_batch_tokens * 0.95)), layer)
    return best


def checkpointable(model: "PreTrainedModel") -> "list[torch.nn.Module]":
    """Return the layers of a model that can be recomputed on the way back, in order."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def checkpoint_layers(model: "PreTrainedModel", count: int) -> None:
    """Recompute the first ``count`` layers on the way back.

    The first are the last to be gone back through: what they take then takes the place of what is gone already.
    """
    layers = checkpointable(model)
    if count and layers:
        model.activation_checkpointing_enable()
    for number, layer in enumerate(layers):
        layer.gradient_checkpointing = number < count  # type: ignore[assignment]


def _weights(model: "PreTrainedModel", dtype: "torch.dtype", work: Work) -> int:
    """Return the bytes of the frozen parameters: linear layers in NF4 where asked for, all else in ``dtype``.

    Of a base that is spread, a process has its part of every layer, all that is in none, and three layers whole: one at
    work, the next, and the buffer that it comes in.
    """
    import torch

    frozen = {id(p): p.numel() for p in model.parameters() if not p.requires_grad}
    packed: dict[int, int] = {}
    if work.four_bit:
        head = model.get_output_embeddings()
        packed = {
            id(module.weight): module.weight.numel()
            for module in model.modules()
            if isinstance(module, torch.nn.Linear) and module is not head
        }
    plain: float = sum(count for key, count in frozen.items() if key not in packed)
    if work.shards > 1:
        layers = [sum(frozen.get(id(p), 0) for p in layer.parameters()) for layer in checkpointable(model)]
        plain += 3 * max(layers, default=0) - sum(layers) * (1 - 1 / work.shards)
    return int(plain * dtype.itemsize + sum(packed.values()) * _NF4)


def _traced(model: "PreTrainedModel", adapters: Any, work: Work, tokens: int) -> int:
    """Return the most bytes that a forward and a backward pass over ``tokens`` hold at once, parameters aside."""
    import torch

    from weakspot.models.tokenization import Tokens
    from weakspot.training import logprobs
    from weakspot.training.packing import Piece, Row

    slots = list(adapters.slots())[:tokens]
    lengths = [tokens // len(slots)] * len(slots)
    lengths[0] += tokens % len(slots)
    pieces = [
        Piece(Tokens("", (0,) * length, max(1, length - round(length * work.supervised))), slot)
        for slot, length in zip(slots, lengths, strict=True)
    ]
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.empty_like(parameter)
    row = Row.of(pieces, "meta")
    known: list[torch.Tensor] = [*model.parameters(), *model.buffers()]
    known += [p.grad for p in model.parameters() if p.grad is not None]
    with _counting(known) as counter:
        adapters.layout.set(row, dropout=True)
        losses = logprobs.answer_losses(model, row)
        torch.stack([one.sum() for one in losses]).sum().backward()
        adapters.layout.set(None, dropout=False)
        del losses
    extra = 0
    if work.four_bit:  # a layer's weight is unpacked while it is used
        extra = max(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear)) * 2
    return int(counter.peak + extra)


def _holes(model: "PreTrainedModel", dtype: "torch.dtype", tokens: int) -> int:
    """Return the bytes that a CPU's heap holds without using them.

    glibc keeps what was freed between tensors that live on. Measured with ``bench/bench_memory.py``: it grows with the
    tokens of a pass, by what the feed-forward layers make of five tokens for four, up to 1,600 of them. Mapping every
    tensor on its own would leave no holes, and was a sixth slower.
    """
    text = model.config.get_text_config()
    hidden = int(text.hidden_size)
    intermediate = int(getattr(text, "intermediate_size", None) or 4 * hidden)
    token = int(text.num_hidden_layers) * (hidden + 2 * intermediate) * dtype.itemsize
    return int(token * 1.25 * min(tokens, 1600))


def _guessed(model: "PreTrainedModel", dtype: "torch.dtype", work: Work, tokens: int, checkpointed: int) -> int:
    """Return about what :func:`_traced` would: 12 hidden and 4 intermediate vectors a layer, 1 hidden if recomputed."""
    from weakspot.training.chunked_cross_entropy import chunk_rows

    text = model.config.get_text_config()
    hidden, layers = int(text.hidden_size), int(text.num_hidden_layers)
    kept = 12 * hidden + 4 * int(getattr(text, "intermediate_size", None) or 4 * hidden)
    vectors = (layers - checkpointed) * kept + checkpointed * hidden + (kept if checkpointed else 0)
    logits = min(chunk_rows(int(text.vocab_size)), round(tokens * work.supervised)) * int(text.vocab_size) * 8
    return tokens * vectors * dtype.itemsize + logits


def _counting(known: "Sequence[torch.Tensor]") -> Any:
    """Return a context in which the bytes of all tensors made are counted, those of ``known`` aside."""
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
