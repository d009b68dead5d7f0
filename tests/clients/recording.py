"""Recordings of what clients send: kept small, with our words in the place of their vendors'.

A recording has the shape of what was sent: the same messages, blocks, tags, marks and tools. The user's words, the
scripted answers and the file that is read stand as they were sent.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.clients.conversation import FILE, NOTES, PHRASE, QUESTION, RIGHT, TITLE, WRONG, Call
from tests.clients.drivers import Client, Place

from weakspot.access.bodies import body_of
from weakspot.gateway import app

FOLDER = Path(__file__).parents[1] / "weakspot" / "gateway" / "recordings"
WANTED = bool(os.environ.get("WEAKSPOT_RECORD"))
STAND_IN = "Some words."
_PROJECT, _HOME = "/home/user/project", "/home/user"
_HEADERS = ("user-agent", "anthropic-version", "anthropic-beta", "content-type")
_TOOLS = 3
"""How many tools of a long list are kept, beside the one that is called and the first of each kind."""
_PICTURE_NOTE = "[Image: source: /tmp/picture.png]"
_SAID = (QUESTION, PHRASE, WRONG, RIGHT, TITLE, FILE, *NOTES.split())
# By these a client's own parts are known.
_MARKERS = (
    r'Called the Read tool with the following input: \{"filePath":"[^"]*"\}',
    "Image read successfully",
    "Generate a title for this conversation:",
    re.escape(_PICTURE_NOTE),
)
# The end of a tag "root" reads as a folder.
_TAG = r"</?(?!root>)[A-Za-z][\w-]*(?:\s[^<>]{0,200})?>"
_KEPT = re.compile(f"({'|'.join([*_MARKERS, *map(re.escape, _SAID), _TAG])})")
_WORDS = re.compile(r"\S(?:.*\S)?", re.DOTALL)
_NO_LETTER = re.compile(r"[\W\d_]*")
_NAMES = ("model", "tool_choice")
# What a request says in words; other texts in it are names and settings.
_DESCRIPTIONS = frozenset({"description", "title", "examples", "default", "pattern", "$comment"})


@contextmanager
def heard(patch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Listen to each gateway that is started meanwhile; yield its requests, in the order in which they come."""
    requests: list[dict[str, Any]] = []
    make = app.application

    @web.middleware
    async def listen(request: web.Request, handler: Any) -> web.StreamResponse:
        data = body_of(request)
        requests.append(
            {
                "method": request.method,
                "path": request.raw_path,
                "headers": {name: request.headers[name] for name in _HEADERS if name in request.headers},
                "body": json.loads(data) if data else None,
            }
        )
        return await handler(request)

    def listening(*given: Any) -> web.Application:
        made = make(*given)
        made.middlewares.append(listen)
        return made

    with patch.context() as one:
        one.setattr(app, "application", listening)
        yield requests


def write(name: str, client: Client, place: Place, call: Call, requests: list[dict[str, Any]]) -> None:
    """Write the recording of a client's conversation."""
    recording = {
        "client": name,
        "version": client.version(),
        "query": client.query,
        "call": asdict(call),
        "requests": [{**one, "body": _scrub_body(one["body"], call.name)} for one in requests],
    }
    text = json.dumps(recording, indent=1, ensure_ascii=False)
    for path, neutral in ((place.project, _PROJECT), (place.home, _HOME)):
        text = text.replace(str(path), neutral)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _scrub_body(body: Any, called: str) -> Any:
    """Return a request's body with stand-ins for its words."""
    if not isinstance(body, dict):
        return body
    kept = {key: STAND_IN if isinstance(value, str) and key not in _NAMES else value for key, value in body.items()}
    if "system" in body:
        kept["system"] = _scrub_content(body["system"], system=True)
    for key in {"messages", "input"} & {*body}:
        kept[key] = [_scrub_message(message) if "role" in message else message for message in body[key]]
    if body.get("tools"):
        seen = [tool.get("type") for tool in body["tools"]]
        first = [
            tool
            for n, tool in enumerate(body["tools"])
            if n < _TOOLS or called in _name_of(tool) or seen[n] not in seen[:n]
        ]
        kept["tools"] = [_scrub_schema(tool) for tool in first]
    for key in {"metadata", "client_metadata"} & {*body}:
        kept[key] = dict.fromkeys(body[key], STAND_IN)
    return kept


def _name_of(tool: dict[str, Any]) -> str:
    return str(tool.get("name") or tool.get("function", {}).get("name"))


def _scrub_message(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] in ("tool", "assistant"):  # the file, and what the scripted models said
        return message
    system = message["role"] in ("system", "developer")
    return {**message, "content": _scrub_content(message.get("content"), system=system)}


def _scrub_content(content: Any, *, system: bool = False) -> Any:
    if isinstance(content, str):
        return STAND_IN if system else stand_in(content)
    return [
        {**block, "text": _scrub_content(block["text"], system=system)} if "text" in block else block
        for block in content
    ]


def stand_in(text: str) -> str:
    """Return a text with our words in the place of all that is neither a tag nor a part of the conversation."""
    pieces = _KEPT.split(re.sub(r"\[Image: source: [^\]]+\]", _PICTURE_NOTE, text))
    return "".join(
        piece if n % 2 or _NO_LETTER.fullmatch(piece) else _WORDS.sub(STAND_IN, piece) for n, piece in enumerate(pieces)
    )


def _scrub_schema(value: Any) -> Any:
    """Return a tool's description without its words."""
    if isinstance(value, list):
        return [_scrub_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: STAND_IN if key in _DESCRIPTIONS and isinstance(one, str) else _scrub_schema(one)
        for key, one in value.items()
    }
