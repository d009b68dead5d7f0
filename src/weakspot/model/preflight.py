"""What a training run will do, told before any weights are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.config import Config
from weakspot.model.bases import Base, Shape
from weakspot.model.engine import Plan
from weakspot.model.view import Tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Preflight:
    """What a run will do, known before the weights are loaded. Bytes are estimates; tokens are exact."""

    adapter: str
    base: str
    device: str
    precision: str
    examples: int
    val_examples: int
    left_out: dict[str, str]
    tokens: int
    supervised: int
    shortened: int
    cut: int
    steps: int
    layers: int
    layers_touched: int
    modules: list[str]
    trainable: int
    memory_needed_bytes: int
    memory_available_bytes: int
    sample_prompt: str
    sample_target: str

    @property
    def supervised_share(self) -> float:
        """The share of all tokens that is under loss."""
        return self.supervised / self.tokens


def describe(
    name: object,
    base: Base,
    dtype: "torch.dtype",
    shape: Shape,
    data: list[Tokens],
    val: list[Tokens],
    left_out: dict[str, str],
    config: Config,
    tokenizer: "PreTrainedTokenizerBase",
) -> Preflight:
    """Return what training the adapter ``name`` on ``data`` will do on this machine."""
    import torch

    sample = min(data, key=lambda one: len(one.ids))
    return Preflight(
        adapter=str(name),
        base=base.name,
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads",
        precision="nf4" if config.train.load_in_4bit else str(dtype).removeprefix("torch."),
        examples=len(data),
        val_examples=len(val),
        left_out=left_out,
        tokens=sum(len(one.ids) for one in data),
        supervised=sum(one.supervised for one in data),
        shortened=sum(1 for one in data if one.dropped_turns),
        cut=sum(1 for one in data if one.cut_tokens),
        steps=Plan.of(len(data), config.train).steps,
        layers=shape.layers,
        layers_touched=shape.layers_touched,
        modules=shape.modules,
        trainable=shape.trainable,
        memory_needed_bytes=memory_needed(shape, data, config, dtype.itemsize),
        memory_available_bytes=_memory_available(),
        sample_prompt=str(tokenizer.decode(list(sample.ids[: sample.start]))),
        sample_target=str(tokenizer.decode(list(sample.ids[sample.start :]))),
    )


def memory_needed(shape: Shape, data: Sequence[Tokens], config: Config, itemsize: int) -> int:
    """Estimate the peak of a training step, in bytes.

    Weights; 16 bytes for each trained parameter (fp32 value, gradient, two moments); activations kept for
    the backward pass, about 12 hidden and 4 intermediate vectors a layer and token; logits and their
    gradients in fp32 on the supervised rows of the largest micro-batch.
    """
    largest = sorted(data, key=lambda one: len(one.ids))[-config.train.batch_size :]
    tokens = sum(len(one.ids) for one in largest)
    supervised = sum(one.supervised for one in largest)
    weights = shape.parameters * (0.56 if config.train.load_in_4bit else itemsize)
    per_layer = shape.hidden if config.train.gradient_checkpointing else 12 * shape.hidden + 4 * shape.intermediate
    activations = tokens * shape.layers * per_layer * itemsize
    logits = supervised * shape.vocabulary * 4 * 3
    return int(weights + 16 * shape.trainable + activations + logits)


def _memory_available() -> int:
    import psutil
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)
