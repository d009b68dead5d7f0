"""The tools as a real client sees them: in this process, over stdio, over HTTP; the teacher is a real server too."""

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.waiting import PATIENCE_SECONDS, all_is_read, happens, somebody_waits_for, until

from weakspot import config as configuration
from weakspot import mcp_server
from weakspot.access.client_keys import add_client, remove_client
from weakspot.access.token import token_file
from weakspot.config import Config
from weakspot.records.parsing import RecordError, parse_interaction
from weakspot.storage import append_log
from weakspot.storage.ledger import Ledger
from weakspot.workspace import Workspace

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
KEY = "sk-test-4f9Qz71LmXw82VbNc05RtYhU"
TEXTS = {"query": "Which revision follows A1?", "attempt": "Perhaps A10?"}
COMMAND = [sys.executable, "-m", "weakspot", "mcp"]


class Teacher(ThreadingHTTPServer):
    """A server that answers in both protocols, as well or as badly as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.begin_anew()

    def begin_anew(self) -> None:
        """Answer well from now on, and forget what was asked."""
        self.asked: list[dict] = []
        self.pieces: Iterable[str] = ["A2, ", "the next one."]
        self.ending: str | None = "end"
        self.status = 200
        self.seconds_a_piece = 0.0
        self.remember_answer, self.left_alone = threading.Event(), threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def go_on_and_on(self) -> None:
        """Answer every question without an end."""
        self.pieces, self.seconds_a_piece = itertools.repeat("and so on "), 0.05


class Handler(BaseHTTPRequestHandler):
    """One question to the teacher; ``heard`` is set when somebody has read that its answer began."""

    server: Teacher

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        if self.server.status != 200:
            self.send_response(self.server.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(json.dumps({"error": {"message": f"no:\n your key {KEY} is not liked"}}).encode())
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        events = anthropic_events if self.path.endswith("/messages") else openai_events
        try:
            for number, event in enumerate(events(self.server.pieces, self.server.ending)):
                self.wfile.write(event.encode())
                if number == 5 and self.server.seconds_a_piece:
                    until(lambda: all_is_read(self.client_address))
                    self.server.remember_answer.set()
                time.sleep(self.server.seconds_a_piece)
                assert self.server.may_end.wait(PATIENCE_SECONDS)
        except OSError:
            self.server.left_alone.set()


def anthropic_events(pieces: Iterable[str], ending: str | None) -> Iterator[str]:
    usage = {"input_tokens": 100, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "wise-1", "usage": usage}
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    start = [{"type": "message_start", "message": message}, {"type": "content_block_start", **block}]
    deltas = (
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}} for piece in pieces
    )
    end = []
    if ending:
        reason = {"end": "end_turn", "limit": "max_tokens", "refusal": "refusal"}[ending]
        end = [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        ]
    for event in itertools.chain(start, deltas, end):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def openai_events(pieces: Iterable[str], ending: str | None) -> Iterator[str]:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "wise-2"}
    for piece in pieces:
        yield f"data: {json.dumps({**chunk, 'choices': [{'index': 0, 'delta': {'content': piece}}]})}\n\n"
    if ending:
        reason = {"end": "stop", "limit": "length", "refusal": "content_filter"}[ending]
        yield f"data: {json.dumps({**chunk, 'choices': [{'index': 0, 'delta': {}, 'finish_reason': reason}]})}\n\n"
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        yield f"data: {json.dumps({**chunk, 'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n"


@contextlib.contextmanager
def teaching() -> Iterator[Teacher]:
    server = Teacher()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def teacher(monkeypatch):
    monkeypatch.setenv("TEST_TEACHER_KEY", KEY)
    with teaching() as server:
        yield server


@pytest.fixture
def settings(workspace, teacher):
    return written_settings(workspace, teacher)


def written_settings(workspace: Workspace, teacher: Teacher) -> Config:
    """Write the settings: fable speaks the one protocol, and is who is asked; kimi speaks the other."""
    workspace.root.mkdir()
    one = 'api_key_env = "TEST_TEACHER_KEY"\npolicy = "allow"\ninput_price = 2.0\noutput_price = 10.0\n'
    workspace.config_file.write_text(
        f'[escalation]\ndefault_teacher = "fable"\n'
        f'[teachers.fable]\nkind = "anthropic"\nmodel = "wise-1"\nbase_url = "{teacher.url}"\n{one}'
        f'[teachers.kimi]\nkind = "openai"\nmodel = "wise-2"\nbase_url = "{teacher.url}/v1"\nnames = ["k2"]\n{one}'
    )
    return configuration.load(workspace.config_file)


@pytest.fixture
def stdio(workspace, settings):
    """Give what a client starts: the real command, with the key as all of its environment."""
    from mcp import StdioServerParameters

    arguments = [*COMMAND[1:], "-w", str(workspace.root)]
    return StdioServerParameters(command=COMMAND[0], args=arguments, env={"TEST_TEACHER_KEY": KEY})


@contextlib.contextmanager
def listening(workspace, address: str = "127.0.0.1:0") -> Iterator[str]:
    """Run the real command over HTTP; give its URL."""
    command = [*COMMAND, "--http", address, "-w", str(workspace.root)]
    options: dict = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "TEST_TEACHER_KEY": KEY}, **options) as process:
        try:
            line = process.stderr.readline()
            found = re.search(r"listening on (\S+)", line)
            assert found, line + process.stderr.read()
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)
            out, _ = communicated(process)
        assert out == ""


def communicated(process: subprocess.Popen) -> tuple[str, str]:
    """Wait for a process to end by itself; return the rest of what it said."""
    try:
        return process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()


@dataclass
class Served:
    """What a client connects to, the teacher behind it, and where it keeps what it hears."""

    server: Any
    teacher: Teacher
    workspace: Workspace


@pytest.fixture
def over_stdio(stdio, teacher, workspace):
    return Served(stdio, teacher, workspace)


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    """The real command over HTTP, which takes seconds to start."""
    workspace = Workspace(tmp_path_factory.mktemp("http") / "training-data")
    with teaching() as teacher:
        written_settings(workspace, teacher)
        with listening(workspace) as url:
            yield Served(url, teacher, workspace)


@pytest.fixture
def over_http(http):
    """The real command over HTTP, with nothing kept."""
    http.teacher.begin_anew()
    http.workspace.raw.unlink(missing_ok=True)
    return http


def calling(server, tool: str, arguments: dict, **options):
    """Call a tool with the real client, and give back the whole result."""
    from mcp import Client

    async def call():
        async with Client(server, **options) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(call())


@pytest.fixture
def tool(workspace, settings):
    """Call a tool of the server in this process; give back its structured result."""

    def call(name: str, **arguments) -> dict:
        result = calling(mcp_server.server(workspace, settings), name, arguments)
        assert not result.is_error, result.content[0].text
        assert json.loads(result.content[0].text) == result.structured_content
        return result.structured_content

    return call


@pytest.fixture
def refused(workspace, settings):
    """Call a tool that fails; give back its one line."""

    def call(name: str, config=settings, **arguments) -> str:
        result = calling(mcp_server.server(workspace, config), name, arguments)
        assert result.is_error
        line = result.content[0].text.removeprefix(f"Error executing tool {name}: ")
        assert "\n" not in line
        assert KEY not in line
        return line

    return call


def lines(workspace) -> list[bytes]:
    return [line.data for line in append_log.read_lines(workspace.raw)]


def the_record(workspace):
    """Read the one record there is as every later stage does."""
    (line,) = lines(workspace)
    return parse_interaction(line)


# What an agent is told


def test_there_are_three_tools_whose_arguments_and_results_are_described(workspace, settings):
    from mcp import Client

    async def listed():
        async with Client(mcp_server.server(workspace, settings)) as client:
            return client.instructions, (await client.list_tools()).tools

    instructions, tools = asyncio.run(listed())
    assert "whole and word for word" in instructions
    wanted = {tool.name: (set(tool.input_schema["properties"]), tool.input_schema.get("required")) for tool in tools}
    assert wanted == {
        "consult_expert": ({"query", "attempt", "context", "teacher"}, ["query", "attempt"]),
        "record_interaction": (
            {"query", "local", "expert", "domain", "escalation"},
            ["query", "local", "expert"],
        ),
        "pipeline_status": (set(), None),
    }
    for tool in tools:
        assert tool.title
        assert tool.description
        assert tool.output_schema["type"] == "object"
        assert all(one["type"] == "string" and one["description"] for one in tool.input_schema["properties"].values())
    consult = tools[0]
    assert "whole and word for word" in consult.description
    assert "fable, kimi" in consult.input_schema["properties"]["teacher"]["description"]
    assert {"answer", "teacher", "model", "interaction_id", "stored", "not_stored_because", "seconds", "cost_usd"} <= (
        set(consult.output_schema["required"])
    )
    assert [tool.annotations.read_only_hint for tool in tools] == [None, None, True]


# Consultations


@pytest.mark.parametrize(("name", "model"), [("fable", "wise-1"), ("kimi", "wise-2")])
def test_the_experts_answer_comes_back_and_is_kept(tool, workspace, teacher, name, model):
    found = tool("consult_expert", **TEXTS, teacher=name)
    assert found.pop("seconds") >= 0
    record = the_record(workspace)
    assert found == {
        "answer": "A2, the next one.",
        "complete": True,
        "teacher": name,
        "model": model,
        "interaction_id": record.id,
        "stored": True,
        "not_stored_because": None,
        "cost_usd": pytest.approx(100 * 2e-6 + 20 * 10e-6),
    }
    assert [(message.role, message.content) for message in record.messages] == [
        ("user", TEXTS["query"]),
        ("assistant", TEXTS["attempt"]),
        ("user", f"consult {name.capitalize()}"),
        ("assistant", "A2, the next one."),
    ]
    assert (record.metadata.source, record.metadata.attempt) == ("mcp:consult", "sent")
    assert (record.metadata.consultation.teacher, record.metadata.consultation.policy) == (name, "allow")
    assert record.metadata.consultation.stop_reason == "stop"


def test_the_teacher_sees_the_question_and_the_attempt(tool, teacher):
    tool("consult_expert", **TEXTS)
    (asked,) = teacher.asked
    said = json.dumps(asked["messages"])
    assert asked["model"] == "wise-1"
    assert TEXTS["query"] in said
    assert TEXTS["attempt"] in said


def test_context_stands_in_front_of_the_question_as_it_was_given(tool, workspace, teacher):
    # A text that looks like JSON is a text all the same.
    context = '{"revisions": ["A", "A1"]}'
    tool("consult_expert", **TEXTS, context=context)
    record = the_record(workspace)
    assert [(message.role, message.content) for message in record.context] == [("system", context)]
    assert record.query.content == TEXTS["query"]
    assert context in json.dumps(teacher.asked[0]["system"]).replace("\\", "")


@pytest.mark.parametrize("absent", [{"context": None, "teacher": None}, {"context": None}, {"of_no_tool": None}, {}])
def test_null_is_what_is_left_out(tool, workspace, absent):
    assert tool("consult_expert", **TEXTS, **absent)["teacher"] == "fable"
    assert not the_record(workspace).context


def test_null_is_what_is_left_out_of_an_exchange(tool, workspace):
    tool("record_interaction", query="q?", local="a", expert="b", domain=None, escalation=None)
    assert the_record(workspace).expert.content == "b"


def test_null_for_what_is_needed_is_an_error(refused):
    assert refused("consult_expert", query="q", attempt=None).startswith("attempt: is empty")


@pytest.mark.parametrize(
    "texts",
    [
        {"question": "q?", "localAnswer": '{"a": 1}', "background": "c"},
        {"userQuery": "q?", "local_answer": '{"a": 1}', "conversation": "c", "teacherName": None},
        {"prompt": "q?", "answer": '{"a": 1}', "context": "c", "expert": "kimi", "anything": 5},
    ],
)
def test_arguments_go_by_other_names(tool, workspace, texts):
    tool("consult_expert", **texts)
    record = the_record(workspace)
    assert [one.content for one in (*record.context, record.query, record.local)] == ["c", "q?", '{"a": 1}']


@pytest.mark.parametrize(("named", "asked"), [("", "fable"), ("KIMI", "kimi"), ("k2", "kimi"), ("wise-2", "kimi")])
def test_a_teacher_goes_by_all_its_names(tool, named, asked):
    assert tool("consult_expert", **TEXTS, teacher=named)["teacher"] == asked


def test_a_teacher_that_nobody_knows_is_an_error_that_names_those_there_are(refused, workspace, teacher):
    assert refused("consult_expert", **TEXTS, teacher="bob") == (
        "teacher: there is no bob; there are sonnet, opus, fable, kimi"
    )
    assert (teacher.asked, lines(workspace)) == ([], [])


@pytest.mark.parametrize("empty", ["query", "attempt"])
def test_an_empty_text_costs_nothing(refused, workspace, teacher, empty):
    line = refused("consult_expert", **{**TEXTS, empty: " \n"})
    assert line == f"{empty}: is empty; give the whole text, word for word"
    assert (teacher.asked, lines(workspace)) == ([], [])


def test_a_missing_key_is_named_and_nobody_is_asked(refused, workspace, teacher, monkeypatch):
    monkeypatch.delenv("TEST_TEACHER_KEY")
    assert "TEST_TEACHER_KEY is not set" in refused("consult_expert", **TEXTS)
    assert (teacher.asked, lines(workspace)) == ([], [])


@pytest.mark.parametrize("name", ["fable", "kimi"])
@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_teacher_that_refuses_is_one_line_without_the_key(refused, workspace, teacher, name, status):
    teacher.status = status
    line = refused("consult_expert", **TEXTS, teacher=name)
    assert line.startswith(f"teacher {name}: HTTP {status}: ")
    assert lines(workspace) == []


def test_a_teacher_that_is_down_is_one_line(refused, workspace, settings):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else is given the port, and nobody listens there
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        fable = settings.teachers["fable"].model_copy(update={"base_url": address})
        changed = settings.model_copy(update={"teachers": {**settings.teachers, "fable": fable}})
        line = refused("consult_expert", changed, **TEXTS)
    assert line.startswith("teacher fable: cannot be reached")
    assert lines(workspace) == []


def test_an_answer_that_breaks_off_is_an_error_and_is_kept_as_incomplete(refused, workspace, teacher):
    teacher.ending = None
    assert "broke off" in refused("consult_expert", **TEXTS)
    with pytest.raises(RecordError) as caught:
        the_record(workspace)
    assert caught.value.reason == "truncated"


def test_an_answer_cut_by_its_limit_is_given_and_never_trained_on(tool, workspace, teacher):
    teacher.ending = "limit"
    found = tool("consult_expert", **TEXTS)
    assert (found["complete"], found["stored"], found["answer"]) == (False, True, "A2, the next one.")
    with pytest.raises(RecordError) as caught:
        the_record(workspace)
    assert caught.value.reason == "truncated"


def test_a_teacher_that_says_nothing_is_an_error(refused, workspace, teacher):
    teacher.pieces, teacher.ending = [], "refusal"
    assert refused("consult_expert", **TEXTS) == "teacher fable: no answer (refused)"
    assert lines(workspace) == []


def test_secrets_are_not_kept(tool, workspace, teacher):
    other = "AKIAQ3EGRJ7MZP5KXW2N"
    query = f"Why is {other} refused? My key is {KEY}."
    tool("consult_expert", query=query, attempt=f"Because of {KEY}.", context=f"export AWS={other}")
    (line,) = lines(workspace)
    assert KEY.encode() not in line
    assert other.encode() not in line
    assert the_record(workspace).metadata.scrubbed
    assert workspace.raw.read_bytes().count(b"Why is") == 1


def test_the_answer_is_given_where_the_disk_is_full(small_disk, settings, teacher):
    place = Workspace(small_disk)
    with contextlib.suppress(OSError):
        (small_disk / "filling").write_bytes(bytes(100_000))
    result = calling(mcp_server.server(place, settings), "consult_expert", TEXTS).structured_content
    assert result["answer"] == "A2, the next one."
    assert (result["stored"], result["interaction_id"]) == (False, None)
    assert "No space left on device" in result["not_stored_because"]


def test_the_answer_is_given_where_the_record_is_too_long(workspace, settings):
    small = settings.model_copy(update={"collect": settings.collect.model_copy(update={"max_record_bytes": 1000})})
    texts = {**TEXTS, "query": "why? " * 200}
    found = calling(mcp_server.server(workspace, small), "consult_expert", texts).structured_content
    assert (found["answer"], found["stored"]) == ("A2, the next one.", False)
    assert "max_record_bytes" in found["not_stored_because"]
    assert lines(workspace) == []


def test_a_client_that_asks_is_told_that_the_teacher_is_at_it(workspace, settings, teacher, monkeypatch):
    from mcp import Client

    monkeypatch.setattr(mcp_server, "_PROGRESS_SECONDS", 0.05)
    teacher.may_end.clear()
    told = []

    async def progress(done, _total, message):
        told.append((done, message))
        if len(told) == 4:
            teacher.may_end.set()

    async def call():
        async with Client(mcp_server.server(workspace, settings)) as client:
            result = await client.call_tool("consult_expert", TEXTS, progress_callback=progress)
            meanwhile = len(told)
            await asyncio.sleep(0.2)
            return result, meanwhile

    result, meanwhile = asyncio.run(call())
    assert result.structured_content["stored"]
    assert meanwhile >= 4
    assert {message for _, message in told} == {"fable is answering"}
    assert len(told) == meanwhile


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("consult_expert", TEXTS), ("record_interaction", {"query": "q", "local": "l", "expert": "e"})],
)
def test_who_waits_for_the_disk_holds_up_nobody(workspace, settings, name, arguments):
    from mcp import Client

    workspace.raw.parent.mkdir()
    workspace.raw.touch()

    async def call():
        async with Client(mcp_server.server(workspace, settings)) as client:
            with workspace.raw.open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                waiting = asyncio.create_task(client.call_tool(name, arguments))
                await happens(lambda: somebody_waits_for(workspace.raw))
                tools = await client.list_tools()
                done = waiting.done()
            return done, len(tools.tools), await waiting

    done, tools, result = asyncio.run(call())
    assert (done, tools) == (False, 3)
    assert not result.is_error
    assert len(lines(workspace)) == 1


# Exchanges that took place elsewhere


def test_an_exchange_is_recorded(tool, workspace):
    found = tool("record_interaction", query="Why this error?", local="No idea.", expert="Not defined.", domain="eggs")
    record = the_record(workspace)
    assert found == {"interaction_id": record.id, "domain": "eggs", "adapter": "lora-v1-eggs"}
    assert (record.metadata.source, record.policy) == ("mcp:record", "ask")
    assert [message.content for message in record.messages] == [
        "Why this error?",
        "No idea.",
        "consult Sonnet",
        "Not defined.",
    ]


def test_the_domain_of_an_exchange_is_detected(tool, workspace):
    found = tool(
        "record_interaction", query="Why this error?", local="?", expert="!", escalation="consult Opus, please"
    )
    assert found["domain"] == "coding-debugging"
    assert the_record(workspace).escalation.content == "consult Opus, please"


@pytest.mark.parametrize("empty", ["query", "local", "expert"])
def test_an_exchange_with_an_empty_text_is_refused(refused, workspace, empty):
    texts = {"query": "q", "local": "l", "expert": "e", empty: " "}
    assert refused("record_interaction", **texts).startswith(f"{empty}: is empty; ")
    assert lines(workspace) == []


def test_a_domain_that_can_name_no_file_is_refused(refused, workspace):
    line = refused("record_interaction", query="q", local="l", expert="e", domain="../x")
    assert "'../x' is not a domain name" in line
    assert lines(workspace) == []


def test_an_exchange_that_cannot_be_stored_is_an_error(small_disk, settings):
    with contextlib.suppress(OSError):
        (small_disk / "filling").write_bytes(bytes(100_000))
    server = mcp_server.server(Workspace(small_disk), settings)
    result = calling(server, "record_interaction", {"query": "q", "local": "l", "expert": "e"})
    assert result.is_error
    assert "No space left on device" in result.content[0].text


# The status


def test_the_status_is_that_of_the_command(processed, config):
    from weakspot.pipeline.status import status

    found = calling(mcp_server.server(processed, config), "pipeline_status", {}).structured_content
    assert (found["raw_lines"], found["unprocessed"], found["waiting"]) == (40, 0, 0)
    assert found["snapshot"] == status(processed, config).snapshot
    assert found["domains"][0] == {
        "domain": "eggs",
        "examples": 20,
        "new": 20,
        "adapter": None,
        "verdict": None,
        "deployed": False,
        "due": "",
    }


# Transports


@contextlib.contextmanager
def talking(stdio, messages: list[dict]) -> Iterator[subprocess.Popen]:
    """Start the real command, and send it messages of the protocol as they are, behind a handshake."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    first = [{"id": 1, "method": "initialize", "params": client}, {"method": "notifications/initialized"}]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([stdio.command, *stdio.args], env={**os.environ, **stdio.env}, text=True, **pipes) as process:
        for message in [*first, *messages]:
            send(process, message)
        yield process


