"""What base and adapter make of test examples: how likely both answers are, and what they write themselves."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.models import generation, packed_attention, tokenization
from weakspot.models.tokenization import Tokens, ViewError
from weakspot.records import Interaction, RetrievedScores, Row, Scores
from weakspot.retrieval import Examples, Found, with_examples
from weakspot.training import logprobs
from weakspot.training.packing import Piece
from weakspot.training.packing import Row as PackedRow

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Cache, PreTrainedTokenizerBase

    from weakspot.models.kv_cache import ReadPrompt

Advance = Callable[[int, str], None]


@dataclass(frozen=True)
class _Question:
    """An example to measure: both answers as tokens, and the prompt to be answered, None where nobody can check it."""

    example: Interaction
    expert: Tokens
    local: Tokens
    prompt: list[int] | None

    @property
    def paired(self) -> bool:
        """Whether both answers follow the same tokens, which can then be read once."""
        return self.expert.ids[: self.expert.start] == self.local.ids[: self.local.start]

    @property
    def read_with_answers(self) -> bool:
        """Whether the prompt to be answered is the one that the answers follow."""
        return self.prompt is not None and self.paired and list(self.expert.ids[: self.expert.start]) == self.prompt

    def piece(self, number: int) -> Piece:
        """Return both answers behind their prompt, for a row."""
        rejected = self.local.ids[self.local.start :]
        return Piece(replace(self.expert, rejected=rejected), seed=number, paired=True)


@dataclass(frozen=True)
class _Measured:
    """The mean loss of the expert's and of the local answer, nats a token, and what the model wrote itself."""

    expert: float
    local: float
    answer: str | None


def score(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    config: Config,
    *,
    answering: bool = True,
    taught: Iterable[Interaction] | None = None,
    advance: Advance = lambda count, note: None,
) -> list[Row]:
    """Return a row for each example: losses and margins of the expert's and the local answer, base and adapter.

    Where the expert's answer is JSON, base and adapter write theirs as well, if ``answering``, and these are checked.
    Examples that cannot be rendered or do not fit are left out. With ``taught``, each example is measured once more,
    with what retrieval finds among them in front of its question: where it finds nothing, nothing changes; where the
    model cannot take what it finds, ``retrieved`` stays None. ``advance`` is told of each measurement.
    """
    found = {} if taught is None else _retrieve(examples, taught, config)
    alone = list(_questions(tokenizer, examples, config, answering=answering))
    shown = [with_examples(example, found[example.id]) for example in examples if found.get(example.id)]
    behind = list(_questions(tokenizer, shown, config, answering=answering))
    # An answer twice as long as the expert's is wrong already.
    longest = 2 * max((one.expert.supervised for one in (*alone, *behind) if one.prompt), default=0) + 16
    longest = min(config.evaluate.max_new_tokens, longest)
    with model.disable_adapter():
        base = _measured(model, tokenizer, [*alone, *behind], longest, config, advance)
    adapter = _measured(model, tokenizer, [*alone, *behind], longest, config, advance)
    rows = [_row(*each) for each in zip([*alone, *behind], base, adapter, strict=True)]
    rows, again = rows[: len(alone)], {row.interaction_id: row for row in rows[len(alone) :]}
    if taught is None:
        return rows
    again |= {row.interaction_id: row for row in rows if not found[row.interaction_id]}
    return [_with_retrieved(row, again.get(row.interaction_id), found[row.interaction_id]) for row in rows]


def _retrieve(examples: Sequence[Interaction], taught: Iterable[Interaction], config: Config) -> dict[str, list[Found]]:
    """Return by id what retrieval finds for each question."""
    index = Examples(config.retrieval)
    for one in taught:
        index.add(one)
    return {example.id: index.search(example.query.text) for example in examples}


def prompt(tokenizer: "PreTrainedTokenizerBase", example: Interaction) -> str:
    """Return the text that a server gives the model for an example's query."""
    return tokenization.render(tokenizer, example.prompt, example.expert, example.tools).prompt


