"""The proof that what is served is what was trained: the adapter's own greedy answers, token by token.

What the adapter and the base answer to a dozen held-out prompts is written down once, with the log-probability of
each token, while the model is loaded for its evaluation. So a deployment needs no model of its own, and no room on
the GPU beside the server.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import ValidationError

from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.deployment.openai_client import Answer, Messages, Server
from weakspot.deployment.types import Candidate
from weakspot.models import adapter_files, adapters, generation, tokenization
from weakspot.models.tokenization import Tokens, ViewError
from weakspot.progress import bar
from weakspot.records import AdapterManifest, Expectation, Expected, Interaction, Message, Proof
from weakspot.storage import atomic
from weakspot.training import logprobs
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.models.packed_attention import LanguageModel

# Nats a token, on the mean. Less than this between adapter and base is what an adapter does that does nothing.
NOTHING = 1e-6
_MOST_PROMPT_TOKENS = 512
_ANSWER_TOKENS = 24
# A server may compute in 16 bits, or from quantised weights, and the adapter was trained in 32: see docs/serving.md.
LOSSY = 0.1
# Two tokens that are as likely as this come in either order once anything is rounded.
_NEAR_TIE = 0.5

Ask = Callable[[Sequence[Expected]], Iterable[Answer]]
"""A way to have prompts answered, each with at most as many tokens as its expected answer has."""


@dataclass
class _Compared:
    """What the prompts gave, over all of them: differences are nats a token."""

    from_adapter: list[float]
    from_base: list[float]
    same: int = 0
    as_base: int = 0
    otherwise: int = 0


def expect(
    workspace: Workspace, config: Config, name: AdapterName, model: "PeftModel", tokenizer: "PreTrainedTokenizerBase"
) -> Expectation:
    """Write down what an adapter and its base answer to held-out prompts, its domain's own first; return it.

    Raises :class:`UserError` where there is no prompt, and where adapter and base do not differ.
    """
    sha256 = atomic.sha256(workspace.adapter(name) / adapter_files.WEIGHTS)
    if (known := read_expectation(workspace, name)) is not None and known.adapter_sha256 == sha256:
        return known
    examples = reading.split_examples(workspace, "test")
    examples.sort(key=lambda example: example.domain != name.domain)
    asked = list(islice(_askable(tokenizer, examples), config.deploy.proof_prompts))
    if not asked:
        raise UserError(name.domain, "no test example to prove a deployment on", "capture more")
    with bar(f"what {name} answers", 2 * len(asked)) as advance:
        found = _expected(model, tokenizer, asked, config.evaluate.batch_size, advance)
    made = Expectation(adapter_sha256=sha256, prompts=found)
    atomic.write_atomically(workspace.expectation(name), made.to_document())
    return made


def expectation(workspace: Workspace, config: Config, candidate: Candidate) -> Expectation:
    """Return what an adapter must answer; it and its base are loaded where that was never written down."""
    known = read_expectation(workspace, candidate.name)
    if known is not None and known.adapter_sha256 == candidate.manifest.files[adapter_files.WEIGHTS]:
        return known
    _, model, tokenizer = adapters.load(workspace, in_full_precision(candidate.manifest))
    return expect(workspace, config, candidate.name, model, tokenizer)


def in_full_precision(manifest: AdapterManifest) -> AdapterManifest:
    """Return a manifest whose base is loaded as it is served: not quantised for training."""
    train = {**manifest.settings["train"], "load_in_4bit": False}
    return manifest.model_copy(update={"settings": {**manifest.settings, "train": train}})


def ask_server(server: Server, model: str) -> Ask:
    """Return a way to ask a server for the answers of its ``model``, one after the other."""
    return lambda prompts: (server.chat(model, one.messages, len(one.tokens)) for one in prompts)


def ask_in_process(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> Ask:
    """Return a way to ask a model that is loaded here, as a server would be asked, for all answers in one batch."""
    return lambda prompts: answers_in_process(model, tokenizer, [(one.messages, len(one.tokens)) for one in prompts])


def answers_in_process(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", asked: Sequence[tuple[Messages, int]]
) -> list[Answer]:
    """Return a loaded model's answers to conversations, each of at most so many tokens, as a server tells them."""
    prompts = []
    for messages, _ in asked:
        text = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        prompts.append(list(tokenizer(str(text), add_special_tokens=False)["input_ids"]))
    longest = max(most for _, most in asked)
    written = generation.continuations(model, tokenizer, prompts, longest, len(prompts))
    written = [ids[:most] for ids, (_, most) in zip(written, asked, strict=True)]
    return [
        Answer(str(tokenizer.decode(ids, skip_special_tokens=True)), ids, one.logprobs, len(prompt), prompt)
        for prompt, ids, one in zip(prompts, written, _likelihoods(model, prompts, written), strict=True)
    ]


