"""Requests as clients of each protocol may send them: any order of roles, parts, calls, results and tools."""

from typing import Any

from hypothesis import strategies as st

Drawn = st.SearchStrategy[Any]

FRAMED = "<environment_details>\n# Time\n12:00\n</environment_details>"
PHRASES = ["consult Sonnet", "ask the big coder please", "That's wrong. Consult Sonnet.", f"consult Sonnet\n\n{FRAMED}"]
QUESTIONS = ["Which revision is newer?", "How do I sort a list?", f"<task>\nSort it.\n</task>\n{FRAMED}"]
RESULTS = ["[read_file for 'a.md'] Result:\nB comes after A.", "[attempt_completion] Result:\nDone."]
NOTICE = "B.\n\n[weakspot: stored, but not fit to train on (bad-schema); see 'weakspot validate']"
SPOKEN = ["", " ", "\n", "B is newer.", "<think>hm</think>", "<thinking>hm</thinking>B.", "hm</think>\nB."]
ODD = [
    "half \ud83d an emoji",
    "\x00\u2028",
    "a" * 3000,
    "[]",
    "null",
    "<system-reminder>\nBe brief.\n</system-reminder>",
]
BILLING = "x-anthropic-billing-header: cc_version=2; cch=1f3;"
SYSTEM = ["Be brief.", BILLING, f"{BILLING}\nYou are Claude Code.", ""]
PNG = "iVBORw0KGgoAAAANSUhEUgAA"
URLS = [
    *("https://example.com/a.png", f"data:image/png;base64,{PNG}", f"data:image/jpg;base64,{PNG}", f"data:,{PNG}"),
    *("data:image/svg+xml,<svg/>", "data:image/tiff;base64,SUkqAA==", "file:///a.png", ""),
]
NAMES = ["look", "files.read", "", "a" * 140, "größe", "look!", "mcp__x__y"]
IDS = ["call_1", "call_1", "toolu_2", "", "a b", "c" * 90]
ARGUMENTS = ["{}", '{"what": "a"}', "", "not json", "[1]", '{"a": ', '{"a": NaN}']
SCHEMAS = [
    {"type": "object", "properties": {"what": {"type": "string"}}},
    {},
    {"properties": {}},
    {"anyOf": [{"type": "object"}, {"type": "null"}]},
]


def one_of(*values: Any) -> Drawn:
    return st.sampled_from(values)


def record(required: dict[str, Drawn], **optional: Drawn) -> Drawn:
    return st.fixed_dictionaries(required, optional=optional)


def part(kind: str, **fields: Drawn) -> Drawn:
    return record({"type": st.just(kind), **fields})


WORDS = st.sampled_from([*QUESTIONS, *PHRASES, *PHRASES, *RESULTS, *SPOKEN, *ODD])
TEXTS = part("text", text=WORDS)

# OpenAI's chat completions

