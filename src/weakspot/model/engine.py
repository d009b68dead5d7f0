"""The training loop: packed batches, loss on supervised tokens only, resumable to the same bytes."""

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.config import Train
from weakspot.data import store
from weakspot.model import packing
from weakspot.model.view import Tokens

if TYPE_CHECKING:
    import torch

    from weakspot.model.packing import LanguageModel


@dataclass(frozen=True)
class Plan:
    """The schedule of a run, in optimiser steps."""

    steps: int
    steps_per_epoch: int
    warmup: int
    eval_every: int
    save_every: int

    @classmethod
    def of(cls, examples: int, settings: Train) -> "Plan":
        """Return the schedule for so many examples."""
        per_epoch = math.ceil(examples / (settings.batch_size * settings.gradient_accumulation))
        steps = settings.max_steps or settings.epochs * per_epoch
        eval_every = settings.eval_steps or max(1, math.ceil(steps / 10))
        return cls(
            steps, per_epoch, math.ceil(settings.warmup_ratio * steps), eval_every, settings.save_steps or eval_every
        )

    def rate(self, step: int, peak: float) -> float:
        """Return the learning rate of 0-based ``step``: linear warm-up, then a cosine to zero."""
        if step < self.warmup:
            return peak * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return peak * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass
class Progress:
    """What is known after a step; ``val_loss`` only where it was measured."""

    step: int
    loss: float
    rate: float
    gradient_norm: float
    tokens: int
    supervised: int
    val_loss: float | None = None

    def to_json(self) -> str:
        """Return one line of ``metrics.jsonl``."""
        values = {key: value for key, value in vars(self).items() if value is not None}
        return json.dumps(values)


@dataclass
class State:
    """Where a run stands, beside its tensors."""

    fingerprint: str
    step: int = 0
    best_step: int = 0
    best_loss: float | None = None
    worse: int = 0
    stopped: bool = False
    metrics: list[dict[str, Any]] = field(default_factory=list)


def negative_log_likelihoods(model: "LanguageModel", batch: Sequence[Tokens]) -> "torch.Tensor":
    """Return for each sequence the summed negative log-likelihood of its supervised tokens, in nats: ``[len(batch)]``.

    The sequences are laid end to end in one row, so nothing is padded, and logits are computed on
    supervised rows only. A model that cannot keep sequences in a row apart gets them one by one.
    """
    import torch

    if len(batch) > 1 and not packing.installed(model):
        return torch.cat([negative_log_likelihoods(model, [one]) for one in batch])
    device = model.device
    ids = torch.tensor([token for one in batch for token in one.ids], device=device)
    positions = torch.cat([torch.arange(len(one.ids), device=device) for one in batch])
    owners, rows = [], []
    offset = 0
    for number, one in enumerate(batch):
        rows.append(torch.arange(offset + one.start - 1, offset + len(one.ids) - 1, device=device))
        owners.append(torch.full((one.supervised,), number, device=device))
        offset += len(one.ids)
    kept = torch.cat(rows)
    apart = packing.arguments([len(one.ids) for one in batch], device) if len(batch) > 1 else {}
    with torch.autocast(device.type, torch.bfloat16, enabled=model.dtype == torch.bfloat16):
        logits = model(
            input_ids=ids[None], position_ids=positions[None], use_cache=False, logits_to_keep=kept, **apart
        ).logits[0]
    losses = torch.nn.functional.cross_entropy(logits.float(), ids[kept + 1], reduction="none")
    return torch.zeros(len(batch), device=device).index_add(0, torch.cat(owners), losses)


def order(examples: int, epoch: int, seed: int) -> list[int]:
    """Return the order of the examples in an epoch."""
    import torch

    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return list(torch.randperm(examples, generator=generator).tolist())


def loss_per_token(model: "LanguageModel", data: Sequence[Tokens], batch_size: int) -> float:
    """Return the mean negative log-likelihood of a supervised token over ``data``, in nats."""
    import torch

    model.eval()
    with torch.inference_mode():
        total = sum(float(negative_log_likelihoods(model, part).sum()) for part in batches(data, batch_size))
    return total / sum(one.supervised for one in data)


