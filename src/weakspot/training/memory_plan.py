"""Plans the memory of a training run without weights and without trials.

The activations are those of a step that was traced on meta tensors. So the plan gives the peak for a machine that is
not at hand, and for a model that was never downloaded.
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from weakspot.training.activation_memory import ActivationMemory, Workload, checkpointable_layers
from weakspot.training.distributed import ALONE, Ranks
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_NF4_BYTES = 0.5 + 1 / 64 * (1 + 4 / 256)
"""Bytes per weight in NF4 with double quantisation: 4 bits, 1 byte per 64 weights, 4 bytes per 256 of those."""
_CUDA_OVERHEAD_BYTES = 1 << 30
"""GPU memory for the CUDA context, library workspaces and gaps between tensors."""
_MIN_FAST_TOKENS = {"cuda": 4096, "cpu": 1024}
"""Tokens in a forward pass that keep the device busy. Below them, recomputing layers to fit more tokens pays."""
_MAX_USEFUL_TOKENS = {"cuda": 16_384, "cpu": 1024}
"""Tokens beyond which a larger pass is no faster."""


@dataclass(frozen=True)
class MemoryPlan:
    """How memory is used, in bytes, with the tokens of a forward pass and the number of recomputed layers.

    ``weights`` is the frozen base; ``adapters`` the trained matrices with gradients and moments; ``activations`` the
    temporary tensors of a forward and a backward pass; ``overhead`` the memory of the process itself.
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
        """The largest number of bytes in use at the same time."""
        return self.weights + self.adapters + self.activations + self.overhead

    @property
    def fits(self) -> bool:
        """True if the machine has enough memory for the peak."""
        return self.peak <= self.capacity

    @property
    def recompute(self) -> str:
        """Which layers are recomputed: none, selective or full."""
        return {0: "none", self.layers: "full"}.get(self.checkpointed_layers, "selective")


