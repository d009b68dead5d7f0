"""Many adapters trained in one pass over one base; each is what it would be alone.

A round is one optimiser step of every adapter that is not done. Their examples are packed into rows together; each
adapter has its own loss, clipping, optimiser, schedule, early stopping and checkpoint, and leaves when it is done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weakspot.training import checkpoints, logprobs, objectives
from weakspot.training.adapter_trainer import Learner, Progress, Run, State
from weakspot.training.distributed import ALONE, Ranks
from weakspot.training.objectives import Scored, Shares
from weakspot.training.packing import Piece, Row

if TYPE_CHECKING:
    import torch

    from weakspot.models.packed_attention import LanguageModel
    from weakspot.training.lora_layers import Adapters


def train(
    model: "LanguageModel",
    adapters: "Adapters",
    runs: Sequence[Run],
    *,
    budget: int,
    on_done: Callable[[int, State], None] = lambda _slot, _state: None,
    between: Callable[[list[Learner]], None] = lambda _: None,
    ranks: Ranks = ALONE,
) -> list[State]:
    """Train an adapter for each run, the first in slot 0; leave the best weights of each in ``adapters``.

    Best is the lowest val loss, the last step where a run has no val examples. A forward pass has at most ``budget``
    tokens, less once the memory ran out. ``on_done`` is told of each adapter when it is done; ``between`` may stop some
    of those at work after a round. Unfinished runs are gone on from, from the last step that all of them kept, so that
    the rows are the same again: every sequence draws its noise from the seed, its step and its place in it.

    Raises :class:`FloatingPointError` where a loss is no number, and torch's own error where not even one sequence fits
    into the memory.
    """
    learners = []
    for slot, run in enumerate(runs):
        adapters.add(slot, run.lora, run.settings.seed)
        learners.append(Learner(run, slot, adapters.parameters(slot)))
    _resume(learners, ranks)
    work = _Pass(model, adapters, budget, ranks)
    at_work = list(learners)
    while at_work:
        for learner in [one for one in at_work if one.done]:
            at_work.remove(learner)
            on_done(learner.slot, learner.finish())
        if not at_work:
            break
        pieces = [learner.pieces() for learner in at_work]
        model.train()
        work.refer(at_work, pieces)
        sums = work.backward(at_work, pieces)
        steps = [
            learner.learn(own, loss, preferred)
            for learner, own, (loss, preferred) in zip(at_work, pieces, sums, strict=True)
        ]
        measured = [learner for learner in at_work if learner.measures()]
        model.eval()
        for learner, val_loss in zip(measured, work.val_losses(measured), strict=True):
            steps[at_work.index(learner)].val_loss = val_loss
            learner.judge(val_loss)
        for learner, progress in zip(at_work, steps, strict=True):
            learner.note(progress)
        between(at_work)
        every = min(learner.plan.save_every for learner in at_work)
        if ranks.first and (at_work[0].state.step % every == 0 or any(learner.done for learner in at_work)):
            _save(at_work)
        for learner, progress in zip(at_work, steps, strict=True):
            learner.run.on_step(progress)
    adapters.layout.set(None, dropout=False)
    model.eval()
    return [learner.state for learner in learners]


def _resume(learners: Sequence[Learner], ranks: Ranks) -> None:
    kept = ranks.from_first(lambda: [learner.checkpointed() for learner in learners])
    common = set(kept[0]).intersection(*kept)
    for learner, steps in zip(learners, kept, strict=True):
        if steps:
            learner.load(max(common) if common else steps[-1])
            for metrics in learner.state.metrics:
                learner.run.on_step(Progress(**metrics))
    ranks.wait()  # the first may soon remove what the others read


def _save(learners: Sequence[Learner]) -> None:
    """Write every checkpoint of this round before any older one goes: all of them can be gone on from together."""
    for learner in learners:
        learner.save()
    for learner in learners:
        checkpoints.keep_only(learner.run.checkpoint, learner.state.step)


@dataclass
class _Pass:
    """The forward and backward passes of a round."""

    model: "LanguageModel"
    adapters: "Adapters"
    budget: int
    ranks: Ranks

    def rows(self, pieces: Sequence[Piece]) -> "list[tuple[Row, bool]]":
        """Return this process' rows, and of each whether it counts."""
        budget = self.ranks.even(self.budget, sum(piece.length for piece in pieces))
        return self.ranks.share(list(logprobs.rows_of(self.model, pieces, budget)))

    def backward(self, learners: Sequence[Learner], pieces: Sequence[Sequence[Piece]]) -> list[tuple[float, float]]:
        """Sum up the gradients of a round; return the loss of each learner, and how many pairs it got right.

        Where the memory runs out, the round begins again with half as many tokens in a pass: nothing was stepped yet.
        """
        import torch

        while True:
            try:
                return self._backward(learners, pieces)
            except torch.OutOfMemoryError:
                for learner in learners:
                    learner.forget_gradients()
                longest = max(piece.length for own in pieces for piece in own)
                if self.budget <= longest or self.ranks.count > 1:
                    raise
                self.budget = max(longest, min(self.budget, sum(p.length for own in pieces for p in own)) // 2)
                torch.cuda.empty_cache()

    def _backward(self, learners: Sequence[Learner], pieces: Sequence[Sequence[Piece]]) -> list[tuple[float, float]]:
        import torch

        places = {learner.slot: n for n, learner in enumerate(learners)}
        shares = [Shares.of(own) for own in pieces]
        sums = torch.zeros(len(learners), 2, device=self.model.device)
        for row, counts in self.rows([piece for own in pieces for piece in own]):
            total: torch.Tensor | None = None
            for scored in self.scored(row, learners, dropout=True):
                place = places[_slot(scored.piece)]
                loss = objectives.loss(scored, learners[place].run.settings, shares[place])
                total = loss if total is None else total + loss
                if counts:
                    sums[place, 0] += loss.detach()
                    sums[place, 1] += _preferred(scored)
            if total is not None:
                (total if counts else 0 * total).backward()
        for learner in learners:
            self.ranks.sum_gradients(self.adapters.parameters(learner.slot).values())
        return [(float(loss), float(right)) for loss, right in self.ranks.summed(sums).tolist()]

    def val_losses(self, learners: Sequence[Learner]) -> list[float]:
        """Return the loss of each learner on its val examples."""
        import torch

        if not learners:
            return []
        pieces = [learner.val_pieces() for learner in learners]
        places = {learner.slot: n for n, learner in enumerate(learners)}
        shares = [Shares.of(own) for own in pieces]
        self.refer(learners, pieces)
        sums = torch.zeros(len(learners), dtype=torch.float64)
        with torch.no_grad():
            for row, counts in self.rows([piece for own in pieces for piece in own]):
                for scored in self.scored(row, learners, dropout=False):
                    place = places[_slot(scored.piece)]
                    if counts:
                        loss = objectives.loss(scored, learners[place].run.settings, shares[place])
                        sums[place] += float(loss)
        return [float(value) for value in self.ranks.summed(sums).tolist()]

    def scored(self, row: Row, learners: Sequence[Learner], *, dropout: bool) -> list[Scored]:
        """Return what the adapters make of a row."""
        self.adapters.layout.set(row, dropout=dropout)
        losses = iter(logprobs.answer_losses(self.model, row))
        by_slot = {learner.slot: learner for learner in learners}
        found = []
        for piece in row.pieces:
            chosen, rejected = next(losses), next(losses) if piece.paired else None
            reference = by_slot[_slot(piece)].state.references.get(piece.tokens.id)
            found.append(Scored(piece, chosen, rejected, reference))
        return found

    def refer(self, learners: Sequence[Learner], pieces: Sequence[Sequence[Piece]]) -> None:
        """Ask the base about the pairs that a learner of DPO has not met before."""
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
                        sums = objectives.guarded(next(losses), next(losses), settings.length_guard)
                        if counts:
                            found[places[piece.tokens.id]] = torch.stack(sums).to(found)
            for piece, sums in zip(new, self.ranks.summed(found).tolist(), strict=True):
                known[piece.tokens.id] = (sums[0], sums[1])


def _slot(piece: Piece) -> int:
    if piece.slot is None:
        raise ValueError("a piece of the base alone teaches nothing")
    return piece.slot


def _preferred(scored: Scored) -> "torch.Tensor | float":
    return 0.0 if scored.rejected is None else (scored.chosen.mean() < scored.rejected.mean()).float().detach()
