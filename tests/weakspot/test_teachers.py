"""Teachers of both protocols are asked over real sockets, and what goes wrong is one line that names no secret."""

import asyncio
import contextlib
import gzip
import json
import re
from pathlib import Path

import pytest
from tests.servers import (
    NEVER_SECONDS,
    Asked,
    Reply,
    Server,
    chunks,
    completion,
    endless_server,
    message,
    message_events,
    raw_server,
)
from tests.waiting import PATIENCE_SECONDS

from weakspot.access.client_keys import Clients, add_client
from weakspot.config import load
from weakspot.protocols.parts import Answer, Finished
from weakspot.settings import Teacher
from weakspot.storage.ledger import Balance, Ledger, Limits
from weakspot.teachers import OverBudgetError, Question, TeacherError, Teachers, api_keys, cost, highest_cost, limits

pytestmark = pytest.mark.slow

KEY = "a-key-of-no-known-form-4f9Qz71Lm"
QUESTION = Question([{"role": "user", "content": "q"}], max_tokens=50)
NOWHERE = Path("no-such-folder/weakspot.toml")
KINDS = ["anthropic", "openai"]
either_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Other programs' settings, one of them the address of the gateway itself, and no proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEACHER_KEY", KEY)
    for provider in ("ANTHROPIC", "OPENAI"):
        monkeypatch.setenv(f"{provider}_BASE_URL", "http://127.0.0.1:9")
        for name in ("API_KEY", "AUTH_TOKEN", "ORG_ID", "PROJECT_ID"):
            monkeypatch.setenv(f"{provider}_{name}", "another-s-secret")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-secret: another-s-secret")


def settings(kind: str, url: str, *more: str):
    values = {"kind": kind, "model": "big", "base_url": url, "api_key_env": "TEACHER_KEY", "timeout_seconds": 120.0}
    table = ", ".join(f"{key}={json.dumps(value)}" for key, value in values.items())
    return load(NOWHERE, [f"teachers.t={{{table}}}", *(f"teachers.t.{one}" for one in more)])


def url_of(server: Server, kind: str) -> str:
    return server.url if kind == "anthropic" else f"{server.url}/v1"


async def answered(config, question: Question = QUESTION, ledger: Ledger | None = None, client=None) -> Answer:
    teachers, answer = Teachers(config, ledger), Answer()
    try:
        async for part in teachers.ask("t", question, client):
            answer.add(part)
    finally:
        await teachers.close()
    return answer


def key_sent(asked: Asked) -> str:
    """Return the key that a request came with, in either of the headers that Anthropic's client has used."""
    return asked.headers.get("x-api-key") or asked.headers.get("Authorization", "").removeprefix("Bearer ")


def answer_of(kind: str, reply: Reply, question: Question = QUESTION, *more: str):
    """Ask a server that replies so; return the answer, and what the server was asked."""

    async def asked():
        async with Server(reply) as server:
            return await answered(settings(kind, url_of(server, kind), *more), question), server.asked

    return asyncio.run(asked())


def error_of(kind: str, reply: Reply, *more: str) -> TeacherError:
    with pytest.raises(TeacherError) as error:
        answer_of(kind, reply, QUESTION, *more)
    return error.value


PRICES = ("input_price=10.0", "output_price=100.0")


def ledger_after(kind, tmp_path, reply, *more):
    """Ask a teacher with a price; return the ledger, and the error where there is one."""
    ledger = Ledger(tmp_path / "spending")

    async def asked():
        async with Server(reply) as server:
            config = settings(kind, url_of(server, kind), *PRICES, *more)
            try:
                await answered(config, ledger=ledger)
            except TeacherError as error:
                return error
        return None

    return ledger, asyncio.run(asked())


@either_kind
def test_what_an_answer_costs_is_reserved_before_and_settled_after(kind, tmp_path):
    ledger, error = ledger_after(kind, tmp_path, Reply("Yes.", usage=(1000, 100)))
    assert error is None
    assert ledger.balance("t") == Balance(pytest.approx(0.02), 1)