@dataclass(frozen=True)
class Machine:
    """The machine to plan for: ``device`` is cpu or cuda, ``capacity`` and ``overhead`` are bytes."""

    name: str
    device: str
    capacity: int
    overhead: int

    @classmethod
    def this(cls, ranks: Ranks = ALONE) -> "Machine":
        """Return the machine of this process with its free memory; of several ``ranks``, the one with the least."""
        import psutil
        import torch

        each = f", in each of {ranks.count} processes" if ranks.count > 1 else ""
        if torch.cuda.is_available():
            free, _ = torch.cuda.mem_get_info()
            own = cls(torch.cuda.get_device_name() + each, "cuda", int(free), _CUDA_OVERHEAD_BYTES)
        else:
            used = int(psutil.Process().memory_info().rss)
            threads = torch.get_num_threads()
            name = f"CPU, {threads} thread{'' if threads == 1 else 's'}{each}"
            own = cls(name, "cpu", psutil.virtual_memory().available // ranks.here + used, used)
        return min(ranks.all_gather(own), key=lambda one: one.capacity - one.overhead)

    @classmethod
    def parse_gpu(cls, text: str) -> "Machine":
        """Parse an amount of GPU memory like ``24GB``; raise :class:`UserError` for any other text."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:GB|GiB|G)", text.strip(), re.IGNORECASE)
        if match is None or float(match[1]) == 0:
            raise UserError(f"--on {text}", "not an amount of memory", "write --on 24GB")
        return cls(f"a GPU of {match[1]} GB", "cuda", int(float(match[1]) * (1 << 30)), _CUDA_OVERHEAD_BYTES)


def plan_memory(
    model: "PreTrainedModel",
    dtype: "torch.dtype",
    work: Workload,
    machine: Machine,
    *,
    tokens: int = 0,
    recompute: bool | None = None,
) -> MemoryPlan:
    """Return how to train on a machine; ``model`` must be on the meta device, and is changed.

    A forward pass gets enough tokens to be fast, or all there are, and as few layers as possible are recomputed for
    that; then it gets as many tokens as fit. ``tokens`` fixes the number of tokens, ``recompute`` forces all layers
    or none. If nothing fits, the smallest plan is returned, and its ``fits`` is false.
    """
    from weakspot.models import packed_attention
    from weakspot.training import lora_layers

    packed_attention.install(model)
    adapters = lora_layers.attach(model.to(dtype), work.targets)  # type: ignore[arg-type]
    for slot, settings in enumerate(work.adapters):
        adapters.add(slot, settings, 0)
    model.train()
    weights = _base_bytes(model, dtype, work)
    trained = sum(p.numel() for slot in adapters.slots() for p in adapters.parameters(slot).values())
    states = trained * (20 if machine.device == "cpu" else 16)  # a CPU also holds the best weights so far
    depth = len(checkpointable_layers(model))

    activations = ActivationMemory(model, adapters, work, dtype)

    def peak(count: int, checkpointed: int) -> int:
        wasted = _heap_holes(model, dtype, count) if machine.device == "cpu" else 0
        return activations.peak(count, checkpointed) + wasted

    def make_plan(count: int, checkpointed: int) -> MemoryPlan:
        return MemoryPlan(
            machine.name, machine.capacity, depth, checkpointed, count, weights, states, peak(count, checkpointed),
            machine.overhead,
        )  # fmt: skip

    if not packed_attention.is_installed(model):  # one sequence in a pass
        work = replace(work, tokens=work.longest)
    least = min(work.longest, work.tokens)
    fast, most = (
        max(least, min(work.tokens, limit[machine.device])) for limit in (_MIN_FAST_TOKENS, _MAX_USEFUL_TOKENS)
    )
    if tokens:
        fast = most = max(least, min(tokens, work.tokens))
    if not recompute and (simplest := make_plan(most, 0)).fits:
        return simplest
    # The peak is linear in both: it grows with the tokens and falls with the number of recomputed layers.
    corners = {(count, layer): peak(count, layer) for count in (least, 2 * least) for layer in (0, depth)}
    room = machine.capacity - weights - states - machine.overhead

    def most_fitting(layer: int) -> int:
        """Return how many tokens fit if ``layer`` layers are recomputed, by linear interpolation."""
        share = layer / max(depth, 1)
        at, twice = ((1 - share) * corners[count, 0] + share * corners[count, depth] for count in (least, 2 * least))
        return least + int((room - at) * least / max(twice - at, 1))

    layers_ = range(depth + 1) if recompute is None else [depth if recompute else 0]
    layer = next((one for one in layers_ if most_fitting(one) >= fast), layers_[-1])
    best = make_plan(min(most, max(least, most_fitting(layer))), layer)
    if not best.fits and not (smallest := make_plan(least, layer)).fits:
        return smallest
    while not best.fits:  # the smallest plan fits, so this ends
        best = make_plan(max(least, int(best.micro_batch_tokens * 0.95)), layer)
    return best


def _base_bytes(model: "PreTrainedModel", dtype: "torch.dtype", work: Workload) -> int:
    """Return the bytes of the frozen tensors: quantised ones as they are, linear layers in NF4 if asked for, everything
    else in ``dtype``.

    With FSDP a process holds its shard, everything outside the layers, and three gathered layers: the one at work,
    the next one, and the buffer that it arrives in.
    """
    import torch

    from weakspot.models import frozen_layers

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
        layers = [sum(frozen.get(id(p), 0) for p in layer.parameters()) for layer in checkpointable_layers(model)]
        plain += 3 * max(layers, default=0) - sum(layers) * (1 - 1 / work.shards)
    bits = frozen_layers.count_bytes(model)
    return int(plain * dtype.itemsize + sum(packed.values()) * _NF4_BYTES) + bits


def _heap_holes(model: "PreTrainedModel", dtype: "torch.dtype", tokens: int) -> int:
    """Return the bytes that a CPU's heap holds without using them.

    glibc keeps memory that was freed between live tensors. Measured with ``bench/bench_memory.py``: the holes grow
    with the tokens of a pass, up to 1,600 of them, by 5/4 of the output of the feed-forward layers. Mapping every
    tensor separately leaves no holes, but was a sixth slower.
    """
    text = model.config.get_text_config()
    hidden = int(text.hidden_size)
    intermediate = int(getattr(text, "intermediate_size", None) or 4 * hidden)
    token = int(text.num_hidden_layers) * (hidden + 2 * intermediate) * dtype.itemsize
    return int(token * 1.25 * min(tokens, 1600))
