"""Trains many adapters in one pass over one base, each with the same result as if it were trained alone.

A round is one optimiser step of every adapter that is not done. The examples of all adapters are packed into batches
together. Each adapter has its own loss, gradient clipping, optimiser, schedule, early stopping and checkpoint, and
leaves the loop when it is done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.training import checkpoints, logprobs, objectives
from weakspot.training.adapter_trainer import AdapterTrainer, StepMetrics, TrainingRun, TrainingState
from weakspot.training.distributed import ALONE, Ranks
from weakspot.training.objectives import ItemLosses, StepCounts
from weakspot.training.packing import PackedBatch, PackedItem

if TYPE_CHECKING:
    import torch

    from weakspot.models.packed_attention import LanguageModel
    from weakspot.training.lora_layers import Adapters


def train(
    model: "LanguageModel",
    adapters: "Adapters",
    runs: Sequence[TrainingRun],
    *,
    budget: int,
    on_done: Callable[[int, TrainingState], None] = lambda _slot, _state: None,
    between: Callable[[list[AdapterTrainer]], None] = lambda _: None,
    ranks: Ranks = ALONE,
) -> list[TrainingState]:
    """Train one adapter per run, the first in slot 0; leave the best weights of each in ``adapters``.

    The best weights are those with the lowest validation loss, or those of the last step if a run has no validation
    examples. A forward pass has at most ``budget`` tokens, and fewer after memory ran out. ``on_done`` is called for
    each adapter that is done; ``between`` is called after each round and may stop some adapters. Interrupted runs
    resume at the last step that all of them checkpointed, so batches are packed identically. The dropout of a
    sequence depends only on the seed, the step and its place in the step.

    Raises :class:`FloatingPointError` if a loss is not finite, and torch's own error if not even one sequence fits
    into memory.
    """
    learners = []
    for slot, run in enumerate(runs):
        adapters.add(slot, run.lora, run.settings.seed)
        learners.append(AdapterTrainer(run, slot, adapters.parameters(slot)))
    _resume(learners, ranks)
    work = _TrainingPass(model, adapters, budget, ranks)
    at_work = list(learners)
    while at_work:
        for learner in [one for one in at_work if one.done]:
            at_work.remove(learner)
            on_done(learner.slot, learner.finish())
        if not at_work:
            break
        pieces = [learner.pieces() for learner in at_work]
        model.train()
        work.add_references(at_work, pieces)
        sums = work.backward(at_work, pieces)
        steps = [
            learner.apply_step(own, loss, preferred)
            for learner, own, (loss, preferred) in zip(at_work, pieces, sums, strict=True)
        ]
        measured = [learner for learner in at_work if learner.is_validation_due()]
        model.eval()
        for learner, val_loss in zip(measured, work.val_losses(measured), strict=True):
            steps[at_work.index(learner)].val_loss = val_loss
            learner.judge(val_loss)
        for learner, progress in zip(at_work, steps, strict=True):
            learner.note(progress)
        between(at_work)
        every = min(learner.plan.save_every for learner in at_work)
        if ranks.first and (at_work[0].state.step % every == 0 or any(learner.done for learner in at_work)):
            _save_checkpoints(at_work)
        for learner, progress in zip(at_work, steps, strict=True):
            learner.run.on_step(progress)
    adapters.layout.set(None, dropout=False)
    model.eval()
    return [learner.state for learner in learners]


def _resume(learners: Sequence[AdapterTrainer], ranks: Ranks) -> None:
    kept = ranks.broadcast_from_first(lambda: [learner.resumable_steps() for learner in learners])
    common = set(kept[0]).intersection(*kept)
    for learner, steps in zip(learners, kept, strict=True):
        if steps:
            learner.load(max(common) if common else steps[-1])
            for metrics in learner.state.metrics:
                learner.run.on_step(StepMetrics(**metrics))
    ranks.wait()  # the first process may soon remove the files that the others read


def _save_checkpoints(learners: Sequence[AdapterTrainer]) -> None:
    """Write all checkpoints of this round before removing any older one, so that all runs can resume together."""
    for learner in learners:
        learner.save()
    for learner in learners:
        checkpoints.remove_other_steps(learner.run.checkpoint, learner.state.step)


@dataclass
class _TrainingPass:
    """Runs the forward and backward passes of a round."""

    model: "LanguageModel"
    adapters: "Adapters"
    budget: int
    ranks: Ranks

    def rows(self, pieces: Sequence[PackedItem]) -> "list[tuple[PackedBatch, bool]]":
        """Return this process's batches, and for each whether it counts."""
        budget = self.ranks.batch_budget(self.budget, sum(piece.length for piece in pieces))
        return self.ranks.share(list(logprobs.pack_batches(self.model, pieces, budget)))

    def backward(
        self, learners: Sequence[AdapterTrainer], pieces: Sequence[Sequence[PackedItem]]
    ) -> list[tuple[float, float]]:
        """Accumulate the gradients of a round; return each adapter's loss and its number of pairs that it gets right.

        If memory runs out, the round starts again with half as many tokens per pass; no optimiser step was made yet.
        """
        import torch

        while True:
            try:
                return self._backward(learners, pieces)
            except torch.OutOfMemoryError:
                for learner in learners:
                    learner.zero_gradients()
                longest = max(piece.length for own in pieces for piece in own)
                if self.budget <= longest or self.ranks.count > 1:
                    raise
                self.budget = max(longest, min(self.budget, sum(p.length for own in pieces for p in own)) // 2)
                torch.cuda.empty_cache()

    def _backward(
        self, learners: Sequence[AdapterTrainer], pieces: Sequence[Sequence[PackedItem]]
    ) -> list[tuple[float, float]]:
        import torch

        places = {learner.slot: n for n, learner in enumerate(learners)}
        shares = [StepCounts.of(own) for own in pieces]
        sums = torch.zeros(len(learners), 2, device=self.model.device)
        for row, counts in self.rows([piece for own in pieces for piece in own]):
            total: torch.Tensor | None = None
            for scored in self.score_batch(row, learners, dropout=True):
                place = places[_slot(scored.piece)]
                loss = objectives.loss(scored, learners[place].run.settings, shares[place])
                total = loss if total is None else total + loss
                if counts:
                    sums[place, 0] += loss.detach()
                    sums[place, 1] += _prefers_expert(scored)
            if total is not None:
                (total if counts else 0 * total).backward()
        for learner in learners:
            self.ranks.sum_gradients(self.adapters.parameters(learner.slot).values())
        return [(float(loss), float(right)) for loss, right in self.ranks.all_reduce_sum(sums).tolist()]

    def val_losses(self, learners: Sequence[AdapterTrainer]) -> list[float]:
        """Return the validation loss of each adapter."""
        import torch

        if not learners:
            return []
        pieces = [learner.val_pieces() for learner in learners]
        places = {learner.slot: n for n, learner in enumerate(learners)}
        shares = [StepCounts.of(own) for own in pieces]
        self.add_references(learners, pieces)
        sums = torch.zeros(len(learners), dtype=torch.float64)
        with torch.no_grad():
            for row, counts in self.rows([piece for own in pieces for piece in own]):
                for scored in self.score_batch(row, learners, dropout=False):
                    place = places[_slot(scored.piece)]
                    if counts:
                        loss = objectives.loss(scored, learners[place].run.settings, shares[place])
                        sums[place] += float(loss)
        return [float(value) for value in self.ranks.all_reduce_sum(sums).tolist()]

    def score_batch(self, row: PackedBatch, learners: Sequence[AdapterTrainer], *, dropout: bool) -> list[ItemLosses]:
        """Run the model with its adapters on a batch; return the losses of each item."""
        self.adapters.layout.set(row, dropout=dropout)
        losses = iter(logprobs.answer_losses(self.model, row))
        by_slot = {learner.slot: learner for learner in learners}
        found = []
        for piece in row.pieces:
            chosen, rejected = next(losses), next(losses) if piece.paired else None
            reference = by_slot[_slot(piece)].state.references.get(piece.tokens.id)
            found.append(ItemLosses(piece, chosen, rejected, reference))
        return found

    def add_references(self, learners: Sequence[AdapterTrainer], pieces: Sequence[Sequence[PackedItem]]) -> None:
        """Compute the base's scores of the DPO pairs that have none yet, and store them in the adapters' states."""
        import torch

        for learner, own in zip(learners, pieces, strict=True):
            settings, known = learner.run.settings, learner.state.references
            new = [p for p in own if settings.objective == "dpo" and p.paired and p.tokens.id not in known]
            if not new:
                continue
            found = torch.zeros(len(new), 2, dtype=torch.float64)
            places = {piece.tokens.id: n for n, piece in enumerate(new)}
            with torch.no_grad():
                for row, counts in self.rows(new):
                    self.adapters.layout.set(None, dropout=False)
                    losses = iter(logprobs.answer_losses(self.model, row))
                    for piece in row.pieces:
                        sums = objectives.length_guard_sums(next(losses), next(losses), settings.length_guard)
                        if counts:
                            found[places[piece.tokens.id]] = torch.stack(sums).to(found)
            for piece, sums in zip(new, self.ranks.all_reduce_sum(found).tolist(), strict=True):
                known[piece.tokens.id] = (sums[0], sums[1])


def _slot(piece: PackedItem) -> int:
    if piece.slot is None:
        raise ValueError("an item without an adapter cannot be trained on")
    return piece.slot


def _prefers_expert(scored: ItemLosses) -> "torch.Tensor | float":
    return 0.0 if scored.rejected is None else (scored.chosen.mean() < scored.rejected.mean()).float().detach()
