"""OpenAI's Responses API: writes an answer for a client."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from weakspot.protocols.parts import Answer, Call, Finished, Part, Text, Thought, ThoughtsEnded
from weakspot.protocols.responses_requests import Item, ToolForm, Tools
from weakspot.protocols.sse import event
from weakspot.protocols.tools import custom_input

# Why an answer is incomplete, in the protocol's words.
_INCOMPLETE = {"length": "max_output_tokens", "refused": "content_filter"}
# What a client asked, which the answer repeats, with the protocol's defaults.
_REPEATED: dict[str, Any] = {
    **dict.fromkeys(
        ("instructions", "max_output_tokens", "max_tool_calls", "previous_response_id", "prompt_cache_key")
    ),
    **dict.fromkeys(("safety_identifier", "temperature", "top_p", "user")),
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "truncation": "disabled",
}


class Writer:
    """Writes an answer for a client of the Responses API: as a stream of events, or whole.

    Items do not overlap, since clients look at one at a time: once a call has begun, all other parts wait until the
    end. ``keep`` gets a finished response before the client sees its end.
    """

    def __init__(self, body: dict[str, Any], tools: Tools, keep: Callable[[dict[str, Any]], None]) -> None:
        repeated = {key: default if body.get(key) is None else body[key] for key, default in _REPEATED.items()}
        self.id = _new_id("resp")
        self._response: dict[str, Any] = {
            "id": self.id,
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "background": False,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "model": str(body.get("model", "")),
            "output": [],
            **repeated,
            "tools": tools.offered,
            "usage": None,
        }
        self._forms, self._keep = tools.forms, keep
        self._numbered = 0
        # The item that is being written, what it says so far, and the number of the call that it is.
        self._item: Item = {}
        self._said: list[str] = []
        self._call: int | None = None
        self._waiting = Answer()

    def begin(self) -> bytes:
        """Return the events before the first part."""
        return self._event("response.created", response=self._response) + self._event(
            "response.in_progress", response=self._response
        )

    def write(self, part: Part) -> bytes:
        """Return the events of one part."""
        match part:
            case Finished():
                status = "incomplete" if part.reason in _INCOMPLETE else "completed"
                data = self._close_item(status) + self._write_waiting(status)
                self._finish(part)
                return data
            case Call(index, arguments, identity, name) if self._call in (None, index):
                start = b"" if self._call == index else self._open_item(_call_item(self._form(name), identity))
                self._call = index
                return start + self._delta(arguments)
            case ThoughtsEnded():
                return self._take_for_thoughts()
            case _ if self._call is not None:
                self._waiting.add(part)
                return b""
            case Text(text):
                return self._open_item(_message_item()) + self._delta(text)
            case Thought(text):
                return self._open_item(_reasoning_item()) + self._delta(text)
        raise TypeError(part)

    def end(self) -> bytes:
        """Return the events after the last part."""
        self._keep(self._response)
        return self._event(f"response.{self._response['status']}", response=self._response)

    def error_event(self, status: int, message: str) -> bytes:
        """Return the events that end a stream early with an error."""
        error = {"code": "rate_limit_exceeded" if status == 429 else "server_error", "message": message}
        self._response |= {"status": "failed", "error": error}
        # Of the first event some clients read the fields, some what is in them.
        data = self._event("error", **error, param=None, error={"type": error["code"], **error, "param": None})
        return data + self._event("response.failed", response=self._response)

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return the whole answer as one body."""
        finished = answer.finished or Finished("length")
        status = "incomplete" if finished.reason in _INCOMPLETE else "completed"
        items = [_finished_item(_reasoning_item(), answer.thought, status)] if answer.thought else []
        items += [_finished_item(_message_item(), answer.text, status)] if answer.text else []
        self._response["output"] = items + [
            _finished_item(_call_item(self._form(call.name), call.id), call.arguments, status)
            for call in answer.calls.values()
        ]
        self._finish(finished)
        self._keep(self._response)
        return self._response

    def _finish(self, finished: Finished) -> None:
        reason = _INCOMPLETE.get(finished.reason)
        self._response |= {
            "status": "incomplete" if reason else "completed",
            "completed_at": None if reason else int(time.time()),
            "incomplete_details": {"reason": reason} if reason else None,
            "usage": _usage(finished),
        }

    def _form(self, name: str) -> ToolForm:
        return self._forms.get(name) or ToolForm(name)

    def _write_waiting(self, status: str) -> bytes:
        """Return the events of what came while a call was written."""
        said = ((_reasoning_item(), self._waiting.thought), (_message_item(), self._waiting.text))
        calls = ((_call_item(self._form(one.name), one.id), one.arguments) for one in self._waiting.calls.values())
        return b"".join(
            self._open_item(item) + self._delta(text) + self._close_item(status)
            for item, text in (*(one for one in said if one[1]), *calls)
        )

    def _take_for_thoughts(self) -> bytes:
        """Close the text so far, which the client has read as one; in the response it is thoughts."""
        data = self._close_item("completed")
        output = self._response["output"]
        output[:] = [
            _finished_item(_reasoning_item(), one["content"][0]["text"], "completed")
            if one["type"] == "message"
            else one
            for one in output
        ]
        return data

    def _open_item(self, item: Item) -> bytes:
        """Return the events that begin an item, none for more of the same message or thoughts."""
        if self._item.get("type") == item["type"] and "call_id" not in item:
            return b""
        data = self._close_item("completed")
        self._item, self._said = item, []
        data += self._event("response.output_item.added", output_index=self._index, item=item)
        match item["type"]:
            case "message":
                data += self._item_event("content_part.added", content_index=0, part=_output_text(""))
            case "reasoning":
                data += self._item_event("reasoning_summary_part.added", summary_index=0, part=_summary_text(""))
        return data

    def _delta(self, text: str) -> bytes:
        self._said.append(text)
        match self._item["type"]:
            case _ if not text:
                return b""
            case "message":
                return self._item_event("output_text.delta", content_index=0, delta=text, logprobs=[])
            case "reasoning":
                return self._item_event("reasoning_summary_text.delta", summary_index=0, delta=text)
            case "function_call":
                return self._item_event("function_call_arguments.delta", delta=text)
            case _:
                return b""  # the input is inside of the arguments, and known when they are whole

    def _close_item(self, status: str) -> bytes:
        """Return the events that end the item that is being written, none where there is none."""
        if not self._item:
            return b""
        item = _finished_item(self._item, "".join(self._said), status)
        match item["type"]:
            case "message":
                [part] = item["content"]
                data = self._item_event("output_text.done", content_index=0, text=part["text"], logprobs=[])
                data += self._item_event("content_part.done", content_index=0, part=part)
            case "reasoning":
                [part] = item["summary"]
                data = self._item_event("reasoning_summary_text.done", summary_index=0, text=part["text"])
                data += self._item_event("reasoning_summary_part.done", summary_index=0, part=part)
            case "function_call":
                data = self._item_event("function_call_arguments.done", arguments=item["arguments"])
            case _:
                data = self._item_event("custom_tool_call_input.delta", delta=item["input"])
                data += self._item_event("custom_tool_call_input.done", input=item["input"])
        data += self._event("response.output_item.done", output_index=self._index, item=item)
        self._response["output"].append(item)
        self._item = {}
        return data

    @property
    def _index(self) -> int:
        return len(self._response["output"])

    def _item_event(self, name: str, **fields: Any) -> bytes:
        return self._event(f"response.{name}", item_id=self._item["id"], output_index=self._index, **fields)

    def _event(self, name: str, **fields: Any) -> bytes:
        number, self._numbered = self._numbered, self._numbered + 1
        return event(json.dumps({"type": name, "sequence_number": number, **fields}), name)


