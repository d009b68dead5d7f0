"""What a training run will do, told before any weights are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.config import Config
from weakspot.models.loading import Base
from weakspot.models.target_modules import Coverage, Shape
from weakspot.models.tokenization import Tokens
from weakspot.training import memory_plan
from weakspot.training.distributed import Ranks
from weakspot.training.schedule import Plan
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Preflight:
    """What a run will do, known before the weights are loaded; tokens are exact.

    ``pairs`` are the examples that are learned from with the local answer as well.
    """

    adapter: str
    base: str
    precision: str
    examples: int
    pairs: int
    val_examples: int
    left_out: dict[str, str]
    tokens: int
    supervised: int
    shortened: int
    cut: int
    steps: int
    layers: int
    layers_touched: int
    coverage: Coverage
    modules: list[str]
    trainable: int
    sample_prompt: str
    sample_target: str

    @property
    def supervised_share(self) -> float:
        """The share of all tokens that is under loss."""
        return self.supervised / self.tokens


@dataclass(frozen=True)
class Together:
    """What is trained in one pass, and how the memory is used."""

    runs: list[Preflight]
    memory: memory_plan.Plan


def require_possible(config: Config, ranks: Ranks, engine: str, *, packs: bool) -> None:
    """Raise :class:`UserError` for what does not go together; ``packs`` says whether the base packs sequences."""
    if engine == "ray" and ranks.count > 1:
        raise UserError("--engine ray", "starts its processes itself", "leave torchrun out")
    if not config.train.shard:
        return
    if ranks.count == 1:
        raise UserError("[train] shard", "there is one process only", "start several by torchrun, or set it to false")
    if config.train.load_in_4bit:
        raise UserError("[train] shard", "cannot spread a base in NF4", "set it or load_in_4bit to false")
    if config.train.objective != "sft" and not packs:
        raise UserError("[train] shard", f"not with {config.train.objective} on this base", "use objective sft")


def describe(
    name: object,
    base: Base,
    dtype: "torch.dtype",
    shape: Shape,
    data: Sequence[Tokens],
    val: Sequence[Tokens],
    left_out: dict[str, str],
    config: Config,
    tokenizer: "PreTrainedTokenizerBase",
) -> Preflight:
    """Return what training the adapter ``name`` on ``data`` will do."""
    sample = min(data, key=lambda one: len(one.ids))
    return Preflight(
        adapter=str(name),
        base=base.name,
        precision="nf4" if config.train.load_in_4bit else str(dtype).removeprefix("torch."),
        examples=len(data),
        pairs=sum(1 for one in data if one.rejected),
        val_examples=len(val),
        left_out=left_out,
        tokens=sum(len(one.ids) for one in data),
        supervised=sum(one.supervised for one in data),
        shortened=sum(1 for one in data if one.dropped_turns),
        cut=sum(1 for one in data if one.cut_tokens),
        steps=Plan.of(len(data), config.train).steps,
        layers=shape.layers,
        layers_touched=shape.layers_touched,
        coverage=shape.coverage,
        modules=shape.modules,
        trainable=shape.trainable,
        sample_prompt=str(tokenizer.decode(list(sample.ids[: sample.start]))),
        sample_target=str(tokenizer.decode(list(sample.ids[sample.start :]))),
    )
