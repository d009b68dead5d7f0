"""The list of releases: what is live, and what was before it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.deployment.releases import is_live, live, previous_release, publish, read_releases, was_live
from weakspot.records import Release
from weakspot.storage import append_log
from zddc.errors import UserError


def release(adapter: str | None, action: str = "deploy", domain: str = "d", target: str = "merged") -> Release:
    return Release.model_validate(
        {"action": action, "domain": domain, "target": target, "adapter": adapter, "location": "somewhere"}
    )


def numbered(*releases: Release) -> list[Release]:
    return [one.model_copy(update={"number": number}) for number, one in enumerate(releases, 1)]


def test_the_newest_of_a_domain_and_target_is_live(workspace, config):
    for one in (release("a"), release("b", target="vllm"), release("c"), release("d", domain="e")):
        publish(workspace, config, one)
    found = read_releases(workspace)
    assert [one.number for one in found] == [1, 2, 3, 4]
    assert {key: one.adapter for key, one in live(found).items()} == {
        ("d", "merged"): "c",
        ("d", "vllm"): "b",
        ("e", "merged"): "d",
    }
    assert (is_live(found, "c"), is_live(found, "a"), was_live(found, "a", "merged")) == (True, False, True)


def test_what_was_gone_back_from_is_not_gone_back_to():
    a, b, back, c = found = numbered(release("a"), release("b"), release("a", "rollback"), release("c"))
    assert previous_release(found, c).adapter == "a"
    assert previous_release(found[:2], b) == a
    assert previous_release(found[:1], a) is None
    assert back.adapter == "a"


def test_the_same_adapter_anew_is_no_step():
    found = numbered(release("a"), release("b"), release("b"))
    assert previous_release(found, found[-1]).adapter == "a"


@given(st.lists(st.sampled_from(["deploy", "rollback"]), max_size=12))
def test_going_back_never_leads_to_what_was_gone_back_from(actions):
    found: list[Release] = []
    taken_back: set[str | None] = set()
    for step, action in enumerate(actions):
        if action == "deploy":
            found = numbered(*found, release(f"v{step}"))
        elif found and found[-1].action == "deploy":
            earlier = previous_release(found, found[-1])
            taken_back.add(found[-1].adapter)
            found = numbered(*found, release(earlier.adapter if earlier else None, "rollback"))
            assert found[-1].adapter not in taken_back


def test_releases_made_at_once_have_numbers_of_their_own(workspace, config):
    def one(number: int) -> bool:
        try:
            publish(workspace, config, release(f"v{number}"))
        except UserError:  # another was just writing: nothing was published
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        made = sum(threads.map(one, range(40)))
    assert [found.number for found in read_releases(workspace)] == list(range(1, made + 1))


def test_a_damaged_line_is_named(workspace):
    append_log.append(workspace.releases, ["{}"])
    with pytest.raises(UserError, match=r"releases\.jsonl:1"):
        read_releases(workspace)
