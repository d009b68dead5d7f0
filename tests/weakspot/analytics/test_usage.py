"""What was asked is read once, from the log or from what was captured, and tallied without losing any of it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.analytics.usage import EventLog, Interval, Tally, TallyEvent, difference, period_start, wilson_interval
from weakspot.records import UsageEvent
from weakspot.storage import append_log

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)

counts = st.integers(1, 100_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
moments = st.datetimes(timezones=st.just(UTC))
events = st.builds(
    TallyEvent,
    moment=moments,
    domain=st.sampled_from(["a", "b"]),
    consulted=st.booleans(),
    seconds=st.none() | st.floats(0, 1000),
    cost_usd=st.none() | st.floats(0, 10),
)


def use(**values) -> UsageEvent:
    given = {"timestamp": "2026-03-02T12:00:00.000Z", "domain": "d", "model": "m", "release": None, "seconds": 1.0}
    return UsageEvent.model_validate({**given, "consulted": False, **values})


def tallied(found) -> Tally:
    tally = Tally()
    for event in found:
        tally.add(event)
    return tally


# rates


@given(counts)
def test_the_interval_is_wilsons(count):
    from scipy import stats

    hits, of = count
    found, known = wilson_interval(hits, of), stats.binomtest(hits, of).proportion_ci(method="wilson")
    assert found.rate == hits / of
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-6)
    assert 0 <= found.low <= found.rate <= found.high <= 1


def test_a_difference_has_newcombes_interval():
    # Newcombe 1998, Statistics in Medicine 17, p. 873, table II, example (a), method 10: 56/70 - 48/80.
    found = difference(wilson_interval(48, 80), wilson_interval(56, 70))
    assert (found.rate, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@given(counts, counts)
def test_a_difference_backwards_is_the_same_with_the_other_sign(one, other):
    there, back = (
        difference(wilson_interval(*one), wilson_interval(*other)),
        difference(wilson_interval(*other), wilson_interval(*one)),
    )
    assert (there.rate, there.low, there.high) == pytest.approx((-back.rate, -back.high, -back.low))
    assert -1 - 1e-9 <= there.low <= there.rate <= there.high <= 1 + 1e-9


# periods


@given(moments)
def test_a_moment_is_in_the_period_that_it_begins(moment):
    day, week, month = (period_start(moment, period) for period in ("day", "week", "month"))
    assert day == moment.date()
    assert (week.weekday(), month.day) == (0, 1)
    assert timedelta(0) <= day - week < timedelta(7)
    assert (month.year, month.month) == (day.year, day.month)


def test_a_day_is_one_of_utc():
    assert period_start(datetime.fromisoformat("2026-03-02T00:30:00+01:00"), "day") == date(2026, 3, 1)


# tallies


@given(st.lists(events))
def test_parts_add_up_to_the_whole(found):
    whole, parts = tallied(found), Tally()
    for domain in ("a", "b"):
        parts.take_in(tallied(event for event in found if event.domain == domain))
    assert vars(parts) == pytest.approx(vars(whole))
    assert whole.questions + whole.consultations == len(found)


@given(st.lists(events))
def test_what_has_no_price_is_unknown_and_not_free(found):
    figures = tallied(found).figures()
    paid = [event.cost_usd for event in found if event.consulted]
    known = [cost for cost in paid if cost is not None]
    assert figures.unpriced == len(paid) - len(known)
    assert figures.cost_usd == (None if paid and not known else pytest.approx(sum(known)))


@given(st.lists(events))
def test_a_rate_is_one_of_the_questions(found):
    figures = tallied(found).figures()
    asked = [event for event in found if not event.consulted]
    assert (figures.rate is None) == (not asked)
    assert figures.rate is None or figures.rate.rate == min(1, (len(found) - len(asked)) / len(asked))


def test_seconds_are_means_over_what_took_a_known_time():
    local = [TallyEvent(MONDAY, "d", False, seconds=seconds) for seconds in (1.0, 2.0)]
    expert = [TallyEvent(MONDAY, "d", True, seconds=seconds) for seconds in (10.0, 30.0, None)]
    figures = tallied([*local, *expert]).figures()
    assert (figures.local_seconds, figures.expert_seconds) == (1.5, 20.0)


def test_of_nothing_there_is_no_rate_and_no_time():
    figures = Tally().figures()
    assert (figures.questions, figures.rate, figures.cost_usd, figures.expert_seconds) == (0, None, 0.0, None)


# reading


def test_the_log_is_read_as_the_gateway_wrote_it(workspace, config):
    uses = [use(), use(consulted=True, model="expert/opus", release=3, seconds=9.5, cost_usd=0.25)]
    append_log.append(workspace.usage, [one.to_json() for one in uses])
    log = EventLog(workspace, config)
    assert list(log) == [
        TallyEvent(MONDAY, "d", False, None, 1.0, None),
        TallyEvent(MONDAY, "d", True, 3, 9.5, 0.25),
    ]
    assert (log.source, log.unreadable) == ("usage", 0)


def test_what_a_killed_writer_left_is_passed_over_and_counted(workspace, config):
    append_log.append(workspace.usage, [use().to_json(), use(timestamp="2026-03-02T12:00:00").to_json()])
    append_log.append(workspace.usage, [use(timestamp="yesterday").to_json(), use().to_json()[:40], use().to_json()])
    log = EventLog(workspace, config)
    assert len(list(log)) == 2
    assert log.unreadable == 3


def test_without_a_log_what_was_captured_tells_consultations_and_costs(workspace, config, capture, interaction):
    paid = {"teacher": "opus", "model": "m", "policy": "allow", "terms": "", "seconds": 4.0, "cost_usd": 0.5}
    captured = [
        interaction(consultation=paid, domain="d"),
        interaction("Why this error?").with_metadata(
            {"incomplete": True}
        ),  # cut off, but asked and paid for all the same
    ]
    capture(workspace, captured)
    log = EventLog(workspace, config)
    moment = datetime(2025, 10, 31, 14, 30, tzinfo=UTC)
    assert list(log) == [
        TallyEvent(moment, "d", True, None, 4.0, 0.5),
        TallyEvent(moment, "coding-debugging", True, None, None, None),
    ]
    figures = tallied(log).figures(log.source)
    assert (log.source, figures.questions, figures.rate, figures.unpriced) == ("raw", None, None, 1)


def test_an_interval_is_what_it_says():
    assert wilson_interval(0, 1).low == 0.0
    assert wilson_interval(1, 1) == Interval(1.0, pytest.approx(0.2065, abs=1e-4), 1.0)
