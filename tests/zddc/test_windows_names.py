"""Names that Windows cannot hold are told from those that it can, as the spec says."""

import json
from pathlib import Path

import pytest

from zddc import windows_names
from zddc.windows_names import windows_problem, windows_warning

SPEC = json.loads((Path(__file__).parents[2] / "spec/windows-names.json").read_text(encoding="utf-8"))


def test_the_lists_are_those_of_the_spec():
    limits = windows_names.MOST_BYTES, windows_names.MOST_PATH_UNITS
    assert sorted(windows_names.RESERVED) == sorted(SPEC["reserved"])
    assert [windows_names.FORBIDDEN, *limits] == [
        SPEC[key] for key in ("forbidden", "most_utf8_bytes", "most_path_utf16_units")
    ]


@pytest.mark.parametrize("case", SPEC["names"], ids=lambda case: ascii(case["name"]))
def test_a_name_of_the_spec_has_the_problem_of_the_spec(case):
    assert windows_problem(case["name"]) == case["problem"]


@pytest.mark.parametrize("case", SPEC["paths"], ids=lambda case: case["path"])
def test_a_path_of_the_spec_has_the_warning_of_the_spec(case):
    assert windows_warning(case["path"]) == case["warning"]


@pytest.mark.parametrize("device", sorted(windows_names.RESERVED))
@pytest.mark.parametrize("form", ["{}", "{}.pdf", "{} .tar.gz"])
def test_a_device_is_no_name_in_any_letter_case_or_with_any_extension(device, form):
    problem = f"Windows reserves '{device}' for a device, with any extension"
    assert windows_problem(form.format(device)) == windows_problem(form.format(device.lower())) == problem


@pytest.mark.parametrize("code", range(32))
def test_a_control_character_is_in_no_name(code):
    assert windows_problem(f"a{chr(code)}b") == "a control character or line break in the name"


@pytest.mark.parametrize(("letter", "most"), [("a", 255), ("é", 127), ("\u6f22", 85), ("\U0001f600", 63)])
def test_the_length_of_a_name_is_counted_in_bytes(letter, most):
    assert windows_problem(letter * most) == ""
    assert windows_problem(letter * (most + 1)).endswith("bytes in UTF-8; file systems take 255")


@pytest.mark.parametrize(("letter", "most"), [("a", 257), ("\u6f22", 257), ("\U0001f600", 128)])
def test_the_length_of_a_path_is_counted_as_windows_does(letter, most):
    assert windows_warning(f"f/{letter * most}") == ""
    assert "characters from here on" in windows_warning(f"f/{letter * (most + 1)}")
