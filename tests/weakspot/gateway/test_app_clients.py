"""Real clients, with a scripted local model and a scripted teacher: what they leave in the workspace."""

import pytest
from tests.clients.conversation import QUESTION, RIGHT, expected, local_model, outline, teacher
from tests.clients.drivers import (
    CLIENTS,
    INSTALLED,
    WITH_PICTURE,
    Place,
    javascript,
    reads_by_our_tool,
    talk_openai,
)
from tests.clients.recording import WANTED, heard, write
from tests.servers import Reply
from tests.weakspot.deployment.llama import served

from weakspot.models import demo_model

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def installed():
    if not (INSTALLED / "ready").exists():
        pytest.fail("no clients in build/clients: make test-clients")


@pytest.mark.parametrize("name", sorted(CLIENTS))
async def test_a_consultation_is_stored(world, tmp_path, monkeypatch, name):
    client = CLIENTS[name]
    with heard(monkeypatch) as requests:
        async with world() as one:
            place = Place.made(one.address, tmp_path)
            call = client.reads(place.project)
            one.upstream.script, one.sonnet.script = local_model(call), teacher(call)
            shown = await client.converse(place)
            if WANTED and not client.names_answers:
                write(name, client, place, call, requests)
            assert RIGHT in shown
            assert [outline(record) for record in one.records] == expected(client.query, call)


async def test_a_client_that_leaves_its_conversation_to_the_server_sends_it_all(world, tmp_path):
    """Anthropic's tool runner does so where the server says that it has no such conversation."""
    async with world() as one:
        place = Place.made(one.address, tmp_path)
        call = reads_by_our_tool(place.project)
        one.upstream.script, one.sonnet.script = local_model(call), teacher(call)
        assert await javascript("anthropic-thread")(place) == RIGHT
        assert [outline(record) for record in one.records] == expected(WITH_PICTURE, call)


async def test_a_real_model_is_helped(world, tmp_path):
    with served(demo_model.download_gguf(tmp_path)) as llama:
        async with world(upstream=llama.address) as one:
            one.sonnet.script = Reply(RIGHT)
            place = Place.made(one.address, tmp_path)
            assert await talk_openai(place, QUESTION, temperature=0) == RIGHT
            record = one.record
            assert (record.query.content, record.expert.content) == (QUESTION, RIGHT)
            assert len(record.local.content) > 10
