"""Preparation of a training pass: examples as tokens, settings, the base, and a plan of the memory."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.models import garbage_collector, loading, packed_attention, target_modules, tokenization
from weakspot.models.chat_template import Thinking
from weakspot.models.loading import Base
from weakspot.models.rendering import UntrainableExampleError, View
from weakspot.models.target_modules import ModelShape
from weakspot.models.tokenization import Tokens
from weakspot.progress import bar
from weakspot.records import BaseReference, Interaction
from weakspot.settings import Lora, Train
from weakspot.training import memory_plan
from weakspot.training import sweep as sweeps
from weakspot.training.activation_memory import Workload
from weakspot.training.distributed import ALONE, Ranks
from weakspot.training.memory_plan import Machine
from weakspot.training.preflight import (
    Preflight,
    TrainingPlan,
    describe,
    remarks_on,
    require_compatible_settings,
)
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training run: a ``sweep`` over settings, the ``engine``, and the processes (``ranks``).

    With ``quantised_experts`` the memory is planned as if ``weakspot quantize`` had made the base.
    """

    sweep: bool = False
    engine: Literal["local", "ray"] = "local"
    ranks: Ranks = ALONE
    quantised_experts: bool = False


ONCE_HERE = TrainOptions()
_REMEDIES = {"too-long": "raise [train] max_length", "no-thoughts": "see [train] no_thoughts and [model] thinking"}


@dataclass(frozen=True)
class PreparedAdapter:
    """An adapter to train: its examples as tokens, and its settings (several in a sweep)."""

    name: AdapterName
    data: list[Tokens]
    val: list[Tokens]
    preflight: Preflight
    domain_examples: int
    variants: list[tuple[Train, Lora]]


@dataclass(frozen=True)
class TrainingPass:
    """The adapters trained together, their base, and the memory plan."""

    base: Base
    dtype: "torch.dtype"
    shape: ModelShape
    snapshot: str
    adapters: list[PreparedAdapter]
    memory: memory_plan.MemoryPlan
    ranks: Ranks
    thinking: Thinking
    weights: "Future[PreTrainedModel] | None" = None
    remarks: Sequence[str] = ()

    @cached_property
    def reference(self) -> BaseReference:
        """What the manifests say of the base; all of its weights are read for it."""
        return loading.reference(self.base, whole=True)

    def slots(self) -> list[range]:
        """Return for each adapter the slots of its variants."""
        ends = list(accumulate(len(one.variants) for one in self.adapters))
        return [range(end - len(one.variants), end) for one, end in zip(self.adapters, ends, strict=True)]


def preflight(
    workspace: Workspace, config: Config, domains: Sequence[str], on: str = "", how: TrainOptions = ONCE_HERE
) -> TrainingPlan:
    """Check everything that can be checked without the weights; raise :class:`UserError` for what cannot work.

    Memory is planned for this machine, or for a GPU with the memory ``on``, for example ``24GB``.
    """
    machine = Machine.parse_gpu(on) if on else None
    return plan_of(prepare(workspace, config, domains, how, machine))


def plan_of(prepared: TrainingPass) -> TrainingPlan:
    """Return the preflight of each adapter, and the plan of the memory."""
    return TrainingPlan([one.preflight for one in prepared.adapters], prepared.memory, prepared.remarks)