def send(process: subprocess.Popen, message: dict) -> None:
    """Send one message of the protocol."""
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    process.stdin.flush()


def call_of(number: int, name: str, arguments: dict) -> dict:
    return {"id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def test_standard_output_holds_the_protocol_only_and_a_client_that_ends_leaves_the_teacher_alone(
    stdio, workspace, teacher
):
    calls = [
        call_of(2, "consult_expert", TEXTS),
        call_of(3, "record_interaction", {"query": "q", "local": "l", "expert": "e"}),
        call_of(4, "consult_expert", {**TEXTS, "teacher": "nobody"}),
        call_of(5, "no_such_tool", {}),
    ]
    with talking(stdio, calls) as process:
        answers = [json.loads(process.stdout.readline()) for _ in range(5)]
        assert sorted(answer["id"] for answer in answers) == [1, 2, 3, 4, 5]
        assert len(lines(workspace)) == 2
        teacher.go_on_and_on()
        send(process, call_of(6, "consult_expert", TEXTS))
        assert teacher.remember_answer.wait(PATIENCE_SECONDS)
        out, err = communicated(process)
        assert teacher.left_alone.wait(PATIENCE_SECONDS)
    assert (process.returncode, err) == (0, "")
    assert [json.loads(line)["id"] for line in out.splitlines()] in ([], [6])  # that it was given up may be told
    *_, line = lines(workspace)
    assert json.loads(line)["metadata"]["incomplete"] is True