def read_expectation(workspace: Workspace, name: AdapterName) -> Expectation | None:
    """Return what was written down of an adapter, None where nothing whole was."""
    file = workspace.expectation(name)
    try:
        return Expectation.from_json(file.read_bytes()) if file.exists() else None
    except ValidationError:
        return None


def prove(expectation: Expectation, ask: Ask, thing: str, limit: float = LOSSY) -> Proof:
    """Ask for each of the prompts and compare; ``limit`` is the mean difference that counts as lossy.

    Raises :class:`UserError` that names the fault: an adapter that changes nothing, another prompt than it was
    trained with, the base's answers, or answers of neither.
    """
    found = _Compared([], [])
    require_change(expectation, thing)
    with bar(f"proving {thing}", len(expectation.prompts)) as advance:
        for one, answer in zip(expectation.prompts, ask(expectation.prompts), strict=True):
            _require_prompt(one, answer, thing)
            _compare(one, answer, found)
            advance(1, "")
    mean, from_base = _mean(found.from_adapter), _mean(found.from_base)
    undone = found.as_base > found.same or (bool(found.from_adapter) and from_base < mean)
    if undone:
        raise UserError(
            thing, "answers as the base does: the server ignores the adapter", "see the server's log; nothing changed"
        )
    if mean > limit or found.otherwise > len(expectation.prompts) // 4:
        raise UserError(
            thing,
            f"answers otherwise than the trained adapter: {found.otherwise} of {len(expectation.prompts)} prompts, "
            f"{mean:.2g} nats a token: another base, or a lossy conversion",
            "serve the base that it was trained on; nothing changed",
        )
    return Proof(
        prompts=len(expectation.prompts),
        same_answers=found.same,
        difference=mean if found.from_adapter else None,
        change=difference_from_base(expectation),
    )


def require_change(expectation: Expectation, thing: str) -> None:
    """Raise :class:`UserError` for an adapter that does nothing."""
    if difference_from_base(expectation) < NOTHING and all(
        one.tokens == one.base_tokens for one in expectation.prompts
    ):
        raise UserError(thing, "changes nothing: it answers as the base does", "train again; nothing was deployed")


def difference_from_base(expectation: Expectation) -> float:
    """Return how far adapter and base are apart on the adapter's answers, on the mean, in nats a token."""
    prompts = expectation.prompts
    return _mean([abs(a - b) for one in prompts for a, b in zip(one.adapter, one.base, strict=True)])


def _require_prompt(one: Expected, answer: Answer, thing: str) -> None:
    given = len(answer.prompt_ids) if answer.prompt_ids is not None else answer.prompt_tokens
    other = answer.prompt_ids is not None and answer.prompt_ids != one.prompt_ids
    if other or (given is not None and given != len(one.prompt_ids)):
        raise UserError(
            thing,
            f"the server gives the model another prompt: {given} tokens, trained on {len(one.prompt_ids)}: "
            "another chat template, or another tokenizer",
            "serve the base with its own template; nothing changed",
        )


