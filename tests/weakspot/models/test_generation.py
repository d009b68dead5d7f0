"""Greedy answers do not depend on the company that a prompt keeps, and are those that transformers writes."""

import pytest
import torch
from transformers import GenerationConfig

from weakspot.models import generation, loading
from weakspot.models.loading import Base

pytestmark = pytest.mark.slow

SHAPE = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tiny_base):
    base = Base("tiny", str(tiny_base), None)
    return loading.load_model(base, torch.float32), loading.load_tokenizer(base)


def alone(model, prompt, ends, most):
    """What transformers writes for one prompt by itself."""
    settings = GenerationConfig(max_new_tokens=most, do_sample=False, eos_token_id=list(ends), pad_token_id=ends[0])
    ids = torch.tensor([list(prompt)])
    with torch.inference_mode():
        made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    return made[0, len(prompt) :].tolist()


def prompts(seed=1, common=0, lengths=(3, 17, 9, 30, 9, 1, 2)):
    chance = torch.Generator().manual_seed(seed)
    first = torch.randint(5, 300, (common,), generator=chance).tolist()
    return [first + torch.randint(5, 300, (n,), generator=chance).tolist() for n in lengths]


@pytest.mark.parametrize("common", [0, 12])
@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_answers_are_those_that_transformers_writes_for_each_prompt_alone(tiny, common, batch_size):
    model, tokenizer = tiny
    given, ends = prompts(common=common), generation.end_tokens(model, tokenizer)
    told = []
    found = generation.generate_token_ids(model, tokenizer, given, 10, batch_size, lambda count, _: told.append(count))
    assert found == [alone(model, one, ends, 10) for one in given]
    assert len({tuple(one) for one in found}) > 1
    assert sum(told) == len(given)


def random_model(kind, **more):
    from transformers import AutoConfig, AutoModelForCausalLM

    from weakspot.models import packed_attention

    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPE, **more)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # small random models say the same whatever they are asked
    packed_attention.install(model)
    return model


class NoTokenizer:
    eos_token_id = 7


KINDS = {
    "qwen2": {},
    "gemma3_text": {"head_dim": 8, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
    "mistral": {"sliding_window": 8},
    "qwen3_next": {
        "layer_types": ["linear_attention", "full_attention"], "num_experts": 4, "num_experts_per_tok": 2,
        "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "head_dim": 8, "linear_num_key_heads": 2,
        "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_writes_in_a_batch_what_it_writes_alone(kind):
    """Sliding windows, and layers with a state along the row, which are not read end to end."""
    model = random_model(kind, **KINDS[kind])
    ends = generation.end_tokens(model, NoTokenizer)
    given = prompts(common=11)
    found = generation.generate_token_ids(model, NoTokenizer, given, 12, 4)
    assert found == [alone(model, one, ends, 12) for one in given]
    assert len({tuple(one) for one in found}) > 1


def test_an_answer_that_has_ended_takes_no_more_time_and_the_others_go_on():
    model = random_model("qwen2")
    given = prompts(seed=2)
    free = generation.generate_token_ids(model, NoTokenizer, given, 12, 8)
    # A token that ends some answers early, and others not at all.
    counts = {token: sum(token in one for one in free) for one in free for token in one}
    end = next(token for token, count in counts.items() if 0 < count < len(given) and token != 7)
    model.generation_config.eos_token_id = [end]
    widths = []
    hook = model.register_forward_pre_hook(
        lambda _, args, kwargs: widths.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    ended = generation.generate_token_ids(model, NoTokenizer, given, 12, 8)
    hook.remove()
    wanted = [one[: one.index(end) + 1] if end in one else one for one in free]
    assert ended == wanted
    assert sum(rows for rows, length in widths if length == 1) == sum(map(len, wanted))


def test_what_all_prompts_begin_with_is_read_once():
    model, given = random_model("qwen2"), prompts(common=20, lengths=(3, 4, 5))
    read = []
    hook = model.get_decoder().register_forward_pre_hook(
        lambda _, args, kwargs: read.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    generation.prefill(model, given)
    hook.remove()
    assert read == [20 + 3 + 4 + 5]


def test_prompts_are_read_in_passes_of_a_limited_size(monkeypatch):
    model, given = random_model("qwen2"), prompts(lengths=(10, 10, 10, 50, 10))
    together = generation.generate_token_ids(model, NoTokenizer, given, 6, 8)
    monkeypatch.setattr(generation, "PREFILL_TOKENS", 25)
    assert [len(part) for part in generation._prefill_batches(given)] == [2, 1, 1, 1]
    assert generation.generate_token_ids(model, NoTokenizer, given, 6, 8) == together


def test_nothing_asked_is_nothing_written(tiny):
    assert generation.generate_answers(*tiny, [], 8, 4) == []


def test_the_end_of_turn_ends_an_answer_and_is_not_part_of_it(embedded):
    model, tokenizer = loading.load_model(embedded, torch.float32), loading.load_tokenizer(embedded)
    assert generation.end_tokens(model, tokenizer) == [tokenizer.eos_token_id]
    (free,) = generation.generate_answers(model, tokenizer, ["The first three primes are"], 8, 1)
    ids = tokenizer(free, add_special_tokens=False)["input_ids"]
    last = max(range(len(ids)), key=lambda place: ids.index(ids[place]))
    assert ids.index(ids[last]) > 0
    model.generation_config.eos_token_id = [ids[last]]
    (ended,) = generation.generate_answers(model, tokenizer, ["The first three primes are"], 8, 1)
    assert ended == tokenizer.decode(ids[: ids.index(ids[last])])
