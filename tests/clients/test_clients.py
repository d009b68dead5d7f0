"""Real clients, with a scripted local model and a scripted teacher: what they leave in the workspace."""

import pytest
from tests.clients.conversation import RIGHT, expected, local_model, outline, teacher
from tests.clients.drivers import CLIENTS, INSTALLED, Client, Place
from tests.clients.recording import WANTED, heard, write

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
async def test_a_consultation_is_stored(client: Client, world, tmp_path, monkeypatch):
    assert (INSTALLED / "ready").exists(), "the clients are not installed: make test-clients"
    with heard(monkeypatch) as requests:
        async with world() as one:
            place = Place.made(one.address, tmp_path)
            call = client.reads(place.project)
            one.upstream.script, one.sonnet.script = local_model(call), teacher(call)
            shown = await client.converse(place)
            if WANTED:
                write(client, place, call, requests)
            assert RIGHT in shown
            [record] = [record for record in one.records if not record.metadata.incomplete]
            assert outline(record) == expected(client.query, call)