@either_kind
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_question_that_reached_no_model_costs_nothing(kind, status, tmp_path):
    ledger, error = ledger_after(kind, tmp_path, Reply("no", status=status))
    assert isinstance(error, TeacherError)
    assert ledger.balance("t") == Balance(0, 0)


@either_kind
def test_an_answer_whose_end_or_price_is_not_known_costs_what_was_reserved(kind, tmp_path):
    reserved = highest_cost(settings(kind, "http://127.0.0.1:9", *PRICES).teachers["t"], QUESTION)
    assert reserved > 50 * 100e-6
    ledger, _ = ledger_after(kind, tmp_path, Reply("Yes.", break_after=2))
    assert ledger.balance("t") == Balance(pytest.approx(reserved), 1)


@either_kind
@pytest.mark.parametrize("limit", ["consultations_per_hour=1", "budget_usd_per_day=0.01"])
def test_over_a_limit_a_teacher_is_not_asked(kind, limit, tmp_path):
    ledger_after(kind, tmp_path, Reply("Yes.", usage=(1000, 100)), limit)
    seen = []
    _, error = ledger_after(kind, tmp_path, lambda asked: seen.append(asked) or Reply("Yes."), limit)
    assert (type(error), error.status, seen) == (OverBudgetError, 429, [])
    assert 3000 < int(error.retry_after) <= 86_400
    assert re.fullmatch(
        r"teacher t: not asked, .* in the last (hour|24 hours); "
        r"wait \d+ seconds, or raise the limits of \[teachers\.t\]",
        str(error),
    )


@either_kind
def test_a_client_s_price_is_reserved_and_settled_beside_the_teacher_s(kind, tmp_path):
    key = add_client(tmp_path / "clients", "alice", 1)
    client = Clients(tmp_path / "clients").find(key)

    async def asked(reply, config_of=settings):
        async with Server(reply) as server:
            await answered(config_of(kind, url_of(server, kind), *PRICES), ledger=ledger, client=client)

    ledger = Ledger(tmp_path / "spending")
    asyncio.run(asked(Reply("Yes.", usage=(1000, 100))))
    assert ledger.balance("t") == ledger.balance("client:alice") == Balance(pytest.approx(0.02), 1)
    with pytest.raises(TeacherError):
        asyncio.run(asked(Reply("no", status=500)))
    assert ledger.balance("t") == ledger.balance("client:alice") == Balance(pytest.approx(0.02), 1)
    asyncio.run(asked(Reply("Yes.", usage=(1000, 100)), settings_without_prices))
    assert ledger.balance("client:alice") == Balance(pytest.approx(0.02), 2)
    assert ledger.balance("t").count == 1


def settings_without_prices(kind, url, *_):
    return settings(kind, url)


def test_a_teacher_without_a_price_has_only_the_limit_that_is_set(tmp_path):
    free = settings("openai", "http://127.0.0.1:9").teachers["t"]
    assert limits(free) == Limits(None, None)
    assert not limits(free)
    counted = settings("openai", "http://127.0.0.1:9", "consultations_per_hour=7").teachers["t"]
    assert limits(counted) == Limits(None, 7)
    zero = settings("openai", "http://127.0.0.1:9", "input_price=0.0", "output_price=0.0").teachers["t"]
    assert not limits(zero)
    assert limits(load(NOWHERE).teachers["sonnet"]) == Limits(5.0, 60)


@either_kind
def test_a_teacher_answers(kind):
    reply = Reply("An answer. 😀", "hm", (("1", "look", '{"what": 1}'),), usage=(100, 20), model="served")
    answer, asked = answer_of(kind, reply)
    assert (answer.text, answer.thought) == ("An answer. 😀", "hm")
    assert [(one.id, one.name, one.arguments) for one in answer.calls.values()] == [("1", "look", '{"what": 1}')]
    assert answer.finished == Finished("tool_calls", "served", 100, 20)
    assert len(asked) == 1


