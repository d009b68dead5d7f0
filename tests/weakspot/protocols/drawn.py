"""Answers as they come in parts, in every order in which servers may send them."""

import json

from hypothesis import strategies as st

from weakspot.protocols.parts import Call, Finished, Part, Text, Thought

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
ARGUMENTS = st.dictionaries(
    NAMES, st.none() | st.integers(-(2**40), 2**40) | WORDS | st.lists(WORDS, max_size=3), max_size=3
)


@st.composite
def answers(draw: st.DrawFn) -> list[Part]:
    """Draw the parts of an answer: text, thoughts and calls in pieces that are shuffled into each other."""
    lanes: list[list[Part]] = [
        [Text(one) for one in draw(st.lists(WORDS, max_size=4))],
        [Thought(one) for one in draw(st.lists(WORDS, max_size=3))],
    ]
    for index, arguments in enumerate(draw(st.lists(ARGUMENTS, max_size=3))):
        written = json.dumps(arguments, ensure_ascii=False)
        place = draw(st.integers(0, len(written)))
        head, tail = written[:place], written[place:]
        lanes.append([Call(index, head, f"call_{index}", draw(NAMES)), *([Call(index, tail)] if tail else [])])
    called = len(lanes) > 2
    parts: list[Part] = []
    started = 2
    while any(lanes):
        # A call begins only after those in front of it have begun, as it does at every server.
        open_ = [n for n, lane in enumerate(lanes) if lane and (n < 2 or n <= started)]
        lane = draw(st.sampled_from(open_))
        parts.append(lanes[lane].pop(0))
        started = max(started, lane + 1) if lane >= 2 else started
    reason = draw(st.sampled_from(["length", "refused", "tool_calls" if called else "stop"]))
    return [*parts, Finished(reason, "m", draw(st.integers(0, 9999)), draw(st.integers(0, 9999)))]
