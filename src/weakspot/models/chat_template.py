"""Writes conversations with a base's chat template: at a given time, in a given thinking mode, as a server does.

The template is code of the base. Whatever it raises is one :class:`TemplateRefusesError`.
"""

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Thinking = Literal["on", "off", "default"]
Turn = dict[str, Any]

_CLOCK = "strftime_now"
_DIRECTIVES = "aAwdbBmyYHIMSpfzZjUWcxXGuVDFTReklCnth"
# Stands in front of a template that writes the date: transformers gives templates no clock but the machine's.
_MACRO = (
    "{%- macro strftime_now(format) -%}{%- set told = namespace(text=format) -%}"
    "{%- for code, text in clock_texts -%}{%- set told.text = told.text.replace(code, text) -%}{%- endfor -%}"
    "{{ told.text }}{%- endmacro -%}"
)
# What opens thoughts at the end of a prompt, and what closes them.
_OPEN_THOUGHTS = re.compile(r"(<(think|thinking|thought|seed:think)>|\[THINK\]|◁think▷|<\|START_THINKING\|>)(\s*)\Z")
_EMPTY_THOUGHTS = re.compile(
    r"\s*(?:<(think|thinking|thought|seed:think)>\s*</\1>|\[THINK\]\s*\[/THINK\]"
    r"|◁think▷\s*◁/think▷|<\|START_THINKING\|>\s*<\|END_THINKING\|>)\n{0,2}"
)
_CLOSING = re.compile(r"(?:</(?:think|thinking|thought|seed:think)>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>)\n{0,2}")
# Days of other names, numbers, months and years than any one.
_OTHER_DAYS = tuple(range(1, 8)) + tuple(range(30, 400, 31)) + (800, 4000)
_ANSWER = "QXanswerXQ"


class TemplateRefusesError(ValueError):
    """A chat template cannot write a conversation; the text is the template's own message."""


@dataclass(frozen=True)
class RenderOptions:
    """What a server passes to the template beside the turns.

    ``moment`` is the time that the template may write, None for now; ``effort`` is the client's ``reasoning_effort``.
    """

    tools: Any = None
    moment: datetime | None = None
    thinking: Thinking = "off"
    effort: str | None = None

    def template_arguments(self) -> dict[str, Any]:
        """Return the arguments of the template, by the names that templates have for them."""
        switch = {} if self.thinking == "default" else dict.fromkeys(("enable_thinking", "thinking"), self.on)
        return {**switch, **({"reasoning_effort": self.effort} if self.effort else {})}

    @property
    def on(self) -> bool:
        """True if the model is told to think."""
        return self.thinking == "on"


AS_NOW = RenderOptions()


def render(
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[Mapping[str, Any]],
    options: RenderOptions = AS_NOW,
    *,
    answered: bool = False,
) -> str:
    """Return the text of a conversation: the prompt of its next answer, or with ``answered`` no such prompt.

    Raises :class:`TemplateRefusesError` for whatever the template raises.
    """
    return _write(tokenizer, turns, options, answered, _clock_texts(options.moment or datetime.now().astimezone()))


def render_without_date(
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[Mapping[str, Any]],
    options: RenderOptions = AS_NOW,
) -> str:
    """Return the prompt in its normal form for comparing: ``%d %B %Y`` or the like in the place of the date."""
    return _write(tokenizer, turns, options, answered=False, clock=[])


