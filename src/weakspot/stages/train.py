"""Train LoRA adapters, each on its domain's share of the train split, in one pass over one base."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TextIO

from weakspot import card
from weakspot.config import Config
from weakspot.data import dataset, store
from weakspot.engine import checkpoints, memory
from weakspot.engine.learner import Progress, Run, State
from weakspot.engine.memory import Machine, Work
from weakspot.model import bases, lora, targets, view
from weakspot.model.bases import Base
from weakspot.model.preflight import Preflight, Together, describe
from weakspot.model.targets import Shape
from weakspot.model.view import Tokens, ViewError
from weakspot.progress import bar
from weakspot.records import AdapterManifest, BaseReference, Interaction
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.engine.layers import Adapters


@dataclass(frozen=True)
class How:
    """How to train: with a ``sweep`` over settings; on this machine, or by ``ray`` on a cluster."""

    sweep: bool = False
    engine: Literal["local", "ray"] = "local"


@dataclass(frozen=True)
class _Prepared:
    """An adapter to be, with its examples as tokens."""

    name: AdapterName
    data: list[Tokens]
    val: list[Tokens]
    preflight: Preflight
    domain_examples: int


@dataclass(frozen=True)
class _Pass:
    """What is trained together, and on what."""

    base: Base
    dtype: "torch.dtype"
    shape: Shape
    snapshot: str
    adapters: list[_Prepared]
    memory: memory.Plan
    loading: "Future[PreTrainedModel] | None" = None


def preflight(workspace: Workspace, config: Config, domains: Sequence[str], on: str = "") -> Together:
    """Check everything that can be checked without the weights; raise :class:`UserError` for what cannot work.

    The memory is planned for this machine, or for a GPU of so much memory ``on`` which it is to be trained: ``24GB``.
    """
    machine = Machine.named(on) if on else None
    prepared = _prepare(workspace, config, domains, machine)
    return Together([one.preflight for one in prepared.adapters], prepared.memory)


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
    begins.
    """
    with store.locked(workspace.lock, "process, train or deploy"), ThreadPoolExecutor(1) as pool:
        prepared = _prepare(workspace, config, domains, pool=pool)
        announce(Together([one.preflight for one in prepared.adapters], prepared.memory))
        return _run(workspace, config, prepared)


