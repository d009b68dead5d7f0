"""What a run will do is told from its examples and settings, before any weights are there."""

from dataclasses import replace

import pytest
import torch
from tests.weakspot.models import tiny_tokenizers

from weakspot.config import Config
from weakspot.models import loading, target_modules
from weakspot.models.loading import Base
from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora, Train
from weakspot.training.preflight import describe
from weakspot.training.schedule import Schedule

pytestmark = pytest.mark.slow

CONFIG = Config(lora=Lora(rank=4), train=Train(epochs=2, batch_size=2, gradient_accumulation=1))


@pytest.fixture(scope="module")
def tiny(tiny_base):
    return Base("tiny", str(tiny_base), None)


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return loading.load_tokenizer(tiny)


def example(tokenizer, prompt: str, answer: str, **more) -> Tokens:
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, answer)]
    return Tokens(prompt, (*ids[0], *ids[1]), len(ids[0]), **more)


@pytest.fixture
def data(tokenizer):
    return [
        example(tokenizer, "a rather long question", " and its answer", dropped_turns=2),
        example(tokenizer, "short?", " yes", cut_tokens=5),
        example(tokenizer, "one more long question", " no", rejected=(5, 6, 7), cut_tokens=1, dropped_turns=1),
        example(tokenizer, "and another long question", " no", rejected=(5,)),
        example(tokenizer, "and the last long question", " no"),
    ]


def described(tiny, tokenizer, data, config=CONFIG, dtype=torch.float32, val=(), left_out=None):
    return describe(
        "x-lora-v1",
        tiny,
        dtype,
        target_modules.inspect_model(loading.build_meta_model(tiny), config, tiny.name),
        data,
        val,
        left_out or {},
        config,
        tokenizer,
    )


def test_examples_and_tokens_are_counted(tiny, tokenizer, data):
    plan = described(tiny, tokenizer, data, val=data[:2], left_out={"y": "too long"})
    assert (plan.adapter, plan.base, plan.examples, plan.val_examples) == ("x-lora-v1", "tiny", 5, 2)
    assert plan.left_out == {"y": "too long"}
    assert (plan.pairs, plan.shortened, plan.cut) == (2, 2, 2)
    assert plan.tokens == sum(len(one.ids) for one in data)
    assert plan.supervised == sum(one.supervised for one in data)
    assert plan.supervised_share == plan.supervised / plan.tokens
    assert 0 < plan.supervised_share < 1


def test_the_sample_is_the_shortest_example_parted_where_the_loss_begins(tiny, tokenizer, data):
    plan = described(tiny, tokenizer, data)
    assert (plan.sample_prompt, plan.sample_target) == ("short?", " yes")


def test_steps_are_those_of_the_schedule(tiny, tokenizer, data):
    assert described(tiny, tokenizer, data).steps == 6 == Schedule.of(5, CONFIG.train).steps


def test_what_is_trained_is_told_by_layers_and_parameters(tiny, tokenizer, data):
    plan = described(tiny, tokenizer, data)
    assert (plan.layers, plan.layers_touched, plan.modules) == (2, 2, ["k_proj", "o_proj", "q_proj", "v_proj"])
    # rank 4 times in and out of q (32, 32), k and v (32, 16), o (32, 32), in 2 layers
    assert plan.trainable == 2 * 4 * (64 + 48 + 48 + 64) == plan.coverage.trainable


@pytest.mark.parametrize(
    ("four_bit", "dtype", "precision"),
    [(False, torch.float32, "float32"), (False, torch.bfloat16, "bfloat16"), (True, torch.bfloat16, "nf4")],
)
def test_the_precision_is_that_of_the_base(tiny, tokenizer, data, four_bit, dtype, precision):
    config = CONFIG.model_copy(update={"train": CONFIG.train.model_copy(update={"load_in_4bit": four_bit})})
    assert described(tiny, tokenizer, data, config, dtype).precision == precision


def test_the_thinking_mode_is_none_where_the_template_has_no_thoughts(tiny, tokenizer, data):
    assert described(tiny, tokenizer, data).thinking == "none"
    always = tiny_tokenizers.make(tiny_tokenizers.ALWAYS_THINKS)
    assert described(tiny, always, data).thinking == "off"


def test_a_second_answer_is_no_token_of_the_example(tiny, tokenizer, data):
    with_more = [replace(one, rejected=(1, 2, 3, 4)) for one in data]
    assert described(tiny, tokenizer, with_more).tokens == described(tiny, tokenizer, data).tokens
