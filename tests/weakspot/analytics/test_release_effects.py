"""A release is compared with what was before it, or beside it, and noise is no change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.analytics.release_effects import Effect, Effects
from weakspot.analytics.usage import TallyEvent
from weakspot.records import MULTI_DOMAIN, Release

START = datetime(2026, 1, 1, tzinfo=UTC)


def release(number: int, hours: float, domain: str = "d", target: str = "merged", **values) -> Release:
    created = (START + timedelta(hours=hours)).isoformat(timespec="seconds")
    given = {"action": "deploy", "location": "somewhere", "adapter": f"{domain}-lora-v{number}"}
    return Release.model_validate(
        {**given, "domain": domain, "target": target, "number": number, "created": created, **values}
    )


def asked(
    hours: float, questions: int, consultations: int, domain: str = "d", by: int | None = None
) -> list[TallyEvent]:
    """Return so many questions and consultations of one moment."""
    moment = START + timedelta(hours=hours)
    return [TallyEvent(moment, domain, n >= questions, by, 1.0) for n in range(questions + consultations)]


def effects(releases: list[Release], *events: list[TallyEvent]) -> list[Effect]:
    found = Effects(releases)
    for part in events:
        for event in part:
            found.add(event)
    return list(found.found("usage"))


def figures(one: Effect) -> tuple[tuple[int | None, int], ...]:
    return tuple((part.questions, part.consultations) for part in (one.before, one.after, one.beside))


def test_before_and_after_reach_to_the_releases_next_to_it():
    first, second = effects(
        [release(1, 10), release(2, 20)], asked(5, 100, 30), asked(10, 80, 20), asked(20, 60, 2), asked(99, 40, 1)
    )
    assert figures(first) == ((100, 30), (80, 20), (0, 0))
    assert figures(second) == ((80, 20), (100, 3), (0, 0))


def test_fewer_is_said_only_where_chance_does_not_explain_it():
    for questions, outcome in ((20, "undecided"), (200, "fewer")):
        (found,) = effects([release(1, 10)], asked(5, questions, questions // 4), asked(15, questions, questions // 10))
        assert found.change.rate == pytest.approx(-0.15)
        assert found.outcome == outcome
    (found,) = effects([release(1, 10)], asked(5, 200, 20), asked(15, 200, 50))
    assert found.outcome == "more"


def test_of_nothing_nothing_is_said():
    (found,) = effects([release(1, 10)], asked(5, 50, 10))
    assert (found.change, found.outcome) == (None, "undecided")


def test_other_domains_and_targets_are_no_part_of_it():
    first, second = effects([release(1, 10), release(2, 20, target="vllm")], asked(15, 7, 2), asked(15, 9, 9, "other"))
    assert figures(first) == ((0, 0), (7, 2), (0, 0))
    assert figures(second) == ((7, 2), (0, 0), (0, 0))


def test_a_release_for_all_domains_is_one_in_each():
    (found,) = effects([release(1, 10, MULTI_DOMAIN)], asked(5, 7, 2, "a"), asked(15, 9, 1, "b"))
    assert figures(found) == ((7, 2), (9, 1), (0, 0))


def test_a_canary_is_compared_with_what_answered_beside_it():
    first, canary = effects(
        [release(1, 10, target="gateway"), release(2, 20, target="gateway", share=0.1)],
        asked(15, 1000, 500, by=1),
        asked(25, 100, 2, by=2),
        asked(25, 900, 90, by=1),
    )
    assert figures(first) == ((0, 0), (1000, 500), (0, 0))
    assert figures(canary) == ((1000, 500), (100, 2), (900, 90))
    assert canary.change.rate == pytest.approx(0.02 - 0.1)


def test_what_the_base_answered_behind_the_gateway_is_not_the_adapters():
    deployed, back = effects(
        [release(1, 10, target="gateway"), release(2, 20, target="gateway", action="rollback", adapter=None)],
        asked(15, 10, 1, by=1),
        asked(15, 5, 4, by=None),  # the server had been started anew, without the adapter
        asked(25, 8, 3, by=None),
    )
    assert figures(deployed) == ((0, 0), (10, 1), (5, 4))
    assert figures(back) == ((15, 5), (8, 3), (0, 0))


@given(
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from("ab"), st.booleans()), max_size=40),
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["a", "b", MULTI_DOMAIN])), max_size=6),
)
def test_every_event_is_in_one_window_of_each_line_of_releases(events, made):
    moments = sorted(made)
    known = [release(number, hours, domain) for number, (hours, domain) in enumerate(moments, 1)]
    found = effects(
        known, [TallyEvent(START + timedelta(hours=h), domain, consulted) for h, domain, consulted in events]
    )
    assert [one.release.number for one in found] == list(range(1, len(known) + 1))
    for domain in {one.domain for one in known}:
        line = [one for one in found if one.release.domain == domain]
        own = [event for event in events if domain in (event[1], MULTI_DOMAIN)]
        counted = [line[0].before, *(part for one in line for part in (one.after, one.beside))]
        assert sum(part.questions + part.consultations for part in counted) == len(own)
