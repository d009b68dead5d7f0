"""One adapter in training: what it has seen, its optimiser, its best weights, and when it is done."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora, Train
from weakspot.training import checkpoints
from weakspot.training.objectives import Shares
from weakspot.training.packing import Piece
from weakspot.training.schedule import Plan, order

if TYPE_CHECKING:
    import torch


@dataclass
class Progress:
    """What is known after a step.

    ``preferred`` is the share of the step's pairs whose expert's answer was likelier, by the token, than the local one;
    it and ``val_loss`` are there only where they were measured.
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
class Run:
    """An adapter to be trained, and on what.

    A checkpoint of the same ``fingerprint`` is gone on from. ``on_step`` is told of each step, those before a
    checkpoint included.
    """

    name: str
    data: Sequence[Tokens]
    val: Sequence[Tokens]
    settings: Train
    lora: Lora
    checkpoint: Path
    fingerprint: str
    on_step: Callable[[Progress], None] = lambda _: None


@dataclass
class State:
    """Where a run stands, beside its tensors.

    ``references`` are what the base makes of the two answers of a pair, by example; see :class:`objectives.Scored`.
    """

    fingerprint: str
    step: int = 0
    best_step: int = 0
    best_loss: float | None = None
    worse: int = 0
    stopped: bool = False
    metrics: list[dict[str, Any]] = field(default_factory=list)
    references: dict[str, tuple[float, float]] = field(default_factory=dict)


class Learner:
    """A run with its tensors; the loop asks it what to do next and tells it what came of it."""

    def __init__(self, run: Run, slot: int, parameters: "dict[str, torch.nn.Parameter]") -> None:
        import torch

        self.run, self.slot, self.plan = run, slot, Plan.of(len(run.data), run.settings)
        self.state = State(run.fingerprint)
        self.paired = run.settings.objective != "sft"
        self._parameters = parameters
        self._best: dict[str, torch.Tensor] = {}
        settings = run.settings
        self._optimizer = torch.optim.AdamW(
            parameters.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    @property
    def done(self) -> bool:
        """Whether there is no step left, or none that helps."""
        return self.state.stopped or self.state.step >= self.plan.steps

    def checkpointed(self) -> list[int]:
        """The steps that this very run can go on from."""
        folder = self.run.checkpoint
        return [
            n
            for n in checkpoints.steps(folder)
            if checkpoints.state_of(folder, n)["fingerprint"] == self.run.fingerprint
        ]

    def pieces(self) -> list[Piece]:
        """Return the examples of the step that is next, with the seeds of their noise."""
        settings = self.run.settings
        size = settings.batch_size * settings.gradient_accumulation
        epoch, place = divmod(self.state.step, self.plan.steps_per_epoch)
        chosen = order(len(self.run.data), epoch, settings.seed)[place * size : (place + 1) * size]
        first = (settings.seed * 1_000_003 + self.state.step) * 100_003
        return [self._piece(self.run.data[number], first + n) for n, number in enumerate(chosen)]

    def val_pieces(self) -> list[Piece]:
        """Return the examples that tell how good it is."""
        return [self._piece(one, 0) for one in self.run.val]

    def _piece(self, tokens: Tokens, seed: int) -> Piece:
        return Piece(tokens, self.slot, seed, paired=self.paired and bool(tokens.rejected))

    def learn(self, pieces: Sequence[Piece], loss: float, preferred: float) -> Progress:
        """Make the step whose gradients are there; raise :class:`FloatingPointError` where they are no numbers.

        ``preferred`` counts the pairs whose expert's answer was the likelier.
        """
        import torch

        settings, state, shares = self.run.settings, self.state, Shares.of(pieces)
        rate = self.plan.rate(state.step, settings.learning_rate)
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters.values(), settings.max_grad_norm))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"{self.run.name}: step {state.step + 1}: the loss is {loss}, the gradient norm {norm}"
            )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self.forget_gradients()
        state.step += 1
        tokens = sum(piece.length for piece in pieces)
        share = preferred / shares.pairs if shares.pairs else None
        return Progress(state.step, loss, rate, norm, tokens, shares.tokens, preferred=share)

    def forget_gradients(self) -> None:
        """Drop what was summed up for this step."""
        self._optimizer.zero_grad(set_to_none=True)

    def measures(self) -> bool:
        """Whether the val loss is due after the step just made."""
        return bool(self.run.val) and (
            self.state.step % self.plan.eval_every == 0 or self.state.step == self.plan.steps
        )

    def judge(self, val_loss: float) -> None:
        """Keep the weights if they are the best so far; stop where they have not been for long enough."""
        state = self.state
        if state.best_loss is None or val_loss < state.best_loss:
            state.best_loss, state.best_step, state.worse = val_loss, state.step, 0
            self._best = {name: value.detach().to("cpu", copy=True) for name, value in self._parameters.items()}
        else:
            state.worse += 1
            state.stopped = 0 < self.run.settings.early_stopping_patience <= state.worse

    def note(self, progress: Progress) -> None:
        """Keep what is known of the step just made."""
        if not self.run.val:
            self.state.best_step = self.state.step
        self.state.metrics.append(vars(progress).copy())

    def finish(self) -> State:
        """Put the best weights in place."""
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
        checkpoints.write(self.run.checkpoint, self.state.step, tensors, vars(self.state))

    def load(self, step: int) -> None:
        """Go back to the checkpoint of ``step``."""
        import torch

        tensors, state = checkpoints.read(self.run.checkpoint, step)
        self.state = State(**state)
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
