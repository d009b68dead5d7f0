"""What is trained together: examples as tokens, settings, the base, and a plan of the memory."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.models import loading, packed_attention, target_modules, tokenization
from weakspot.models.loading import Base
from weakspot.models.target_modules import Shape
from weakspot.models.tokenization import Tokens, ViewError
from weakspot.progress import bar
from weakspot.records import Interaction
from weakspot.settings import Lora, Train
from weakspot.training import memory_plan
from weakspot.training import sweep as sweeps
from weakspot.training.distributed import ALONE, Ranks
from weakspot.training.memory_plan import Machine, Work
from weakspot.training.preflight import Preflight, Together, describe, require_possible
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class TrainOptions:
    """How to train: with a ``sweep`` over settings; in these ``ranks``, or by ``ray`` on a cluster."""

    sweep: bool = False
    engine: Literal["local", "ray"] = "local"
    ranks: Ranks = ALONE


ONCE_HERE = TrainOptions()


@dataclass(frozen=True)
class PreparedAdapter:
    """An adapter to be, with its examples as tokens, and the settings to train it with: in a sweep several."""

    name: AdapterName
    data: list[Tokens]
    val: list[Tokens]
    preflight: Preflight
    domain_examples: int
    variants: list[tuple[Train, Lora]]


@dataclass(frozen=True)
class TrainingPass:
    """What is trained together, and on what."""

    base: Base
    dtype: "torch.dtype"
    shape: Shape
    snapshot: str
    adapters: list[PreparedAdapter]
    memory: memory_plan.Plan
    ranks: Ranks
    weights: "Future[PreTrainedModel] | None" = None

    def slots(self) -> list[range]:
        """The slots of each adapter's variants."""
        ends = list(accumulate(len(one.variants) for one in self.adapters))
        return [range(end - len(one.variants), end) for one, end in zip(self.adapters, ends, strict=True)]


def preflight(
    workspace: Workspace, config: Config, domains: Sequence[str], on: str = "", how: TrainOptions = ONCE_HERE
) -> Together:
    """Check everything that can be checked without the weights; raise :class:`UserError` for what cannot work.

    The memory is planned for this machine, or for a GPU of so much memory ``on`` which it is to be trained: ``24GB``.
    """
    machine = Machine.named(on) if on else None
    return plan_of(prepare(workspace, config, domains, how, machine))


def plan_of(prepared: TrainingPass) -> Together:
    """Return the preflight of each adapter, and the plan of the memory."""
    return Together([one.preflight for one in prepared.adapters], prepared.memory)


def prepare(
    workspace: Workspace,
    config: Config,
    domains: Sequence[str],
    how: TrainOptions,
    machine: Machine | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> TrainingPass:
    """Read the examples and plan; the ``pool``, where there is one, loads the weights meanwhile.

    Reading them is waiting for the disk, tokenizing is not.
    """
    examples = training_examples(workspace, domains)
    ranks = how.ranks.keeping_step(config.train.shard)
    snapshot = reading.current_snapshot(workspace)
    base = loading.resolve(config.model)
    tokenizer = loading.load_tokenizer(base)
    shape = target_modules.shape(base, config)
    dtype = loading.dtype_for(config.train.precision)
    model = loading.meta_model(base)
    require_possible(config, ranks, how.engine, packs=packed_attention.packable(model))
    # From here on: before it, both would import the same parts of transformers.
    weights = None
    if pool and not ranks.sharded:
        weights = pool.submit(loading.load_model, base, dtype, four_bit=config.train.load_in_4bit)
    variants = [(config.train, config.lora)]
    if how.sweep:
        variants = sweeps.variants(config.train, config.lora, config.sweep)
    found = [
        _prepare_adapter(workspace, config, *one, base, dtype, shape, tokenizer, variants) for one in examples.items()
    ]
    work = Work(
        shape.modules,
        [own for one in found for _, own in one.variants],
        tokens=-(-sum(_step_tokens(one.data, config) * len(one.variants) for one in found) // ranks.count),
        longest=max(len(one.ids) + len(one.rejected) for each in found for one in (*each.data, *each.val)),
        supervised=max(one.preflight.supervised_share for one in found),
        four_bit=config.train.load_in_4bit,
        shards=ranks.count if ranks.sharded else 1,
    )
    recompute = config.train.gradient_checkpointing
    plan = memory_plan.plan(
        model,
        dtype,
        work,
        machine or Machine.this(ranks),
        tokens=config.train.micro_batch_tokens,
        recompute=None if recompute == "auto" else recompute,
    )
    return TrainingPass(base, dtype, shape, snapshot, found, plan, ranks, weights)


def training_examples(
    workspace: Workspace, domains: Sequence[str]
) -> dict[str, tuple[list[Interaction], list[Interaction]]]:
    """Return each domain's train and val examples; raise :class:`UserError` where there is none to train on."""
    if len(set(domains)) != len(domains):
        raise UserError(" ".join(domains), "names a domain twice", "name each once")
    found = {}
    for domain in domains:
        reading.require_domain(workspace, domain)
        examples = reading.split_examples(workspace, "train", domain)
        if not examples:
            raise UserError(domain, "has no training example", "capture more, then run 'weakspot process'")
        found[domain] = (examples, reading.split_examples(workspace, "val", domain))
    return found


def _prepare_adapter(
    workspace: Workspace,
    config: Config,
    domain: str,
    examples: tuple[Sequence[Interaction], Sequence[Interaction]],
    base: Base,
    dtype: "torch.dtype",
    shape: Shape,
    tokenizer: "PreTrainedTokenizerBase",
    variants: list[tuple[Train, Lora]],
) -> PreparedAdapter:
    left_out: dict[str, str] = {}
    data, val = (_tokenize(tokenizer, part, config, left_out) for part in examples)
    if not data:
        raise UserError(domain, f"no example is left to train on: {next(iter(left_out.values()))}", "raise max_length")
    name = workspace.next_adapter(domain)
    plan = describe(name, base, dtype, shape, data, val, left_out, config, tokenizer)
    if config.train.objective != "sft" and not plan.pairs:
        raise UserError(domain, f"has no local answer to set {config.train.objective} against", "use objective sft")
    if len(variants) > 1 and not val:
        raise UserError(domain, "has no val example to choose by", "capture more, or train without --sweep")
    count = sum(1 for _ in reading.read_examples(workspace.examples(domain)))
    return PreparedAdapter(name, data, val, plan, count, variants)


def _tokenize(
    tokenizer: "PreTrainedTokenizerBase", examples: Sequence[Interaction], config: Config, left_out: dict[str, str]
) -> list[Tokens]:
    """Return the examples as tokens; those that cannot be go to ``left_out`` by id, with the reason."""
    read = tokenization.tokens if config.train.objective == "sft" else tokenization.pair
    found = []
    with bar("tokenizing", len(examples)) as advance:
        for example in examples:
            advance(1, "")
            try:
                one = read(tokenizer, example, config.train.max_length)
            except ViewError as error:
                left_out[example.id] = str(error)
                continue
            if not 0 < one.start < len(one.ids):
                raise ValueError(f"{one.id}: {one.supervised} of {len(one.ids)} tokens under loss")
            found.append(one)
    return found


def _step_tokens(data: Sequence[Tokens], config: Config) -> int:
    """Return the tokens of the largest step that there can be."""
    lengths = sorted((len(one.ids) + len(one.rejected) for one in data), reverse=True)
    return sum(lengths[: config.train.batch_size * config.train.gradient_accumulation])
