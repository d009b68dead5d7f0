"""What ``zddc mdl check`` and ``zddc due`` print, and the status they end with."""

import json

import pytest


@pytest.fixture
def archive(tmp_path):
    for name in (
        "issued/2025-10-01_T-1 (IFR) - Plans/A-1_B (IFR) - Plan.pdf",
        "issued/2025-10-20_T-2 (IFC) - Plans/A-2_0 (IFC) - Section.pdf",
    ):
        file = tmp_path / "Acme" / name
        file.parent.mkdir(parents=True)
        file.touch()
    return tmp_path


@pytest.fixture
def mdl(tmp_path):
    (tmp_path / "mdl.csv").write_text("number,title,due\nA-1,Plan,2025-10-01\nA-3,Detail,2025-10-21\n")
    return tmp_path / "mdl.csv"


def test_what_is_due_is_listed(zddc, archive):
    assert zddc("due", archive, "--on", "2025-10-31") == (
        1,
        "due         days late  owed by  party  tracking number  revision  transmittal  title\n"
        "2025-10-15  16         them     Acme   A-1              B         T-1          Plan\n"
        "due: 1; overdue: 1\n",
        "",
    )
    assert zddc("due", archive, "--on", "2025-10-31", "--days", "60")[0] == 0
    found = json.loads(zddc("due", archive, "--on", "2025-10-31", "--json")[1])
    assert (found["number"], found["due"], found["days_late"], found["owner"]) == ("A-1", "2025-10-15", 16, "them")


def test_a_list_is_checked(zddc, archive, mdl):
    status, out, _ = zddc("mdl", "check", mdl, archive, "--on", "2025-10-31")
    assert (status, out.splitlines()) == (
        1,
        [
            "state            tracking number  expected  there  due         days late  title",
            "late             A-3                               2025-10-21  10         Detail",
            "not in the list  A-2                        0                             Section",
            "received: 1; missing: 0; late: 1; older: 0; superseded: 0; not in the list: 1",
        ],
    )
    assert "A-1" in zddc("mdl", "check", mdl, archive, "--all")[1]
    lines = [json.loads(line) for line in zddc("mdl", "check", mdl, archive, "--json")[1].splitlines()]
    assert [one["kind"] for one in lines] == ["received", "late", "not in the list"]


def test_where_all_was_received_the_status_is_0(zddc, archive, mdl):
    mdl.write_text("number\nA-1\nA-2\n")
    assert zddc("mdl", "check", mdl, archive) == (
        0,
        "received: 2; missing: 0; late: 0; older: 0; superseded: 0; not in the list: 0\n",
        "",
    )


def test_a_day_that_is_none_is_one_line(zddc, archive):
    assert zddc("due", archive, "--on", "soon") == (1, "", "soon: not a date; write it as YYYY-MM-DD\n")
