"""``watch`` trains when something is due and nobody asks, and what kills it costs nothing but time."""

import itertools
from datetime import datetime, timedelta

import pytest

from weakspot.config import load
from weakspot.pipeline.watch import reason_to_wait, watch
from weakspot.settings import Watch
from weakspot.storage import atomic
from weakspot.workspace import AdapterName
from zddc.errors import UserError

ANY_TIME = Watch(idle_minutes=0)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2040, 3, 1, hour, minute)  # noqa: DTZ001


@pytest.fixture
def watched(hasty):
    """A workspace with two domains that are due, at any time."""
    workspace, config = hasty
    return workspace, config.model_copy(update={"watch": ANY_TIME})


def watching(workspace, config, **more):
    return [(step.stage, step.domain, step.outcome) for step in watch(workspace, config, **more)]


@pytest.mark.parametrize(
    ("window", "hour", "open_"),
    [("", 3, True), ("22:00-06:00", 3, True), ("22:00-06:00", 22, True), ("22:00-06:00", 6, False),
     ("09:30-17:00", 12, True), ("09:30-17:00", 9, False), ("09:30-17:00", 17, False)],
)  # fmt: skip
def test_the_window_may_go_past_midnight(workspace, window, hour, open_):
    assert (reason_to_wait(workspace, Watch(window=window), at(hour)) == "") is open_


@pytest.mark.parametrize("window", ["22:00", "24:00-01:00", "22:00-06:60", "10-11"])
def test_a_window_that_is_none_is_refused(workspace, window):
    with pytest.raises(UserError, match="window"):
        load(workspace.config_file, [f"watch.window={window}"])


@pytest.mark.parametrize("name", ["raw", "usage"])
def test_nothing_is_trained_while_somebody_asks(workspace, name):
    file = getattr(workspace, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    moment = datetime.fromtimestamp(file.stat().st_mtime)  # noqa: DTZ006
    assert reason_to_wait(workspace, Watch(idle_minutes=10), moment + timedelta(minutes=9)).startswith("last asked at ")
    assert reason_to_wait(workspace, Watch(idle_minutes=10), moment + timedelta(minutes=11)) == ""


@pytest.mark.slow
def test_one_look_takes_what_is_due_to_the_end_and_a_second_finds_nothing_to_do(watched):
    workspace, config = watched
    assert [stage for stage, domain, _ in watching(workspace, config, once=True) if domain == "colours"] == [
        "train",
        "evaluate",
        "deploy",
    ]
    assert not [one for one in watching(workspace, config, once=True) if one[0] == "train" and "lora" in one[2]]


@pytest.mark.slow
def test_it_waits_for_its_hours_and_for_the_next_question(watched):
    workspace, config = watched
    config = config.model_copy(update={"watch": Watch(idle_minutes=0, window="22:00-23:00")})
    clock = itertools.chain([at(12), at(13)], itertools.repeat(at(22, 30)))
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 5:
            raise KeyboardInterrupt

    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(step.stage for step in watch(workspace, config, now=lambda: next(clock), sleep=sleep))
    assert found[:3] == ["process", "validate", "train"]
    assert found.count("process") == 1
    assert workspace.newest_adapter("colours") == AdapterName("colours", 1)
    assert slept == [60.0] * 5
    assert watching(workspace, config, once=True, now=lambda: at(12)) == [
        ("watch", None, "not now: outside of 22:00-23:00")
    ]


@pytest.mark.slow
def test_an_error_in_one_domain_keeps_no_other_from_its_turn_and_is_told_once(watched):
    workspace, config = watched
    missing = config.model.model_copy(update={"base": str(workspace.root / "nothing")})
    config = config.model_copy(update={"model": missing})
    rounds = itertools.count()

    def sleep(_: float) -> None:
        if next(rounds) == 2:
            raise KeyboardInterrupt

    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend((step.stage, step.domain) for step in watch(workspace, config, sleep=sleep))
    assert [found.count(("error", domain)) for domain in ("colours", "multi-domain")] == [1, 1]
    assert found.count(("process", None)) == 3


@pytest.mark.slow
def test_a_domain_that_cannot_be_trained_keeps_no_other_from_being_trained(watched, interaction, capture):
    """They are trained together, and where that cannot be, each alone."""
    workspace, config = watched
    odd = [interaction(f"What is {n * 7919}?", f"<|im_end|> {n}", domain="odd") for n in range(60)]
    capture(workspace, odd)
    found = watching(workspace, config, once=True)
    (error,) = (outcome for stage, domain, outcome in found if (stage, domain) == ("error", "odd"))
    assert "no example is left to train on: control-token: holds the control token <|im_end|>" in error
    assert {"colours", "multi-domain"} <= {domain for stage, domain, _ in found if stage == "train"}
    assert workspace.newest_adapter("colours") == AdapterName("colours", 1)


def test_two_do_not_watch_the_same_workspace(workspace, config):
    with atomic.hold_lock(workspace.watch_lock, "watch"), pytest.raises(UserError, match="another watch is running"):
        watching(workspace, config, once=True)