# The names of 200,000 tensors are read, and all stay: looking through them takes half of the time of a plan.
@garbage_collector.pause()
def prepare(
    workspace: Workspace,
    config: Config,
    domains: Sequence[str],
    how: TrainOptions,
    machine: Machine | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> TrainingPass:
    """Read and tokenize the examples and plan the memory; a ``pool``, if given, loads the weights at the same time.

    Loading waits for the disk and tokenizing for the CPU, so they overlap well.
    """
    examples = training_examples(workspace, domains)
    ranks = how.ranks.with_sharding(config.train.shard)
    snapshot = reading.current_snapshot(workspace)
    base = loading.resolve_base(config.model, workspace.root)
    loading.require_loadable(base, four_bit=config.train.load_in_4bit)
    tokenizer = loading.load_tokenizer(base)
    model = loading.build_meta_model(base)
    shape = target_modules.inspect_model(model, config, base.name)
    # A GPU that is planned for is taken to be a recent one, whatever this machine has.
    precision = "bf16" if machine and config.train.precision == "auto" else config.train.precision
    dtype = loading.choose_dtype(precision)
    if how.quantised_experts:
        from weakspot.models import frozen_layers

        frozen_layers.quantise_on_meta_device(model, base.name)
    target_modules.require_stored_layers(base, model, shape.modules)
    require_compatible_settings(config, ranks, how.engine, packs=packed_attention.can_pack(model))
    # Not earlier: both threads would import the same parts of transformers.
    weights = None
    if pool and not ranks.sharded:
        weights = pool.submit(loading.load_model, base, dtype, four_bit=config.train.load_in_4bit)
    variants = [(config.train, config.lora)]
    if how.sweep:
        variants = sweeps.variants(config.train, config.lora, config.sweep)
    view = View(config.model.thinking, config.train.no_thoughts, reading.load_local_thoughts(workspace))
    found = [
        _prepare_adapter(workspace, config, *one, base, dtype, shape, tokenizer, view, variants)
        for one in examples.items()
    ]
    everything = (one for each in found for one in (*each.data, *each.val))
    loading.require_embedded_tokens(
        base, tokenizer, shape.vocabulary, (id_ for one in everything for id_ in (*one.ids, *one.rejected))
    )
    work = Workload(
        shape.modules,
        [own for one in found for _, own in one.variants],
        tokens=-(-sum(_step_tokens(one.data, config) * len(one.variants) for one in found) // ranks.count),
        longest=max(len(one.ids) + len(one.rejected) for each in found for one in (*each.data, *each.val)),
        supervised=max(one.preflight.supervised_share for one in found),
        four_bit=config.train.load_in_4bit,
        shards=ranks.count if ranks.sharded else 1,
    )
    recompute = config.train.gradient_checkpointing
    plan = memory_plan.plan_memory(
        model,
        dtype,
        work,
        machine or Machine.this(ranks),
        tokens=config.train.micro_batch_tokens,
        recompute=None if recompute == "auto" else recompute,
    )
    remarks = remarks_on(model, shape, config, plan)
    return TrainingPass(base, dtype, shape, snapshot, found, plan, ranks, view.thinking, weights, remarks)


def training_examples(
    workspace: Workspace, domains: Sequence[str]
) -> dict[str, tuple[list[Interaction], list[Interaction]]]:
    """Return each domain's train and val examples; raise :class:`UserError` for a domain without train examples."""
    if twice := next((one for one in domains if domains.count(one) > 1), None):
        raise UserError("train", f"{twice} is named twice", "name each domain once")
    found = {}
    for domain in domains:
        reading.require_domain(workspace, domain)
        examples = reading.load_split(workspace, "train", domain)
        if not examples:
            raise UserError(domain, "has no training example", "capture more, then run 'weakspot process'")
        found[domain] = (examples, reading.load_split(workspace, "val", domain))
    return found


def _prepare_adapter(
    workspace: Workspace,
    config: Config,
    domain: str,
    examples: tuple[Sequence[Interaction], Sequence[Interaction]],
    base: Base,
    dtype: "torch.dtype",
    shape: ModelShape,
    tokenizer: "PreTrainedTokenizerBase",
    view: View,
    variants: list[tuple[Train, Lora]],
) -> PreparedAdapter:
    left_out: dict[str, str] = {}
    data, val = (_tokenize(tokenizer, part, config, view, left_out) for part in examples)
    if not data:
        reason, _, detail = next(iter(left_out.values())).partition(": ")
        remedy = _REMEDIES.get(reason, "see docs/models.md, or take another base")
        raise UserError(domain, f"no example is left to train on: {reason}: {detail}", remedy)
    name = workspace.next_adapter(domain)
    plan = describe(name, base, dtype, shape, data, val, left_out, config, tokenizer)
    if config.train.objective != "sft" and not plan.pairs:
        raise UserError(domain, f"has no local answer, which {config.train.objective} needs", "use objective sft")
    if len(variants) > 1 and not val:
        raise UserError(domain, "has no val example to choose the best by", "capture more, or train without --sweep")
    count = sum(1 for _ in reading.read_examples(workspace.examples(domain)))
    return PreparedAdapter(name, data, val, plan, count, variants)


def _tokenize(
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    config: Config,
    view: View,
    left_out: dict[str, str],
) -> list[Tokens]:
    """Return the examples as tokens; add those that cannot be trained on to ``left_out``, by id: reason and detail."""
    read = tokenization.tokenize_example if config.train.objective == "sft" else tokenization.tokenize_pair
    found = []
    with bar("tokenizing", len(examples)) as advance:
        for example in examples:
            advance(1, "")
            try:
                one = read(tokenizer, example, config.train.max_length, view=view)
            except UntrainableExampleError as error:
                left_out[example.id] = str(error)
                continue
            if not 0 < one.start < len(one.ids):
                raise ValueError(f"{one.id}: {one.supervised} of {len(one.ids)} tokens under loss")
            found.append(one)
    return found


def _step_tokens(data: Sequence[Tokens], config: Config) -> int:
    """Return the number of tokens in the largest possible step."""
    lengths = sorted((len(one.ids) + len(one.rejected) for one in data), reverse=True)
    return sum(lengths[: config.train.batch_size * config.train.gradient_accumulation])
