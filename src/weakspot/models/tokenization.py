"""Tokenizes examples for training: the expert's answer after its prompt, with loss on the answer only.

The loss includes the end-of-turn token of the answer.
"""

import bisect
import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from weakspot.models import chat_template
from weakspot.models.chat_template import token_ids
from weakspot.models.rendering import AS_CAPTURED, RenderedExample, UntrainableExampleError, View
from weakspot.records import Interaction, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Tokens:
    """Token ids of prompt and target; the loss is on ``ids[start:]``.

    ``rejected`` is the local answer to the same prompt if training uses it, else empty. ``dropped_turns`` counts the
    oldest turns, and ``cut_tokens`` the last tokens of the answer, that exceeded the length limit.
    """

    id: str
    ids: tuple[int, ...]
    start: int
    dropped_turns: int = 0
    cut_tokens: int = 0
    rejected: tuple[int, ...] = ()

    @property
    def supervised(self) -> int:
        """The number of tokens under loss."""
        return len(self.ids) - self.start


def tokenize_example(
    tokenizer: "PreTrainedTokenizerBase",
    example: Interaction,
    max_length: int,
    answer: Message | None = None,
    view: View = AS_CAPTURED,
) -> Tokens:
    """Tokenize an example within ``max_length``, with the expert's answer (or ``answer``) as the target.

    If it is too long, it loses in this order: the oldest turns, the leading system turn, the descriptions of the
    tools, and then the end of the answer. A cut answer has no end-of-turn token, so that the model does not learn to
    stop there. The ids are those of the whole text; the prompt's are those that a server gives the model.

    Raises :class:`UntrainableExampleError` for what cannot be rendered whole, and if not even one token of the answer
    fits.
    """
    return _fit(tokenizer, example, max_length, answer or example.expert, view)[0]


def tokenize_pair(
    tokenizer: "PreTrainedTokenizerBase", example: Interaction, max_length: int, view: View = AS_CAPTURED
) -> Tokens:
    """Tokenize an example, with the local answer as the rejected one after exactly the same prompt.

    There is no rejected answer if the local one is empty, equals the expert's, or cannot be rendered: such an example
    teaches from the expert's answer only. A local answer that is too long loses its end.
    """
    chosen, kept = _fit(tokenizer, example, max_length, example.expert, view)
    if example.local.text.strip() in ("", example.expert.text.strip()):
        return chosen
    try:
        _, rejected = _ids(tokenizer, view.render(tokenizer, example, example.local, *kept), max_length)
    except UntrainableExampleError:
        return chosen
    return replace(chosen, rejected=tuple(rejected[: max_length - chosen.start]))


# The turns of a prompt that are kept, and the descriptions of the tools.
_Kept = tuple[list[Message], Any]


def _fit(
    tokenizer: "PreTrainedTokenizerBase", example: Interaction, max_length: int, answer: Message, view: View
) -> tuple[Tokens, _Kept]:
    """Tokenize an example without its oldest turns, as few of them as possible; return what is kept as well.

    Where the whole is too long, it is tried from its end, with twice as many exchanges each time: the work does not
    grow with the turns that are left out.
    """
    turns = example.prompt
    cuts = _cuts(turns, example.tools)

    @functools.cache
    def ids(number: int) -> tuple[list[int], list[int]]:
        return _ids(tokenizer, view.render(tokenizer, example, answer, *cuts[number].kept(turns)), max_length)

    def fits(number: int) -> bool:
        return sum(map(len, ids(number))) <= max_length

    fitting = 0 if fits(0) else len(cuts) - 1
    if fitting and fits(fitting):
        step, refused = 1, 0
        while fitting - step > 0 and fits(fitting - step):
            fitting, step = fitting - step, 2 * step
        refused = max(fitting - step, 0)
        fitting = bisect.bisect_left(range(fitting), True, lo=refused + 1, key=fits)
    context, target = ids(fitting)
    room = max_length - len(context)
    if room < 1:
        raise UntrainableExampleError(
            "too-long", f"the query alone has {len(context)} tokens, but max_length is {max_length}"
        )
    kept = cuts[fitting].kept(turns)
    dropped, cut = len(turns) - len(kept[0]), max(0, len(target) - room)
    return Tokens(example.id, (*context, *target[:room]), len(context), dropped, cut), kept


class _Cut(NamedTuple):
    """What is kept of a prompt: so many turns in front, those from ``begin``, and the descriptions of the tools."""

    first: int
    begin: int
    tools: Any

    def kept(self, turns: list[Message]) -> _Kept:
        return [*turns[: self.first], *turns[self.begin :]], self.tools


def _cuts(turns: list[Message], tools: Any) -> list[_Cut]:
    """Return cuts that keep less and less: without the oldest exchanges, the system turn, the tools.

    An exchange ends before the next user turn. The system turn goes late, because that of a coding agent can be
    longer than everything else.
    """
    first = 1 if turns[0].role == "system" else 0
    begins = [first, *(n for n, turn in enumerate(turns) if n > first and turn.role == "user")]
    found = [_Cut(first, begin, tools) for begin in begins]
    if first:
        found.append(_Cut(0, begins[-1], tools))
    if tools:
        found.append(_Cut(0, begins[-1], None))
    return found


def _ids(
    tokenizer: "PreTrainedTokenizerBase", rendered: RenderedExample, max_length: int
) -> tuple[list[int], list[int]]:
    """Return the ids in front of the answer, and the answer's; none of the answer's behind too long a prompt."""
    prompt = token_ids(tokenizer, rendered.prompt)
    if len(prompt) > max_length:
        return prompt, []
    context = [*prompt, *ids_behind(tokenizer, prompt, rendered.prompt, rendered.lead)]
    target = ids_behind(tokenizer, context, rendered.prompt + rendered.lead, rendered.target)
    if not chat_template.controls(tokenizer).ends.isdisjoint(target[:-1]):
        raise UntrainableExampleError("end-inside", "a token that ends the turn stands inside the answer")
    return context, target


def ids_behind(tokenizer: "PreTrainedTokenizerBase", before: list[int], text_before: str, text: str) -> list[int]:
    """Return the ids of ``text`` as part of the whole text; ``before`` are those of the text in front of it.

    Where a token of the whole text would reach over the boundary, they are the text's own: a server gives the model
    the prompt's ids, and the model goes on from there. A space that SentencePiece puts in front of a text is no part
    of it.
    """
    if not text:
        return []
    whole = token_ids(tokenizer, text_before + text)
    if whole[: len(before)] == before:
        return whole[len(before) :]
    alone = token_ids(tokenizer, text)
    for found in (alone, alone[1:]):
        if tokenizer.decode([*before, *found]) == tokenizer.decode(whole):
            return found
    raise UntrainableExampleError("tokens-differ", "its tokens are not those of the whole text")
