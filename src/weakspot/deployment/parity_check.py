"""Proves that a served model is the trained one: by its greedy answers, and by its effect on the expert's answers.

The answers of the adapter and of the base to a dozen held-out prompts are stored once, with the log-probability of each
token, and those of the expert's answers, while the model is loaded for its evaluation. Therefore a deployment does not
need to load the model again, and needs no GPU memory next to the server.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, repeat
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import ValidationError

from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.deployment import adapter_effect
from weakspot.deployment.adapter_effect import TokenEffects
from weakspot.deployment.openai_client import Messages, OpenAIClient, ServedAnswer
from weakspot.deployment.served_prompt import require_same_prompt
from weakspot.deployment.types import Candidate
from weakspot.models import adapter_files, adapters, chat_template, generation, rendering
from weakspot.models.chat_template import AS_NOW, RenderOptions, Turn, common_prefix_length, render, token_ids
from weakspot.models.rendering import UntrainableExampleError, View
from weakspot.models.tokenization import Tokens, ids_behind
from weakspot.progress import bar
from weakspot.records import (
    AdapterManifest,
    ExpertAnswer,
    Interaction,
    Proof,
    ReferenceAnswer,
    ReferenceAnswers,
)
from weakspot.storage import atomic
from weakspot.training import logprobs
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.models.packed_attention import LanguageModel

# Mean nats per token between adapter and base; an adapter that differs by less changes nothing.
SMALLEST_CHANGE = 1e-6
_MOST_PROMPT_TOKENS = 512
_ANSWER_TOKENS = 24
_EXPERT_TOKENS = 64
# vLLM is asked for each token by itself. More of them find no more, see docs/serving.md.
_EXPERT_PLACES = 8
# Mean nats per token between served and trained adapter. A server may compute in 16 bits or with quantised weights,
# while the adapter was trained in 32 bits: see docs/serving.md.
LOSSY = 0.1
# Nats between the two likeliest tokens; if they are this close, rounding may swap them.
_NEAR_TIE = 0.5

Ask = Callable[[Sequence[ReferenceAnswer]], Iterable[ServedAnswer]]
"""Answers prompts, each with at most as many tokens as its reference answer has, and scores the expert's answers."""


@dataclass
class _Comparison:
    """Sums over all prompts: differences from adapter and base in nats per token, effects, and counts of answers."""

    from_adapter: list[float]
    from_base: list[float]
    effects: list[TokenEffects]
    same: int = 0
    as_base: int = 0
    otherwise: int = 0


def write_reference_answers(
    workspace: Workspace,
    config: Config,
    manifest: AdapterManifest,
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
) -> ReferenceAnswers:
    """Generate and store the answers of an adapter and its base to held-out prompts; return them.

    Prompts of the adapter's own domain come first. If the stored answers are of these weights, they are returned.
    Raises :class:`UserError` if there is no prompt.
    """
    name = AdapterName(manifest.domain, manifest.version)
    sha256 = atomic.sha256(workspace.adapter(name) / adapter_files.WEIGHTS)
    if (known := load_reference_answers(workspace, name)) is not None and known.adapter_sha256 == sha256:
        return known
    examples = reading.load_split(workspace, "test")
    examples.sort(key=lambda example: example.domain != name.domain)
    view = rendering.view_of(manifest, {})
    asked = list(islice(_select_prompts(tokenizer, examples, view), config.deploy.proof_prompts))
    if not asked:
        raise UserError(name.domain, "no test example to prove a deployment on", "capture more")
    with bar(f"reference answers of {name}", 2 * len(asked)) as advance:
        found = _generate_reference_answers(model, tokenizer, asked, config.evaluate.batch_size, advance)
    made = ReferenceAnswers(adapter_sha256=sha256, prompts=found)
    atomic.write_atomically(workspace.reference_answers(name), made.to_document())
    return made


def ensure_reference_answers(workspace: Workspace, config: Config, candidate: Candidate) -> ReferenceAnswers:
    """Return the reference answers of an adapter; load the model and generate them if they were not stored yet."""
    known = load_reference_answers(workspace, candidate.name)
    if known is not None and known.adapter_sha256 == candidate.manifest.files[adapter_files.WEIGHTS]:
        return known
    _, model, tokenizer = adapters.load(workspace, config, in_full_precision(candidate.manifest))
    return write_reference_answers(workspace, config, candidate.manifest, model, tokenizer)


