"""Trains LoRA adapters in one pass over one base, each on its domain's examples of the train split."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.models import adapter_files, loading, weight_files
from weakspot.progress import bar
from weakspot.records import AdapterManifest
from weakspot.settings import Lora, Train
from weakspot.storage import atomic
from weakspot.training import activation_memory, adapter_export, checkpoints, fsdp, metrics, model_card, ray_cluster
from weakspot.training import sweep as sweeps
from weakspot.training.adapter_trainer import StepMetrics, TrainingRun, TrainingState
from weakspot.training.preflight import TrainingPlan
from weakspot.training.preparation import (
    ONCE_HERE,
    PreparedAdapter,
    TrainingPass,
    TrainOptions,
    plan_of,
    prepare,
    training_examples,
)
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from weakspot.training.lora_layers import Adapters


def train(workspace: Workspace, config: Config, domain: str) -> AdapterManifest:
    """Train one domain's next adapter; see :func:`train_together`."""
    (manifest,) = train_together(workspace, config, [domain])
    return manifest


def train_together(
    workspace: Workspace,
    config: Config,
    domains: Sequence[str],
    announce: Callable[[TrainingPlan], None] = lambda _: None,
    how: TrainOptions = ONCE_HERE,
) -> list[AdapterManifest]:
    """Train the next adapter of each domain in one pass; resume unfinished ones with the same data and settings.

    Each adapter is the same as if it were trained alone. ``announce`` receives the preflight before training begins;
    on a cluster each domain has its own pass and preflight. Of several processes only the first writes files.
    """
    done: dict[str, AdapterManifest] = {}
    with ExitStack() as held:
        if how.ranks.first:
            held.enter_context(atomic.hold_lock(workspace.lock, "process, train or deploy"))
        how.ranks.wait()
        found = _prepare_and_train(workspace, config, domains, how)
        if how.engine == "ray":
            training_examples(workspace, domains)
            alone = replace(how, engine="local")
            found = ray_cluster.run_on_cluster(
                _prepare_and_train, {one: (workspace, config, [one], alone) for one in domains}
            )
        for one in found:
            if isinstance(one, TrainingPlan):
                announce(one)
            else:
                done[one.domain] = one
    return [done[domain] for domain in domains]


def _prepare_and_train(
    workspace: Workspace, config: Config, domains: Sequence[str], how: TrainOptions
) -> Iterator[TrainingPlan | AdapterManifest]:
    """Prepare and train one pass: yield its preflight first, and each adapter's manifest at the end."""
    with ThreadPoolExecutor(1) as pool:
        prepared = prepare(workspace, config, domains, how, pool=pool)
        yield plan_of(prepared)
        yield from _run(workspace, config, prepared)


def _run(workspace: Workspace, config: Config, prepared: TrainingPass) -> list[AdapterManifest]:
    from weakspot.training import loop, lora_layers

    started = time.monotonic()
    done: dict[str, AdapterManifest] = {}
    what = ", ".join(str(one.name) for one in prepared.adapters)
    with loading.explain_out_of_memory(what, "lower [train] batch_size or max_length"), ExitStack() as files:
        with bar(f"loading {prepared.base.name}"):
            model = _load_base(prepared, config)
        adapters = lora_layers.attach(model, prepared.shape.modules)
        activation_memory.checkpoint_layers(model, prepared.memory.checkpointed_layers)
        slots = prepared.slots()
        weights = weight_files.digest(loading.fetch_folder(prepared.base))
        runs = list(_open_runs(workspace, prepared, weights, files))
        prepared.ranks.require_same([run.fingerprint for run in runs], "base, data or settings")
        states: dict[int, TrainingState] = {}

        def finish(slot: int, state: TrainingState) -> None:
            states[slot] = state
            group = next(group for group in slots if slot in group)
            if all(member in states for member in group):
                one = prepared.adapters[slots.index(group)]
                tried = {member: (runs[member], states[member]) for member in group}
                write = partial(_write_adapter, workspace, prepared, one, adapters, tried, started)
                done[str(one.name)] = prepared.ranks.broadcast_from_first(write)

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


def _load_base(prepared: TrainingPass, config: Config) -> "PreTrainedModel":
    if prepared.weights is not None:
        return prepared.weights.result()
    if prepared.ranks.sharded:
        return fsdp.load_with_fsdp(prepared.base, prepared.dtype, prepared.ranks)
    return loading.load_model(prepared.base, prepared.dtype, four_bit=config.train.load_in_4bit)


