"""A row holds its sequences end to end, and knows what belongs to whom."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weakspot.models.packed_attention import Segment
from weakspot.models.tokenization import Tokens
from weakspot.training import logprobs
from weakspot.training.packing import PackedBatch, PackedItem

SHORT = Tokens("a", (11, 12, 13), 1)
LONG = Tokens("b", (21, 22, 23, 24), 3)
PAIR = Tokens("c", (31, 32, 33, 34), 2, rejected=(41, 42, 43))


def test_sequences_stand_end_to_end_each_with_its_own_positions():
    row = PackedBatch.of([PackedItem(SHORT), PackedItem(LONG)], "cpu")
    assert row.ids.tolist() == [11, 12, 13, 21, 22, 23, 24]
    assert row.positions.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert row.segments == [Segment(0, 3), Segment(3, 7)]


def test_the_rows_kept_are_those_whose_next_token_is_under_loss():
    row = PackedBatch.of([PackedItem(SHORT), PackedItem(LONG)], "cpu")
    assert (row.kept.tolist(), row.targets.tolist(), row.counts) == ([0, 1, 5], [12, 13, 24], [2, 1])


def test_the_prompt_of_two_answers_stands_there_once():
    piece = PackedItem(PAIR, paired=True)
    row = PackedBatch.of([PackedItem(SHORT), piece], "cpu")
    assert piece.length == 7
    assert row.ids.tolist() == [11, 12, 13, 31, 32, 33, 34, 41, 42, 43]
    assert row.positions.tolist() == [0, 1, 2, 0, 1, 2, 3, 2, 3, 4]
    assert row.segments == [Segment(0, 3), Segment(3, 7), Segment(7, 10, origin=3, prefix=2)]
    # The last token of the prompt predicts the first of either answer.
    assert row.kept.tolist() == [0, 1, 4, 5, 4, 7, 8]
    assert row.targets.tolist() == [12, 13, 33, 34, 41, 42, 43]
    assert row.counts == [2, 2, 3]


def test_a_second_answer_that_is_not_asked_for_is_left_out():
    assert PackedBatch.of([PackedItem(PAIR)], "cpu").ids.tolist() == [31, 32, 33, 34]
    assert PackedItem(PAIR).length == 4


def test_the_two_sides_of_a_pair_are_the_two_answers_behind_the_prompt():
    own, other = PackedItem(PAIR, slot=3, seed=9, paired=True).sides()
    assert (own.tokens.ids, other.tokens.ids) == ((31, 32, 33, 34), (31, 32, 41, 42, 43))
    assert {(one.slot, one.seed, one.paired, one.tokens.start) for one in (own, other)} == {(3, 9, False, 2)}


def test_sequences_of_one_adapter_stand_together_and_those_of_the_base_in_front():
    row = PackedBatch.of(
        [PackedItem(SHORT, 1), PackedItem(LONG, 0), PackedItem(PAIR, 1, paired=True), PackedItem(SHORT)], "cpu"
    )
    assert [piece.slot for piece in row.pieces] == [None, 0, 1, 1]
    assert row.spans == [(0, 3, 7), (1, 7, 17)]


@st.composite
def pieces(draw) -> list[PackedItem]:
    found = []
    for number in range(draw(st.integers(1, 8))):
        length = draw(st.integers(2, 20))
        start, second = draw(st.integers(1, length - 1)), draw(st.integers(0, 9))
        tokens = Tokens(str(number), tuple(range(length)), start, rejected=tuple(range(second)))
        found.append(PackedItem(tokens, draw(st.sampled_from([None, 0, 1, 2])), number, paired=second > 0))
    return found


@given(pieces())
def test_everything_is_in_a_row_once_and_every_target_is_kept_for_one_answer(given):
    row = PackedBatch.of(given, "cpu")
    assert len(row.ids) == len(row.positions) == sum(piece.length for piece in given)
    assert sorted(piece.seed for piece in row.pieces) == list(range(len(given)))
    assert len(row.kept) == len(row.targets) == sum(row.counts)
    assert sum(row.counts) == sum(p.tokens.supervised + len(p.tokens.rejected) * p.paired for p in given)
    assert [place for one in row.segments for place in range(one.start, one.stop)] == list(range(len(row.ids)))
    assert sum(stop - start for _, start, stop in row.spans) == sum(p.length for p in given if p.slot is not None)
    assert len({slot for slot, _, _ in row.spans}) == len(row.spans)


def asked(adapted, pieces):
    """Return the losses of each answer, and the gradients of a weighted sum of all of them."""
    model, adapters = adapted
    row = PackedBatch.of(pieces, "cpu")
    adapters.layout.set(row, dropout=False)
    losses = logprobs.answer_losses(model, row)
    parameters = adapters.parameters(0)
    gradients = torch.autograd.grad(
        sum((n + 1) * one.mean() for n, one in enumerate(losses)), list(parameters.values())
    )
    return losses, dict(zip(parameters, gradients, strict=True))


@pytest.mark.slow
def test_two_answers_behind_one_prompt_are_scored_and_learned_from_as_if_they_were_asked_apart(adapted, sequences):
    pairs = [PackedItem(one, 0, paired=True) for one in sequences(8, paired=True) if one.rejected]
    assert len(pairs) > 3
    together, gradients = asked(adapted, pairs)
    apart, wanted = asked(adapted, [side for pair in pairs for side in pair.sides()])
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-4, atol=1e-6)
        assert gradient.abs().sum() > 0


@pytest.mark.slow
def test_one_answer_does_not_see_the_other(adapted, sequences):
    (one, *_) = (one for one in sequences(8, paired=True) if one.rejected)
    changed = Tokens(
        one.id, (*one.ids[: one.start], *(17 for _ in one.ids[one.start :])), one.start, rejected=one.rejected
    )
    before, _ = asked(adapted, [PackedItem(one, 0, paired=True)])
    after, _ = asked(adapted, [PackedItem(changed, 0, paired=True)])
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_row_without_any_token_under_loss_can_be_laid_out(device):
    row = PackedBatch.of([PackedItem(Tokens("x", (1,), 1))], device)
    assert (len(row.kept), row.counts, row.kept.dtype) == (0, [0], torch.int64)
