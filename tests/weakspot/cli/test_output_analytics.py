"""What economics, replay and trace look like on a terminal."""

import pytest

from weakspot.analytics.interaction_lineage import InteractionLineage
from weakspot.analytics.lineage import Trace, TracedExample
from weakspot.analytics.release_effects import Effects
from weakspot.analytics.savings import DomainEconomics, Economics, Wins
from weakspot.analytics.usage import Tally
from weakspot.cli import output_analytics
from weakspot.evaluation.replay import Replay, ReplayedEscalation, count_outcomes
from weakspot.records import Release

RELEASE = Release(
    action="deploy",
    domain="d",
    target="gateway",
    location="l",
    adapter="d-lora-v1",
    share=0.1,
    number=3,
    who="me",
    created="2026-03-09T08:00:00+00:00",
)


@pytest.fixture
def shown(capsys):
    """Give back what was printed, each run of blanks as one."""

    def read() -> str:
        return "\n".join(" ".join(row.split()) for row in capsys.readouterr().out.splitlines())

    return read


def test_economics_shows_domains_releases_and_what_is_unknown(shown):
    total = Tally(questions=4, consultations=1, timed=1, local_seconds=6.0, expert_seconds=9.0).figures()
    wins = Wins("d-lora-v1", "exact match", 6, 4, 1)
    domain = DomainEconomics("d", total, {"2026-03-02": total, "2026-03-09": total}, wins)
    releases = list(Effects([RELEASE]).found("usage"))
    output_analytics.print_economics(
        Economics("usage", "week", None, total, domain.over_time, [domain], releases, {3: wins}, unreadable=2), None
    )
    text = shown()
    assert "d 4 1 25.0% (4.6% … 69.9%) unknown 1 1.5 9.0 d-lora-v1: 4 of 6 better, 1 worse, by exact match" in text
    assert "2026-03-09 4 1 25.0%" in text
    assert "3 deploy 2026-03-09 08:00 d gateway 10% d-lora-v1 unknown unknown undecided" in text
    assert "unreadable lines skipped: 2" in text


def test_replay_shows_the_unseen_first_and_names_the_judges(shown):
    def one(outcome: str, judge: str, base_right: bool | None = None) -> ReplayedEscalation:
        return ReplayedEscalation("i", "opus", False, judge, outcome, base_right, "q", "e", None)

    unseen = count_outcomes([one("resolved", "exact match", True), one("undecided", "likelihood")])
    output_analytics.print_replay(Replay("d", "d-lora-v1", "0" * 64, "base", unseen, count_outcomes([]), 1, None, []))
    assert shown().splitlines() == [
        "d-lora-v1 on base",
        "unseen 1 of 2 would no longer need opus; judged 1 by exact match, 1 by likelihood",
        "the base answers 1 of these correctly, too",
        "1 undecided: --judge TEACHER may decide",
        "seen in training none",
        "left out, too long for the model: 1; raise [train] max_length",
        "the cost of the judge is unknown: it has no prices",
    ]


def test_trace_shows_each_link_and_no_markup_of_others(shown):
    taught = [
        TracedExample("int_[red]1", 0.5, "query", 7, "opus", "2026-03-01T00:00:00Z", "Why [bold]this[/bold]?", False),
        TracedExample("int_2", None, None, None, "opus", "2026-03-01T00:00:00Z", "", True),
    ]
    output_analytics.print_trace(
        Trace("d", RELEASE, "d-lora-v1", "ab" * 32, "base", "then", "accept", ["why"], "v1", 48, taught)
    )
    text = shown()
    assert "release 3 for d at gateway, 2026-03-09T08:00:00+00:00, by me" in text
    assert f"weights sha256 {'ab' * 32}, verified" in text
    assert "snapshot v1, verified: trained on 48 interactions" in text
    assert "int_[red]1 0.50 of the query 7 opus 2026-03-01T00:00:00Z Why [bold]this[/bold]?" in text
    assert "int_2 gone opus 2026-03-01T00:00:00Z (forgotten)" in text


def test_whereabouts_show_the_split_that_each_has_it_in(shown):
    found = InteractionLineage("int_1", None, True, "d", {"v1": "train"}, {"d-lora-v1": "train"}, [RELEASE])
    output_analytics.print_interaction_lineage(found)
    assert shown().splitlines() == [
        "interaction int_1: no longer in the raw file, forgotten",
        "snapshots v1 (train)",
        "adapters d-lora-v1 (train)",
        "in service d-lora-v1 for d at gateway (release 3)",
    ]


def test_the_sum_of_all_stands_below_several_domains_only(shown):
    total = Tally(questions=4, consultations=1).figures()
    both = Tally(questions=8, consultations=2).figures()
    domains = [DomainEconomics(name, total, {"2026-03-02": total}, None) for name in ("d", "e")]
    for count_, whole in ((1, total), (2, both)):
        found = Economics("usage", "week", None, whole, {"2026-03-02": whole}, domains[:count_], [], {}, unreadable=0)
        output_analytics.print_economics(found, None)
        assert ("\nall 8 2 25.0%" in shown()) == (count_ == 2)