def test_an_anthropic_teacher_is_asked_in_its_protocol():
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    _, [asked] = answer_of("anthropic", Reply("a"), Question([*QUESTION.messages], tools, 50))
    assert (asked.method, asked.path) == ("POST", "/v1/messages")
    assert key_sent(asked) == KEY
    assert "anthropic-version" in asked.headers
    assert asked.headers["User-Agent"].startswith("AsyncAnthropic/")
    assert asked.body == {
        "model": "big",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "max_tokens": 50,
        "stream": True,
    }


def test_an_openai_teacher_is_asked_in_its_protocol():
    tools = [{"type": "function", "function": {"name": "f"}}]
    _, [asked] = answer_of("openai", Reply("a"), Question([*QUESTION.messages], tools, 50))
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert key_sent(asked) == KEY
    assert asked.body == {
        "model": "big",
        "messages": QUESTION.messages,
        "tools": tools,
        "max_tokens": 50,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@either_kind
def test_the_settings_limit_an_answer(kind):
    for limit, expected in ((None, 40), (1000, 40), (30, 30)):
        _, [asked] = answer_of(kind, Reply("a"), Question(QUESTION.messages, max_tokens=limit), "max_tokens=40")
        assert asked.body["max_tokens"] == expected


@either_kind
def test_nothing_of_the_environment_reaches_a_teacher_but_its_key(kind):
    _, [asked] = answer_of(kind, Reply("a"))
    assert "another-s-secret" not in str(asked.headers)
    assert "x-secret" not in asked.headers


@either_kind
def test_keys_that_somebody_showed_to_an_agent_are_not_shown_to_a_teacher(kind):
    shown = [{"role": "user", "content": f'env says KEY="{KEY}", mine is "client\\key"'}]
    _, [asked] = answer_of(kind, Reply("a"), Question(shown, secrets=("client\\key", "short")))
    assert KEY not in asked.data.decode()
    assert 'env says KEY="<API_KEY>", mine is "<API_KEY>"' in str(asked.body)
    assert shown[0]["content"].count("<API_KEY>") == 0


@either_kind
def test_a_teacher_without_a_key_is_asked_without_one(kind):
    _, [asked] = answer_of(kind, Reply("a"), QUESTION, 'api_key_env=""')
    assert key_sent(asked) in ("", "none")


@either_kind
@pytest.mark.parametrize("value", [None, " "])
def test_a_missing_key_is_said_before_anybody_is_asked(kind, value, monkeypatch):
    monkeypatch.delenv("TEACHER_KEY") if value is None else monkeypatch.setenv("TEACHER_KEY", value)
    error = error_of(kind, Reply("a"))
    assert str(error) == "teacher t: TEACHER_KEY is not set where weakspot runs; set it and start weakspot again"
    assert (error.status, error.retry_after) == (502, None)


@either_kind
def test_a_key_that_was_changed_is_used(kind, monkeypatch):
    async def twice():
        async with Server(Reply("a")) as server:
            teachers = Teachers(settings(kind, url_of(server, kind)))
            for key in ("first-key", "second-key"):
                monkeypatch.setenv("TEACHER_KEY", key)
                assert [part async for part in teachers.ask("t", QUESTION)]
            await teachers.close()
            return [key_sent(one) for one in server.asked]

    assert asyncio.run(twice()) == ["first-key", "second-key"]


@either_kind
@pytest.mark.parametrize(
    ("status", "headers", "shown", "retry_after"),
    [
        (400, {}, 400, None),
        (401, {}, 502, None),
        (403, {}, 502, None),
        (404, {}, 502, None),
        (413, {}, 413, None),
        (429, {"Retry-After": "17"}, 429, "17"),
        (429, {}, 429, "5"),
        (529, {}, 429, "5"),
        (500, {}, 502, "5"),
        (503, {"Retry-After": "3"}, 502, "3"),
        (302, {"Location": "/v1/models"}, 502, None),
    ],
)
def test_an_error_of_a_teacher_says_what_it_was(kind, status, headers, shown, retry_after):
    error = error_of(kind, Reply("Something is\nwrong.", status=status, headers=headers))
    assert (error.status, error.retry_after) == (shown, retry_after)
    assert str(error) == f"teacher t: HTTP {status}: Something is wrong."


@either_kind
def test_a_page_instead_of_an_error_is_shown(kind):
    error = error_of(kind, Reply(status=502, data=b"<html>Bad\xffGateway</html>" * 1000))
    assert str(error).startswith("teacher t: HTTP 502: <html>Bad\ufffdGateway</html>")
    assert len(str(error)) < 600


@either_kind
@pytest.mark.parametrize("where", ["status", "stream"])
def test_an_error_names_no_key(kind, where):
    text = f"Incorrect API key provided: {KEY}, nor sk-ant-api03-Zx81Kd93Lq02Wm45Np67Rt"
    if where == "status":
        error = error_of(kind, Reply(text, status=401))
    else:
        data = b"data: " + json.dumps({"type": "error", "error": {"message": text}}).encode() + b"\n\n"
        error = error_of(kind, Reply(data=data))
    assert "Incorrect API key provided: <" in str(error)
    assert KEY not in str(error)
    assert "Zx81Kd93" not in str(error)
    assert error.__cause__ is None


@either_kind
@pytest.mark.parametrize("count", range(6))
def test_an_answer_that_breaks_off_is_an_error(kind, count):
    error = error_of(kind, Reply("a b c d e f", pieces=6, break_after=count))
    assert (error.status, error.retry_after) == (502, "5")
    assert "broke off" in str(error)


@either_kind
def test_an_answer_that_only_stops_is_an_error(kind):
    assert str(error_of(kind, Reply(data=b""))) == "teacher t: the answer broke off"
    assert "the protocol" in str(error_of(kind, Reply(data=b"data: 5\n\n")))


@either_kind
def test_a_teacher_that_is_down_is_an_error(kind):
    with pytest.raises(TeacherError, match="teacher t: cannot be reached") as error:
        asyncio.run(answered(settings(kind, "http://127.0.0.1:9")))
    assert (error.value.status, error.value.retry_after) == (502, "5")


@either_kind
@pytest.mark.parametrize("slow", [{"seconds_before_headers": NEVER_SECONDS}, {"seconds_a_piece": 0.1}])
def test_a_teacher_that_is_too_slow_is_an_error(kind, slow):
    """One that goes on saying a little is so, too: the whole answer would take minutes."""
    error = error_of(kind, Reply("word " * 1000, pieces=1000, **slow), "timeout_seconds=0.5")
    assert (error.status, str(error)) == (504, "teacher t: no answer in time")


@either_kind
@pytest.mark.parametrize("when", ["before headers", "before first", "mid-stream"])
def test_who_stops_listening_gives_the_answer_up(kind, when):
    slow = {
        "before headers": {"seconds_before_headers": NEVER_SECONDS},
        "before first": {"seconds_before_first": NEVER_SECONDS},
        "mid-stream": {"seconds_a_piece": 0.1, "pieces": 3000},
    }

    async def left():
        async with Server(Reply("word " * 3000, **slow[when])) as server:
            teachers = Teachers(settings(kind, url_of(server, kind)))
            parts = teachers.ask("t", QUESTION)
            arriving = asyncio.create_task(server.next_asked())
            async with contextlib.aclosing(parts):
                hearing = asyncio.create_task(anext(parts))
                asked = await arriving
                if when == "mid-stream":
                    assert await hearing
                hearing.cancel()
                await asyncio.wait([hearing])
            seconds = await asyncio.wait_for(asked.aborted, PATIENCE_SECONDS)
            await teachers.close()
            return seconds

    assert asyncio.run(left())


@either_kind
def test_a_redirection_is_not_followed(kind):
    async def redirected():
        async with Server(Reply("a")) as other:
            headers = {"Location": f"{other.url}/v1/messages"}
            async with Server(Reply(status=307, headers=headers)) as server:
                with pytest.raises(TeacherError, match="HTTP 307"):
                    await answered(settings(kind, url_of(server, kind)))
            return other.asked

    assert asyncio.run(redirected()) == []


@pytest.mark.parametrize(("kind", "host"), [("anthropic", b"api.anthropic.com"), ("openai", b"api.openai.com")])
def test_a_teacher_without_an_address_is_at_its_provider_s_behind_the_proxy_of_this_machine(kind, host, monkeypatch):
    seen = []

    def refuse(head: bytes) -> list[bytes]:
        seen.append(head)
        return [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]

    async def asked():
        async with raw_server(refuse) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            with pytest.raises(TeacherError, match="teacher t: "):
                await answered(settings(kind, ""))

    asyncio.run(asked())
    assert seen[0].startswith(b"CONNECT %s:443 " % host)
    assert KEY.encode() not in seen[0]


def test_a_teacher_on_this_machine_is_asked_without_the_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    answer, _ = answer_of("openai", Reply("a"))
    assert answer.text == "a"


def test_the_cost_is_known_where_prices_and_counts_are():
    priced = Teacher(kind="openai", model="m", input_price=2.0, output_price=10.0)
    assert cost(priced, Finished("stop", "m", 1_000_000, 100_000)) == 3.0
    assert cost(priced, Finished("stop", "m", None, 100_000)) is None
    assert cost(Teacher(kind="openai", model="m"), Finished("stop", "m", 1, 1)) is None


def test_the_secrets_of_this_process_are_known(monkeypatch):
    monkeypatch.setenv("UPSTREAM_KEY", " upstream ")
    config = load(NOWHERE, ["gateway.upstream_api_key_env=UPSTREAM_KEY", "teachers.sonnet.api_key_env=TEACHER_KEY"])
    assert api_keys(config) == sorted(["another-s-secret", "upstream", KEY])


# What a client asks of the answer

OPTIONS = {
    "response_format": {"type": "json_object"},
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "seed": 7,
    "stop": "END",
    "temperature": 1.5,
    "top_p": 0.9,
}
DOTTED = [{"type": "function", "function": {"name": "files.read", "parameters": {"properties": {}}}}]


def asking(**more) -> Question:
    return Question([*QUESTION.messages], max_tokens=50, **more)


def test_what_a_client_asks_reaches_an_openai_teacher():
    _, [asked] = answer_of("openai", Reply("a"), asking(tools=DOTTED, options=OPTIONS))
    assert {key: asked.body[key] for key in OPTIONS} == OPTIONS
    _, [asked] = answer_of("openai", Reply("a"), asking(options=OPTIONS))
    assert "tool_choice" not in asked.body


def test_what_a_client_asks_reaches_an_anthropic_teacher():
    _, [asked] = answer_of("anthropic", Reply("a"), asking(tools=DOTTED, options=OPTIONS))
    assert asked.body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert (asked.body["stop_sequences"], asked.body["temperature"]) == (["END"], 1)
    assert asked.body["system"] == "Answer with one JSON object and nothing else."
    assert not {"seed", "top_p", "stop", "response_format"} & asked.body.keys()


def test_a_schema_of_the_answer_reaches_an_anthropic_teacher_as_it_takes_it():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    _, [asked] = answer_of("anthropic", Reply("a"), asking(options={"response_format": form}))
    sent = asked.body["output_config"]["format"]
    assert (sent["type"], sent["schema"]["additionalProperties"]) == ("json_schema", False)
    assert "minimum" not in sent["schema"]["properties"]["n"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "files.read"}}, {"type": "tool", "name": "files_read"}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, {"type": "any"}),
    ],
)
def test_a_choice_of_tools_reaches_an_anthropic_teacher(choice, expected):
    _, [asked] = answer_of("anthropic", Reply("a"), asking(tools=DOTTED, options={"tool_choice": choice}))
    assert asked.body["tool_choice"] == expected