def in_full_precision(manifest: AdapterManifest) -> AdapterManifest:
    """Return the manifest with its base in full precision, as it is served, not quantised as for training."""
    train = {**manifest.settings["train"], "load_in_4bit": False}
    return manifest.model_copy(update={"settings": {**manifest.settings, "train": train}})


def ask_server(server: OpenAIClient, model: str) -> Ask:
    """Return a function that asks a server for the answers of its ``model``, one after the other."""

    def ask(prompts: Sequence[ReferenceAnswer]) -> Iterator[ServedAnswer]:
        answers = [_ask_one(server, model, one) for one in prompts]
        texts = [(one.prompt_ids, one.expert.tokens, one.expert.places) for one in prompts]
        scores = server.score(model, texts)
        base = next((one.parent for one in server.models() if one.name == model), None) if scores else None
        of_base = server.score(base, texts) if base and scores else None
        for number, answer in enumerate(answers):
            yield replace(
                answer,
                expert=scores[number] if scores else None,
                expert_base=of_base[number] if of_base else None,
            )

    return ask


def _ask_one(server: OpenAIClient, model: str, one: ReferenceAnswer) -> ServedAnswer:
    """Ask for one answer; where today's date is in the server's prompt, behind the expected prompt's own ids."""
    answer = server.chat(model, one.messages, len(one.tokens), _options(one).template_arguments())
    if one.around_date is None or answer.prompt_ids == one.prompt_ids:
        return answer
    dated = server.complete(model, one.prompt_ids, len(one.tokens))
    return replace(dated, prompt_ids=answer.prompt_ids, prompt_tokens=answer.prompt_tokens) if dated else answer


