"""A client tells what its reader thinks of a teacher's answer, by the answer's id or the record's."""

import contextlib

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.capture.decisions import load_decisions
from weakspot.gateway.feedback import parse_feedback
from weakspot.gateway.upstream import GatewayError

CONSULT = [
    {"role": "user", "content": "Which revision is newer, A or B?"},
    {"role": "assistant", "content": "A."},
    {"role": "user", "content": "consult Sonnet"},
]


async def sent(world, body: object) -> tuple[int, dict]:
    async with aiohttp.ClientSession() as session, session.post(f"{world.address}/v1/feedback", json=body) as answer:
        return answer.status, await answer.json()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["chat", "messages", "responses"])
async def test_a_thumb_by_the_answers_id_is_a_decision(world, protocol):
    async with world() as one:
        if protocol == "messages":
            async with one.anthropic() as client:
                answer = await client.messages.create(model="m", max_tokens=99, messages=CONSULT)
        else:
            async with one.openai() as client:
                answer = await (
                    client.chat.completions.create(model="m", messages=CONSULT)
                    if protocol == "chat"
                    else client.responses.create(model="m", input=CONSULT)
                )
        identity = one.record.id
        thumbed = {"id": answer.id, "rating": "down", "comment": "too long"}
        assert await sent(one, thumbed) == (200, {"interaction_id": identity, "rating": "down"})
        thumb = load_decisions(one.workspace).thumbs[identity]
        assert (thumb.action, thumb.comment) == ("thumbs-down", "too long")
        assert await sent(one, {"id": identity, "rating": "up"}) == (200, {"interaction_id": identity, "rating": "up"})
        assert load_decisions(one.workspace).thumbs[identity].action == "thumbs-up"


@pytest.mark.slow
async def test_what_is_no_feedback_or_about_no_record_is_refused(world):
    async with world() as one:
        assert (await sent(one, {"id": "chatcmpl-x", "rating": "up"}))[0] == 404
        bad = (
            {},
            {"id": "x"},
            {"id": "x", "rating": 1},
            {"id": "", "rating": "up"},
            {"id": "x", "rating": "up", "more": 1},
            [],
        )
        assert [(await sent(one, body))[0] for body in bad] == [400] * 6
        assert not one.workspace.decisions.exists()
        assert one.upstream.asked == []


@given(
    st.dictionaries(
        st.sampled_from(["id", "rating", "comment", "more"]), st.none() | st.integers() | st.text(max_size=3)
    )
)
def test_whatever_a_body_is_it_is_feedback_or_refused(body):
    with contextlib.suppress(GatewayError):
        found = parse_feedback(body)
        assert found.id == body["id"]
        assert found.rating in ("up", "down")
