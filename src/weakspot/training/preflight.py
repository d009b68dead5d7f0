"""Describes a training run before any weights are loaded, and refuses settings that cannot work together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.config import Config
from weakspot.models import chat_template
from weakspot.models.loading import Base
from weakspot.models.target_modules import Coverage, ModelShape
from weakspot.models.tokenization import Tokens
from weakspot.training import memory_plan
from weakspot.training.distributed import Ranks
from weakspot.training.schedule import Schedule
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


_TEACHES_AT_ONCE = (
    "; the chat template has no switch for it: an answer without thoughts in front of it teaches to answer at once"
)


@dataclass(frozen=True)
class Preflight:
    """What a training run will do, known before the weights are loaded; token counts are exact.

    ``pairs`` counts the examples that also train on the local answer. ``left_out`` says by id why an example is not
    trained on, and ``reasons`` counts that. ``thinking`` is the mode where a captured call states none, and what it
    teaches; ``none`` if the chat template has no thoughts.
    """

    adapter: str
    base: str
    precision: str
    examples: int
    pairs: int
    val_examples: int
    left_out: dict[str, str]
    reasons: dict[str, int]
    thinking: str
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
        """The share of tokens under loss."""
        return self.supervised / self.tokens


@dataclass(frozen=True)
class TrainingPlan:
    """The runs that are trained in one pass, and their memory plan."""

    runs: list[Preflight]
    memory: memory_plan.MemoryPlan
    remarks: Sequence[str] = ()


def remarks_on(
    model: "PreTrainedModel", shape: ModelShape, config: Config, memory: memory_plan.MemoryPlan
) -> list[str]:
    """Return what a person should know of these settings on this base, beside whether they fit."""
    from weakspot.models.frozen_layers import FrozenExperts

    found = []
    if not memory.fits and shape.mixture and not any(isinstance(one, FrozenExperts) for one in model.modules()):
        found.append("memory: 'weakspot quantize' makes routed experts small; plan for that with --experts nvfp4")
    if not config.train.load_in_4bit:
        return found
    if type(model).__name__.startswith("Qwen3_5"):
        found.append("load_in_4bit: models of this class lose more by 4 bits than others; bf16 is advised")
    if shape.mixture:
        found.append("load_in_4bit: the routed experts stay in full precision; 'weakspot quantize' makes them small")
    return found


def require_compatible_settings(config: Config, ranks: Ranks, engine: str, *, packs: bool) -> None:
    """Raise :class:`UserError` for settings that exclude each other.

    ``packs`` tells whether the base can pack sequences.
    """
    if engine == "ray" and ranks.count > 1:
        raise UserError("--engine ray", "starts its processes itself", "start it without torchrun")
    if not config.train.shard:
        return
    if ranks.count == 1:
        raise UserError("[train] shard", "there is only one process", "start several with torchrun, or set it to false")
    if config.train.load_in_4bit:
        raise UserError("[train] shard", "cannot shard a base in NF4", "set it or load_in_4bit to false")
    if config.train.objective != "sft" and not packs:
        raise UserError("[train] shard", f"not with {config.train.objective} on this base", "use objective sft")


def describe(
    name: object,
    base: Base,
    dtype: "torch.dtype",
    shape: ModelShape,
    data: Sequence[Tokens],
    val: Sequence[Tokens],
    left_out: dict[str, str],
    config: Config,
    tokenizer: "PreTrainedTokenizerBase",
) -> Preflight:
    """Describe the training of the adapter ``name`` on ``data``."""
    sample = min(data, key=lambda one: len(one.ids))
    return Preflight(
        adapter=str(name),
        base=base.name,
        precision="nf4" if config.train.load_in_4bit else str(dtype).removeprefix("torch."),
        examples=len(data),
        pairs=sum(1 for one in data if one.rejected),
        val_examples=len(val),
        left_out=left_out,
        reasons=dict(Counter(text.partition(":")[0] for text in left_out.values()).most_common()),
        thinking=_describe_thinking(config, tokenizer),
        tokens=sum(len(one.ids) for one in data),
        supervised=sum(one.supervised for one in data),
        shortened=sum(1 for one in data if one.dropped_turns),
        cut=sum(1 for one in data if one.cut_tokens),
        steps=Schedule.of(len(data), config.train).steps,
        layers=shape.layers,
        layers_touched=shape.layers_touched,
        coverage=shape.coverage,
        modules=shape.modules,
        trainable=shape.trainable,
        sample_prompt=str(tokenizer.decode(list(sample.ids[: sample.start]))),
        sample_target=str(tokenizer.decode(list(sample.ids[sample.start :]))),
    )


def _describe_thinking(config: Config, tokenizer: "PreTrainedTokenizerBase") -> str:
    if not chat_template.knows_thoughts(tokenizer):
        return "none"
    return config.model.thinking + (_TEACHES_AT_ONCE if chat_template.lacks_thinking_switch(tokenizer) else "")
