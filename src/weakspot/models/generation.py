"""Greedy generation of answers, equal to what a server generates at temperature 0."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from weakspot.models import packed_attention
from weakspot.models.packed_attention import Segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from weakspot.models.kv_cache import PrefilledPrompt
    from weakspot.models.packed_attention import LanguageModel

PREFILL_TOKENS = 4096
"""Prompt tokens in one prefill pass. More tokens need more memory and are no faster."""
_MIN_SHARED_TOKENS = 8
"""A common prefix of the prompts is computed once if it has at least this many tokens."""


def generate_answers(
    model: "LanguageModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    max_new_tokens: int,
    batch_size: int,
    advance: Callable[[int, str], None] = lambda count, note: None,
) -> list[str]:
    """Generate the model's greedy answer to each rendered prompt; return the texts without the end-of-turn token."""
    encoded = [list(tokenizer(prompt, add_special_tokens=False)["input_ids"]) for prompt in prompts]
    written = generate_token_ids(model, tokenizer, encoded, max_new_tokens, batch_size, advance)
    return [answer_text(model, tokenizer, ids) for ids in written]


def answer_text(model: "LanguageModel", tokenizer: "PreTrainedTokenizerBase", ids: Sequence[int]) -> str:
    """Return the text of an answer's token ids, without the end-of-turn token."""
    ended = bool(ids) and ids[-1] in end_tokens(model, tokenizer)
    return str(tokenizer.decode(list(ids[:-1] if ended else ids)))


def generate_token_ids(
    model: "LanguageModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    batch_size: int,
    advance: Callable[[int, str], None] = lambda count, note: None,
) -> list[list[int]]:
    """Generate the greedy answer to each tokenized prompt; return token ids, the end-of-turn token included.

    Prompts of similar length share a batch of ``batch_size``. ``advance`` is called as answers are finished.
    """
    by_length = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    found: list[list[int]] = [[] for _ in prompts]
    ends = end_tokens(model, tokenizer)
    for start in range(0, len(prompts), batch_size):
        part = by_length[start : start + batch_size]
        given = [prompts[number] for number in part]
        if packed_attention.is_installed(model):
            written = decode_greedily(model, prefill(model, given), ends, max_new_tokens, advance)
        else:
            written = _generate_with_padding(model, given, ends, max_new_tokens)
            advance(len(part), "")
        for number, ids in zip(part, written, strict=True):
            found[number] = ids
    return found


