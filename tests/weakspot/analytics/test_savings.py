"""What was saved, over time and by domain, with each release; as records, a line and a picture."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.weakspot.used import released, uses

from weakspot.analytics.savings import Wins, economics, format_summary
from weakspot.config import Config
from weakspot.deployment.releases import publish
from weakspot.evaluation import gate
from weakspot.models import adapter_files
from weakspot.records import BaseReference, Release, Scorecard, ScoredExample
from weakspot.storage import append_log, atomic
from weakspot.workspace import AdapterName, Workspace


@pytest.fixture
def used(workspace) -> Workspace:
    """Two weeks in two domains; a release for one of them in between."""
    lines = [*uses(0, 60, 30), *uses(8, 90, 9), *uses(1, 10, 4, "e", None), *uses(9, 10, 5, "e", None)]
    append_log.append(workspace.usage, lines)
    released(workspace, 1, 7)
    return workspace


def test_a_domain_and_all_of_them_are_counted_over_time(used, config):
    found = economics(used, config)
    assert [one.domain for one in found.domains] == ["d", "e"]
    in_d = {start: (one.questions, one.consultations) for start, one in found.domains[0].over_time.items()}
    assert in_d == {"2026-03-02": (60, 30), "2026-03-09": (90, 9)}
    assert (found.total.questions, found.total.consultations) == (170, 48)
    assert found.over_time["2026-03-09"].rate.rate == 14 / 100


def test_what_has_no_price_is_counted_and_not_taken_for_free(used, config):
    found = economics(used, config)
    d, e = (one.total for one in found.domains)
    assert (d.cost_usd, d.unpriced) == (pytest.approx(0.39), 0)
    assert (e.cost_usd, e.unpriced) == (None, 9)
    assert (found.total.cost_usd, found.total.unpriced) == (pytest.approx(0.39), 9)


def test_a_release_is_marked_with_what_it_changed(used, config):
    (effect,) = economics(used, config).releases
    assert (effect.release.number, effect.outcome) == (1, "fewer")
    assert (effect.before.rate.rate, effect.after.rate.rate) == (0.5, 0.1)


def test_what_was_before_a_day_does_not_count(used, config):
    found = economics(used, config, since=date(2026, 3, 10), period="month")
    assert (found.total.questions, found.releases) == (100, [])
    assert list(found.over_time) == ["2026-03-01"]


@given(
    asked=st.lists(
        st.tuples(st.floats(0, 200), st.integers(0, 3), st.integers(0, 3), st.sampled_from("abc")), max_size=12
    ),
    period=st.sampled_from(["day", "week", "month"]),
)
def test_the_parts_add_up_to_the_whole(new_workspace, asked, period):
    workspace = new_workspace()
    for one in asked:
        append_log.append(workspace.usage, uses(*one), "process")
    found = economics(workspace, Config(), period=period)

    def sums(parts):
        parts = list(parts)
        return sum(p.questions or 0 for p in parts), sum(p.consultations for p in parts)

    whole = sums([found.total]) if workspace.usage.exists() else (0, 0)
    assert whole == (sum(one[1] for one in asked), sum(one[2] for one in asked))
    assert sums(one.total for one in found.domains) == whole
    assert sums(found.over_time.values()) == whole
    assert sums(one for domain in found.domains for one in domain.over_time.values()) == whole


def test_without_a_log_the_rate_is_unknown(workspace, config, capture, interaction):
    paid = {"teacher": "opus", "model": "m", "policy": "allow", "terms": "", "cost_usd": 0.5}
    capture(workspace, [interaction(domain="d", consultation=paid), interaction("Two?", domain="d")])
    found = economics(workspace, config)
    assert (found.source, found.total.questions, found.total.rate) == ("raw", None, None)
    assert (found.total.consultations, found.total.cost_usd, found.total.unpriced) == (2, 0.5, 1)
    assert format_summary(found) == "2 consultations, 0.50 USD, 1 without a price"


def test_without_scorecards_no_weights_are_read_and_the_line_is_the_same(used, config, monkeypatch):
    whole = format_summary(economics(used, config))
    monkeypatch.setattr("weakspot.models.adapters.read_scorecard", None)
    assert format_summary(economics(used, config, scorecards=False)) == whole
    with pytest.raises(TypeError):
        economics(used, config)


def test_where_the_loss_decides_a_smaller_one_has_won(used, config):
    name = AdapterName("d", 1)
    weights = used.adapter(name) / adapter_files.WEIGHTS
    atomic.write_atomically(weights, b"weights")
    rows = [
        ScoredExample(
            interaction_id="i", domain="d", query="q", local="l", expert="e", tokens=5,
            base_loss=2.0, adapter_loss=loss, base_margin=0.0, adapter_margin=0.0,
        )
        for loss in (1.0, 1.5, 2.0, 2.5, 0.5)
    ]  # fmt: skip
    card = Scorecard(
        adapter=str(name), adapter_sha256=atomic.sha256(weights), verdict="accept", reasons=[], harm=[], rows=rows,
        base=BaseReference(name="b", location="b", revision=None, identity="i"),
        comparisons=gate.comparisons(rows, 0.05), created="2026-03-08T12:00:00+00:00",
    )  # fmt: skip
    atomic.write_atomically(used.evaluation(name), card.to_document())
    assert economics(used, config).wins == {1: Wins("d-lora-v1", gate.LOSS, rows=5, won=3, lost=1)}


@pytest.mark.slow
def test_the_live_adapter_has_its_wins_by_the_metric_that_decided(accepted):
    workspace, config = accepted
    publish(
        workspace,
        config,
        Release(action="deploy", domain="colours", target="merged", location="l", adapter="colours-lora-v1"),
    )
    (found,) = [one for one in economics(workspace, config).domains if one.domain == "colours"]
    rows = json.loads(workspace.evaluation(_first(workspace)).read_text())["rows"]
    checked = [one for one in rows if one["base_exact"] is not None]
    won = sum(one["adapter_exact"] and not one["base_exact"] for one in checked)
    lost = sum(one["base_exact"] and not one["adapter_exact"] for one in checked)
    assert checked
    assert (found.wins.metric, found.wins.rows) == ("exact match", len(checked))
    assert (found.wins.won, found.wins.lost) == (won, lost)
    assert economics(workspace, config).wins == {1: found.wins}


def _first(workspace: Workspace):
    return workspace.adapter_names()[0]


# the line


def test_the_line_tells_rate_cost_and_what_the_latest_release_changed(used, config):
    assert format_summary(economics(used, config)) == (
        "48 of 170 questions needed the expert (28%, 95 % interval 22% to 35%), 0.39 USD, 9 without a price; "
        "release 1 (d): 50% → 10%"
    )


def test_the_line_does_not_sell_chance_as_a_change(workspace, config):
    append_log.append(workspace.usage, [*uses(0, 10, 3), *uses(8, 10, 2)])
    released(workspace, 1, 7)
    assert format_summary(economics(workspace, config)).endswith("release 1 (d): 30% → 20%, which may be chance")


def test_consultations_beyond_the_questions_are_no_share_of_them(workspace, config):
    append_log.append(workspace.usage, uses(0, 11, 13))
    assert format_summary(economics(workspace, config)).startswith("13 consultations for 11 questions, ")


def test_of_nothing_the_line_says_so(workspace, config):
    assert format_summary(economics(workspace, config)) == "nothing was asked yet"


def test_a_day_that_is_asked_about_is_looked_at_with_what_was_released_on_it(used, config):
    found = economics(used, config, since=date(2026, 3, 9))
    assert [effect.release.number for effect in found.releases] == [1]
    assert economics(used, config, since=date(2026, 3, 10)).releases == []
