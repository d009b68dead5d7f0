"""Prompts read in one row become a padded batch, and what is written goes behind each of them."""

import pytest
import torch

HEADS, WIDTH, LAYERS = 2, 4, 3


@pytest.fixture(name="kv_cache")
def kv_cache_fixture():
    """The module, which takes seconds to import."""
    from weakspot.models import kv_cache

    return kv_cache


def row_of(tokens):
    """A cache of one row in which a token's key is its number, and its value that negated, in every layer."""
    from transformers import DynamicCache

    cache = DynamicCache()
    numbers = torch.arange(tokens, dtype=torch.float32)[None, None, :, None].expand(1, HEADS, tokens, WIDTH)
    for layer in range(LAYERS):
        cache.update(numbers + 100 * layer, -numbers, layer)
    return cache


def keys(layer):
    return layer.keys[:, 0, :, 0].tolist()


def test_a_prompt_is_taken_out_of_a_row_without_its_last_token(kv_cache):
    read = kv_cache.PrefilledPrompt.of(row_of(10), [5, 6, 7, 8, 9], range(2), range(6, 9))
    assert len(read.layers) == LAYERS
    assert [layer[0][0, :, 0].tolist() for layer in read.layers] == [
        [n + 100 * m for n in (0, 1, 6, 7)] for m in range(3)
    ]
    assert read.layers[2][1][1, :, 3].tolist() == [0, -1, -6, -7]


def test_a_batch_is_padded_on_the_left_and_grows_in_place(kv_cache):
    row = row_of(6)
    prompts = [
        kv_cache.PrefilledPrompt.of(row, [1, 2, 3], range(3)),
        kv_cache.PrefilledPrompt.of(row, [4], range(3, 4)),
    ]
    cache = kv_cache.build_batch_cache(prompts, room=2)
    first = cache.layers[0]
    assert keys(first) == [[0, 1], [0, 0]]
    assert first.get_seq_length() == 2
    kept = first.keys.untyped_storage().data_ptr()
    for number in (50.0, 60.0):
        found, _ = cache.update(*(torch.full((2, HEADS, 1, WIDTH), number),) * 2, 0)
    assert found[:, 0, :, 0].tolist() == [[0, 1, 50, 60], [0, 0, 50, 60]]
    assert first.keys.untyped_storage().data_ptr() == kept
    assert first.get_seq_length() == 4


def test_sequences_that_have_ended_are_taken_out(kv_cache):
    row = row_of(6)
    cache = kv_cache.build_batch_cache(
        [kv_cache.PrefilledPrompt.of(row, [1, 2, 3], range(n, n + 3)) for n in (0, 1, 2)], room=1
    )
    cache.batch_select_indices(torch.tensor([2, 0]))
    assert keys(cache.layers[0]) == [[2, 3], [0, 1]]
    cache.update(*(torch.zeros(2, HEADS, 1, WIDTH),) * 2, 0)
    assert keys(cache.layers[0]) == [[2, 3, 0], [0, 1, 0]]
    assert keys(cache.layers[1]) == [[102, 103], [100, 101]]
