"""The estimate of memory follows what is trained."""

import pytest

from weakspot.config import Config
from weakspot.model.preflight import memory_needed
from weakspot.model.targets import Shape
from weakspot.model.view import Tokens
from weakspot.tables import Train

# Qwen2.5-7B with rank 64 on q, k, v and o.
QWEN = Shape(7_615_616_512, 40_370_176, 28, 28, ["q_proj"], 3584, 18944, 152064)


def needed(tokens=512, count=8, itemsize=2, **settings):
    data = [Tokens(str(n), tuple(range(tokens)), tokens // 2) for n in range(count)]
    return memory_needed(QWEN, data, Config(train=Train(**settings)), itemsize)


def test_longer_examples_and_larger_batches_need_more():
    assert needed(256) < needed(512) < needed(512, batch_size=8)


def test_recomputing_and_four_bits_need_less():
    assert needed(gradient_checkpointing=True) < needed()
    assert needed(load_in_4bit=True) < needed()


def test_only_the_largest_batch_counts():
    assert needed(count=4) == needed(count=400)


def test_a_7b_in_bf16_needs_its_weights_and_some_gigabytes():
    assert needed(256, batch_size=1) == pytest.approx(17e9, rel=0.1)
