"""Trains one adapter: its examples, optimiser, early stopping, best weights and checkpoint."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora, Train
from weakspot.training import checkpoints
from weakspot.training.objectives import StepCounts
from weakspot.training.packing import PackedItem
from weakspot.training.schedule import Schedule, example_order

if TYPE_CHECKING:
    import torch


@dataclass
class StepMetrics:
    """Metrics of one step.

    ``preferred`` is the share of the step's pairs in which the expert's answer was likelier per token than the local
    one. It and ``val_loss`` are None in steps where they were not measured.
    """

    step: int
    loss: float
    rate: float
    gradient_norm: float
    tokens: int
    supervised: int
    val_loss: float | None = None
    preferred: float | None = None

    def to_json(self) -> str:
        """Return one line of ``metrics.jsonl``."""
        values = {key: value for key, value in vars(self).items() if value is not None}
        return json.dumps(values)


@dataclass(frozen=True)
class TrainingRun:
    """One adapter to train: its data, its settings and its checkpoint folder.

    A checkpoint with the same ``fingerprint`` is resumed. ``on_step`` is called after each step, and on resuming also
    for the steps before the checkpoint.
    """

    name: str
    data: Sequence[Tokens]
    val: Sequence[Tokens]
    settings: Train
    lora: Lora
    checkpoint: Path
    fingerprint: str
    on_step: Callable[[StepMetrics], None] = lambda _: None


@dataclass
class TrainingState:
    """The progress of a run, without its tensors.

    ``references`` are the base's scores of the two answers of a pair, by example id; see :class:`objectives.Scored`.
    """

    fingerprint: str
    step: int = 0
    best_step: int = 0
    best_loss: float | None = None
    worse: int = 0
    stopped: bool = False
    metrics: list[dict[str, Any]] = field(default_factory=list)
    references: dict[str, tuple[float, float]] = field(default_factory=dict)


class AdapterTrainer:
    """A run with its tensors. The loop asks it for the next items, and reports the results back."""

    def __init__(self, run: TrainingRun, slot: int, parameters: "dict[str, torch.nn.Parameter]") -> None:
        import torch

        self.run, self.slot, self.plan = run, slot, Schedule.of(len(run.data), run.settings)
        self.state = TrainingState(run.fingerprint)
        self.paired = run.settings.objective != "sft"
        self._parameters = parameters
        self._best: dict[str, torch.Tensor] = {}
        settings = run.settings
        self._optimizer = torch.optim.AdamW(
            parameters.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    @property
    def done(self) -> bool:
        """True if all steps are made, or early stopping has ended the run."""
        return self.state.stopped or self.state.step >= self.plan.steps

    def resumable_steps(self) -> list[int]:
        """Return the steps of the checkpoints that belong to exactly this run."""
        folder = self.run.checkpoint
        return [
            n
            for n in checkpoints.find_steps(folder)
            if checkpoints.load_state(folder, n)["fingerprint"] == self.run.fingerprint
        ]

    def pieces(self) -> list[PackedItem]:
        """Return the examples of the next step, with their dropout seeds."""
        settings = self.run.settings
        size = settings.batch_size * settings.gradient_accumulation
        epoch, place = divmod(self.state.step, self.plan.steps_per_epoch)
        chosen = example_order(len(self.run.data), epoch, settings.seed)[place * size : (place + 1) * size]
        first = (settings.seed * 1_000_003 + self.state.step) * 100_003
        return [self._piece(self.run.data[number], first + n) for n, number in enumerate(chosen)]

    def val_pieces(self) -> list[PackedItem]:
        """Return the validation examples."""
        return [self._piece(one, 0) for one in self.run.val]

    def _piece(self, tokens: Tokens, seed: int) -> PackedItem:
        return PackedItem(tokens, self.slot, seed, paired=self.paired and bool(tokens.rejected))

    def apply_step(self, pieces: Sequence[PackedItem], loss: float, preferred: float) -> StepMetrics:
        """Make an optimiser step with the gradients at hand; raise :class:`FloatingPointError` if they are not finite.

        ``preferred`` counts the pairs in which the expert's answer was the likelier one.
        """
        import torch

        settings, state, shares = self.run.settings, self.state, StepCounts.of(pieces)
        rate = self.plan.rate(state.step, settings.learning_rate)
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters.values(), settings.max_grad_norm))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"{self.run.name}: step {state.step + 1}: the loss is {loss}, the gradient norm {norm}"
            )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self.zero_gradients()
        state.step += 1
        tokens = sum(piece.length for piece in pieces)
        share = preferred / shares.pairs if shares.pairs else None
        return StepMetrics(state.step, loss, rate, norm, tokens, shares.tokens, preferred=share)

    def zero_gradients(self) -> None:
        """Drop the gradients accumulated for this step."""
        self._optimizer.zero_grad(set_to_none=True)

    def is_validation_due(self) -> bool:
        """True if the validation loss is due after the step just made."""
        return bool(self.run.val) and (
            self.state.step % self.plan.eval_every == 0 or self.state.step == self.plan.steps
        )

    def judge(self, val_loss: float) -> None:
        """Store the weights if their validation loss is the best so far; stop after too many worse ones in a row."""
        state = self.state
        if state.best_loss is None or val_loss < state.best_loss:
            state.best_loss, state.best_step, state.worse = val_loss, state.step, 0
            self._best = {name: value.detach().to("cpu", copy=True) for name, value in self._parameters.items()}
        else:
            state.worse += 1
            state.stopped = 0 < self.run.settings.early_stopping_patience <= state.worse

    def note(self, progress: StepMetrics) -> None:
        """Append the metrics of the step just made."""
        if not self.run.val:
            self.state.best_step = self.state.step
        self.state.metrics.append(vars(progress).copy())

    def finish(self) -> TrainingState:
        """Put the best weights in place, and return the state."""
        import torch

        with torch.no_grad():
            for name, value in self._best.items():
                self._parameters[name].copy_(value)
        return self.state

    def save(self) -> None:
        """Write a checkpoint of the step just made."""
        tensors = {f"best/{name}": value for name, value in self._best.items()}
        for name, value in self._parameters.items():
            tensors[f"now/{name}"] = value.detach()
            for key, moment in self._optimizer.state[value].items():
                tensors[f"{key}/{name}"] = moment
        checkpoints.write_checkpoint(self.run.checkpoint, self.state.step, tensors, vars(self.state))

    def load(self, step: int) -> None:
        """Restore the checkpoint of ``step``."""
        import torch

        tensors, state = checkpoints.load_checkpoint(self.run.checkpoint, step)
        self.state = TrainingState(**state)
        with torch.no_grad():
            for key, value in tensors.items():
                part, name = key.split("/", 1)
                if part == "best":
                    self._best[name] = value
                elif part == "now":
                    self._parameters[name].copy_(value)
                else:
                    parameter = self._parameters[name]
                    self._optimizer.state[parameter][part] = value.to(parameter.device)