def parsed_json(text: str) -> Any:
    """Return the JSON object or array that ``text`` is, None where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def exact(expected: str, answer: str) -> bool:
    """Whether ``answer`` is the same JSON value as ``expected``, key order and white space aside."""
    return bool(parsed_json(answer) == parsed_json(expected))


def _questions(
    tokenizer: "PreTrainedTokenizerBase", examples: Sequence[Interaction], config: Config, *, answering: bool
) -> Iterator[_Question]:
    for example in examples:
        try:
            expert = tokenization.tokens(tokenizer, example, config.train.max_length)
            # An empty local answer is just the end of the turn: still something to prefer the expert's to.
            local = tokenization.tokens(tokenizer, example, config.train.max_length, answer=example.local)
        except ViewError:
            continue
        asked = None
        if answering and parsed_json(example.expert.text) is not None:
            asked = list(tokenizer(prompt(tokenizer, example), add_special_tokens=False)["input_ids"])
        yield _Question(example, expert, local, asked)


def _measured(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    questions: Sequence[_Question],
    longest: int,
    config: Config,
    advance: Advance,
) -> list[_Measured]:
    """Measure the model as it is, base or adapter, in batches of like length."""
    order = sorted(range(len(questions)), key=lambda number: len(questions[number].expert.ids))
    found: dict[int, _Measured] = {}
    size = config.evaluate.batch_size
    for start in range(0, len(order), size):
        numbers = order[start : start + size]
        part = [questions[number] for number in numbers]
        losses, prompts = _read(model, part)
        asked = [n for n, one in enumerate(part) if one.prompt is not None]
        ends = generation.end_tokens(model, tokenizer)
        if packed_attention.installed(model):
            written = generation.write(model, [prompts[n] for n in asked], ends, longest) if asked else []
        else:
            given = [one.prompt for one in part if one.prompt is not None]
            written = generation.continuations(model, tokenizer, given, longest, size)
        answers = {n: generation.text(model, tokenizer, ids) for n, ids in zip(asked, written, strict=True)}
        for n, (number, one, (first, second)) in enumerate(zip(numbers, part, losses, strict=True)):
            found[number] = _Measured(first / one.expert.supervised, second / one.local.supervised, answers.get(n))
        advance(len(part), "")
    return [found[number] for number in range(len(questions))]


def _read(
    model: "PeftModel", questions: Sequence[_Question]
) -> "tuple[list[tuple[float, float]], dict[int, ReadPrompt]]":
    """Return the summed losses of both answers to each question, and the prompts that are to be answered, read."""
    import torch
    from transformers import DynamicCache

    losses: dict[int, tuple[float, float]] = {}
    prompts: dict[int, ReadPrompt] = {}
    pieces = [one.piece(number) for number, one in enumerate(questions) if one.paired]
    apart = [number for number, one in enumerate(questions) if not one.paired]
    with torch.inference_mode():
        for row in logprobs.rows_of(model, pieces, generation.READ_TOKENS):
            wanted = any(questions[piece.seed].read_with_answers for piece in row.pieces)
            cache = DynamicCache() if wanted and packed_attention.installed(model) else None
            sums = iter([each.sum() for each in logprobs.answer_losses(model, row, cache)])
            for piece in row.pieces:
                losses[piece.seed] = float(next(sums)), float(next(sums))
            if cache is not None:
                prompts |= dict(_prompts(cache, row, questions))
        for number in apart:
            both = [questions[number].expert, questions[number].local]
            first, second = logprobs.negative_log_likelihoods(model, both, generation.READ_TOKENS).tolist()
            losses[number] = first, second
        if packed_attention.installed(model):
            left = {n: one.prompt for n, one in enumerate(questions) if one.prompt is not None and n not in prompts}
            prompts |= dict(zip(left, generation.read(model, list(left.values())), strict=True))
    return [losses[number] for number in range(len(questions))], prompts


def _prompts(cache: "Cache", row: PackedRow, questions: Sequence[_Question]) -> "Iterator[tuple[int, ReadPrompt]]":
    """Yield the number and the prompt of each question of a row that is to be answered, taken from the row's cache."""
    from weakspot.models.kv_cache import ReadPrompt

    begin = 0
    for piece in row.pieces:
        asked = questions[piece.seed]
        if asked.read_with_answers and asked.prompt is not None:
            span = range(begin, begin + len(asked.prompt))
            yield piece.seed, ReadPrompt.of(cache, asked.prompt, span)
        begin += piece.length


def _row(question: _Question, base: _Measured, adapter: _Measured) -> Row:
    example, answered = question.example, base.answer is not None and adapter.answer is not None
    return Row(
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
        base_exact=exact(example.expert.text, base.answer or "") if answered else None,
        adapter_exact=exact(example.expert.text, adapter.answer or "") if answered else None,
    )


def _with_retrieved(row: Row, measured: Row | None, found: Sequence[Found]) -> Row:
    if measured is None:
        return row
    scores = measured.model_dump(include=set(Scores.model_fields))
    return row.model_copy(update={"retrieved": RetrievedScores(found=[one.interaction_id for one in found], **scores)})