def _prepare(
    workspace: Workspace,
    config: Config,
    domains: Sequence[str],
    machine: Machine | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> _Pass:
    """Read the examples and plan; the ``pool``, where there is one, loads the weights meanwhile.

    Reading them is waiting for the disk, tokenizing is not.
    """
    for domain in domains:
        dataset.require_domain(workspace, domain)
    if len(set(domains)) != len(domains):
        raise UserError(" ".join(domains), "names a domain twice", "name each once")
    examples = {domain: _examples(workspace, domain) for domain in domains}
    snapshot = dataset.current_snapshot(workspace)
    base = bases.resolve(config.model)
    tokenizer = bases.load_tokenizer(base)
    shape = targets.shape(base, config)
    dtype = bases.dtype_for(config.train.precision)
    model = bases.meta_model(base)
    # From here on: before it, both would import the same parts of transformers.
    loading = pool.submit(bases.load_model, base, dtype, four_bit=config.train.load_in_4bit) if pool else None
    found = [_prepared(workspace, config, *one, base, dtype, shape, tokenizer) for one in examples.items()]
    work = Work(
        shape.modules,
        [config.lora] * len(found),
        tokens=sum(_step_tokens(one.data, config) for one in found),
        longest=max(len(one.ids) + len(one.rejected) for each in found for one in (*each.data, *each.val)),
        supervised=max(one.preflight.supervised_share for one in found),
        four_bit=config.train.load_in_4bit,
    )
    recompute = config.train.gradient_checkpointing
    plan = memory.plan(
        model,
        dtype,
        work,
        machine or Machine.this(),
        tokens=config.train.micro_batch_tokens,
        recompute=None if recompute == "auto" else recompute,
    )
    return _Pass(base, dtype, shape, snapshot, found, plan, loading)


def _examples(workspace: Workspace, domain: str) -> tuple[list[Interaction], list[Interaction]]:
    """Return a domain's train and val examples; raise :class:`UserError` where there is none to train on."""
    train_examples = dataset.split_examples(workspace, "train", domain)
    if not train_examples:
        raise UserError(domain, "has no training example", "capture more, then run 'weakspot process'")
    return train_examples, dataset.split_examples(workspace, "val", domain)


def _prepared(
    workspace: Workspace,
    config: Config,
    domain: str,
    examples: tuple[Sequence[Interaction], Sequence[Interaction]],
    base: Base,
    dtype: "torch.dtype",
    shape: Shape,
    tokenizer: "PreTrainedTokenizerBase",
) -> _Prepared:
    left_out: dict[str, str] = {}
    data, val = (_tokenized(tokenizer, part, config, left_out) for part in examples)
    if not data:
        raise UserError(domain, f"no example is left to train on: {next(iter(left_out.values()))}", "raise max_length")
    name = workspace.next_adapter(domain)
    plan = describe(name, base, dtype, shape, data, val, left_out, config, tokenizer)
    if config.train.objective != "sft" and not plan.pairs:
        raise UserError(domain, f"has no local answer to set {config.train.objective} against", "use objective sft")
    count = sum(1 for _ in dataset.read_examples(workspace.examples(domain)))
    return _Prepared(name, data, val, plan, count)


def _tokenized(
    tokenizer: "PreTrainedTokenizerBase", examples: Sequence[Interaction], config: Config, left_out: dict[str, str]
) -> list[Tokens]:
    """Return the examples as tokens; those that cannot be go to ``left_out`` by id, with the reason."""
    read = view.tokens if config.train.objective == "sft" else view.pair
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
    from weakspot.engine import layers, loop

    started = time.monotonic()
    done: dict[int, AdapterManifest] = {}
    what = ", ".join(str(one.name) for one in prepared.adapters)
    with bases.enough_memory(what, "lower [train] batch_size or max_length"), ExitStack() as files:
        with bar(f"loading {prepared.base.name}"):
            model = _loaded(prepared, config)
        adapters = layers.attach(model, prepared.shape.modules)
        memory.checkpoint_layers(model, prepared.memory.checkpointed_layers)
        runs = list(_runs(workspace, config, prepared, files))

        def finish(slot: int, state: State) -> None:
            done[slot] = _finish(workspace, config, prepared, prepared.adapters[slot], adapters, slot, state, started)

        try:
            loop.train(model, adapters, runs, budget=prepared.memory.micro_batch_tokens, on_done=finish)
        except FloatingPointError as error:
            thing, _, text = str(error).partition(": ")
            raise UserError(thing, text, "lower [train] learning_rate") from None
    return [done[slot] for slot in range(len(runs))]


def _loaded(prepared: _Pass, config: Config) -> "PreTrainedModel":
    if prepared.loading is not None:
        return prepared.loading.result()
    return bases.load_model(prepared.base, prepared.dtype, four_bit=config.train.load_in_4bit)


def _runs(workspace: Workspace, config: Config, prepared: _Pass, files: ExitStack) -> Iterator[Run]:
    total = sum(one.preflight.steps for one in prepared.adapters)
    what = ", ".join(str(one.name) for one in prepared.adapters)
    advance = files.enter_context(bar(f"training {what}", total))
    clock = _Clock(len(prepared.adapters))
    for one in prepared.adapters:
        workspace.adapter(one.name).mkdir(parents=True, exist_ok=True)
        stream = files.enter_context(workspace.adapter_metrics(one.name).open("w", encoding="utf-8"))
        yield Run(
            str(one.name),
            one.data,
            one.val,
            config.train,
            config.lora,
            workspace.adapter_checkpoint(one.name),
            _fingerprint(config, prepared.base, one),
            _teller(one, stream, advance, clock),
        )


class _Clock:
    """Tokens a second, over all adapters, since each was told of last."""

    def __init__(self, adapters: int) -> None:
        self._adapters, self._began, self._tokens = adapters, time.monotonic(), 0

    def speed(self, tokens: int) -> float:
        """Return the speed so far, these tokens included."""
        self._tokens += tokens
        return self._tokens / max(time.monotonic() - self._began, 1e-9)


def _teller(
    one: _Prepared, stream: TextIO, advance: Callable[[int, str], None], clock: _Clock
) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        stream.write(progress.to_json() + "\n")
        stream.flush()
        val = f"  val {progress.val_loss:.3f}" if progress.val_loss is not None else ""
        advance(1, f"{one.name} loss {progress.loss:.3f}{val}  {clock.speed(progress.tokens):,.0f} tokens/s")

    return on_step


def _finish(
    workspace: Workspace,
    config: Config,
    prepared: _Pass,
    one: _Prepared,
    adapters: "Adapters",
    slot: int,
    state: State,
    started: float,
) -> AdapterManifest:
    """Write a trained adapter, its card, and last its manifest."""
    folder, base = workspace.adapter(one.name), prepared.base
    lora.save(adapters, slot, folder, base.location)
    reference = BaseReference(
        name=base.name, location=base.location, revision=base.revision, identity=bases.identity(base)
    )
    settings = {"train": config.train.model_dump(), "lora": config.lora.model_dump()}
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
        seed=config.train.seed,
        steps=state.step,
        best_step=state.best_step,
        train_loss=sum(losses) / len(losses),
        val_loss=state.best_loss,
        seconds=round(time.monotonic() - started, 1),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        files={file: store.sha256(folder / file) for file in (lora.SETTINGS, lora.WEIGHTS)},
    )
    card.write(workspace, one.name, manifest, state.metrics)
    store.write_atomically(workspace.adapter_manifest(one.name), manifest.to_document())
    checkpoints.discard(workspace.adapter_checkpoint(one.name))
    return manifest


def _fingerprint(config: Config, base: Base, one: _Prepared) -> str:
    """Hash of everything that the result depends on: an unfinished run of another is not gone on from."""
    values = {
        "train": config.train.model_dump(),
        "lora": config.lora.model_dump(),
        "base": bases.identity(base),
        "data": [(tokens.ids, tokens.rejected) for tokens in (*one.data, *one.val)],
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    packages = {name: version(name) for name in ("torch", "transformers", "peft", "safetensors", "zddc")}
    return {"python": platform.python_version(), **packages}
