"""A batch, with each prompt read once, is measured as one by one: losses to rounding, answers to the token."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig

from weakspot.dataset import reading
from weakspot.evaluation import scoring
from weakspot.evaluation.tool_calls import ToolCallFormat
from weakspot.models import adapters, generation, tokenization
from weakspot.workspace import AdapterName

pytestmark = pytest.mark.slow


@pytest.fixture
def loaded(accepted):
    workspace, config = accepted
    _, model, tokenizer = adapters.load(workspace, config, adapters.read_manifest(workspace, AdapterName("colours", 1)))
    return model, tokenizer, config, reading.load_split(workspace, "test")


def mean_loss(model, tokenizer, example, answer, max_length):
    """The mean loss of one answer, from all of the model's logits."""
    tokens = tokenization.tokenize_example(tokenizer, example, max_length, answer=answer)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([tokens.ids]), use_cache=False).logits[0]
    return float(cross_entropy(logits[tokens.start - 1 : -1], torch.tensor(tokens.ids[tokens.start :])))


def written(model, tokenizer, example, most):
    """The greedy answer to one example, as transformers writes it."""
    ids = torch.tensor([tokenizer(scoring.render_prompt(tokenizer, example), add_special_tokens=False)["input_ids"]])
    ends = generation.end_tokens(model, tokenizer)
    settings = GenerationConfig(max_new_tokens=most, do_sample=False, eos_token_id=ends, pad_token_id=ends[0])
    made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    return generation.answer_text(model, tokenizer, made[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("batch_size", [3, 32])
def test_a_batch_is_measured_as_each_example_alone(loaded, batch_size):
    model, tokenizer, config, examples = loaded
    settings = config.evaluate.model_copy(update={"batch_size": batch_size})
    found = scoring.score_examples(model, tokenizer, examples, config.model_copy(update={"evaluate": settings}))
    assert [row.interaction_id for row in found] == [example.id for example in examples]
    assert {row.base_exact for row in found} == {None, False}

    def measured(example):
        losses = [
            mean_loss(model, tokenizer, example, answer, config.train.max_length)
            for answer in (example.expert, example.local)
        ]
        checkable = scoring.parse_json(example.expert.text) is not None
        return losses[0], losses[1] - losses[0], written(model, tokenizer, example, 8) if checkable else None

    for row, example in zip(found, examples, strict=True):
        with model.disable_adapter():
            base_loss, base_margin, base_answer = measured(example)
        adapter_loss, adapter_margin, adapter_answer = measured(example)
        assert (row.base_loss, row.base_margin) == pytest.approx((base_loss, base_margin), abs=1e-5)
        assert (row.adapter_loss, row.adapter_margin) == pytest.approx((adapter_loss, adapter_margin), abs=1e-5)
        assert (row.base_answer, row.adapter_answer) == (base_answer, adapter_answer)
        assert row.base_loss != pytest.approx(row.adapter_loss, abs=1e-3)


def test_a_conversation_that_loses_turns_to_fit_is_answered_whole(loaded, interaction):
    """Then the answers follow another prompt than the one that is answered, and each other: nothing is shared."""
    model, tokenizer, config, _ = loaded
    earlier = [{"role": "user", "content": "And before? " * 12}, {"role": "assistant", "content": "That was before."}]
    long = interaction("Which colour?", '{"colour": "red"}', local="Perhaps " * 60, domain="colours", context=earlier)
    (row,) = scoring.score_examples(model, tokenizer, [long], config)
    expert, local = (
        tokenization.tokenize_example(tokenizer, long, config.train.max_length, answer=answer)
        for answer in (long.expert, long.local)
    )
    assert expert.start != local.start
    found = mean_loss(model, tokenizer, long, long.expert, config.train.max_length)
    assert row.adapter_loss == pytest.approx(found, abs=1e-5)
    other = mean_loss(model, tokenizer, long, long.local, config.train.max_length)
    assert row.adapter_margin == pytest.approx(other - found, abs=1e-5)
    assert row.adapter_answer == written(model, tokenizer, long, 8)


def test_what_is_not_to_be_answered_is_not(loaded):
    model, tokenizer, config, examples = loaded
    rows = scoring.score_examples(model, tokenizer, examples, config, answering=False)
    assert {(row.base_answer, row.adapter_answer, row.base_exact) for row in rows} == {(None, None, None)}
    whole = scoring.score_examples(model, tokenizer, examples, config)
    assert [row.adapter_loss for row in rows] == pytest.approx([row.adapter_loss for row in whole], abs=1e-5)


TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"required": ["city"]}}}]


@pytest.mark.parametrize("answering", [True, False])
def test_a_prompt_with_tools_is_answered_and_its_calls_are_looked_at(loaded, interaction, answering):
    model, tokenizer, config, examples = loaded
    agent = interaction("Which colour has the sky?", "Blue.", local="Red.", domain="colours", tools=TOOLS)
    plain, asked = scoring.score_examples(model, tokenizer, [examples[0], agent], config, answering=answering)
    assert plain.base_tool_fault is plain.adapter_tool_fault is asked.base_exact is None
    form = ToolCallFormat.of(tokenizer)
    assert form.opening == "<tool_call>"
    assert asked.base_tool_fault == form.find_fault(asked.base_answer, TOOLS) == ""
    assert asked.adapter_tool_fault == form.find_fault(asked.adapter_answer, TOOLS) == ""
