"""Scores base and adapter on test examples: losses of the expert's and the local answer, exact match, tool calls."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.evaluation.tool_calls import ToolCallFormat
from weakspot.models import generation, packed_attention, tokenization
from weakspot.models.rendering import AS_CAPTURED, UntrainableExampleError, View
from weakspot.models.tokenization import Tokens
from weakspot.protocols.thoughts import split_thoughts
from weakspot.records import Interaction, RetrievedScores, ScoredExample, Scores
from weakspot.retrieval import Examples, RetrievedExample, with_examples
from weakspot.training import logprobs
from weakspot.training.packing import PackedBatch as PackedRow
from weakspot.training.packing import PackedItem

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Cache, PreTrainedTokenizerBase

    from weakspot.models.kv_cache import PrefilledPrompt

Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class _TokenizedExample:
    """An example to measure: both answers as tokens, and the prompt to generate an answer for.

    ``prompt`` is None if no answer is wanted, or if it could not be checked: the expert's answer is not JSON, and there
    are no tools to call.
    """

    example: Interaction
    expert: Tokens
    local: Tokens
    prompt: list[int] | None

    @property
    def paired(self) -> bool:
        """True if both answers follow the same prompt tokens, which are then computed once."""
        return self.expert.ids[: self.expert.start] == self.local.ids[: self.local.start]

    @property
    def prompt_precedes_answers(self) -> bool:
        """True if both answers follow ``prompt``, so that its keys and values need not be computed again."""
        return self.prompt is not None and self.paired and list(self.expert.ids[: self.expert.start]) == self.prompt

    def piece(self, number: int) -> PackedItem:
        """Return both answers after their shared prompt, as an item of a packed batch."""
        rejected = self.local.ids[self.local.start :]
        return PackedItem(replace(self.expert, rejected=rejected), seed=number, paired=True)


@dataclass(frozen=True)
class _Measurement:
    """Mean losses of the expert's and the local answer, in nats per token, and the answer that the model generated."""

    expert: float
    local: float
    answer: str | None


def score_examples(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    config: Config,
    *,
    answering: bool = True,
    taught: Iterable[Interaction] | None = None,
    advance: Advance = lambda count, note: None,
    view: View = AS_CAPTURED,
    left_out: dict[str, str] | None = None,
) -> list[ScoredExample]:
    """Run base and adapter on each example; return a row each with the losses and margins of both answers.

    If the expert's answer is JSON and ``answering`` is true, or if the prompt has tools, base and adapter also generate
    an answer, which is checked. Examples that cannot be rendered or exceed the length limit are added to ``left_out``
    instead, as by id the reason and its detail. If ``taught`` is given, each example is measured a second time, with
    similar examples retrieved from ``taught`` before its question. If retrieval finds none, the scores are the same; if
    the examples do not fit, ``retrieved`` stays None. ``advance`` is called after each batch.
    """
    found = {} if taught is None else _retrieve(examples, taught, config)
    calls = ToolCallFormat.of(tokenizer) if any(example.tools for example in examples) else None
    asking = {"answering": answering, "calling": calls is not None}
    alone = list(_tokenize_examples(tokenizer, examples, config, view, left_out, **asking))
    shown = [with_examples(example, found[example.id]) for example in examples if found.get(example.id)]
    behind = list(_tokenize_examples(tokenizer, shown, config, view, answering=answering))
    # An answer more than twice as long as the expert's is wrong in any case.
    longest = 2 * max((one.expert.supervised for one in (*alone, *behind) if one.prompt), default=0) + 16
    longest = min(config.evaluate.max_new_tokens, longest)
    with model.disable_adapter():
        base = _measure(model, tokenizer, [*alone, *behind], longest, config, advance)
    adapter = _measure(model, tokenizer, [*alone, *behind], longest, config, advance)
    rows = [_build_row(*each, calls) for each in zip([*alone, *behind], base, adapter, strict=True)]
    rows, again = rows[: len(alone)], {row.interaction_id: row for row in rows[len(alone) :]}
    if taught is None:
        return rows
    again |= {row.interaction_id: row for row in rows if not found[row.interaction_id]}
    return [_with_retrieval_scores(row, again.get(row.interaction_id), found[row.interaction_id]) for row in rows]


def _retrieve(
    examples: Sequence[Interaction], taught: Iterable[Interaction], config: Config
) -> dict[str, list[RetrievedExample]]:
    """Return by id the examples that retrieval finds for each question."""
    index = Examples(config.retrieval)
    for one in taught:
        index.add(one)
    return {example.id: index.search(example.query.text) for example in examples}


def render_prompt(tokenizer: "PreTrainedTokenizerBase", example: Interaction, view: View = AS_CAPTURED) -> str:
    """Return what a server gives the model for the query of an example, and what stands in front of the answer."""
    found = view.render(tokenizer, example, example.expert, example.prompt, example.tools)
    return found.prompt + found.lead