@either_kind
def test_a_name_that_a_teacher_refuses_comes_back_as_it_was(kind):
    answer, [asked] = answer_of(kind, Reply(calls=(("1", "files_read", "{}"),)), asking(tools=DOTTED))
    assert "files.read" not in asked.data.decode()
    assert [call.name for call in answer.calls.values()] == ["files.read"]


@either_kind
def test_a_wish_that_a_teacher_refuses_is_not_made_again(kind):
    def reply(asked: Asked) -> Reply:
        named = [key for key in ("temperature", "seed") if key in asked.body]
        return Reply(f"`{named[0]}` is deprecated for this model.", status=400) if named else Reply("a")

    async def twice():
        async with Server(reply) as server:
            teachers = Teachers(settings(kind, url_of(server, kind)))
            for _ in range(2):
                question = asking(options={"temperature": 0.5, "seed": 7, "stop": ["x"]})
                answer = Answer.of([part async for part in teachers.ask("t", question)])
                assert answer.text == "a"
            await teachers.close()
            return [one.body for one in server.asked]

    *refused, first, second = asyncio.run(twice())
    assert len(refused) == (1 if kind == "anthropic" else 2)
    assert "temperature" not in first
    assert first == second
    assert "x" in str(first)


@either_kind
def test_an_error_about_something_else_is_not_asked_away(kind):
    with pytest.raises(TeacherError, match="no such model"):
        answer_of(kind, Reply("no such model", status=400), asking(options={"temperature": 0.5}))