def _new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


def _message_item() -> Item:
    return {"id": _new_id("msg"), "type": "message", "role": "assistant", "status": "in_progress", "content": []}


def _reasoning_item() -> Item:
    return {"id": _new_id("rs"), "type": "reasoning", "status": "in_progress", "summary": []}


def _call_item(form: ToolForm, identity: str) -> Item:
    named = {"name": form.name, **({"namespace": form.namespace} if form.namespace else {})}
    if form.is_custom:
        custom = {"type": "custom_tool_call", "status": "in_progress", "call_id": identity, **named, "input": ""}
        return {"id": _new_id("ctc"), **custom}
    function = {"type": "function_call", "status": "in_progress", "call_id": identity, **named, "arguments": ""}
    return {"id": _new_id("fc"), **function}


def _finished_item(item: Item, said: str, status: str) -> Item:
    """Return an item with what it says."""
    match item["type"]:
        case "message":
            return {**item, "status": status, "content": [_output_text(said)]}
        case "reasoning":
            return {**item, "status": status, "summary": [_summary_text(said)]}
        case "function_call":
            return {**item, "status": status, "arguments": said or "{}"}
        case _:
            return {**item, "status": status, "input": custom_input(said)}


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary_text(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _usage(finished: Finished) -> dict[str, Any]:
    read, written = finished.input_tokens or 0, finished.output_tokens or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