def parse_json(text: str) -> Any:
    """Parse ``text`` as a JSON object or array; return None if it is neither."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def is_exact_match(expected: str, answer: str) -> bool:
    """True if ``answer`` is the same JSON value as ``expected``, apart from thoughts, key order and white space."""
    return bool(parse_json(split_thoughts(answer)[1]) == parse_json(expected))


def _tokenize_examples(
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    config: Config,
    view: View,
    left_out: dict[str, str] | None = None,
    *,
    answering: bool,
    calling: bool = False,
) -> Iterator[_TokenizedExample]:
    for example in examples:
        try:
            expert = tokenization.tokenize_example(tokenizer, example, config.train.max_length, view=view)
            # An empty local answer is only the end-of-turn token. It still has a loss to compare the expert's with.
            local = tokenization.tokenize_example(tokenizer, example, config.train.max_length, example.local, view)
        except UntrainableExampleError as error:
            if left_out is not None:
                left_out[example.id] = str(error)
            continue
        asked, has_tools = None, bool(calling and example.tools)
        if has_tools or (answering and parse_json(example.expert.text) is not None):
            asked = list(tokenizer(render_prompt(tokenizer, example, view), add_special_tokens=False)["input_ids"])
            if has_tools and len(asked) > config.train.max_length:
                asked = None
        yield _TokenizedExample(example, expert, local, asked)


def _measure(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    questions: Sequence[_TokenizedExample],
    longest: int,
    config: Config,
    advance: Advance,
) -> list[_Measurement]:
    """Run the model as it is now, base or adapter, on all questions, in batches of similar length."""
    order = sorted(range(len(questions)), key=lambda number: len(questions[number].expert.ids))
    found: dict[int, _Measurement] = {}
    size = config.evaluate.batch_size
    for start in range(0, len(order), size):
        numbers = order[start : start + size]
        part = [questions[number] for number in numbers]
        losses, prompts = _measure_batch(model, part)
        asked = [n for n, one in enumerate(part) if one.prompt is not None]
        ends = generation.end_tokens(model, tokenizer)
        if packed_attention.is_installed(model):
            written = generation.decode_greedily(model, [prompts[n] for n in asked], ends, longest) if asked else []
        else:
            given = [one.prompt for one in part if one.prompt is not None]
            written = generation.generate_token_ids(model, tokenizer, given, longest, size)
        answers = {n: generation.answer_text(model, tokenizer, ids) for n, ids in zip(asked, written, strict=True)}
        for n, (number, one, (first, second)) in enumerate(zip(numbers, part, losses, strict=True)):
            found[number] = _Measurement(first / one.expert.supervised, second / one.local.supervised, answers.get(n))
        advance(len(part), "")
    return [found[number] for number in range(len(questions))]


def _measure_batch(
    model: "PeftModel", questions: Sequence[_TokenizedExample]
) -> "tuple[list[tuple[float, float]], dict[int, PrefilledPrompt]]":
    """Compute the summed losses of both answers to each question, and the key-value caches of the prompts to answer."""
    import torch
    from transformers import DynamicCache

    losses: dict[int, tuple[float, float]] = {}
    prompts: dict[int, PrefilledPrompt] = {}
    pieces = [one.piece(number) for number, one in enumerate(questions) if one.paired]
    apart = [number for number, one in enumerate(questions) if not one.paired]
    with torch.inference_mode():
        for row in logprobs.pack_batches(model, pieces, generation.PREFILL_TOKENS):
            wanted = any(questions[piece.seed].prompt_precedes_answers for piece in row.pieces)
            cache = DynamicCache() if wanted and packed_attention.is_installed(model) else None
            sums = iter([each.sum() for each in logprobs.answer_losses(model, row, cache)])
            for piece in row.pieces:
                losses[piece.seed] = float(next(sums)), float(next(sums))
            if cache is not None:
                prompts |= dict(_prompts_from_cache(cache, row, questions))
        for number in apart:
            both = [questions[number].expert, questions[number].local]
            first, second = logprobs.negative_log_likelihoods(model, both, generation.PREFILL_TOKENS).tolist()
            losses[number] = first, second
        if packed_attention.is_installed(model):
            left = {n: one.prompt for n, one in enumerate(questions) if one.prompt is not None and n not in prompts}
            prompts |= dict(zip(left, generation.prefill(model, list(left.values())), strict=True))
    return [losses[number] for number in range(len(questions))], prompts


def _prompts_from_cache(
    cache: "Cache", row: PackedRow, questions: Sequence[_TokenizedExample]
) -> "Iterator[tuple[int, PrefilledPrompt]]":
    """Yield number and prompt of each question to answer in a packed batch, taken from the cache of the batch."""
    from weakspot.models.kv_cache import PrefilledPrompt

    begin = 0
    for piece in row.pieces:
        asked = questions[piece.seed]
        if asked.prompt_precedes_answers and asked.prompt is not None:
            span = range(begin, begin + len(asked.prompt))
            yield piece.seed, PrefilledPrompt.of(cache, asked.prompt, span)
        begin += piece.length


def _build_row(
    question: _TokenizedExample, base: _Measurement, adapter: _Measurement, calls: ToolCallFormat | None
) -> ScoredExample:
    example, answered = question.example, base.answer is not None and adapter.answer is not None
    called = calls if answered and example.tools else None
    exact = answered and parse_json(example.expert.text) is not None
    return ScoredExample(
        interaction_id=example.id,
        domain=example.domain,
        query=example.query.text,
        local=example.local.text,
        expert=example.expert.text,
        tokens=question.expert.supervised,
        base_loss=base.expert,
        adapter_loss=adapter.expert,
        base_margin=base.local - base.expert,
        adapter_margin=adapter.local - adapter.expert,
        base_answer=base.answer,
        adapter_answer=adapter.answer,
        base_exact=is_exact_match(example.expert.text, base.answer or "") if exact else None,
        adapter_exact=is_exact_match(example.expert.text, adapter.answer or "") if exact else None,
        base_tool_fault=called.find_fault(base.answer or "", example.tools) if called else None,
        adapter_tool_fault=called.find_fault(adapter.answer or "", example.tools) if called else None,
    )


def _with_retrieval_scores(
    row: ScoredExample, measured: ScoredExample | None, found: Sequence[RetrievedExample]
) -> ScoredExample:
    if measured is None:
        return row
    scores = measured.model_dump(include=set(Scores.model_fields))
    return row.model_copy(update={"retrieved": RetrievedScores(found=[one.interaction_id for one in found], **scores)})