@either_kind
@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_teacher_that_cannot_see_is_told_what_there_was(kind, status):
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,/9j/4AAQ"}}
    seen = [{"role": "user", "content": [{"type": "text", "text": "see"}, picture]}]

    def reply(asked: Asked) -> Reply:
        return Reply("image input is not supported", status=status) if b"/9j/" in asked.data else Reply("a")

    answer, asked = answer_of(kind, reply, Question(seen))
    assert (answer.text, len(asked)) == ("a", 2)
    assert "image/jpeg" in asked[0].data.decode()
    assert "[image: this model cannot see it]" in asked[1].data.decode()


# Answers that are not as they should be


@either_kind
@pytest.mark.parametrize("stream", ["stream", "whole"])
def test_thoughts_in_the_text_are_thoughts(kind, stream):
    reply = Reply("<think>\nhm\n</think>\n\nB", pieces=7)
    if stream == "whole":
        whole = message(reply) if kind == "anthropic" else completion(reply)
        reply = Reply(data=json.dumps(whole).encode(), headers={"Content-Type": "text/event-stream"})
    answer, _ = answer_of(kind, reply)
    assert (answer.thought, answer.text, answer.complete) == ("\nhm\n", "B", True)


@either_kind
def test_a_compressed_answer_is_read(kind):
    events = message_events(Reply("B")) if kind == "anthropic" else chunks(Reply("B"))
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    answer, _ = answer_of(kind, Reply(data=gzip.compress(b"".join(events)), headers=headers))
    assert answer.text == "B"


@either_kind
def test_a_page_in_place_of_an_answer_is_one_line(kind):
    error = error_of(kind, Reply(data=b"<html><title>Just a\nmoment</title></html>"))
    assert str(error) == "teacher t: a web page instead of an answer: Just a moment"


@either_kind
def test_an_answer_ends_though_the_teacher_keeps_the_connection(kind):
    async def asked():
        events = message_events(Reply("B")) if kind == "anthropic" else chunks(Reply("B"))
        async with endless_server(b"".join(events)) as (url, left):
            answer = await answered(settings(kind, url if kind == "anthropic" else f"{url}/v1"))
            await left.wait()
        return answer

    answer = asyncio.run(asyncio.wait_for(asked(), PATIENCE_SECONDS))
    assert (answer.text, answer.complete) == ("B", True)
