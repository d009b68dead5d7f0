"""Greedy answers do not depend on the company that a prompt keeps."""

import torch

from weakspot.model import bases, generating
from weakspot.model.bases import Base


def test_a_batch_answers_as_each_prompt_alone_and_in_order(tiny_base):
    base = Base("tiny", str(tiny_base), None)
    model, tokenizer = bases.load_model(base, torch.float32), bases.load_tokenizer(base)
    prompts = ["one", "a much longer prompt than the first one is", "two words"]
    together = generating.answers(model, tokenizer, prompts, 8, 3)
    assert together == [generating.answers(model, tokenizer, [prompt], 8, 1)[0] for prompt in prompts]
    assert len(set(together)) > 1


def test_the_end_of_turn_ends_an_answer_and_is_not_part_of_it(embedded):
    model, tokenizer = bases.load_model(embedded, torch.float32), bases.load_tokenizer(embedded)
    assert generating.end_tokens(model, tokenizer) == [tokenizer.eos_token_id]
    (free,) = generating.answers(model, tokenizer, ["The first three primes are"], 8, 1)
    ids = tokenizer(free, add_special_tokens=False)["input_ids"]
    last = max(range(len(ids)), key=lambda place: ids.index(ids[place]))
    assert ids.index(ids[last]) > 0
    model.generation_config.eos_token_id = [ids[last]]
    (ended,) = generating.answers(model, tokenizer, ["The first three primes are"], 8, 1)
    assert ended == tokenizer.decode(ids[: ids.index(ids[last])])
