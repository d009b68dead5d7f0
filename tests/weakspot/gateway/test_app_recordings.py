"""What real clients sent in a conversation, sent again: each leaves the records that its user would expect."""

import json

import aiohttp
import pytest
from tests.clients.conversation import Call, expected, local_model, named, outline, teacher
from tests.clients.recording import FOLDER

RECORDINGS = sorted(FOLDER.glob("*.json"))
LONGEST = 60_000


@pytest.mark.parametrize("name", named(file.stem for file in RECORDINGS))
async def test_a_recorded_conversation_is_stored(world, name):
    recording = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    call = Call(**recording["call"])
    async with world() as one, aiohttp.ClientSession(one.address) as session:
        one.upstream.script, one.sonnet.script = local_model(call), teacher(call)
        for sent in recording["requests"]:
            request = session.request(sent["method"], sent["path"], headers=sent["headers"], json=sent["body"])
            async with request as answer:
                await answer.read()
                assert answer.status == 200
        assert [outline(record) for record in one.records] == expected(recording["query"], call)


def test_recordings_are_there_and_small():
    assert len(RECORDINGS) > 5
    assert [file.name for file in RECORDINGS if file.stat().st_size > LONGEST] == []
