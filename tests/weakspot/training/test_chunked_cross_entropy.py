"""The loss in chunks is cross entropy, its values and its gradient, however many chunks there are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from weakspot.training import chunked_cross_entropy


def drawn(rows: int, width: int, vocabulary: int, seed: int = 0, scale: float = 1.0, dtype=torch.float64):
    """Make hidden states, an output matrix, targets, and what becomes of each row's loss."""
    generator = torch.Generator().manual_seed(seed)
    hidden = scale * torch.randn(rows, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(vocabulary, width, generator=generator, dtype=torch.float64)
    targets = torch.randint(vocabulary, (rows,), generator=generator)
    weights = torch.randn(rows, generator=generator, dtype=torch.float64)
    return hidden.to(dtype).requires_grad_(), weight.to(dtype), targets, weights.to(dtype)


def both(hidden, weight, targets, weights):
    """Return values and gradient of the loss in chunks, and of torch's own."""
    found = []
    for of_rows in (
        chunked_cross_entropy.token_losses,
        lambda h, w, t: cross_entropy((h @ w.T).float(), t, reduction="none"),
    ):
        values = of_rows(hidden, weight, targets)
        (gradient,) = torch.autograd.grad((values * weights).sum(), hidden)
        found.append((values.detach(), gradient))
    return found


@given(
    st.integers(1, 40), st.integers(1, 24), st.integers(2, 90), st.integers(0, 9), st.sampled_from([0.01, 1.0, 30.0])
)
@pytest.mark.parametrize("chunk_rows", [1, 3, 1000])
def test_values_and_gradients_are_those_of_torchs_cross_entropy(chunk_rows, rows, width, vocabulary, seed, scale):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked_cross_entropy, "_CHUNK_BYTES", 4 * vocabulary * chunk_rows)
        assert chunked_cross_entropy.chunk_rows(vocabulary) == chunk_rows
        ours, torchs = both(*drawn(rows, width, vocabulary, seed, scale, torch.float32))
    torch.testing.assert_close(ours[0], torchs[0], rtol=1e-5, atol=1e-5 * scale * width)
    torch.testing.assert_close(ours[1], torchs[1], rtol=1e-4, atol=2e-6 + 1e-5 * scale)


def test_how_many_chunks_there_are_changes_nothing(monkeypatch):
    given = drawn(50, 16, 300, dtype=torch.float32)
    found = []
    for chunk_bytes in (1 << 28, 4 * 300 * 7):
        monkeypatch.setattr(chunked_cross_entropy, "_CHUNK_BYTES", chunk_bytes)
        found.append(both(*given)[0])
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-6)


def test_logits_that_would_overflow_are_no_matter():
    hidden, weight, targets, weights = drawn(9, 8, 50, scale=1e4, dtype=torch.float32)
    (values, gradient), (wanted, slope) = both(hidden, weight, targets, weights)
    assert values.isfinite().all()
    torch.testing.assert_close(values, wanted, rtol=1e-5, atol=1e-2)
    torch.testing.assert_close(gradient, slope, rtol=1e-4, atol=1e-4)


def test_in_bf16_the_sum_is_made_in_fp32():
    hidden, weight, targets, _ = drawn(64, 32, 500, dtype=torch.bfloat16)
    values = chunked_cross_entropy.token_losses(hidden, weight, targets)
    assert values.dtype == torch.float32
    wanted = cross_entropy((hidden @ weight.T).float(), targets, reduction="none")
    torch.testing.assert_close(values, wanted, rtol=1e-6, atol=1e-5)


def test_there_is_no_slope_where_no_gradient_is_wanted():
    """A second product of the same size is left out where only the values are asked for."""
    hidden, weight, targets, _ = drawn(8, 16, 40)
    operations = {}
    for wanted in (False, True):
        with FlopCounterMode(display=False) as counter:
            values = chunked_cross_entropy.token_losses(hidden.detach().requires_grad_(wanted), weight, targets)
        assert values.requires_grad is wanted
        operations[wanted] = counter.get_total_flops()
    assert operations == {False: 2 * 8 * 16 * 40, True: 2 * (2 * 8 * 16 * 40)}


def test_the_output_matrix_learns_nothing():
    hidden, weight, targets, _ = drawn(8, 16, 40)
    weight.requires_grad_()
    chunked_cross_entropy.token_losses(hidden, weight, targets).sum().backward()
    assert weight.grad is None