# The command takes seconds to start, which it does for each client over standard input.
MODES = [("over_stdio", "auto"), ("over_http", "legacy"), ("over_http", "auto")]
MODES += [("over_stdio", "legacy")] if SOAK else []


@pytest.mark.parametrize(("transport", "mode"), MODES)
def test_the_real_command_consults_and_leaves_the_teacher_alone_when_the_client_gives_up(request, transport, mode):
    from mcp import Client

    one: Served = request.getfixturevalue(transport)

    async def call():
        async with Client(one.server, mode=mode) as client:
            result = await client.call_tool("consult_expert", TEXTS)
            assert result.structured_content["answer"] == "A2, the next one."
            assert the_record(one.workspace).id == result.structured_content["interaction_id"]
            one.teacher.go_on_and_on()
            asking = asyncio.create_task(client.call_tool("consult_expert", TEXTS))
            assert await asyncio.to_thread(one.teacher.remember_answer.wait, PATIENCE_SECONDS)
            asking.cancel()
            assert await asyncio.to_thread(one.teacher.left_alone.wait, PATIENCE_SECONDS)
            await happens(lambda: len(lines(one.workspace)) > 1)  # a server that goes on is killed after two seconds
            return await client.call_tool("pipeline_status")

    assert not asyncio.run(call()).is_error
    _, line = lines(one.workspace)
    assert json.loads(line)["metadata"]["incomplete"] is True
    assert "and so on" in json.loads(line)["messages"][-1]["content"]


