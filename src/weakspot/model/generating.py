"""Greedy answers, as a server with temperature 0 gives them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from weakspot.engine.attention import LanguageModel


def answers(
    model: "LanguageModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    max_new_tokens: int,
    batch_size: int,
    advance: Callable[[int, str], None] = lambda count, note: None,
) -> list[str]:
    """Return the model's greedy answer to each rendered prompt, without its end of turn.

    Prompts of like length share a batch, padded on the left; a batch ends when all of it has ended.
    """
    import torch
    from transformers import GenerationConfig

    encoded = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    by_length = sorted(range(len(prompts)), key=lambda number: len(encoded[number]))
    found = [""] * len(prompts)
    ends = end_tokens(model, tokenizer)
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=ends, pad_token_id=ends[0], use_cache=True
    )
    for start in range(0, len(prompts), batch_size):
        part = by_length[start : start + batch_size]
        width = max(len(encoded[number]) for number in part)
        ids = torch.tensor(
            [[ends[0]] * (width - len(encoded[n])) + list(encoded[n]) for n in part], device=model.device
        )
        mask = torch.tensor(
            [[0] * (width - len(encoded[n])) + [1] * len(encoded[n]) for n in part], device=model.device
        )
        with torch.inference_mode():
            made = model.generate(  # type: ignore[operator]
                input_ids=ids, attention_mask=mask, generation_config=settings
            )
        for number, row in zip(part, made[:, width:].tolist(), strict=True):
            end = next((place for place, token in enumerate(row) if token in ends), len(row))
            found[number] = str(tokenizer.decode(row[:end]))
        advance(len(part), "")
    return found


def tokens(
    model: "LanguageModel", tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[int], max_new_tokens: int
) -> list[int]:
    """Return the token ids of the greedy answer to a tokenized prompt, its end of turn with them."""
    import torch
    from transformers import GenerationConfig

    ends = end_tokens(model, tokenizer)
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=ends, pad_token_id=ends[0], use_cache=True
    )
    ids = torch.tensor([list(prompt)], device=model.device)
    with torch.inference_mode():
        made = model.generate(  # type: ignore[operator]
            input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
        )
    return [int(token) for token in made[0, len(prompt) :]]


def end_tokens(model: "LanguageModel", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return the ids that end a turn: the tokenizer's, and those of the model's generation settings."""
    known = getattr(model.generation_config, "eos_token_id", None)
    more = known if isinstance(known, list) else [known]
    return list(dict.fromkeys(int(token) for token in (tokenizer.eos_token_id, *more) if token is not None))