def writes_date(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether a prompt depends on the day on which it is written."""
    return _CLOCK in str(tokenizer.chat_template)


def ids_around_date(
    tokenizer: "PreTrainedTokenizerBase", turns: Sequence[Mapping[str, Any]], options: RenderOptions
) -> tuple[int, int] | None:
    """Return how many ids of a prompt stand before and behind what changes with the date; None if nothing does."""
    if not writes_date(tokenizer):
        return None
    moment = options.moment or datetime.now().astimezone()
    days = [moment, *(moment + timedelta(days=days, hours=days) for days in _OTHER_DAYS)]
    dated = [token_ids(tokenizer, render(tokenizer, turns, replace(options, moment=day))) for day in days]
    if all(ids == dated[0] for ids in dated):
        return None
    before = min(common_prefix_length(dated[0], ids) for ids in dated)
    after = min(common_prefix_length(dated[0][before:][::-1], ids[before:][::-1]) for ids in dated)
    return before, after


def common_prefix_length(some: Sequence[int], others: Sequence[int]) -> int:
    """Return how many ids two sequences begin with alike."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False))
    return sum(1 for _ in pairs)


def token_ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Return the ids of a rendered text; the template has written every special token itself."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@dataclass(frozen=True)
class Controls:
    """The special tokens of a base: ``tokens`` that no message may hold, longest first, and ids that end a turn."""

    tokens: tuple[str, ...]
    ends: frozenset[int]


def controls(tokenizer: "PreTrainedTokenizerBase") -> Controls:
    """Return the tokens that structure a conversation or end a turn.

    They are those that the template writes, those with a role of their own (pad, unknown, ...), the generation
    settings' ends, and all of the form ``<|...|>``. Others, like SmolLM2's <filename>, are words that people may use.
    """
    return _controls(tokenizer, str(tokenizer.chat_template), len(tokenizer))


@functools.lru_cache(maxsize=16)
def _controls(tokenizer: "PreTrainedTokenizerBase", template: str, size: int) -> Controls:
    special = {str(token) for token in tokenizer.all_special_tokens}
    special |= {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    named = {str(one) for one in tokenizer.special_tokens_map.values() if isinstance(one, str)}
    ends = set(_ends_of_generation_settings(tokenizer))
    tokens = {one for one in special if one in template or "|" in one or "｜" in one} | named
    tokens |= {str(one) for one in tokenizer.convert_ids_to_tokens(sorted(ends))}
    ordered = tuple(sorted(tokens - {"None", ""}, key=lambda token: (-len(token), token)))
    if tokenizer.eos_token_id is not None:
        ends.add(int(tokenizer.eos_token_id))
    if last := list(re.finditer(_either(ordered), _text_after_any_answer(tokenizer))):
        ends.add(cast("int", tokenizer.convert_tokens_to_ids(last[-1][0])))
    return Controls(ordered, frozenset(ends))


def _text_after_any_answer(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return what the template writes behind a plain answer, whether another turn follows or not."""
    user, answer = {"role": "user", "content": "x"}, {"role": "assistant", "content": _ANSWER}
    try:
        texts = [render(tokenizer, turns, answered=True) for turns in ([user, answer], [user, answer, user])]
    except TemplateRefusesError:
        return ""
    pairs = zip(*(text.partition(_ANSWER)[2] for text in texts), strict=False)
    return "".join(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _ends_of_generation_settings(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return the ids that end a turn by the generation settings beside the tokenizer, where there are any."""
    from transformers import GenerationConfig

    revision = getattr(tokenizer, "revision", None) or "main"
    try:
        settings = GenerationConfig.from_pretrained(tokenizer.name_or_path, revision=revision, local_files_only=True)
    except (OSError, ValueError):
        return []
    known = settings.eos_token_id
    return [one for one in (known if isinstance(known, list) else [known]) if isinstance(one, int) and one >= 0]


def up_to_end_of_turn(tokenizer: "PreTrainedTokenizerBase", target: str) -> str:
    """Return ``target`` up to the token that ends the turn; the end-of-text that some templates add goes."""
    known = controls(tokenizer)
    either = _either(known.tokens)
    run = re.search(rf"(?:{either})(?:\s*(?:{either}))*\s*\Z", target)
    if run is None:
        return target.rstrip() + str(tokenizer.eos_token)
    closing = list(re.finditer(either, run[0]))
    ends = (one for one in closing if tokenizer.convert_tokens_to_ids(one[0]) in known.ends)
    return target[: run.start() + next(ends, closing[-1]).end()]


def _either(tokens: Sequence[str]) -> str:
    return "|".join(re.escape(token) for token in tokens) or r"(?!)"


@dataclass(frozen=True)
class OpenThoughts:
    """Thoughts that the end of a prompt has begun: the mark, and what stands between it and them."""

    mark: str
    gap: str

    @property
    def closing(self) -> str:
        """The mark that ends them."""
        if self.mark == "<|START_THINKING|>":
            return "<|END_THINKING|>"
        return f"{self.mark[0]}/{self.mark[1:]}"

    def with_closing(self, thoughts: str) -> str:
        """Return thoughts with what closes them, up to the answer."""
        return f"{thoughts}{self.gap}{self.closing}{self.gap * 2}"


def open_thoughts(prompt: str) -> OpenThoughts | None:
    """Return the thoughts that a prompt has begun; None where it has not."""
    found = _OPEN_THOUGHTS.search(prompt)
    return OpenThoughts(found[1], found[3]) if found else None


def empty_thoughts(text: str, opened: OpenThoughts | None) -> int:
    """Return where an empty block of thoughts at the beginning of a text ends, one that the prompt may have opened."""
    closing = opened.closing if opened else ""
    found = _EMPTY_THOUGHTS.match(text) or (closing and re.match(rf"\s*{re.escape(closing)}\n{{0,2}}", text))
    return found.end() if found else 0


def end_of_thoughts(text: str, begin: int) -> int:
    """Return where thoughts end that go on at ``begin``, the mark that closes them included."""
    found = _CLOSING.search(text, begin)
    return found.end() if found else begin


def thinks(tokenizer: "PreTrainedTokenizerBase", thinking: Thinking) -> bool:
    """Whether a model asked in this mode begins with thoughts, by what its template writes in each mode."""
    return thinking != "off" and _thinks(tokenizer, str(tokenizer.chat_template), thinking)


def knows_thoughts(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether a template has a place for thoughts, or a switch for them: else the model has no thinking mode."""
    return writes_thoughts(tokenizer) or has_thinking_switch(tokenizer) or thinks(tokenizer, "default")


def lacks_thinking_switch(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether a template writes the thoughts of an answer, and has no way to ask for an answer without them."""
    return writes_thoughts(tokenizer) and not has_thinking_switch(tokenizer)


def has_thinking_switch(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether the template writes another prompt where the model must not think."""
    return _prompt_in(tokenizer, "on") != _prompt_in(tokenizer, "off")


def writes_thoughts(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether the template writes the thoughts of a last answer."""
    turns: list[Turn] = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "y", "reasoning_content": _ANSWER},
    ]
    try:
        return _ANSWER in render(tokenizer, turns, RenderOptions(thinking="on"), answered=True)
    except TemplateRefusesError:
        return False


@functools.lru_cache(maxsize=64)
def _thinks(tokenizer: "PreTrainedTokenizerBase", template: str, thinking: Thinking) -> bool:
    own = _prompt_in(tokenizer, thinking)
    if open_thoughts(own):
        return True
    return has_thinking_switch(tokenizer) and own == _prompt_in(tokenizer, "on")


def _prompt_in(tokenizer: "PreTrainedTokenizerBase", thinking: Thinking) -> str:
    try:
        return render_without_date(tokenizer, [{"role": "user", "content": "x"}], RenderOptions(thinking=thinking))
    except TemplateRefusesError:
        return ""


def _write(
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[Mapping[str, Any]],
    options: RenderOptions,
    answered: bool,
    clock: list[tuple[str, str]],
) -> str:
    arguments = options.template_arguments()
    try:
        if writes_date(tokenizer):
            template = tokenizer.get_chat_template(None, options.tools)
            arguments.update(chat_template=_MACRO + template, clock_texts=clock)
        in_parts = _wants_parts(tokenizer, str(tokenizer.chat_template))
        return str(
            tokenizer.apply_chat_template(
                [_with_text_part(turn) if in_parts else dict(turn) for turn in turns],
                tokenize=False,
                tools=options.tools,
                add_generation_prompt=not answered,
                **arguments,
            )
        )
    except MemoryError:
        raise
    except Exception as error:
        kind = "" if type(error).__name__ == "TemplateError" else f"{type(error).__name__}: "
        raise TemplateRefusesError(f"{kind}{' '.join(str(error).split())[:300]}") from None


@functools.lru_cache(maxsize=16)
def _wants_parts(tokenizer: "PreTrainedTokenizerBase", template: str) -> bool:
    """Whether a template writes a text only as a part of the content, as those of models that see; servers ask so."""
    asked: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True}
    turn: Turn = {"role": "user", "content": _ANSWER}
    try:
        plain = _ANSWER in str(tokenizer.apply_chat_template([turn], **asked))
        written = str(tokenizer.apply_chat_template([_with_text_part(turn)], **asked))
        return not plain and _ANSWER in written and "'type'" not in written
    except Exception:
        return False


def _with_text_part(turn: Mapping[str, Any]) -> Turn:
    return {**turn, "content": [{"type": "text", "text": turn["content"]}] if turn.get("content") else []}


def _clock_texts(moment: datetime) -> list[tuple[str, str]]:
    codes = [f"%{dash}{one}" for dash in ("-", "") for one in _DIRECTIVES]
    return [(code, moment.strftime(code)) for code in codes]
