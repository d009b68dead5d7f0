"""Renders examples: the prompt as a server gives it, and the expert's answer, which is learned.

Each example is checked: it is trained on whole, as the served model would write it, or left out with a reason.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from weakspot.models import chat_template, turn_forms
from weakspot.models.chat_template import AS_NOW, RenderOptions, TemplateRefusesError, Thinking, Turn
from weakspot.records import AdapterManifest, Interaction, Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Why an example is left out: a fixed key for programs to count; docs/models.md says what each means.
Untrainable = Literal[
    "template-refuses",
    "control-token",
    "system-lost",
    "turn-lost",
    "call-lost",
    "result-lost",
    "answer-rewritten",
    "prompt-rewritten",
    "end-inside",
    "tokens-differ",
    "no-thoughts",
    "too-long",
]
# What another form of the same conversation may mend.
_ADAPTABLE: frozenset[Untrainable] = frozenset(
    {"template-refuses", "system-lost", "turn-lost", "call-lost", "result-lost"}
)
_LOST: dict[str, Untrainable] = {"system": "system-lost", "tool": "result-lost"}


@dataclass(frozen=True)
class RenderedExample:
    """A rendered example: the prompt as a server gives it, and the text to learn, end of turn included.

    ``lead`` stands between the two and is not learned: thoughts, or what closes an empty block of them. ``turns`` are
    those of the prompt, in the form in which the template writes them.
    """

    prompt: str
    target: str
    lead: str
    turns: list[Turn]


class UntrainableExampleError(ValueError):
    """An example cannot be trained on: the ``reason`` for programs, and ``detail`` for people."""

    def __init__(self, reason: Untrainable, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class View:
    """How examples are shown to a model: the thinking mode where a captured call states none.

    Where the model would begin with thoughts and the expert gave none, the base's own stand in front of the answer,
    not under loss: ``thoughts`` has them by the example's id. Without them, ``no_thoughts`` decides.
    """

    thinking: Thinking = "off"
    no_thoughts: Literal["leave-out", "answer-at-once"] = "leave-out"
    thoughts: Mapping[str, str] = field(default_factory=dict)

    def options(self, example: Interaction) -> RenderOptions:
        """Return how the template is asked to write an example: as on the day and in the mode of its capture."""
        captured = example.metadata
        return RenderOptions(
            tools=example.tools,
            moment=datetime.fromisoformat(captured.timestamp),
            thinking=captured.thinking or self.thinking,
            effort=captured.reasoning_effort,
        )

    def render(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        example: Interaction,
        answer: Message,
        turns: Sequence[Message],
        tools: Any,
    ) -> RenderedExample:
        """Render an example's answer after these turns; raise :class:`UntrainableExampleError` as `render_example`."""
        options = replace(self.options(example), tools=tools)
        thoughts, at_once = self.thoughts.get(example.id, ""), self.no_thoughts == "answer-at-once"
        return render_example(tokenizer, turns, answer, options, thoughts=thoughts, answer_at_once=at_once)


AS_CAPTURED = View()


def view_of(manifest: AdapterManifest, thoughts: Mapping[str, str]) -> View:
    """Return how examples were shown in the training of an adapter; ``thoughts`` are the base's own, by example."""
    return View(manifest.thinking, manifest.settings["train"].get("no_thoughts", "leave-out"), thoughts)


def render_example(
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[Message],
    answer: Message,
    options: RenderOptions = AS_NOW,
    *,
    thoughts: str = "",
    answer_at_once: bool = False,
) -> RenderedExample:
    """Render ``turns`` and ``answer`` with the tokenizer's chat template, and split the text between the two.

    The target is what the template writes for the answer, up to and including the end-of-turn token. Role headers and
    empty thinking blocks before it belong to the prompt, ``thoughts`` of the base to the lead; the newline after the
    turn is dropped. What a strict template refuses is written in another form, if that loses nothing: see
    ``turn_forms``.

    Raises :class:`UntrainableExampleError` for a text that contains a control token, for a conversation that the
    template does not write whole, and for an answer that it changes, because then something else than the answer
    would be trained on.
    """
    known = chat_template.controls(tokenizer)
    for message in (*turns, answer):
        if found := next((token for token in known.tokens if token in message.text), None):
            raise UntrainableExampleError("control-token", f"holds the control token {found}")
    reply = template_turn(answer, tokenizer)
    refused: list[UntrainableExampleError] = []
    for form in turn_forms.forms([template_turn(message, tokenizer) for message in turns], reply):
        try:
            return _render_form(tokenizer, *form, options, thoughts, answer_at_once=answer_at_once)
        except UntrainableExampleError as error:
            refused.append(error)
            if refused[0].reason not in _ADAPTABLE:
                break
    raise refused[0]


