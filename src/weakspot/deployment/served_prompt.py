"""Compares the prompt that a server builds with the one of the trainer, apart from a date that the template writes."""

from weakspot.deployment.openai_client import ServedAnswer
from weakspot.records import ReferenceAnswer
from zddc.errors import UserError


def require_same_prompt(one: ReferenceAnswer, answer: ServedAnswer, thing: str) -> None:
    """Raise :class:`UserError` about ``thing`` if the server tells of another prompt, or of one of another length."""
    given = len(answer.prompt_ids) if answer.prompt_ids is not None else answer.prompt_tokens
    other = answer.prompt_ids is not None and not _is_same_prompt(one, answer.prompt_ids)
    if other or (given is not None and abs(given - len(one.prompt_ids)) > _date_tokens(one)):
        raise UserError(
            thing,
            f"the server builds another prompt: {given} tokens instead of {len(one.prompt_ids)}: "
            "another chat template, or another tokenizer",
            "serve the base with its own template; nothing changed",
        )


def _is_same_prompt(one: ReferenceAnswer, served: list[int]) -> bool:
    """Return whether a served prompt is the expected one, apart from the date in it."""
    if one.around_date is None:
        return served == one.prompt_ids
    before, after = one.around_date
    begins = served[:before] == one.prompt_ids[:before]
    return begins and served[len(served) - after :] == one.prompt_ids[len(one.prompt_ids) - after :]


def _date_tokens(one: ReferenceAnswer) -> int:
    return len(one.prompt_ids) - sum(one.around_date) if one.around_date else 0
