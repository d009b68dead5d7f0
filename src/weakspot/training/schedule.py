"""Schedule of a run: its steps, its learning rate, and the order of its examples."""

import math
from dataclasses import dataclass

from weakspot.settings import Train


@dataclass(frozen=True)
class Schedule:
    """The schedule of a run, in optimiser steps."""

    steps: int
    steps_per_epoch: int
    warmup: int
    eval_every: int
    save_every: int

    @classmethod
    def of(cls, examples: int, settings: Train) -> "Schedule":
        """Return the schedule for a number of examples."""
        per_epoch = math.ceil(examples / (settings.batch_size * settings.gradient_accumulation))
        steps = settings.max_steps or settings.epochs * per_epoch
        eval_every = settings.eval_steps or max(1, math.ceil(steps / 10))
        return cls(
            steps, per_epoch, math.ceil(settings.warmup_ratio * steps), eval_every, settings.save_steps or eval_every
        )

    def rate(self, step: int, peak: float) -> float:
        """Return the learning rate of the 0-based ``step``: linear warm-up, then a cosine to zero."""
        if step < self.warmup:
            return peak * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return peak * 0.5 * (1 + math.cos(math.pi * progress))


def example_order(examples: int, epoch: int, seed: int) -> list[int]:
    """Return the order of the examples in an epoch."""
    import torch

    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return list(torch.randperm(examples, generator=generator).tolist())
