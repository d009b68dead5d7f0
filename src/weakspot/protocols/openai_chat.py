"""OpenAI's chat completions: builds a request, reads a server's answer, and writes one for a client."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from weakspot.protocols.media import content_parts, image_url, is_media, part_url, text_of_parts
from weakspot.protocols.parts import Answer, Call, Finished, Part, StopReason, StreamError, Text, Thought, ThoughtsEnded
from weakspot.protocols.reading import StreamReader, error_text, token_count
from weakspot.protocols.sse import event
from weakspot.protocols.tools import SafeNames, function_tools, with_safe_choice, with_safe_names

LONGEST_NAME = 64
_LONGEST_ID = 40

# Any other reason is some server's own word for an answer that was cut.
_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "refused",
}
_WRITTEN = {"stop": "stop", "tool_calls": "tool_calls", "length": "length", "refused": "content_filter"}
_MESSAGE_KEYS = ("role", "content", "tool_calls", "tool_call_id", "name")
_OF_TOOLS = ("tool_choice", "parallel_tool_calls")
# What a client may ask of an answer. Left out: what belongs to its connection (stream, n, user, metadata, store) or to
# one provider's or server's models (top_k, logit_bias, logprobs, reasoning_effort, service_tier, ...).
_OPTIONS = (
    *("response_format", "tool_choice", "parallel_tool_calls", "stop", "temperature", "top_p", "seed"),
    *("frequency_penalty", "presence_penalty"),
)


def answer_options(chat: dict[str, Any]) -> dict[str, Any]:
    """Return what a client asks of the answer, for a teacher: see ``Question.options``."""
    return {key: chat[key] for key in _OPTIONS if chat.get(key) is not None}


def thinking_options(chat: Mapping[str, Any]) -> dict[str, str]:
    """Return what a client asks of thinking: ``thinking``, on or off, and ``reasoning_effort``; {} if it is silent.

    The names are those of OpenAI, of vLLM and llama.cpp, and of Ollama.
    """
    given = chat.get("chat_template_kwargs")
    asked = {**chat, **given} if isinstance(given, dict) else chat
    effort = next(
        (one for key in ("reasoning_effort", "think") if isinstance(one := asked.get(key), str) and one), None
    )
    flags = (asked.get(key) for key in ("enable_thinking", "thinking", "think"))
    flag = next((one for one in flags if isinstance(one, bool)), None if effort is None else effort != "none")
    if flag is None:
        return {}
    return {"thinking": "on" if flag else "off", **({"reasoning_effort": effort} if flag and effort else {})}


def request(
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]],
    options: Mapping[str, Any] | None = None,
    names: SafeNames | None = None,
) -> dict[str, Any]:
    """Return messages, tools and options of a request; fields that only some servers know are left out.

    ``names`` are those of the tools.
    """
    names = names or SafeNames(LONGEST_NAME)
    known = [_message(one) for one in messages]
    known, functions = with_safe_names(known, function_tools(tools), names, SafeNames(_LONGEST_ID))
    wishes = {key: value for key, value in (options or {}).items() if functions or key not in _OF_TOOLS}
    if (choice := with_safe_choice(wishes.pop("tool_choice", None), names, functions)) is not None:
        wishes["tool_choice"] = choice
    return {
        "messages": media_behind_results(known),
        **({"tools": functions} if functions else {}),
        **wishes,
    }


def _message(message: dict[str, Any]) -> dict[str, Any]:
    known = {key: message[key] for key in _MESSAGE_KEYS if key in message}
    if not known.get("tool_calls"):
        known.pop("tool_calls", None)
        known["content"] = known.get("content") or ""
    if isinstance(known.get("content"), list):
        known["content"] = [part for one in known["content"] if (part := _content_part(one)) is not None]
    # Few servers know the role "developer", and those accept "system" in its place.
    return {**known, "role": "system"} if known["role"] == "developer" else known


def _content_part(part: dict[str, Any]) -> dict[str, Any] | None:
    """Return a part without what only other servers know; None for a thought."""
    match part["type"]:
        case "text":
            return {"type": "text", "text": part["text"]}
        case "image_url":
            more = part["image_url"] if isinstance(part["image_url"], dict) else {}
            return {"type": "image_url", "image_url": {**more, "url": image_url(part_url(part))}}
        case "thinking" | "reasoning" | "redacted_thinking":
            return None
        case _:
            return part


def media_behind_results(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a chat in which the results of tools are texts: their pictures and files follow as the user's.

    Few servers take anything but text from a tool. The user's own next message, if there is one, is joined with it:
    many templates refuse two of one role.
    """
    found: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "tool":
            text, media = _result(message)
            found.append(text)
            waiting += media
        elif waiting and message["role"] == "user":
            found.append({**message, "content": [*waiting, *content_parts(message.get("content"))]})
            waiting = []
        else:
            found += [*_user_message(waiting), message]
            waiting = []
    return [*found, *_user_message(waiting)]


