"""One question to a teacher; what a tool's client sees of it is in tests/weakspot/test_mcp_server.py."""

import asyncio
import contextlib

import pytest
from tests.servers import Reply, Server
from tests.waiting import PATIENCE_SECONDS

from weakspot.capture.ask_teacher import build_consultation_request, consult
from weakspot.capture.consultation import ConsultationRequest
from weakspot.config import Config, load
from weakspot.records import Interaction
from weakspot.storage import append_log
from weakspot.teachers import TeacherError, Teachers
from zddc.errors import UserError

KEY = "sk-test-4f9Qz71LmXw82VbNc05RtYhU"


@pytest.fixture
def ask(workspace, tmp_path, monkeypatch):
    """Ask a teacher who answers with a script, and perhaps give up when a part is heard; return the answer."""
    monkeypatch.setenv("CODER_KEY", KEY)

    async def asked(reply: Reply, *, give_up: bool = False):
        async with Server(reply) as server:
            file = tmp_path / "weakspot.toml"
            file.write_text(
                f'[teachers.coder]\nkind = "openai"\nmodel = "coder-480b"\nbase_url = "{server.url}/v1"\n'
                'api_key_env = "CODER_KEY"\n'
            )
            config = load(file)
            teachers = Heard(config)
            try:
                asking = asyncio.create_task(consult(workspace, config, teachers, wish(config), "test"))
                if give_up:
                    await asyncio.wait_for(teachers.remember_answer.wait(), PATIENCE_SECONDS)
                    asking.cancel()
                return await asking
            finally:
                await teachers.close()

    return lambda *arguments, **options: asyncio.run(asked(*arguments, **options))


class Heard(Teachers):
    """Teachers of whom is known when a part of an answer was taken in."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.remember_answer = asyncio.Event()

    async def ask(self, name, question, client=None):
        async with contextlib.aclosing(super().ask(name, question, client)) as parts:
            async for part in parts:
                yield part
                self.remember_answer.set()


def wish(config: Config) -> ConsultationRequest:
    return build_consultation_request(config, "Which revision follows A1?", "Perhaps A10?", "", "coder")


def records(workspace) -> list[Interaction]:
    return [Interaction.from_json(line.data) for line in append_log.read_lines(workspace.raw)]


def test_a_wish_is_a_question_with_what_stands_in_front_of_it_and_an_attempt():
    config = Config()
    one = build_consultation_request(config, "q", "a", "the file", "")
    assert one.teacher == config.escalation.default_teacher
    assert [message["role"] for message in one.before] == ["system", "user"]
    assert one.attempt == [{"role": "assistant", "content": "a"}]
    assert [message["role"] for message in build_consultation_request(config, "q", "a", " ", "").before] == ["user"]


@pytest.mark.parametrize("texts", [("", "a"), ("q", " \n")])
def test_a_wish_has_a_question_and_an_attempt(texts):
    with pytest.raises(UserError, match="is empty"):
        build_consultation_request(Config(), *texts, "", "")


@pytest.mark.slow
def test_the_answer_is_kept_where_it_was_given(ask, workspace):
    done = ask(Reply("A2."))
    [record] = records(workspace)
    assert (done.answer, done.stored, done.interaction_id) == ("A2.", True, record.id)
    assert (record.local.content, record.expert.content, record.metadata.source) == ("Perhaps A10?", "A2.", "test")


@pytest.mark.slow
def test_an_answer_that_is_given_up_is_kept_as_incomplete(ask, workspace):
    with pytest.raises(asyncio.CancelledError):
        ask(Reply("word " * 3000, pieces=3000, seconds_a_piece=0.05), give_up=True)
    [record] = records(workspace)
    assert record.metadata.incomplete
    assert record.expert.content.startswith("word")


@pytest.mark.slow
def test_a_teacher_that_fails_leaves_nothing(ask, workspace):
    with pytest.raises(TeacherError):
        ask(Reply("no", status=401))
    assert records(workspace) == []
