"""Train LoRA adapters, each on its domain's share of the train split, in one pass over one base."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.models import adapter_files, loading, packed_attention, target_modules, tokenization
from weakspot.models.loading import Base
from weakspot.models.target_modules import Shape
from weakspot.models.tokenization import Tokens, ViewError
from weakspot.progress import bar
from weakspot.records import AdapterManifest, BaseReference, Interaction
from weakspot.settings import Lora, Train
from weakspot.storage import atomic
from weakspot.training import checkpoints, memory_plan, metrics, model_card, ray_cluster
from weakspot.training import sweep as sweeps
from weakspot.training.adapter_trainer import Progress, Run, State
from weakspot.training.distributed import ALONE, Ranks
from weakspot.training.memory_plan import Machine, Work
from weakspot.training.preflight import Preflight, Together, describe, require_possible
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.training.lora_layers import Adapters


@dataclass(frozen=True)
class How:
    """How to train: with a ``sweep`` over settings; in these ``ranks``, or by ``ray`` on a cluster."""

    sweep: bool = False
    engine: Literal["local", "ray"] = "local"
    ranks: Ranks = ALONE


@dataclass(frozen=True)
class _Prepared:
    """An adapter to be, with its examples as tokens, and the settings to train it with: in a sweep several."""

    name: AdapterName
    data: list[Tokens]
    val: list[Tokens]
    preflight: Preflight
    domain_examples: int
    variants: list[tuple[Train, Lora]]


@dataclass(frozen=True)
class _Pass:
    """What is trained together, and on what."""

    base: Base
    dtype: "torch.dtype"
    shape: Shape
    snapshot: str
    adapters: list[_Prepared]
    memory: memory_plan.Plan
    ranks: Ranks
    weights: "Future[PreTrainedModel] | None" = None

    def slots(self) -> list[range]:
        """The slots of each adapter's variants."""
        ends = list(accumulate(len(one.variants) for one in self.adapters))
        return [range(end - len(one.variants), end) for one, end in zip(self.adapters, ends, strict=True)]


def preflight(workspace: Workspace, config: Config, domains: Sequence[str], on: str = "", how: How = How()) -> Together:
    """Check everything that can be checked without the weights; raise :class:`UserError` for what cannot work.

    The memory is planned for this machine, or for a GPU of so much memory ``on`` which it is to be trained: ``24GB``.
    """
    machine = Machine.named(on) if on else None
    return _together(_prepare(workspace, config, domains, how, machine))


def train(workspace: Workspace, config: Config, domain: str) -> AdapterManifest:
    """Train one domain's next adapter; see :func:`train_together`."""
    (manifest,) = train_together(workspace, config, [domain])
    return manifest


def train_together(
    workspace: Workspace,
    config: Config,
    domains: Sequence[str],
    announce: Callable[[Together], None] = lambda _: None,
    how: How = How(),
) -> list[AdapterManifest]:
    """Train the next adapter of each domain in one pass, going on from unfinished ones of the same data and settings.

    Each adapter is what it would be if it were trained alone. ``announce`` is given the preflight before training
    begins; on a cluster each domain has a pass, and a preflight, of its own. Of several processes the first writes.
    """
    done: dict[str, AdapterManifest] = {}
    with ExitStack() as held:
        if how.ranks.first:
            held.enter_context(atomic.locked(workspace.lock, "process, train or deploy"))
        how.ranks.wait()
        found = _trained(workspace, config, domains, how)
        if how.engine == "ray":
            _examples(workspace, domains)
            alone = replace(how, engine="local")
            found = ray_cluster.spread(_trained, {one: (workspace, config, [one], alone) for one in domains})
        for one in found:
            if isinstance(one, Together):
                announce(one)
            else:
                done[one.domain] = one
    return [done[domain] for domain in domains]


def _trained(
    workspace: Workspace, config: Config, domains: Sequence[str], how: How
) -> Iterator[Together | AdapterManifest]:
    """Yield the preflight, and at the end each adapter's manifest."""
    with ThreadPoolExecutor(1) as pool:
        prepared = _prepare(workspace, config, domains, how, pool=pool)
        yield _together(prepared)
        yield from _run(workspace, config, prepared)


