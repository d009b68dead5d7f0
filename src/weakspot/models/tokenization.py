"""The training view: what the expert answered to, then an answer; loss on that answer and its end of turn."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weakspot.records import Interaction, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class View:
    """The text a model is given, and the text it is to write after it, end of turn included."""

    prompt: str
    target: str


@dataclass(frozen=True)
class Tokens:
    """Token ids of prompt and target; loss is on ``ids[start:]``.

    ``rejected`` is the local answer to the same prompt, where it is learned from as well, else empty.
    ``dropped_turns`` and ``cut_tokens`` say what did not fit: oldest turns, and the answer's last tokens.
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


class ViewError(ValueError):
    """An example that cannot be trained on, and why."""


def render(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[Message], answer: Message, tools: Any = None) -> View:
    """Render ``turns`` and ``answer`` with the tokenizer's own chat template and part them exactly.

    The target is what the template writes for the answer, up to and including the end-of-turn token;
    role headers, empty thinking blocks and the newline after the turn are context or nothing.

    Raises :class:`ViewError` for a text that holds one of the template's control tokens, and for one that
    the template rewrites, so that what is trained on would not be the answer.
    """
    controls = control_tokens(tokenizer)
    for message in (*turns, answer):
        found = [token for token in controls if token in message.text]
        if found:
            raise ViewError(f"holds the control token {found[0]}")
    conversation = [_for_template(message, tokenizer) for message in turns]
    reply = _for_template(answer, tokenizer)
    # A template that can think opens an empty thinking block unless the answer brings its own.
    options: dict[str, Any] = {
        "tokenize": False,
        "tools": tools,
        "enable_thinking": bool(reply.get("reasoning_content")),
    }
    prompt = str(tokenizer.apply_chat_template(conversation, add_generation_prompt=True, **options))
    whole = str(tokenizer.apply_chat_template([*conversation, reply], **options))
    if not whole.startswith(prompt):
        raise ViewError("is written otherwise by the chat template once the answer is there")
    target = whole[len(prompt) :]
    if str(reply["content"]).strip() not in target:
        raise ViewError("is rewritten by the chat template")
    # The turn ends with the first of the control tokens at the end; some templates close the text with more.
    either = "|".join(re.escape(token) for token in controls)
    end = re.search(rf"({either})(?:\s*(?:{either}))*\s*\Z", target)
    return View(prompt, target[: end.end(1)] if end else target.rstrip() + str(tokenizer.eos_token))


def control_tokens(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """The special tokens that structure a conversation: those the chat template writes, longest first.

    Others, as SmolLM2's <filename>, are words that people may use.
    """
    special = {str(token) for token in tokenizer.all_special_tokens}
    special |= {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    template = str(tokenizer.chat_template)
    structural = {token for token in special if token in template}
    structural |= {str(token) for token in (tokenizer.bos_token, tokenizer.eos_token) if token}
    return sorted(structural, key=lambda token: (-len(token), token))


def _for_template(message: Message, tokenizer: "PreTrainedTokenizerBase") -> dict[str, Any]:
    turn = message.model_dump(exclude_none=True)
    turn.setdefault("content", "")
    if message.tool_calls and "tool_calls" not in str(tokenizer.chat_template):
        # A template that knows no tools would drop the calls: write them as Hermes and Qwen do.
        calls = [{"name": c.function.name, "arguments": c.function.arguments} for c in message.tool_calls]
        blocks = [f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>" for call in calls]
        turn["content"] = "\n".join([turn["content"], *blocks]).lstrip("\n")
        del turn["tool_calls"]
    return turn


def tokens(
    tokenizer: "PreTrainedTokenizerBase", example: Interaction, max_length: int, answer: Message | None = None
) -> Tokens:
    """Return an example's token ids within ``max_length``, with the expert's answer (or ``answer``) as target.

    What does not fit goes in this order: the oldest turns, the leading system turn, the descriptions of the
    tools, then the answer's last tokens, its end of turn with them, so that the model does not learn to stop
    there.
    Prompt and target are tokenized apart, as they are when a server answers.

    Raises :class:`ViewError` where not one token of the answer fits.
    """
    answer = answer or example.expert
    turns = example.prompt
    dropped, tools = 0, example.tools
    while True:
        view = render(tokenizer, turns, answer, tools)
        prompt, target = _ids(tokenizer, view.prompt), _ids(tokenizer, view.target)
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
        raise ViewError(f"the query alone has {len(prompt)} tokens of {max_length}")
    cut = max(0, len(target) - room)
    return Tokens(example.id, (*prompt, *target[:room]), len(prompt), dropped, cut)


def pair(tokenizer: "PreTrainedTokenizerBase", example: Interaction, max_length: int) -> Tokens:
    """Return an example's tokens with the local answer as the rejected one, behind the very same prompt.

    There is no rejected answer where the local one is empty, says what the expert says, or cannot be rendered: such an
    example can only be learned from the expert. A local answer that does not fit loses its end.
    """
    chosen = tokens(tokenizer, example, max_length)
    if example.local.text.strip() in ("", example.expert.text.strip()):
        return chosen
    try:
        view = render(tokenizer, example.prompt, example.local, example.tools)
    except ViewError:
        return chosen
    return replace(chosen, rejected=tuple(_ids(tokenizer, view.target)[: max_length - chosen.start]))


def _without_oldest(turns: list[Message]) -> list[Message] | None:
    """Drop the oldest exchange: from the first turn after the system's up to the next user turn.

    The system's own turn goes last: that of a coding agent may be longer than everything else.
    """
    first = 1 if turns[0].role == "system" else 0
    users = [n for n, turn in enumerate(turns) if n > first and turn.role == "user"]
    return turns[:first] + turns[users[0] :] if users else turns[first:] if first else None


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