def _open_runs(workspace: Workspace, prepared: TrainingPass, weights: str, files: ExitStack) -> Iterator[TrainingRun]:
    total = sum(one.preflight.steps * len(one.variants) for one in prepared.adapters)
    what = ", ".join(str(one.name) for one in prepared.adapters)
    advance = files.enter_context(bar(f"training {what}", total))
    clock = metrics.ThroughputMeter()
    for one in prepared.adapters:
        for number, (train_, lora_) in enumerate(one.variants):
            name, checkpoint = str(one.name), workspace.adapter_checkpoint(one.name)
            file = workspace.adapter_metrics(one.name)
            if len(one.variants) > 1:
                name = f"{name} at {train_.learning_rate:g}, rank {lora_.rank}"
                checkpoint = checkpoint / f"{number:02}"
                file = checkpoint / file.name
            fingerprint = _fingerprint(train_, lora_, weights, one)
            _require_same_base(name, checkpoint, fingerprint)
            tell: Callable[[StepMetrics], None] = metrics.discard_step
            if prepared.ranks.first:
                stream = files.enter_context(metrics.open_metrics(file))
                tell = metrics.metrics_writer(name, stream, advance, clock)
            yield TrainingRun(name, one.data, one.val, train_, lora_, checkpoint, fingerprint, tell)


def _write_adapter(
    workspace: Workspace,
    prepared: TrainingPass,
    one: PreparedAdapter,
    adapters: "Adapters",
    tried: Mapping[int, tuple[TrainingRun, TrainingState]],
    started: float,
) -> AdapterManifest:
    """Write the best of the variants ``tried`` (by slot): its weights, then its card, and last its manifest."""
    slot = sweeps.winner({member: state.best_loss for member, (_, state) in tried.items()})
    run, state = tried[slot]
    folder = workspace.adapter(one.name)
    adapter_export.save(adapters, slot, folder, prepared.base.location)
    if len(tried) > 1:
        atomic.write_atomically(workspace.adapter_metrics(one.name), _to_json_lines(state.metrics))
        atomic.write_atomically(workspace.adapter_sweep(one.name), sweeps.report(tried, slot))
    base = prepared.reference
    if base.weights != run.fingerprint.partition("-")[0]:
        raise UserError(str(one.name), "the weights of its base changed meanwhile", "restore them, then train again")
    settings = {"train": run.settings.model_dump(), "lora": run.lora.model_dump()}
    losses = [step["loss"] for step in state.metrics[-10:]]
    manifest = AdapterManifest(
        name=str(one.name),
        domain=one.name.domain,
        version=one.name.version,
        base=base,
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
        thinking=prepared.thinking,
        left_out=one.preflight.reasons,
        files={file: atomic.sha256(folder / file) for file in (adapter_files.SETTINGS, adapter_files.WEIGHTS)},
    )
    model_card.write_model_card(workspace, one.name, manifest, state.metrics)
    atomic.write_atomically(workspace.adapter_manifest(one.name), manifest.to_document())
    checkpoints.discard(workspace.adapter_checkpoint(one.name))
    return manifest


def _to_json_lines(metrics: Sequence[dict[str, Any]]) -> bytes:
    return "".join(StepMetrics(**one).to_json() + "\n" for one in metrics).encode()


def _fingerprint(train_: Train, lora_: Lora, weights: str, one: PreparedAdapter) -> str:
    """Digest of the base's ``weights`` and of all other inputs; a checkpoint of another one is never resumed."""
    values = {
        "train": train_.model_dump(),
        "lora": lora_.model_dump(),
        "data": [(tokens.ids, tokens.rejected) for tokens in (*one.data, *one.val)],
    }
    return f"{weights}-{hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()}"


def _require_same_base(name: str, folder: Path, fingerprint: str) -> None:
    """Raise :class:`UserError` if a checkpoint differs from this run in nothing but the weights of the base."""
    inputs = fingerprint.partition("-")[2]
    begun = [checkpoints.load_state(folder, step)["fingerprint"] for step in checkpoints.find_steps(folder)]
    if fingerprint not in begun and inputs in [one.partition("-")[2] for one in begun]:
        raise UserError(
            name, "was begun on other weights of the base", f"restore that base, or remove {folder} to begin anew"
        )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on."""
    packages = {name: version(name) for name in ("torch", "transformers", "peft", "safetensors", "zddc")}
    return {"python": platform.python_version(), **packages}