def end_tokens(model: "LanguageModel", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return the ids that end a turn: the tokenizer's, and those of the model's generation settings."""
    known = getattr(model.generation_config, "eos_token_id", None)
    more = known if isinstance(known, list) else [known]
    return list(dict.fromkeys(int(token) for token in (tokenizer.eos_token_id, *more) if token is not None))


def prefill(model: "LanguageModel", prompts: Sequence[Sequence[int]]) -> "list[PrefilledPrompt]":
    """Compute the keys and values of prompts, packed end to end without padding.

    A prefix that all prompts of a forward pass share is computed once.
    """
    import torch
    from transformers import DynamicCache

    from weakspot.models.kv_cache import PrefilledPrompt
    from weakspot.models.loading import decoder

    found = []
    for part in _prefill_batches(prompts):
        common = _common_prefix_length(part)
        ids, positions = list(part[0][:common]), list(range(common))
        segments = [Segment(0, common)] if common else []
        spans = []
        for one in part:
            start = len(ids)
            ids += one[common:]
            positions += range(common, len(one))
            segments.append(Segment(start, len(ids), 0, common))
            spans.append(range(start, len(ids)))
        row = DynamicCache()
        with torch.inference_mode():
            decoder(model)(
                input_ids=torch.tensor([ids], device=model.device),
                position_ids=torch.tensor([positions], device=model.device),
                past_key_values=row,
                use_cache=True,
                **packed_attention.forward_arguments(segments, model.device),
            )
            found += [PrefilledPrompt.of(row, one, range(common), own) for one, own in zip(part, spans, strict=True)]
    return found


def decode_greedily(
    model: "LanguageModel",
    prompts: "Sequence[PrefilledPrompt]",
    ends: Sequence[int],
    max_new_tokens: int,
    advance: Callable[[int, str], None] = lambda count, note: None,
) -> list[list[int]]:
    """Generate greedy answers token by token; a finished answer leaves the batch."""
    import torch

    from weakspot.models import kv_cache
    from weakspot.models.threads import FasterThreads

    written: list[list[int]] = [[] for _ in prompts]
    with torch.inference_mode(), FasterThreads(model.device) as threads:
        cache = kv_cache.build_batch_cache(prompts, max_new_tokens)
        width = max(len(one.ids) for one in prompts)
        mask = torch.tensor([[0] * (width - len(one.ids)) + [1] * len(one.ids) for one in prompts], device=model.device)
        positions = torch.tensor([[len(one.ids) - 1] for one in prompts], device=model.device)
        tokens = torch.tensor([one.ids[-1] for one in prompts], device=model.device)
        unfinished = list(range(len(prompts)))
        ending = torch.tensor(list(ends), device=model.device)
        for _ in range(max_new_tokens):
            given = {"input_ids": tokens[:, None], "attention_mask": mask, "position_ids": positions}
            with threads.step():
                tokens = model(**given, past_key_values=cache, use_cache=True).logits[:, -1].argmax(-1)
            for number, token in zip(unfinished, tokens.tolist(), strict=True):
                written[number].append(token)
            left = torch.isin(tokens, ending, invert=True).nonzero()[:, 0]
            advance(len(unfinished) - len(left), "")
            if len(left) < len(unfinished):
                unfinished = [unfinished[n] for n in left.tolist()]
                if not unfinished:
                    break
                cache.batch_select_indices(left)
                tokens, mask, positions = tokens[left], mask[left], positions[left]
            mask = torch.cat((mask, torch.ones_like(mask[:, :1])), 1)
            positions = positions + 1
    advance(len(unfinished), "")
    return written


def _prefill_batches(prompts: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Yield the prompts in order, in groups of at most ``READ_TOKENS`` tokens; a longer prompt is alone."""
    part: list[Sequence[int]] = []
    for one in prompts:
        if part and sum(map(len, part)) + len(one) > PREFILL_TOKENS:
            yield part
            part = []
        part.append(one)
    if part:
        yield part


def _common_prefix_length(prompts: Sequence[Sequence[int]]) -> int:
    """Return the number of prefix tokens to compute once, 0 if sharing them does not pay."""
    if len(prompts) == 1:
        return 0
    first, last = min(map(list, prompts)), max(map(list, prompts))
    length = min(map(len, prompts)) - 1  # each prompt keeps at least one token of its own
    common = next((n for n in range(length) if first[n] != last[n]), length)
    return common if common >= _MIN_SHARED_TOKENS else 0


def _generate_with_padding(
    model: "LanguageModel", prompts: Sequence[Sequence[int]], ends: Sequence[int], max_new_tokens: int
) -> list[list[int]]:
    """Generate with transformers, for models whose layers carry a state along the sequence and cannot be packed."""
    import torch
    from transformers import GenerationConfig

    width = max(map(len, prompts))
    padded = [[ends[0]] * (width - len(one)) + list(one) for one in prompts]
    mask = [[0] * (width - len(one)) + [1] * len(one) for one in prompts]
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=list(ends), pad_token_id=ends[0], use_cache=True
    )
    with torch.inference_mode():
        made = model.generate(  # type: ignore[operator]
            input_ids=torch.tensor(padded, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            generation_config=settings,
        )
    found = []
    for row in made[:, width:].tolist():
        end = next((place + 1 for place, token in enumerate(row) if token in ends), len(row))
        found.append([int(token) for token in row[:end]])
    return found
