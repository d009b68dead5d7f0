"""What both protocols can say survives the way there and back; what they cannot is a table of docs/gateway.md."""

import json
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.weakspot.protocols.drawn import ARGUMENTS, NAMES, WORDS

from weakspot.protocols.anthropic_requests import chat_request, request
from weakspot.protocols.openai_chat import answer_options

TRIALS = settings(max_examples=2000 if os.environ.get("WEAKSPOT_SOAK") else 60, deadline=None)
SAID = WORDS.filter(str.strip)
PNG = "iVBORw0KGgoAAAANSUhEUgAA"
IMAGES = st.sampled_from(
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]
)
DOCUMENTS = st.sampled_from(
    [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}, "title": "a.pdf"},
    ]
)
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "additionalProperties": False,
    "required": ["a"],
}


def texts(minimum: int = 0) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(SAID.map(lambda text: {"type": "text", "text": text}), min_size=minimum, max_size=1)


@st.composite
def tools_and_choice(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(NAMES, unique=True, max_size=3))
    if not names:
        return {}
    tools = [{"name": one, "description": "d", "input_schema": {"type": "object", "properties": {}}} for one in names]
    choices = [{"type": "auto"}, {"type": "any"}, {"type": "none"}, {"type": "tool", "name": names[0]}]
    choice = draw(st.sampled_from(choices))
    alone = {"disable_parallel_tool_use": True} if choice["type"] != "none" and draw(st.booleans()) else {}
    return {"tools": tools, "tool_choice": {**choice, **alone}}


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw turns of user and assistant, with calls whose results hold text or pictures and documents."""
    seen = [*draw(texts(1)), *draw(st.lists(IMAGES | DOCUMENTS, max_size=2))]
    found: list[dict[str, Any]] = [{"role": "user", "content": seen}]
    for number in range(draw(st.integers(0, 3))):
        said = draw(texts())
        names = draw(st.lists(NAMES, min_size=not said, max_size=2))
        calls = [
            {"type": "tool_use", "id": f"c{number}-{place}", "name": name, "input": draw(ARGUMENTS)}
            for place, name in enumerate(names)
        ]
        found.append({"role": "assistant", "content": [*said, *calls]})
        results = []
        for call in calls:
            media = draw(st.lists(IMAGES | DOCUMENTS, max_size=2))
            content = [*draw(texts()), *media] if media else draw(SAID)
            results.append({"type": "tool_result", "tool_use_id": call["id"], "content": content})
        asked = draw(texts(not results))
        found.append({"role": "user", "content": [*results, *asked]})
    return found


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    sampling = draw(st.sampled_from([{}, {"temperature": 0.5}, {"temperature": 1}, {"top_p": 0.9}]))
    form = draw(st.sampled_from([{}, {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}]))
    stops = draw(st.lists(SAID, max_size=2))
    system = draw(st.lists(SAID, max_size=1))
    return {
        "messages": draw(turns()),
        **draw(tools_and_choice()),
        **sampling,
        **form,
        **({"stop_sequences": stops} if stops else {}),
        **({"system": system[0]} if system else {}),
    }


@TRIALS
@given(requests())
def test_messages_come_back_from_a_chat(body):
    chat = chat_request(body)
    assert request(chat["messages"], chat.get("tools") or [], answer_options(chat)) == body


@TRIALS
@given(requests())
def test_a_chat_comes_back_from_messages(body):
    chat = chat_request(body)
    there = request(chat["messages"], chat.get("tools") or [], answer_options(chat))
    assert chat_request(json.loads(json.dumps(there))) == chat
