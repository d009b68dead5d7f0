"""What is served is compared with what was trained, and each way to be another is told by its name."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from weakspot.deployment import parity_check
from weakspot.deployment.openai_client import ServedAnswer
from weakspot.deployment.types import Candidate
from weakspot.models import adapters
from weakspot.records import ReferenceAnswer, ReferenceAnswers
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)


@pytest.fixture
def expectation(accepted):
    workspace, _ = accepted
    return parity_check.load_reference_answers(workspace, NAME)


def server(expectation, answer):
    """Answer each prompt as ``answer`` says of what is expected of it."""
    return lambda prompts: map(answer, prompts)


def as_trained(one: ReferenceAnswer) -> ServedAnswer:
    prompt = len(one.prompt_ids), one.prompt_ids
    return ServedAnswer(one.text, one.tokens, one.adapter, *prompt, one.expert.adapter, one.expert.base)


def with_effect(one: ReferenceAnswer, served: Callable[[float], float]) -> ServedAnswer:
    """Answer as trained, but with ``served`` of the adapter's effect on the expert's answer."""
    pairs = zip(one.expert.adapter, one.expert.base, strict=True)
    return replace(as_trained(one), expert=[base + served(adapter - base) for adapter, base in pairs])


def as_base(one: ReferenceAnswer) -> ServedAnswer:
    return ServedAnswer(one.base_text, one.base_tokens, None, len(one.prompt_ids), one.prompt_ids)


def test_an_evaluated_adapter_has_its_answers_written_down(accepted, expectation):
    workspace, config = accepted
    manifest = adapters.read_manifest(workspace, NAME)
    assert expectation == parity_check.ensure_reference_answers(workspace, config, Candidate(NAME, manifest, None))
    assert expectation.adapter_sha256 in manifest.files.values()
    assert len(expectation.prompts) == 8
    assert all(len(one.tokens) == len(one.adapter) == len(one.base) == len(one.margins) for one in expectation.prompts)


def test_answers_of_other_weights_are_taken_anew(accepted, expectation):
    workspace, config = accepted
    stale = expectation.model_copy(update={"adapter_sha256": "0" * 64})
    workspace.reference_answers(NAME).write_bytes(stale.to_document())
    candidate = Candidate(NAME, adapters.read_manifest(workspace, NAME), None)
    assert parity_check.ensure_reference_answers(workspace, config, candidate) == expectation
    workspace.reference_answers(NAME).write_text('{"adapter_sha')
    assert parity_check.load_reference_answers(workspace, NAME) is None


def test_the_trained_adapter_is_proved(expectation):
    proved = parity_check.prove(expectation, server(expectation, as_trained), "it")
    assert (proved.prompts, proved.same_answers, proved.difference) == (8, 8, 0.0)
    assert proved.change > 0.1
    assert (proved.effect.slope, proved.effect.apart, proved.effect.noise) == (1.0, 0.0, 0.0)
    assert proved.effect.tokens == sum(len(one.expert.places) for one in expectation.prompts) > 24
    assert proved.effect.size > 0.1


def test_the_model_itself_is_proved(accepted, expectation):
    workspace, config = accepted
    _, model, tokenizer = adapters.load(workspace, config, adapters.read_manifest(workspace, NAME))
    proved = parity_check.prove(expectation, parity_check.ask_in_process(model, tokenizer), "it")
    assert proved.same_answers == 8
    assert proved.difference < 1e-5
    assert proved.effect.slope == pytest.approx(1, abs=1e-4)
    assert proved.effect.noise is None
    with model.disable_adapter(), pytest.raises(UserError, match="answers as the base does"):
        parity_check.prove(expectation, parity_check.ask_in_process(model, tokenizer), "it")


def test_a_server_that_tells_nothing_but_text_is_judged_by_the_text(expectation):
    text = server(expectation, lambda one: ServedAnswer(f" {one.text}\n", None, None, None, None))
    proved = parity_check.prove(expectation, text, "it")
    assert proved.difference is proved.effect is None
    text = server(expectation, lambda one: ServedAnswer(one.base_text, None, None, None, None))
    with pytest.raises(UserError, match="the server ignores the adapter"):
        parity_check.prove(expectation, text, "it")


def test_the_token_that_ends_a_turn_may_be_left_out(expectation):
    shorter = server(expectation, lambda one: ServedAnswer(one.text, one.tokens[:-1], one.adapter[:-1], None, None))
    assert parity_check.prove(expectation, shorter, "it").same_answers == 8


def with_prompt(one: ReferenceAnswer, count: int, ids: list[int] | None) -> ServedAnswer:
    return ServedAnswer(one.text, one.tokens, one.adapter, count, ids)


def shifted(one: ReferenceAnswer, by: float) -> ServedAnswer:
    return ServedAnswer(one.text, one.tokens, [value - by for value in one.adapter], None, None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (as_base, "answers as the base does: the server ignores the adapter"),
        (lambda one: ServedAnswer(one.text, one.tokens, one.base, None, None), "the server ignores the adapter"),
        (lambda one: with_prompt(one, len(one.prompt_ids) + 3, None), "another prompt: .* another chat template"),
        (lambda one: with_prompt(one, len(one.prompt_ids), one.prompt_ids[::-1]), "another prompt"),
        (lambda one: shifted(one, 0.2), "does not answer as the trained adapter: 0 of 8 prompts differ, 0.2 nats"),
        (
            lambda one: ServedAnswer("", [1, 2, 3], [-9.0] * 3, None, None),
            "does not answer as the trained adapter: 8 of 8",
        ),
        (
            lambda one: with_effect(one, lambda effect: 0.5 * effect),
            "is not applied as trained: its effect there is 0.50",
        ),
        (
            lambda one: with_effect(one, lambda effect: 2 * effect),
            "is not applied as trained: its effect there is 2.00",
        ),
        (lambda one: with_effect(one, lambda effect: 0.0), "answers as the base does: the server ignores the adapter"),
    ],
    ids=[
        "base's words",
        "base's numbers",
        "longer prompt",
        "other prompt",
        "lossy",
        "neither",
        "half",
        "twice",
        "none",
    ],
)
def test_a_fault_is_told_by_its_name(expectation, answer, words):
    with pytest.raises(UserError, match=words):
        parity_check.prove(expectation, server(expectation, answer), "it")


def test_what_counts_as_lossy_is_the_targets_to_say(expectation):
    rounded = server(expectation, lambda one: shifted(one, 0.05))
    assert parity_check.prove(expectation, rounded, "it").difference == pytest.approx(0.05)
    with pytest.raises(UserError, match="lossy"):
        parity_check.prove(expectation, rounded, "it", limit=0.02)


def test_an_adapter_that_does_nothing_is_proved_nowhere(expectation):
    prompts = [one.model_copy(update={"base": one.adapter, "base_tokens": one.tokens}) for one in expectation.prompts]
    nothing = ReferenceAnswers(adapter_sha256="0", prompts=prompts)
    with pytest.raises(UserError, match="changes nothing"):
        parity_check.prove(nothing, server(nothing, as_trained), "it")


@pytest.mark.parametrize("fault", ["half of the layers", "one target", "scale", "transposed"])
def test_a_part_that_is_not_applied_is_told(accepted, expectation, fault):
    workspace, config = accepted
    _, model, tokenizer = adapters.load(workspace, config, adapters.read_manifest(workspace, NAME))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name and fault == "half of the layers":
                parameter.mul_("layers.0." in name)
            elif "lora_B" in name and fault == "one target":
                parameter.mul_("o_proj" not in name)
            elif "lora_B" in name and fault == "scale":
                parameter.mul_(2)
            elif "lora_A" in name and fault == "transposed":
                parameter.copy_(parameter.T.reshape(parameter.shape))
    with pytest.raises(UserError, match=r"is not applied as trained|ignores the adapter"):
        parity_check.prove(expectation, parity_check.ask_in_process(model, tokenizer), "it")