def _user_message(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": parts}] if parts else []


def _result(message: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a tool's result as a text, and its pictures and files with a line that says where they belong."""
    content = message.get("content")
    if not isinstance(content, list):
        return message, []
    media = [part for part in content if is_media(part)]
    text = text_of_parts(part for part in content if not is_media(part))
    belongs = {"type": "text", "text": f"Result of the tool call {message.get('tool_call_id')}:"}
    shown = {**message, "content": text or ("(see the next message)" if media else "")}
    return shown, [belongs, *media] if media else []


def parts_of_answer(data: bytes) -> Iterator[Part]:
    """Yield the parts of an answer, a recorded stream or a whole body; raises :class:`StreamError` for any other."""
    reader = Reader()
    parts = [*reader.feed(data), *reader.end()]
    if not parts:
        raise StreamError("not a chat completion")
    yield from parts


class Reader(StreamReader):
    """Reads the first choice of a chat completion."""

    def __init__(self) -> None:
        super().__init__()
        self._refused = False
        self._usage: dict[str, Any] = {}
        self._ids: list[str] = []
        self._numbers: dict[Any, int] = {}

    def _event(self, event: dict[str, Any]) -> Iterator[Part]:
        self._refuse_error(event)
        self._model = str(event.get("model") or self._model)
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices") or ():
            if not choice.get("index"):
                self._refuse_error(choice)
                yield from self._turn(choice.get("delta") or choice.get("message") or {})
                self._reason = choice.get("finish_reason") or self._reason

    def _refuse_error(self, body: dict[str, Any]) -> None:
        """Raise the error that a server reports in place of an answer, in whichever of its forms."""
        reported = body.get("error") or (isinstance(body.get("message"), str) and body) or body.get("detail")
        if reported:
            raise StreamError(error_text(reported))

    def _turn(self, turn: dict[str, Any]) -> Iterator[Part]:
        if thought := turn.get("reasoning_content") or turn.get("reasoning"):
            yield Thought(str(thought))
        content = turn.get("content") or ()
        # Mistral's servers separate text from reasoning here.
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part.get("type") == "text":
                yield Text(str(part["text"] or ""))
        if refusal := turn.get("refusal"):
            self._refused = True
            yield Text(str(refusal))
        # The older protocol knows one call, without an id.
        older = [{"index": 0, "function": turn["function_call"]}] if turn.get("function_call") else []
        for place, call in enumerate(turn.get("tool_calls") or older):
            yield self._call(place, call)

    def _call(self, place: int, call: dict[str, Any]) -> Call:
        function, identity = call.get("function") or {}, call.get("id") or ""
        given = call.get("index")
        index = place if given is None else given
        number = self._numbers.get(index)
        # Some servers repeat id and name in each piece, some give all calls one index: a new id is a new call.
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if number is not None and (not identity or self._ids[number] in ("", identity)):
            return Call(number, arguments)
        number = self._numbers[index] = len(self._ids)
        self._ids.append(identity)
        return Call(number, arguments, identity or f"call_{uuid.uuid4().hex}", function.get("name") or "")

    def _final_part(self) -> Finished | None:
        if not self._reason:
            return None
        reason = "refused" if self._refused else _REASONS.get(self._reason, "length")
        # Many servers say "stop" after tool calls, too.
        reason = "tool_calls" if reason == "stop" and self._ids else reason
        read, written = token_count(self._usage.get("prompt_tokens")), token_count(self._usage.get("completion_tokens"))
        return Finished(reason, self._model, read, written)


class Writer:
    """Writes an answer for a client of chat completions: as a stream, or whole."""

    def __init__(self, model: str, *, usage_wanted: bool = False) -> None:
        self.id = f"chatcmpl-{uuid.uuid4().hex}"
        self._envelope = {"id": self.id, "created": int(time.time()), "model": model}
        self._usage_wanted = usage_wanted

    def begin(self) -> bytes:
        """Return the events before the first part."""
        return self._chunk({"role": "assistant", "content": ""})

    def write(self, part: Part) -> bytes:
        """Return the events of one part."""
        match part:
            case Text(text):
                return self._chunk({"content": text})
            case Thought(text):
                return self._chunk({"reasoning_content": text})
            case ThoughtsEnded():
                return b""
            case Call(index, arguments, identity, name):
                head = {"id": identity, "type": "function"} if identity else {}
                function = {**({"name": name} if name else {}), "arguments": arguments}
                return self._chunk({"tool_calls": [{"index": index, **head, "function": function}]})
            case Finished():
                data = self._chunk({}, _WRITTEN[part.reason])
                return data + self._event({"choices": [], "usage": _usage(part)}) if self._usage_wanted else data

    def end(self) -> bytes:
        """Return the events after the last part."""
        return event("[DONE]")

    def error_event(self, status: int, message: str) -> bytes:
        """Return the event that ends a stream early with an error."""
        return event(json.dumps(error(status, message)))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the whole answer as one body."""
        finished = answer.finished or Finished("length")
        message = answer.turn()
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _WRITTEN[finished.reason]}
        return {**self._envelope, "object": "chat.completion", "choices": [choice], "usage": _usage(finished)}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        return self._event({"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})

    def _event(self, fields: dict[str, Any]) -> bytes:
        return event(json.dumps({**self._envelope, "object": "chat.completion.chunk", **fields}))


def _usage(finished: Finished) -> dict[str, int]:
    read, written = finished.input_tokens or 0, finished.output_tokens or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


def error(status: int, message: str, code: str = "", param: str | None = None) -> dict[str, Any]:
    """Return an error in the shape that OpenAI's clients read; ``param`` is the field of the request that is wrong."""
    kind = _ERROR_TYPES.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code or kind}}