def _together(prepared: _Pass) -> Together:
    return Together([one.preflight for one in prepared.adapters], prepared.memory)


def _prepare(
    workspace: Workspace,
    config: Config,
    domains: Sequence[str],
    how: How,
    machine: Machine | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> _Pass:
    """Read the examples and plan; the ``pool``, where there is one, loads the weights meanwhile.

    Reading them is waiting for the disk, tokenizing is not.
    """
    examples = _examples(workspace, domains)
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
    found = [_prepared(workspace, config, *one, base, dtype, shape, tokenizer, variants) for one in examples.items()]
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
    return _Pass(base, dtype, shape, snapshot, found, plan, ranks, weights)


def _examples(workspace: Workspace, domains: Sequence[str]) -> dict[str, tuple[list[Interaction], list[Interaction]]]:
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


def _prepared(
    workspace: Workspace,
    config: Config,
    domain: str,
    examples: tuple[Sequence[Interaction], Sequence[Interaction]],
    base: Base,
    dtype: "torch.dtype",
    shape: Shape,
    tokenizer: "PreTrainedTokenizerBase",
    variants: list[tuple[Train, Lora]],
) -> _Prepared:
    left_out: dict[str, str] = {}
    data, val = (_tokenized(tokenizer, part, config, left_out) for part in examples)
    if not data:
        raise UserError(domain, f"no example is left to train on: {next(iter(left_out.values()))}", "raise max_length")
    name = workspace.next_adapter(domain)
    plan = describe(name, base, dtype, shape, data, val, left_out, config, tokenizer)
    if config.train.objective != "sft" and not plan.pairs:
        raise UserError(domain, f"has no local answer to set {config.train.objective} against", "use objective sft")
    if len(variants) > 1 and not val:
        raise UserError(domain, "has no val example to choose by", "capture more, or train without --sweep")
    count = sum(1 for _ in reading.read_examples(workspace.examples(domain)))
    return _Prepared(name, data, val, plan, count, variants)


def _tokenized(
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


def _run(workspace: Workspace, config: Config, prepared: _Pass) -> list[AdapterManifest]:
    from weakspot.training import loop, lora_layers

    started = time.monotonic()
    done: dict[str, AdapterManifest] = {}
    what = ", ".join(str(one.name) for one in prepared.adapters)
    with loading.enough_memory(what, "lower [train] batch_size or max_length"), ExitStack() as files:
        with bar(f"loading {prepared.base.name}"):
            model = _loaded(prepared, config)
        adapters = lora_layers.attach(model, prepared.shape.modules)
        memory_plan.checkpoint_layers(model, prepared.memory.checkpointed_layers)
        slots = prepared.slots()
        runs = list(_runs(workspace, prepared, files))
        prepared.ranks.require_same([run.fingerprint for run in runs], "base, data or settings")
        states: dict[int, State] = {}

        def finish(slot: int, state: State) -> None:
            states[slot] = state
            group = next(group for group in slots if slot in group)
            if all(member in states for member in group):
                one = prepared.adapters[slots.index(group)]
                tried = {member: (runs[member], states[member]) for member in group}
                write = partial(_finish, workspace, prepared, one, adapters, tried, started)
                done[str(one.name)] = prepared.ranks.from_first(write)

        try:
            loop.train(
                model,
                adapters,
                runs,
                budget=prepared.memory.micro_batch_tokens,
                on_done=finish,
                between=lambda learners: sweeps.halve(learners, slots),
                ranks=prepared.ranks,
            )
        except FloatingPointError as error:
            thing, _, text = str(error).partition(": ")
            raise UserError(thing, text, "lower [train] learning_rate") from None
    return [done[str(one.name)] for one in prepared.adapters]


def _loaded(prepared: _Pass, config: Config) -> "PreTrainedModel":
    if prepared.weights is not None:
        return prepared.weights.result()
    if prepared.ranks.sharded:
        return loading.load_spread(prepared.base, prepared.dtype, prepared.ranks)
    return loading.load_model(prepared.base, prepared.dtype, four_bit=config.train.load_in_4bit)


def _runs(workspace: Workspace, prepared: _Pass, files: ExitStack) -> Iterator[Run]:
    total = sum(one.preflight.steps * len(one.variants) for one in prepared.adapters)
    what = ", ".join(str(one.name) for one in prepared.adapters)
    advance = files.enter_context(bar(f"training {what}", total))
    clock = metrics.Clock()
    for one in prepared.adapters:
        for number, (train_, lora_) in enumerate(one.variants):
            name, checkpoint = str(one.name), workspace.adapter_checkpoint(one.name)
            file = workspace.adapter_metrics(one.name)
            if len(one.variants) > 1:
                name = f"{name} at {train_.learning_rate:g}, rank {lora_.rank}"
                checkpoint = checkpoint / f"{number:02}"
                file = checkpoint / file.name
            fingerprint = _fingerprint(train_, lora_, prepared.base, one)
            tell: Callable[[Progress], None] = metrics.silent
            if prepared.ranks.first:
                stream = files.enter_context(metrics.opened(file))
                tell = metrics.teller(name, stream, advance, clock)
            yield Run(name, one.data, one.val, train_, lora_, checkpoint, fingerprint, tell)


def _finish(
    workspace: Workspace,
    prepared: _Pass,
    one: _Prepared,
    adapters: "Adapters",
    tried: Mapping[int, tuple[Run, State]],
    started: float,
) -> AdapterManifest:
    """Write a trained adapter, the best of those ``tried`` by their slots; then its card, and last its manifest."""
    slot = sweeps.winner({member: state.best_loss for member, (_, state) in tried.items()})
    run, state = tried[slot]
    folder, base = workspace.adapter(one.name), prepared.base
    adapter_files.save(adapters, slot, folder, base.location)
    if len(tried) > 1:
        atomic.write_atomically(workspace.adapter_metrics(one.name), _lines(state.metrics))
        atomic.write_atomically(workspace.adapter_sweep(one.name), sweeps.report(tried, slot))
    reference = BaseReference(
        name=base.name, location=base.location, revision=base.revision, identity=loading.identity(base)
    )
    settings = {"train": run.settings.model_dump(), "lora": run.lora.model_dump()}
    losses = [step["loss"] for step in state.metrics[-10:]]
    manifest = AdapterManifest(
        name=str(one.name),
        domain=one.name.domain,
        version=one.name.version,
        base=reference,
        snapshot=prepared.snapshot,
        examples=len(one.data),
        domain_examples=one.domain_examples,
        settings=settings,
        seed=run.settings.seed,
        steps=state.step,
        best_step=state.best_step,
        train_loss=sum(losses) / len(losses),
        val_loss=state.best_loss,
        seconds=round(time.monotonic() - started, 1),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        files={file: atomic.sha256(folder / file) for file in (adapter_files.SETTINGS, adapter_files.WEIGHTS)},
    )
    model_card.write(workspace, one.name, manifest, state.metrics)
    atomic.write_atomically(workspace.adapter_manifest(one.name), manifest.to_document())
    checkpoints.discard(workspace.adapter_checkpoint(one.name))
    return manifest


def _lines(metrics: Sequence[dict[str, Any]]) -> bytes:
    return "".join(Progress(**one).to_json() + "\n" for one in metrics).encode()


def _fingerprint(train_: Train, lora_: Lora, base: Base, one: _Prepared) -> str:
    """Hash of everything that the result depends on: an unfinished run of another is not gone on from."""
    values = {
        "train": train_.model_dump(),
        "lora": lora_.model_dump(),
        "base": loading.identity(base),
        "data": [(tokens.ids, tokens.rejected) for tokens in (*one.data, *one.val)],
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    packages = {name: version(name) for name in ("torch", "transformers", "peft", "safetensors", "zddc")}
    return {"python": platform.python_version(), **packages}