def batches(data: Sequence[Tokens], size: int) -> Iterator[Sequence[Tokens]]:
    """Yield ``data`` in slices of ``size``."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def train(
    model: "LanguageModel",
    data: Sequence[Tokens],
    val: Sequence[Tokens],
    settings: Train,
    checkpoint: Path,
    fingerprint: str,
    on_step: Callable[[Progress], None],
) -> State:
    """Train the parameters of ``model`` that ask for a gradient; leave the best ones in it.

    Best is the lowest val loss, the last step where ``val`` is empty. A checkpoint of the same
    ``fingerprint`` is gone on from: every step draws its noise from the seed and its own number, so the
    end is the same as without the interruption.
    """
    import torch

    plan = Plan.of(len(data), settings)
    trainable = {name: value for name, value in model.named_parameters() if value.requires_grad}
    optimizer = torch.optim.AdamW(trainable.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    tensors = _Tensors(trainable, optimizer)
    state = tensors.load(checkpoint, fingerprint) or State(fingerprint)
    for metrics in state.metrics:
        on_step(Progress(**metrics))
    size = settings.batch_size * settings.gradient_accumulation
    while state.step < plan.steps and not state.stopped:
        epoch, place = divmod(state.step, plan.steps_per_epoch)
        step_data = [data[n] for n in order(len(data), epoch, settings.seed)[place * size : (place + 1) * size]]
        supervised = sum(one.supervised for one in step_data)
        rate = plan.rate(state.step, settings.learning_rate)
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.train()
        loss = 0.0
        for micro, part in enumerate(batches(step_data, settings.batch_size)):
            torch.manual_seed(settings.seed + 1_000_003 * (state.step + 1) + micro)
            # Over all supervised tokens of the step, so that accumulation changes nothing.
            part_loss = negative_log_likelihoods(model, part).sum() / supervised
            part_loss.backward()
            loss += float(part_loss.detach())
        norm = float(torch.nn.utils.clip_grad_norm_(trainable.values(), settings.max_grad_norm))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(f"step {state.step + 1}: the loss is {loss}, the gradient norm {norm}")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        state.step += 1
        progress = Progress(state.step, loss, rate, norm, sum(len(one.ids) for one in step_data), supervised)
        last = state.step == plan.steps
        if val and (state.step % plan.eval_every == 0 or last):
            progress.val_loss = loss_per_token(model, val, settings.batch_size)
            if state.best_loss is None or progress.val_loss < state.best_loss:
                state.best_loss, state.best_step, state.worse = progress.val_loss, state.step, 0
                tensors.keep_best()
            else:
                state.worse += 1
                state.stopped = 0 < settings.early_stopping_patience <= state.worse
        elif not val:
            state.best_step = state.step
        state.metrics.append(vars(progress).copy())
        if state.step % plan.save_every == 0 or last or state.stopped:
            tensors.save(checkpoint, state)
        on_step(progress)
    tensors.restore_best()
    model.eval()
    return state


class _Tensors:
    """The trained parameters, their optimiser state and the best of them so far, as one file."""

    def __init__(self, trainable: "dict[str, torch.nn.Parameter]", optimizer: "torch.optim.Optimizer") -> None:
        self._trainable, self._optimizer = trainable, optimizer
        self._best: dict[str, torch.Tensor] = {}

    def keep_best(self) -> None:
        self._best = {name: value.detach().to("cpu", copy=True) for name, value in self._trainable.items()}

    def restore_best(self) -> None:
        import torch

        with torch.no_grad():
            for name, value in self._best.items():
                self._trainable[name].copy_(value)

    def save(self, folder: Path, state: State) -> None:
        from safetensors.torch import save_file

        tensors = {f"best/{name}": value for name, value in self._best.items()}
        for name, value in self._trainable.items():
            tensors[f"now/{name}"] = value.detach()
            for key, moment in self._optimizer.state[value].items():
                tensors[f"{key}/{name}"] = moment
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "state.safetensors"
        temporary = folder / "state.safetensors.tmp"
        on_cpu = {name: value.contiguous().cpu() for name, value in tensors.items()}
        with store.full_disk_named(temporary):
            save_file(on_cpu, temporary, {"state": json.dumps(vars(state))})
        store.sync_tree(folder)
        temporary.replace(file)

    def load(self, folder: Path, fingerprint: str) -> State | None:
        import torch
        from safetensors import safe_open

        file = folder / "state.safetensors"
        if not file.exists():
            return None
        with safe_open(file, "pt") as stored:
            state = State(**json.loads(stored.metadata()["state"]))
            if state.fingerprint != fingerprint:
                return None
            with torch.no_grad():
                for key in stored.keys():  # noqa: SIM118 (not a mapping)
                    part, name = key.split("/", 1)
                    value = stored.get_tensor(key)
                    if part == "best":
                        self._best[name] = value
                    elif part == "now":
                        self._trainable[name].copy_(value)
                    else:
                        parameter = self._trainable[name]
                        place = parameter.device if value.dim() else "cpu"
                        self._optimizer.state[parameter][part] = value.to(place)
        return state


def discard(checkpoint: Path) -> None:
    """Remove the checkpoint of a run that is over."""
    shutil.rmtree(checkpoint, ignore_errors=True)
