"""Train one domain's LoRA adapter on its share of the train split."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from weakspot import card
from weakspot.config import Config
from weakspot.data import dataset, store
from weakspot.model import bases, engine, lora, view
from weakspot.model.bases import Base, Shape
from weakspot.model.engine import Progress
from weakspot.model.preflight import Preflight, describe
from weakspot.model.view import Tokens, ViewError
from weakspot.progress import bar
from weakspot.records import AdapterManifest, BaseReference, Interaction
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class _Prepared:
    name: AdapterName
    base: Base
    dtype: "torch.dtype"
    shape: Shape
    data: list[Tokens]
    val: list[Tokens]
    preflight: Preflight
    domain_examples: int
    snapshot: str


def preflight(workspace: Workspace, config: Config, domain: str) -> Preflight:
    """Check everything that can be checked without the weights; raise :class:`UserError` for what cannot work."""
    return _prepare(workspace, config, domain).preflight


def train(
    workspace: Workspace, config: Config, domain: str, announce: Callable[[Preflight], None] = lambda _: None
) -> AdapterManifest:
    """Train the domain's next adapter, going on from an unfinished one of the same data and settings.

    ``announce`` is given the preflight before the weights are loaded.
    """
    with store.locked(workspace.lock, "process, train or deploy"):
        prepared = _prepare(workspace, config, domain)
        announce(prepared.preflight)
        return _run(workspace, config, prepared)


def _prepare(workspace: Workspace, config: Config, domain: str) -> _Prepared:
    dataset.require_domain(workspace, domain)
    train_examples = dataset.split_examples(workspace, "train", domain)
    if not train_examples:
        raise UserError(domain, "has no training example", "capture more, then run 'weakspot process'")
    snapshot = dataset.current_snapshot(workspace)
    base = bases.resolve(config.model)
    tokenizer = bases.load_tokenizer(base)
    left_out: dict[str, str] = {}
    data = _tokenized(tokenizer, train_examples, config, left_out)
    val = _tokenized(tokenizer, dataset.split_examples(workspace, "val", domain), config, left_out)
    if not data:
        raise UserError(domain, f"no example is left to train on: {next(iter(left_out.values()))}", "raise max_length")
    shape = bases.shape(base, config)
    dtype = bases.dtype_for(config.train.precision)
    name = workspace.next_adapter(domain)
    plan = describe(name, base, dtype, shape, data, val, left_out, config, tokenizer)
    domain_examples = sum(1 for _ in dataset.read_examples(workspace.examples(domain)))
    return _Prepared(name, base, dtype, shape, data, val, plan, domain_examples, snapshot)


def _tokenized(
    tokenizer: "PreTrainedTokenizerBase", examples: Sequence[Interaction], config: Config, left_out: dict[str, str]
) -> list[Tokens]:
    """Return the examples as tokens; those that cannot be go to ``left_out`` by id, with the reason."""
    found = []
    with bar("tokenizing", len(examples)) as advance:
        for example in examples:
            advance(1, "")
            try:
                one = view.tokens(tokenizer, example, config.train.max_length)
            except ViewError as error:
                left_out[example.id] = str(error)
                continue
            if not 0 < one.start < len(one.ids):
                raise ValueError(f"{one.id}: {one.supervised} of {len(one.ids)} tokens under loss")
            found.append(one)
    return found


def _run(workspace: Workspace, config: Config, prepared: _Prepared) -> AdapterManifest:
    started = time.monotonic()
    folder, base = workspace.adapter(prepared.name), prepared.base
    folder.mkdir(parents=True, exist_ok=True)
    with bases.enough_memory(str(prepared.name), "lower [train] batch_size or max_length"):
        with bar(f"loading {base.name}"):
            plain = bases.load_model(base, prepared.dtype, four_bit=config.train.load_in_4bit)
        recompute = config.train.gradient_checkpointing
        model = lora.attach(plain, config.lora, prepared.shape.modules, config.train.seed, checkpointing=recompute)
        try:
            state = _loop(workspace, config, prepared, model)
        except FloatingPointError as error:
            raise UserError(str(prepared.name), str(error), "lower [train] learning_rate") from None
    lora.save(model, folder)
    reference = BaseReference(
        name=base.name, location=base.location, revision=base.revision, identity=bases.identity(base)
    )
    settings = {"train": config.train.model_dump(), "lora": config.lora.model_dump()}
    losses = [step["loss"] for step in state.metrics[-10:]]
    manifest = AdapterManifest(
        name=str(prepared.name),
        domain=prepared.name.domain,
        version=prepared.name.version,
        base=reference,
        snapshot=prepared.snapshot,
        examples=len(prepared.data),
        domain_examples=prepared.domain_examples,
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
    card.write(workspace, prepared.name, manifest, state.metrics)
    store.write_atomically(workspace.adapter_manifest(prepared.name), manifest.to_document())
    engine.discard(workspace.adapter_checkpoint(prepared.name))
    return manifest


def _loop(workspace: Workspace, config: Config, prepared: _Prepared, model: "PeftModel") -> engine.State:
    steps = prepared.preflight.steps
    file = workspace.adapter_metrics(prepared.name)
    with bar(f"training {prepared.name}", steps) as advance, file.open("w", encoding="utf-8") as stream:
        clock = time.monotonic()

        def on_step(progress: Progress) -> None:
            nonlocal clock
            stream.write(progress.to_json() + "\n")
            stream.flush()
            now = time.monotonic()
            speed = progress.tokens / max(now - clock, 1e-9)
            clock = now
            val = f"  val {progress.val_loss:.3f}" if progress.val_loss is not None else ""
            advance(1, f"loss {progress.loss:.3f}{val}  {speed:,.0f} tokens/s")

        return engine.train(
            model,
            prepared.data,
            prepared.val,
            config.train,
            workspace.adapter_checkpoint(prepared.name),
            _fingerprint(config, prepared),
            on_step,
        )


def _fingerprint(config: Config, prepared: _Prepared) -> str:
    """Hash of everything that the result depends on: an unfinished run of another is not gone on from."""
    values = {
        "train": config.train.model_dump(),
        "lora": config.lora.model_dump(),
        "base": bases.identity(prepared.base),
        "data": [one.ids for one in (*prepared.data, *prepared.val)],
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    packages = {name: version(name) for name in ("torch", "transformers", "peft", "safetensors", "zddc")}
    return {"python": platform.python_version(), **packages}