CHAT_MEDIA = st.one_of(
    part("image_url", image_url=st.sampled_from(URLS) | st.fixed_dictionaries({"url": st.sampled_from(URLS)})),
    part(
        "file",
        file=one_of(
            {"file_id": "file-1"},
            {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"},
            {"file_data": "JVBERi0="},
            {"file_data": "data:text/plain,hello"},
            {},
        ),
    ),
    part("input_audio", input_audio=one_of({"data": "AAAA", "format": "wav"})),
    part("video_url", video_url=one_of({"url": "https://example.com/a.mp4"})),
)
CHAT_PARTS = st.one_of(
    TEXTS,
    TEXTS,
    CHAT_MEDIA,
    part("refusal", refusal=WORDS),
    part("thinking", thinking=WORDS),
    part("reasoning", text=WORDS),
    part("redacted_thinking", data=WORDS),
    part("text"),
)
CHAT_CONTENT = st.one_of(WORDS, WORDS, st.none(), st.just(""), st.lists(CHAT_PARTS, max_size=3))
FUNCTION_CALLS = record(
    {"name": st.sampled_from(NAMES)}, arguments=st.sampled_from(ARGUMENTS) | one_of({"what": "a"}, None)
)
CUSTOM_CALLS = record({"type": st.just("custom"), "custom": record({"name": st.sampled_from(NAMES)}, input=WORDS)})
CHAT_CALLS = record(
    {"type": st.just("function"), "function": FUNCTION_CALLS},
    id=st.sampled_from(IDS) | st.none(),
    index=st.just(0),
)
ROLES = one_of("system", "developer", "user", "user", "user", "assistant", "assistant", "tool", "function", "narrator")


@st.composite
def chat_messages(draw: st.DrawFn) -> dict[str, Any]:
    role = draw(ROLES)
    message: dict[str, Any] = {
        "role": role,
        "content": draw(CHAT_CONTENT | st.just(NOTICE) if role == "assistant" else CHAT_CONTENT),
    }
    if role == "assistant":
        calls = st.lists(CHAT_CALLS | CUSTOM_CALLS, max_size=3)
        message |= draw(
            record(
                {}, tool_calls=calls, function_call=FUNCTION_CALLS, reasoning_content=WORDS, refusal=st.none() | WORDS
            )
        )
        if draw(st.booleans()):
            message.pop("function_call", None)
    if role in ("tool", "function"):
        message |= draw(record({}, tool_call_id=st.sampled_from(IDS) | st.none(), name=st.sampled_from(NAMES)))
    if draw(st.integers(0, 9)) == 0:
        message.pop("content")
    return message


CHAT_TOOLS = st.one_of(
    part("function", function=record({"name": st.sampled_from(NAMES)}, parameters=st.sampled_from(SCHEMAS))),
    part("function", name=st.sampled_from(NAMES), parameters=st.sampled_from(SCHEMAS)),
    part("custom", custom=record({"name": st.sampled_from(NAMES)}, description=WORDS, format=one_of({"type": "text"}))),
    part("web_search"),
)
CHAT_OPTIONS = {
    "tools": st.lists(CHAT_TOOLS, max_size=3) | st.none(),
    "tool_choice": one_of("auto", "none", "required", {"type": "function", "function": {"name": "look"}}, None),
    "parallel_tool_calls": st.booleans(),
    "response_format": one_of(
        {"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": {"schema": SCHEMAS[0]}}, None
    ),
    "stop": one_of("END", ["END", " "], [], None),
    "temperature": one_of(0, 0.7, 2, None),
    "top_p": one_of(0.9, None),
    "seed": one_of(7, None),
    "n": one_of(1, 2),
    "max_completion_tokens": one_of(5, None, 0),
    "stream_options": one_of({"include_usage": True}, None),
}

# Anthropic's Messages

SOURCES = one_of(
    {"type": "base64", "media_type": "image/png", "data": PNG},
    {"type": "base64", "media_type": "image/jpg", "data": PNG},
    {"type": "url", "url": "https://example.com/a.png"},
    {"type": "file", "file_id": "file_1"},
)
DOCUMENTS = one_of(
    {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    {"type": "text", "media_type": "text/plain", "data": "B comes after A."},
    {"type": "url", "url": "https://example.com/a.pdf"},
    {"type": "content", "content": "text"},
    {"type": "content", "content": [{"type": "text", "text": "text"}]},
    {"type": "file", "file_id": "file_1"},
)
SEEN = st.one_of(
    TEXTS,
    TEXTS,
    part("image", source=SOURCES),
    part("document", source=DOCUMENTS),
    part("search_result", title=one_of("t"), source=one_of("https://example.com"), content=st.lists(TEXTS, max_size=2)),
)
RESULT_CONTENT = st.one_of(WORDS, st.none(), st.lists(SEEN, max_size=3))
BLOCKS = st.one_of(
    SEEN,
    SEEN,
    part("thinking", thinking=WORDS, signature=one_of("", "s")),
    part("redacted_thinking", data=one_of("x")),
    part("tool_use", id=st.sampled_from(IDS), name=st.sampled_from(NAMES), input=one_of({}, {"what": "a"})),
    record(
        {"type": st.just("tool_result"), "tool_use_id": st.sampled_from(IDS)},
        content=RESULT_CONTENT,
        is_error=st.booleans(),
    ),
    part("server_tool_use", id=one_of("srvtoolu_1"), name=one_of("web_search"), input=one_of({"query": "a"})),
    part("web_search_tool_result", tool_use_id=one_of("srvtoolu_1"), content=one_of([], [{"type": "x"}])),
    part("mcp_tool_use", id=one_of("mcp_1"), name=one_of("x"), server_name=one_of("s"), input=one_of({})),
    part("container_upload", file_id=one_of("file_1")),
    part("text"),
)
MESSAGES = st.fixed_dictionaries({"role": st.just("assistant"), "content": st.just(NOTICE)}) | record(
    {
        "role": one_of("user", "user", "user", "assistant", "assistant", "system", "developer", "narrator"),
        "content": st.one_of(WORDS, WORDS, st.none(), st.lists(BLOCKS, max_size=4)),
    }
)
ANTHROPIC_TOOLS = st.one_of(
    record({"name": st.sampled_from(NAMES), "input_schema": st.sampled_from(SCHEMAS)}, description=WORDS),
    part("web_search_20250305", name=one_of("web_search")),
    part("custom", name=st.sampled_from(NAMES), input_schema=st.sampled_from(SCHEMAS)),
)
ANTHROPIC_OPTIONS = {
    "system": st.sampled_from(SYSTEM) | st.lists(part("text", text=st.sampled_from(SYSTEM)), max_size=3) | st.none(),
    "tools": st.lists(ANTHROPIC_TOOLS, max_size=3) | st.none(),
    "tool_choice": one_of({"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "look"}, {"type": "none"}, None),
    "stop_sequences": one_of(["END"], []),
    "temperature": one_of(0.5, None),
    "thinking": one_of({"type": "enabled", "budget_tokens": 1024}, None),
    "metadata": one_of({"user_id": "u"}),
}

# OpenAI's Responses

RESPONSES_PARTS = st.one_of(
    part("input_text", text=WORDS),
    part("output_text", text=WORDS, annotations=one_of([])),
    part("input_image", image_url=st.sampled_from(URLS) | st.none(), detail=one_of("auto", "original")),
    part("input_file", file_data=one_of("data:application/pdf;base64,JVBERi0=", None), filename=one_of("a.pdf")),
    part("input_file", file_url=one_of("https://example.com/a.pdf")),
    part("input_audio", input_audio=one_of({"data": "AAAA", "format": "wav"})),
    part("refusal", refusal=WORDS),
    part("of_the_future"),
    part("input_text", text=one_of(None, 7)),
    one_of({}, "text", None),
)
RESPONSES_CONTENT = st.one_of(WORDS, WORDS, st.none(), st.lists(RESPONSES_PARTS, max_size=3))
SAID = record(
    {"role": ROLES, "content": RESPONSES_CONTENT},
    type=st.just("message"),
    id=one_of("msg_1"),
    phase=one_of("commentary"),
)
OUTPUTS = st.one_of(WORDS, st.none(), st.lists(RESPONSES_PARTS, max_size=2), one_of({"content": "a"}, 7, [[]]))
ITEMS = st.one_of(
    SAID,
    SAID,
    st.fixed_dictionaries({"role": st.just("assistant"), "content": st.just(NOTICE)}),
    record(
        {"type": st.just("function_call"), "call_id": st.sampled_from(IDS), "name": st.sampled_from(NAMES)},
        arguments=st.sampled_from(ARGUMENTS),
        namespace=one_of("agents", "mcp__x__"),
    ),
    record(
        {"type": st.just("custom_tool_call"), "call_id": st.sampled_from(IDS), "name": st.sampled_from(NAMES)},
        input=WORDS,
    ),
    record(
        {"type": one_of("function_call_output", "custom_tool_call_output"), "call_id": st.sampled_from(IDS)},
        output=OUTPUTS,
    ),
    part("local_shell_call", call_id=st.sampled_from(IDS), action=one_of({"type": "exec", "command": ["ls"]}, None)),
    part("local_shell_call_output", id=st.sampled_from(IDS), output=WORDS),
    part("computer_call_output", call_id=st.sampled_from(IDS), output=one_of({"type": "x", "image_url": URLS[0]})),
    part("reasoning", id=one_of("rs_1"), encrypted_content=WORDS, summary=one_of([])),
    part("web_search_call", id=one_of("ws_1"), status=one_of("completed")),
    part("tool_search_call", call_id=st.sampled_from(IDS), arguments=one_of({})),
    part("compaction", encrypted_content=WORDS),
    part("item_reference", id=one_of("msg_0")),
    part("function_call", call_id=st.sampled_from(IDS)),
    one_of({}, None, 7, "text", {"type": None}),
)
RESPONSES_FUNCTIONS = st.one_of(
    part("function", name=st.sampled_from(NAMES), parameters=st.sampled_from(SCHEMAS) | st.none(), strict=one_of(None)),
    part(
        "custom", name=st.sampled_from(NAMES), description=WORDS, format=one_of({"type": "grammar", "syntax": "lark"})
    ),
    part("web_search", filters=one_of({})),
)
RESPONSES_TOOLS = RESPONSES_FUNCTIONS | part(
    "namespace", name=one_of("agents", ""), tools=st.lists(RESPONSES_FUNCTIONS, max_size=2) | st.none()
)
RESPONSES_OPTIONS = {
    "instructions": WORDS | one_of(None, 7),
    "tools": st.lists(RESPONSES_TOOLS, max_size=3) | one_of(None, {}),
    "tool_choice": one_of(
        *("auto", "required", {"type": "function", "name": "look"}, {"type": "web_search"}, None, 7),
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}, None]},
    ),
    "parallel_tool_calls": st.booleans() | st.none(),
    "text": one_of(
        *({"format": {"type": "text"}}, {"format": {"type": "json_object"}}, {"verbosity": "low"}, None, "text"),
        {"format": {"type": "json_schema", "name": "n", "schema": SCHEMAS[0], "strict": True}},
    ),
    "reasoning": one_of({"effort": "low"}, {"effort": "none", "summary": "auto"}, None),
    "temperature": one_of(0, 2, None),
    "max_output_tokens": one_of(5, None),
    "metadata": one_of({"a": "b"}, None),
    "store": st.booleans() | st.none(),
    "previous_response_id": one_of(None, None, None, None, "resp_0"),
    "background": one_of(False, None),
}

# Whole requests, and what the servers say to them

Q, A = {"role": "user", "content": QUESTIONS[0]}, {"role": "assistant", "content": "A."}
BEGUN = one_of([], [Q], [Q, A], [Q, A])
ENDED = one_of([], [], [{"role": "user", "content": PHRASES[0]}], [{"role": "user", "content": PHRASES[1]}])
MODELS = one_of("m", "m", "m", "expert/sonnet", "expert/coder", "claude-sonnet-5-5", "expert/nobody")


# Of each path: what its conversation is called, what is in it, and the options.
PROTOCOLS: dict[str, tuple[str, Drawn, dict[str, Drawn]]] = {
    "/v1/chat/completions": ("messages", chat_messages(), CHAT_OPTIONS),
    "/v1/messages": ("messages", MESSAGES, ANTHROPIC_OPTIONS),
    "/v1/responses": ("input", ITEMS, RESPONSES_OPTIONS),
}


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Draw the path, body and headers of a request."""
    path, (turns, drawn, drawn_options) = draw(st.sampled_from([*PROTOCOLS.items()]))
    said = [*draw(BEGUN), *draw(st.lists(drawn, max_size=7)), *draw(ENDED)]
    options = draw(record({}, **drawn_options))
    body = {"model": draw(MODELS), turns: said, "stream": draw(st.booleans()), "max_tokens": 50, **options}
    header = draw(one_of(None, None, None, "sonnet", "the big coder"))
    return path, body, {"x-weakspot-consult": header} if header else {}
