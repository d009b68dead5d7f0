"""Names, and what is wrong with a transmittal before it is published, as spec/transmittal.json says."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zddc.transmittal.made import FIELDS, SPEC, by_rule, signed

from zddc.naming import parse_filename, parse_folder
from zddc.transmittal.checks import file_name, folder_name, name_title, problems
from zddc.transmittal.data import check_data
from zddc.windows_names import windows_problem


@pytest.mark.parametrize("case", SPEC["names"], ids=by_rule)
def test_names_are_made_of_the_payload(case):
    def name(make, **options):
        try:
            return make(case["payload"], **options)
        except ValueError:
            return ""

    assert name(folder_name) == case["folder"]
    assert name(file_name, draft=case["draft"], revision=case.get("revision", "")) == case["file"]


@pytest.mark.parametrize("case", SPEC["checks"], ids=by_rule)
def test_all_that_is_wrong_is_told(case):
    transmittal = check_data({"payload": case["payload"]})
    assert problems(transmittal, date.fromisoformat(case["today"])) == case["problems"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_subject_makes_names_that_follow_the_convention_and_windows(subject):
    payload = {**FIELDS, "subject": subject}
    folder, file = folder_name(payload), file_name(payload, draft=False)
    assert (parse_folder(folder).valid, parse_filename(file).valid) == (True, True)
    assert [windows_problem(name) for name in (folder, file) if len(name.encode()) <= 255] in (["", ""], [""], [])
    assert parse_folder(folder).title == parse_filename(file).title == name_title(payload)


def test_what_is_signed_has_no_problem():
    assert problems(signed(), date(2025, 10, 31)) == []
