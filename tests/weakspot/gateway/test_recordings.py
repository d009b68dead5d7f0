"""What real clients sent in a conversation, sent again: each leaves the record that its user would expect."""

import json

import aiohttp
import pytest
from tests.clients.conversation import Call, expected, local_model, outline, teacher
from tests.clients.recording import FOLDER

RECORDINGS = sorted(FOLDER.glob("*.json"))
LONGEST = 60_000


def test_there_are_recordings():
    assert len(RECORDINGS) > 5


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
async def test_a_recorded_conversation_is_stored(world, file):
    recording = json.loads(file.read_text(encoding="utf-8"))
    call = Call(**recording["call"])
    async with world() as one, aiohttp.ClientSession() as session:
        one.upstream.script, one.sonnet.script = local_model(call), teacher(call)
        for sent in recording["requests"]:
            async with session.request(
                sent["method"], one.address + sent["path"], headers=sent["headers"], json=sent["body"]
            ) as answer:
                await answer.read()
                assert answer.status == 200
        [record] = [record for record in one.records if not record.metadata.incomplete]
        assert outline(record) == expected(recording["query"], call)


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_a_recording_is_small(file):
    assert file.stat().st_size < LONGEST