def _compare(one: Expected, answer: Answer, found: _Compared) -> None:
    """Add one answer to what was found, as far as the server tells of it."""
    if answer.ids is None:
        same, as_base = (answer.text.strip() == text.strip() for text in (one.text, one.base_text))
        found.same += same
        found.as_base += as_base and not same
        found.otherwise += not same and not as_base
        return
    common = _common(answer.ids, one.tokens)
    for place, served in enumerate((answer.logprobs or [])[:common]):
        found.from_adapter.append(abs(served - one.adapter[place]))
        found.from_base.append(abs(served - one.base[place]))
    same, as_base = _alike(answer.ids, one.tokens), _alike(answer.ids, one.base_tokens)
    found.same += same
    found.as_base += as_base and not same
    found.otherwise += not same and not _tied(one, answer, common)


def _tied(one: Expected, answer: Answer, place: int) -> bool:
    """Whether the first token that differs is one that is as likely, and as likely there as here."""
    if place >= len(one.margins) or one.margins[place] >= _NEAR_TIE:
        return False
    logprobs = answer.logprobs or []
    return place >= len(logprobs) or abs(logprobs[place] - one.adapter[place]) < 2 * _NEAR_TIE


def _alike(served: list[int], expected: list[int]) -> bool:
    """Whether two answers are the same; some servers leave out the token that ends a turn."""
    return served == expected or served == expected[:-1]


def _common(some: Sequence[int], others: Sequence[int]) -> int:
    pairs = enumerate(zip(some, others, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(some), len(others)))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


@dataclass(frozen=True)
class _Asked:
    """A prompt to be answered, and where it is from."""

    interaction_id: str
    turns: Sequence[Message]
    ids: list[int]


@dataclass(frozen=True)
class _Likelihood:
    """The log-probability of each token of an answer, and how far the likeliest is from the second."""

    logprobs: list[float]
    margins: list[float]


def _askable(tokenizer: "PreTrainedTokenizerBase", examples: Iterable[Interaction]) -> Iterator[_Asked]:
    """Yield the prompts of examples, without those that are too long or have control tokens in them."""
    for example in examples:
        # Servers write tool calls into a prompt each in their own way: of an agent's conversation the query will do.
        agent = example.tools or any(m.role == "tool" for m in example.prompt)
        turns = [example.query] if agent else example.prompt
        try:
            prompt = tokenization.render(tokenizer, turns, example.expert).prompt
        except ViewError:
            continue
        ids = list(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        if len(ids) <= _MOST_PROMPT_TOKENS:
            yield _Asked(example.id, turns, ids)


def _expected(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    asked: Sequence[_Asked],
    batch_size: int,
    advance: Callable[[int, str], None],
) -> list[Expected]:
    """Return what adapter and base answer to each prompt, and how likely each finds the adapter's answer."""
    prompts = [one.ids for one in asked]
    written = generation.continuations(model, tokenizer, prompts, _ANSWER_TOKENS, batch_size, advance)
    adapter = _likelihoods(model, prompts, written)
    with model.disable_adapter():
        base_written = generation.continuations(model, tokenizer, prompts, _ANSWER_TOKENS, batch_size, advance)
        # A server is asked for as many tokens as the adapter's answer has, and if the base answers it stops there.
        base_written = [ids[: len(own)] for ids, own in zip(base_written, written, strict=True)]
        base = _likelihoods(model, prompts, written)
    return [
        Expected(
            interaction_id=one.interaction_id,
            messages=[{"role": turn.role, "content": turn.content or ""} for turn in one.turns],
            prompt_ids=one.ids,
            tokens=tokens,
            text=str(tokenizer.decode(tokens, skip_special_tokens=True)),
            base_tokens=base_tokens,
            base_text=str(tokenizer.decode(base_tokens, skip_special_tokens=True)),
            adapter=by_adapter.logprobs,
            base=by_base.logprobs,
            margins=by_adapter.margins,
        )
        for one, tokens, base_tokens, by_adapter, by_base in zip(
            asked, written, base_written, adapter, base, strict=True
        )
    ]


def _likelihoods(
    model: "LanguageModel", prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> list[_Likelihood]:
    """Return how likely a model finds each token of each answer to its prompt."""
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
