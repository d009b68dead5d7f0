"""Renders and tokenizes examples for training: the expert's answer after its prompt, with loss on the answer only.

The loss includes the end-of-turn token of the answer.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weakspot.records import Interaction, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class RenderedExample:
    """A rendered example: the text the model is given, and the text it learns to write, end of turn included."""

    prompt: str
    target: str


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


class UntrainableExampleError(ValueError):
    """An example cannot be trained on; the text says why."""


def render_example(
    tokenizer: "PreTrainedTokenizerBase", turns: Sequence[Message], answer: Message, tools: Any = None
) -> RenderedExample:
    """Render ``turns`` and ``answer`` with the tokenizer's chat template, and split the text between the two.

    The target is what the template writes for the answer, up to and including the end-of-turn token. Role headers and
    empty thinking blocks before it belong to the prompt; the newline after the turn is dropped.

    Raises :class:`UntrainableExampleError` for a text that contains a control token of the template, and for an answer
    that the template changes, because then something else than the answer would be trained on.
    """
    controls = control_tokens(tokenizer)
    for message in (*turns, answer):
        found = [token for token in controls if token in message.text]
        if found:
            raise UntrainableExampleError(f"holds the control token {found[0]}")
    conversation = [_template_turn(message, tokenizer) for message in turns]
    reply = _template_turn(answer, tokenizer)
    # A template with thinking opens an empty thinking block, unless the answer has its own.
    options: dict[str, Any] = {
        "tokenize": False,
        "tools": tools,
        "enable_thinking": bool(reply.get("reasoning_content")),
    }
    prompt = str(tokenizer.apply_chat_template(conversation, add_generation_prompt=True, **options))
    whole = str(tokenizer.apply_chat_template([*conversation, reply], **options))
    if not whole.startswith(prompt):
        raise UntrainableExampleError("the chat template renders its prompt differently once the answer follows")
    target = whole[len(prompt) :]
    if str(reply["content"]).strip() not in target:
        raise UntrainableExampleError("is rewritten by the chat template")
    # The first control token of the final ones ends the turn; some templates add more at the end of the text.
    either = "|".join(re.escape(token) for token in controls)
    end = re.search(rf"({either})(?:\s*(?:{either}))*\s*\Z", target)
    return RenderedExample(prompt, target[: end.end(1)] if end else target.rstrip() + str(tokenizer.eos_token))


def control_tokens(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """Return the special tokens that structure a conversation, those that the chat template writes, longest first.

    Other special tokens, like SmolLM2's <filename>, are words that people may use.
    """
    special = {str(token) for token in tokenizer.all_special_tokens}
    special |= {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    template = str(tokenizer.chat_template)
    structural = {token for token in special if token in template}
    structural |= {str(token) for token in (tokenizer.bos_token, tokenizer.eos_token) if token}
    return sorted(structural, key=lambda token: (-len(token), token))


def _template_turn(message: Message, tokenizer: "PreTrainedTokenizerBase") -> dict[str, Any]:
    turn = message.model_dump(exclude_none=True)
    turn.setdefault("content", "")
    if message.tool_calls and "tool_calls" not in str(tokenizer.chat_template):
        # A template without tools would drop the calls, so write them as Hermes and Qwen do.
        calls = [{"name": c.function.name, "arguments": c.function.arguments} for c in message.tool_calls]
        blocks = [f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>" for call in calls]
        turn["content"] = "\n".join([turn["content"], *blocks]).lstrip("\n")
        del turn["tool_calls"]
    return turn


def tokenize_example(
    tokenizer: "PreTrainedTokenizerBase", example: Interaction, max_length: int, answer: Message | None = None
) -> Tokens:
    """Tokenize an example within ``max_length``, with the expert's answer (or ``answer``) as the target.

    If it is too long, it loses in this order: the oldest turns, the leading system turn, the descriptions of the
    tools, and then the end of the answer. A cut answer has no end-of-turn token, so that the model does not learn to
    stop there. Prompt and target are tokenized separately, as in a server that answers.

    Raises :class:`UntrainableExampleError` if not even one token of the answer fits.
    """
    answer = answer or example.expert
    turns = example.prompt
    dropped, tools = 0, example.tools
    while True:
        view = render_example(tokenizer, turns, answer, tools)
        prompt, target = _token_ids(tokenizer, view.prompt), _token_ids(tokenizer, view.target)
        if len(prompt) + len(target) <= max_length:
            break
        shorter = _without_oldest(turns)
        if shorter is None and tools:
            tools, shorter = None, turns
        if shorter is None:
            break
        dropped += len(turns) - len(shorter)
        turns = shorter
    room = max_length - len(prompt)
    if room < 1:
        raise UntrainableExampleError(f"the query alone has {len(prompt)} tokens, but max_length is {max_length}")
    cut = max(0, len(target) - room)
    return Tokens(example.id, (*prompt, *target[:room]), len(prompt), dropped, cut)


def tokenize_pair(tokenizer: "PreTrainedTokenizerBase", example: Interaction, max_length: int) -> Tokens:
    """Tokenize an example, with the local answer as the rejected one after exactly the same prompt.

    There is no rejected answer if the local one is empty, equals the expert's, or cannot be rendered: such an example
    teaches from the expert's answer only. A local answer that is too long loses its end.
    """
    chosen = tokenize_example(tokenizer, example, max_length)
    if example.local.text.strip() in ("", example.expert.text.strip()):
        return chosen
    try:
        view = render_example(tokenizer, example.prompt, example.local, example.tools)
    except UntrainableExampleError:
        return chosen
    return replace(chosen, rejected=tuple(_token_ids(tokenizer, view.target)[: max_length - chosen.start]))


def _without_oldest(turns: list[Message]) -> list[Message] | None:
    """Return the turns without the oldest exchange, which ends before the next user turn; None if none can go.

    The system turn goes last, because that of a coding agent can be longer than everything else.
    """
    first = 1 if turns[0].role == "system" else 0
    users = [n for n, turn in enumerate(turns) if n > first and turn.role == "user"]
    return turns[:first] + turns[users[0] :] if users else turns[first:] if first else None


def _token_ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
