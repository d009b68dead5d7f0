"""What real clients sent in a conversation, sent again: each leaves the records that its user would expect."""

import json
from typing import Any

import aiohttp
import pytest
from tests.clients.conversation import PHRASE, Call, expected, local_model, outline, teacher
from tests.clients.recording import FOLDER

RECORDINGS = sorted(FOLDER.glob("*.json"))
LONGEST = 60_000


def recorded(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [file.stem for file in RECORDINGS])
async def test_a_recorded_conversation_is_stored(world, name):
    recording = recorded(name)
    call = Call(**recording["call"])
    async with world() as one, aiohttp.ClientSession(one.address) as session:
        one.upstream.script, one.sonnet.script = local_model(call), teacher(call)
        for sent in recording["requests"]:
            request = session.request(sent["method"], sent["path"], headers=sent["headers"], json=sent["body"])
            async with request as answer:
                await answer.read()
                assert answer.status == 200
        assert [outline(record) for record in one.records] == expected(recording["query"], call)


async def test_the_title_of_a_conversation_that_begins_with_a_wish_is_no_consultation(world):
    title = next(sent for sent in recorded("opencode")["requests"] if not sent["body"].get("tools"))
    messages = [*title["body"]["messages"][:-1], {"role": "user", "content": f'"How do I sort by two keys? {PHRASE}"'}]
    async with world() as one, aiohttp.ClientSession(one.address) as session:
        async with session.post(title["path"], json={**title["body"], "messages": messages}) as answer:
            await answer.read()
        assert (one.records, one.sonnet.chats) == ([], [])


def test_recordings_are_there_and_small():
    assert len(RECORDINGS) > 5
    assert [file.name for file in RECORDINGS if file.stat().st_size > LONGEST] == []