def initialize(url: str, **headers: str) -> int:
    """Ask as a browser or a program might; give back the HTTP status."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client}
    accept = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    request = urllib.request.Request(url, json.dumps(body).encode(), {**accept, **headers})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_pages_and_names_of_elsewhere_are_kept_out(over_http):
    http = over_http.server
    port = urlsplit(http).port
    assert initialize(http) == 200
    assert initialize(http, Host=f"localhost:{port}") == 200
    assert initialize(http, Origin="http://localhost:6274") == 403
    assert initialize(http, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert initialize(http, **{"Content-Type": "text/plain"}) == 415
    # A page of another site; a name that its owner lets point here; the two together.
    assert initialize(http, Origin="https://evil.example") == 403
    assert initialize(http, Origin="null") == 403
    assert initialize(http, Origin="http://localhost.evil.example") == 403
    assert initialize(http, Host="evil.example") == 421
    assert initialize(http, Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}") == 421
    modern = {"MCP-Protocol-Version": "2026-07-28"}
    assert initialize(http, **modern, Origin="https://evil.example") == 403
    assert initialize(http, **modern, Host="evil.example") == 421


def test_a_page_is_kept_out_where_all_addresses_are_listened_on_and_who_has_no_token(
    workspace, settings, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with listening(workspace, "0.0.0.0:0") as url:
        here = url.replace("0.0.0.0", "127.0.0.1")
        own = {"Authorization": f"Bearer {token_file().read_text().strip()}"}
        assert initialize(here) == 401
        assert initialize(here, **own) == 200
        assert initialize(here, **own, Host=f"{socket.gethostname()}:{urlsplit(here).port}") == 200
        assert initialize(here, Origin="https://evil.example") == 403
        assert initialize(here, Host="evil.example") == 421


def test_a_named_client_has_a_budget_of_its_own_over_http(over_http):
    file = over_http.workspace.clients
    keys = {name: add_client(file, name, None, 1) for name in ("alice", "bob")}
    try:
        assert initialize(over_http.server, **{"x-api-key": f"{keys['alice']}x"}) == 401
        assert initialize(over_http.server, **{"x-api-key": keys["alice"]}) == 200

        async def call(name: str, count: int) -> list[str]:
            from mcp import Client
            from mcp.client.streamable_http import streamable_http_client
            from mcp.shared._httpx_utils import create_mcp_http_client

            headers = {"Authorization": f"Bearer {keys[name]}"}
            async with (
                create_mcp_http_client(headers=headers) as web,
                Client(streamable_http_client(over_http.server, http_client=web)) as client,
            ):
                found = [await client.call_tool("consult_expert", TEXTS) for _ in range(count)]
                return [one.content[0].text for one in found]

        first, second = asyncio.run(call("alice", 2))
        assert "A2, the next one." in first
        assert "client alice: not asked, 1 of 1 consultations in the last hour" in second
        assert "A2, the next one." in asyncio.run(call("bob", 1))[0]
        assert len(over_http.teacher.asked) == 2
        assert Ledger(over_http.workspace.spending).balance("client:alice").count == 1
    finally:
        for name in keys:
            remove_client(file, name)
    assert initialize(over_http.server, **{"x-api-key": keys["alice"]}) == 401


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.1:no", "127.0.0.1:99999", ":8788", "nobody.invalid:1", "taken"]
)
def test_an_address_that_cannot_be_listened_on_is_one_line(workspace, config, address):
    from zddc.errors import UserError

    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = address.replace("taken", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UserError, match=r"give HOST:PORT, as 127\.0\.0\.1:8788"):
            mcp_server.serve_http(workspace, config, listen)
