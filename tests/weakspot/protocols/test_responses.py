"""What a user says in a request of the Responses API is read, whatever else is in it."""

import pytest

from weakspot.protocols.responses import turns_of_responses


@pytest.mark.parametrize(
    ("given", "turns"),
    [
        ("q", [{"role": "user", "content": "q"}]),
        ([{"role": "user", "content": "q"}], [{"role": "user", "content": "q"}]),
        (
            [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}, {"type": "x"}]},
                {"type": "function_call", "name": "f"},
                {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
                "none",
            ],
            [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        ),
        (None, []),
        (7, []),
    ],
)
def test_turns_are_roles_and_texts(given, turns):
    assert turns_of_responses({"input": given}) == turns
