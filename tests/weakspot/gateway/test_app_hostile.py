"""Hostile text in every field of a request: an answer or an error, nothing raw in a log, in metrics or in 'status'."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.weakspot.gateway.test_app_conversations import kept_open
from tests.weakspot.gateway.worlds import KEYS, SOAK
from tests.weakspot.test_cli_hostile import HOSTILE, is_clean
from yarl import URL

from weakspot import cli
from zddc import console

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if SOAK else 300)]
PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses", "/v1/models/{}", "/{}"]


@st.composite
def requests(draw) -> tuple[str, str, dict[str, str], dict]:
    """Return method, path, headers and body of a request, each with hostile text in it."""
    texts = st.one_of(HOSTILE, st.just("consult sonnet"), HOSTILE.map(lambda text: f"ask {text} sonnet"))
    parts = st.one_of(texts, st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": texts}), max_size=2))
    roles = st.sampled_from(["user", "assistant", "system", "tool"])
    turns = st.lists(st.fixed_dictionaries({"role": roles, "content": parts}), min_size=1, max_size=4)
    path = draw(st.sampled_from(PATHS))
    # What a header cannot hold never arrives.
    plain = HOSTILE.map(lambda text: "".join(one for one in text if one.isprintable() and ord(one) < 256))
    headers = {"User-Agent": draw(plain), "x-weakspot-consult": draw(st.sampled_from(["sonnet", "\x9b", ""]))}
    headers = {name: value for name, value in headers.items() if value and draw(st.booleans())}
    body = {"model": draw(st.one_of(HOSTILE, st.just("expert/sonnet"))), "max_tokens": 9, "messages": draw(turns)}
    body |= {"input": body["messages"]} if draw(st.booleans()) else {}
    body |= {draw(HOSTILE): draw(HOSTILE)} if draw(st.booleans()) else {}
    method = draw(st.sampled_from(["POST", "POST", "GET", "DELETE"]))
    return method, path.format(draw(HOSTILE)), headers, body


class Lines(logging.Handler):
    """Keeps what is logged as a terminal would get it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(console._VisibleFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def logged():
    handler, logger = Lines(), logging.getLogger("weakspot")
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)


def test_nothing_raw_is_logged_counted_or_shown(workspace, monkeypatch, capsys, logged):
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    with kept_open(workspace) as (one, session, run):

        async def send(method, path, headers, body) -> int:
            url = URL(one.address).with_path(path)
            async with session.request(method, url, headers=headers, json=body) as answer:
                await answer.read()
                return answer.status

        @settings(max_examples=1000 if SOAK else 60)
        @given(requests())
        def try_request(request) -> None:
            assert run(send(*request)) != 500

        async def metrics() -> str:
            async with session.get(f"{one.address}/metrics") as answer:
                return await answer.text()

        try_request()
        assert is_clean(run(metrics()))
    assert all(map(is_clean, logged))
    monkeypatch.setenv("WEAKSPOT_WORKSPACE", str(workspace.root))
    for command in (["status"], ["status", "--json"], ["process"], ["validate"]):
        assert console.run(cli.app, "weakspot", command) in (0, 1)
        assert all(map(is_clean, capsys.readouterr()))
