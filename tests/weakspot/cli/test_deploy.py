"""The commands that decide what answers: what their options mean, and how they end."""

import pytest

from weakspot.cli import deploy
from weakspot.deployment.releases import read_releases
from weakspot.storage import append_log
from zddc.errors import UserError


@pytest.mark.parametrize(
    ("canary", "share"), [("10%", 0.1), ("0.1", 0.1), ("100%", 1.0), ("1", 1.0), ("0.5%", 0.005), ("12.5%", 0.125)]
)
def test_a_canary_is_a_percentage_or_a_share(canary, share):
    assert deploy._parse_share(canary) == pytest.approx(share)


@pytest.mark.parametrize("canary", ["0", "0%", "101%", "1.5", "10", "-5%", "ten", "%", "", "nan"])
def test_what_is_no_share_is_refused(canary):
    with pytest.raises(UserError, match="not a share of the questions; write 10%"):
        deploy._parse_share(canary)


def test_only_a_gateway_shares_questions_out(weakspot, workspace):
    status, out, err = weakspot("deploy", "spam", "--canary", "10%", "--to", "merged")
    assert (status, out) == (1, "")
    assert err == "--canary: merged cannot answer only a share; give --to gateway\n"
    assert read_releases(workspace) == []


def test_watching_once_ends_with_1_where_something_went_wrong(weakspot, workspace, example, capture):
    """A domain is due, and its base is not on this machine."""
    capture(workspace, [example(number) for number in range(40)])
    due = ["--set", "status.retrain_after=1", "--set", "watch.idle_minutes=0", "--set", "validate.low_examples=1"]
    status, out, _ = weakspot("watch", "--once", "--set", "model.base=./no-such-model", *due)
    assert "no such folder" in out
    assert status == 1


def test_watching_once_ends_with_0_where_nothing_is_to_be_done(weakspot, workspace):
    append_log.append(workspace.raw, ["{}"])
    status, out, err = weakspot("watch", "--once", "--set", "watch.idle_minutes=60")
    assert (status, err) == (0, "")
    assert "not now: last asked" in out