def template_turn(message: Message, tokenizer: "PreTrainedTokenizerBase") -> Turn:
    """Return a message as chat templates expect it."""
    turn = message.model_dump(exclude_none=True)
    turn.setdefault("content", "")
    if message.tool_calls and "tool_calls" not in str(tokenizer.chat_template):
        # A template without tools would drop the calls, so write them as Hermes and Qwen do.
        calls = [{"name": c.function.name, "arguments": c.function.arguments} for c in message.tool_calls]
        blocks = [f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>" for call in calls]
        turn["content"] = "\n".join([turn["content"], *blocks]).lstrip("\n")
        del turn["tool_calls"]
    elif message.tool_calls:
        turn["tool_calls"] = [{"type": "function", **call} for call in turn["tool_calls"]]
    return turn


def _render_form(
    tokenizer: "PreTrainedTokenizerBase",
    turns: list[Turn],
    reply: Turn,
    options: RenderOptions,
    thoughts: str,
    *,
    answer_at_once: bool,
) -> RenderedExample:
    """Render a conversation in one form; raise :class:`UntrainableExampleError` unless the template writes it whole."""
    given = str(reply.get("reasoning_content") or "")
    if given and (chat_template.thinks(tokenizer, "on") or chat_template.writes_thoughts(tokenizer)):
        options = replace(options, thinking="on")
    else:
        reply, given = {**reply, "reasoning_content": None}, ""
    first = chat_template.thinks(tokenizer, options.thinking)
    own = thoughts if not given and options.thinking != "off" else ""
    if first and not (given or own or answer_at_once):
        raise UntrainableExampleError(
            "no-thoughts", "the model thinks before it answers, and its thoughts are not known"
        )
    try:
        _require_written(tokenizer, turns, reply, options)
        prompt = chat_template.render(tokenizer, turns, options)
        answer = {**reply, "reasoning_content": own} if own else reply
        written = _after_prompt(tokenizer, turns, answer, prompt, options)
    except TemplateRefusesError as error:
        raise UntrainableExampleError("template-refuses", str(error)) from None
    words = str(reply["content"]).strip()
    if words not in written:
        raise UntrainableExampleError("answer-rewritten", "is rewritten by the chat template")
    lead, target = _split_thoughts(prompt, written, words, given, own)
    return RenderedExample(prompt, chat_template.up_to_end_of_turn(tokenizer, target), lead, turns)


def _require_written(
    tokenizer: "PreTrainedTokenizerBase", turns: list[Turn], reply: Turn, options: RenderOptions
) -> None:
    """Raise :class:`UntrainableExampleError` where the template passes over a turn, a call or a result."""
    marks = turn_forms.Marks()
    marked = [marks.with_marks(turn) for turn in turns]
    text = chat_template.render(tokenizer, [turn for turn, _ in marked], options)
    if reply.get("tool_calls"):
        marked.append(marks.with_marks(reply))
        text += chat_template.render(tokenizer, [*turns, marked[-1][0]], options, answered=True)
    found = marks.find(text)
    for turn, expected in marked:
        if not found.issuperset(expected):
            reason = "call-lost" if turn.get("tool_calls") else _LOST.get(turn["role"], "turn-lost")
            raise UntrainableExampleError(reason, "the chat template does not write it")
    calls = (call["function"]["arguments"] for turn, _ in marked for call in turn.get("tool_calls") or ())
    if _is_no_json(next(filter(None, calls), {}), text):
        raise UntrainableExampleError("call-lost", "the chat template writes arguments as no JSON")


def _is_no_json(arguments: Any, text: str) -> bool:
    """Whether a call's arguments stand in a text as Python writes them, or as JSON in a JSON string."""
    if isinstance(arguments, str):
        return json.dumps(arguments, ensure_ascii=False) in text
    return bool(arguments) and str(arguments) != json.dumps(arguments) and str(arguments) in text


def _after_prompt(
    tokenizer: "PreTrainedTokenizerBase", turns: list[Turn], reply: Turn, prompt: str, options: RenderOptions
) -> str:
    """Return what the template writes for ``reply`` behind the prompt that a server gives the model.

    Some templates write earlier turns otherwise once an answer follows, or open thoughts in the prompt that they leave
    out of the whole text. There the answer's text is what follows the prompt of the last exchange alone, or of its
    question alone, if the whole conversation ends in the same text, and its prompt as that prompt does.
    """
    whole = chat_template.render(tokenizer, [*turns, reply], options, answered=True)
    if (found := _continuation(prompt, whole)) is not None:
        return found
    last = max((n for n, turn in enumerate(turns) if turn["role"] == "user"), default=0)
    for fewer in (turns[last:], turns[last : last + 1]):
        alone = chat_template.render(tokenizer, fewer, options)
        found = _continuation(alone, chat_template.render(tokenizer, [*fewer, reply], options, answered=True))
        header = alone.rpartition(str(fewer[-1]["content"]).strip())[2]
        if found is not None and whole.endswith(found) and prompt.endswith(header):
            return found
    raise UntrainableExampleError(
        "prompt-rewritten", "the chat template renders its prompt differently once the answer follows"
    )


def _continuation(prompt: str, whole: str) -> str | None:
    """Return what follows the prompt in the whole text, without the thoughts that only the prompt opens."""
    if whole.startswith(prompt):
        return whole[len(prompt) :]
    opened = chat_template.open_thoughts(prompt)
    before = prompt.removesuffix(f"{opened.mark}{opened.gap}") if opened else None
    if before is None or not whole.startswith(before):
        return None
    found = whole[len(before) :]
    return found.removeprefix(opened.mark) if opened else found


def _split_thoughts(prompt: str, written: str, words: str, given: str, own: str) -> tuple[str, str]:
    """Return what stands in front of the text to learn, and that text.

    The expert's thoughts (``given``) are learned. The base's ``own`` are not, nor is an empty block of thoughts.
    """
    opened = chat_template.open_thoughts(prompt)
    if given:
        return "", opened.with_closing(given) + written if opened and given not in written else written
    empty = chat_template.empty_thoughts(written, opened)
    if own and own in written:
        begin = written.index(own) + len(own)
        closing = chat_template.end_of_thoughts(written, begin)
        begin = written.index(words, begin) if words and words in written[begin:] else closing
        return written[:begin], written[begin:]
    if opened and not empty:
        return opened.with_closing(own), written
    return written[:empty], written[empty:]
