"""What the review page shows of a record is all of it."""

from weakspot.records import Interaction
from weakspot.ui.record_view import digest_of, mark_invisible, turns_of

MESSAGES = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "l"},
    {"role": "user", "content": "consult"},
    {"role": "assistant", "content": "e", "reasoning_content": "because"},
]


def record(**more) -> Interaction:
    metadata = {"timestamp": "2026-01-01T00:00:00.000Z", "interaction_id": "int_1", **more}
    return Interaction.model_validate({"messages": MESSAGES, "metadata": metadata})


def test_every_message_has_its_place_and_use():
    turns = turns_of(record())
    assert [(one.place, one.use) for one in turns] == [
        ("earlier", "prompt"),
        ("query", "prompt"),
        ("local", "not trained"),
        ("remark", "not trained"),
        ("expert", "trained"),
    ]
    assert "because" in turns[-1].text


def test_the_digest_is_of_everything_shown():
    one = record()
    digests = [
        digest_of(one, one, "d"),
        digest_of(one, one, "other"),
        digest_of(one, one.with_texts("q2", None), "d"),
        digest_of(record(query_as_sent="more"), one, "d"),
    ]
    assert len(set(digests)) == 4
    assert digest_of(record(), record(), "d") == digests[0]


def test_what_is_marked_is_escaped_too():
    assert mark_invisible("<b>\u200b</b>") == "&lt;b&gt;<mark>&lt;U+200B&gt;</mark>&lt;/b&gt;"
