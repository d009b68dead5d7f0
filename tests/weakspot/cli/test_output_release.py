"""A release on a terminal: what answers where, and for how many of the questions."""

import pytest

from weakspot.cli import output
from weakspot.records import Release

RELEASE = Release(action="deploy", domain="d", target="gateway", location="", adapter="d-lora-v1", number=3)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "release 3: d-lora-v1 is in service for d at gateway"),
        ({"share": 0.1}, "release 3: d-lora-v1 is in service for d at gateway, for 10% of the questions"),
        ({"action": "rollback", "adapter": None}, "release 3: the base is back in service for d at gateway"),
    ],
    ids=["all", "canary", "rollback"],
)
def test_a_release_says_for_how_many_of_the_questions_it_is(capsys, values, line):
    output.print_release(RELEASE.model_copy(update=values))
    assert capsys.readouterr().out == f"{line}\n"


@pytest.mark.parametrize(("mode", "told"), [(0o700, True), (0o755, False)])
def test_a_release_that_another_account_cannot_read_says_so(capsys, tmp_path, mode, told):
    (place := tmp_path / "merged").mkdir()
    place.chmod(mode)
    output.print_release(RELEASE.model_copy(update={"target": "merged", "location": str(place)}))
    assert ("only you may read it: for a server of another account" in capsys.readouterr().out) == told