def ask_in_process(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> Ask:
    """Return a function that asks a model loaded in this process, with the prompts of a server, in one batch."""

    def ask(prompts: Sequence[ReferenceAnswer]) -> list[ServedAnswer]:
        asked = [(one.messages, len(one.tokens)) for one in prompts]
        answers = generate_in_process(model, tokenizer, asked, [_options(one) for one in prompts])
        scored = _score_answers(model, [one.prompt_ids for one in prompts], [one.expert.tokens for one in prompts])
        return [
            replace(answer, expert=[one.logprobs[place] for place in prompt.expert.places])
            for answer, one, prompt in zip(answers, scored, prompts, strict=True)
        ]

    return ask


def _options(one: ReferenceAnswer) -> RenderOptions:
    moment = datetime.fromisoformat(one.moment) if one.moment else None
    return RenderOptions(moment=moment, thinking=one.thinking)


def generate_in_process(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    asked: Sequence[tuple[Messages, int]],
    options: Sequence[RenderOptions] = (),
) -> list[ServedAnswer]:
    """Run a loaded model on conversations, each with a limit of tokens; return its answers as a server reports them.

    ``options`` are those of each prompt, if they differ from a server's defaults.
    """
    pairs = zip([messages for messages, _ in asked], options or repeat(AS_NOW), strict=False)
    prompts = [token_ids(tokenizer, render(tokenizer, *pair)) for pair in pairs]
    longest = max(most for _, most in asked)
    written = generation.generate_token_ids(model, tokenizer, prompts, longest, len(prompts))
    written = [ids[:most] for ids, (_, most) in zip(written, asked, strict=True)]
    return [
        ServedAnswer(str(tokenizer.decode(ids, skip_special_tokens=True)), ids, one.logprobs, len(prompt), prompt)
        for prompt, ids, one in zip(prompts, written, _score_answers(model, prompts, written), strict=True)
    ]


def load_reference_answers(workspace: Workspace, name: AdapterName) -> ReferenceAnswers | None:
    """Return the stored reference answers of an adapter; None if there are none, or they cannot be parsed."""
    file = workspace.reference_answers(name)
    try:
        return ReferenceAnswers.from_json(file.read_bytes()) if file.exists() else None
    except ValidationError:
        return None


def prove(expectation: ReferenceAnswers, ask: Ask, thing: str, limit: float = LOSSY) -> Proof:
    """Ask all prompts, compare the answers, and return the proof; ``limit`` is the largest mean difference allowed.

    Raises :class:`UserError` that names the fault: the adapter changes nothing, the server builds another prompt than
    in training, the answers are the base's, only a part of the adapter is applied, its effect is too small to prove
    that, or the answers are neither the adapter's nor the base's.
    """
    found = _Comparison([], [], [])
    require_change(expectation, thing)
    with bar(f"proving {thing}", len(expectation.prompts)) as advance:
        for one, answer in zip(expectation.prompts, ask(expectation.prompts), strict=True):
            require_same_prompt(one, answer, thing)
            _compare(one, answer, found)
            advance(1, "")
    mean, from_base = _mean(found.from_adapter), _mean(found.from_base)
    undone = found.as_base > found.same or (bool(found.from_adapter) and from_base < mean)
    if undone:
        raise UserError(
            thing, "answers as the base does: the server ignores the adapter", "see the server's log; nothing changed"
        )
    effect = None
    if len(found.effects) == len(expectation.prompts):
        effect = adapter_effect.compare_effects(found.effects, limit)
        adapter_effect.require_whole_adapter(effect, thing, limit)
    if mean > limit or found.otherwise > len(expectation.prompts) // 4:
        raise UserError(
            thing,
            f"does not answer as the trained adapter: {found.otherwise} of {len(expectation.prompts)} prompts differ, "
            f"{mean:.2g} nats a token: another base, or a lossy conversion",
            "serve the base that it was trained on; nothing changed",
        )
    return Proof(
        prompts=len(expectation.prompts),
        same_answers=found.same,
        difference=mean if found.from_adapter else None,
        change=difference_from_base(expectation),
        effect=effect,
    )


def require_change(expectation: ReferenceAnswers, thing: str) -> None:
    """Raise :class:`UserError` for an adapter that does nothing."""
    if difference_from_base(expectation) < SMALLEST_CHANGE and all(
        one.tokens == one.base_tokens for one in expectation.prompts
    ):
        raise UserError(thing, "changes nothing: it answers as the base does", "train again; nothing was deployed")


def difference_from_base(expectation: ReferenceAnswers) -> float:
    """Return the mean distance between adapter and base on the adapter's answers, in nats per token."""
    prompts = expectation.prompts
    return _mean([abs(a - b) for one in prompts for a, b in zip(one.adapter, one.base, strict=True)])


def _compare(one: ReferenceAnswer, answer: ServedAnswer, found: _Comparison) -> None:
    """Add the comparison of one answer to ``found``, with as much detail as the server reports."""
    if answer.expert is not None:
        found.effects.append(TokenEffects(one.expert.base, one.expert.adapter, answer.expert, answer.expert_base))
    if answer.ids is None:
        same, as_base = (answer.text.strip() == text.strip() for text in (one.text, one.base_text))
        found.same += same
        found.as_base += as_base and not same
        found.otherwise += not same and not as_base
        return
    common = common_prefix_length(answer.ids, one.tokens)
    for place, served in enumerate((answer.logprobs or [])[:common]):
        found.from_adapter.append(abs(served - one.adapter[place]))
        found.from_base.append(abs(served - one.base[place]))
    same, as_base = _is_same_answer(answer.ids, one.tokens), _is_same_answer(answer.ids, one.base_tokens)
    found.same += same
    found.as_base += as_base and not same
    found.otherwise += not same and not _is_near_tie(one, answer, common)


def _is_near_tie(one: ReferenceAnswer, answer: ServedAnswer, place: int) -> bool:
    """Return whether the first differing token is a near tie: two tokens about as likely, in both models."""
    if place >= len(one.margins) or one.margins[place] >= _NEAR_TIE:
        return False
    logprobs = answer.logprobs or []
    return place >= len(logprobs) or abs(logprobs[place] - one.adapter[place]) < 2 * _NEAR_TIE


def _is_same_answer(served: list[int], expected: list[int]) -> bool:
    """Return whether two answers are the same; some servers leave out the token that ends the turn."""
    return served == expected or served == expected[:-1]


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


@dataclass(frozen=True)
class _Prompt:
    """A prompt to be answered, the expert's answer to it, and the interaction that it comes from."""

    interaction_id: str
    turns: Sequence[Turn]
    ids: list[int]
    options: RenderOptions
    expert: list[int]


@dataclass(frozen=True)
class _Likelihood:
    """The log-probability of each token of an answer, and the margin of the likeliest token over the second."""

    logprobs: list[float]
    margins: list[float]


def _select_prompts(
    tokenizer: "PreTrainedTokenizerBase", examples: Iterable[Interaction], view: View
) -> Iterator[_Prompt]:
    """Yield the prompts of examples, except those that are too long or contain control tokens."""
    for example in examples:
        # Each server formats tool calls in its own way, so only the query of an agent's conversation is used.
        agent = example.tools or any(m.role == "tool" for m in example.prompt)
        turns = [example.query] if agent else example.prompt
        try:
            rendered = view.render(tokenizer, example, example.expert, turns, None)
            ids = token_ids(tokenizer, rendered.prompt)
            target = ids_behind(tokenizer, ids, rendered.prompt, rendered.target)
        except UntrainableExampleError:
            continue
        if len(ids) <= _MOST_PROMPT_TOKENS:
            # A grammar cannot make llama.cpp write the token that ends the turn.
            expert = (target[:-1] or target)[:_EXPERT_TOKENS]
            yield _Prompt(example.id, rendered.turns, ids, view.options(example), expert)


def _generate_reference_answers(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    asked: Sequence[_Prompt],
    batch_size: int,
    advance: Callable[[int, str], None],
) -> list[ReferenceAnswer]:
    """Run adapter and base on each prompt; return both answers, and the likelihood of the adapter's under each."""
    prompts = [one.ids for one in asked]
    written = generation.generate_token_ids(model, tokenizer, prompts, _ANSWER_TOKENS, batch_size, advance)
    experts = [one.expert for one in asked]
    adapter, expert = _score_answers(model, prompts, written), _score_answers(model, prompts, experts)
    with model.disable_adapter():
        base_written = generation.generate_token_ids(model, tokenizer, prompts, _ANSWER_TOKENS, batch_size, advance)
        # A server is asked for as many tokens as the adapter's answer has, and if the base answers it stops there.
        base_written = [ids[: len(own)] for ids, own in zip(base_written, written, strict=True)]
        base, expert_base = _score_answers(model, prompts, written), _score_answers(model, prompts, experts)
    return [
        ReferenceAnswer(
            interaction_id=one.interaction_id,
            messages=[{"role": turn["role"], "content": turn["content"]} for turn in one.turns],
            prompt_ids=one.ids,
            tokens=tokens,
            text=str(tokenizer.decode(tokens, skip_special_tokens=True)),
            base_tokens=base_tokens,
            base_text=str(tokenizer.decode(base_tokens, skip_special_tokens=True)),
            adapter=by_adapter.logprobs,
            base=by_base.logprobs,
            margins=by_adapter.margins,
            expert=_expert_answer(one.expert, of_adapter.logprobs, of_base.logprobs),
            moment=one.options.moment.isoformat() if one.options.moment else None,
            thinking=one.options.thinking,
            around_date=chat_template.ids_around_date(tokenizer, one.turns, one.options),
        )
        for one, tokens, base_tokens, by_adapter, by_base, of_adapter, of_base in zip(
            asked, written, base_written, adapter, base, expert, expert_base, strict=True
        )
    ]


def _expert_answer(tokens: list[int], adapter: list[float], base: list[float]) -> ExpertAnswer:
    """Return an expert's answer with the places at which the adapter differs most from the base."""
    farthest = sorted(range(len(tokens)), key=lambda place: -abs(adapter[place] - base[place]))
    places = sorted(farthest[:_EXPERT_PLACES])
    of_both = ([one[place] for place in places] for one in (adapter, base))
    return ExpertAnswer(tokens=tokens, places=places, adapter=next(of_both), base=next(of_both))


def _score_answers(
    model: "LanguageModel", prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> list[_Likelihood]:
    """Run a model on prompts with their answers; return the log-probability and margin of each answer token."""
    import torch

    sequences = [
        Tokens(str(n), (*prompt, *answer), len(prompt))
        for n, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
    ]
    found = {}
    with torch.inference_mode():
        for number, logits in logprobs.answer_logits(model, sequences):
            likely = logits.log_softmax(-1)
            best = likely.topk(2).values
            own = likely.gather(1, torch.tensor(list(answers[number]), device=likely.device)[:, None])[:, 0]
            found[number] = _Likelihood(own.tolist(), (best[:, 0] - best[:, 1]).tolist())
    return [found[number] for number in range(len(sequences))]
