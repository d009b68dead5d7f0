"""Names are read and written as spec/naming.json says, and what is written is read back the same."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zddc.naming import (
    STATUSES,
    FileName,
    FolderName,
    folder_in_zip,
    format_filename,
    format_folder,
    looks_like_folder,
    parse_filename,
    parse_folder,
)

SPEC_FOLDER = Path(__file__).parents[2] / "spec"
SPEC = json.loads((SPEC_FOLDER / "naming.json").read_text(encoding="utf-8"))


def by_rule(case):
    return case["rule"]


# What each part may be, written down a second time and independently of the reader.
letters = st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters="_/\\")
blanks = st.sampled_from(" \u00a0\u3000")
tracking_numbers = st.text(letters, min_size=1)
folder_tracking_numbers = st.text(letters.filter(lambda letter: letter not in "()"), min_size=1)
bases = st.from_regex(r"[A-Z]{1,2}|[0-9]{1,3}(\.[0-9])?|P[0-9]{2}", fullmatch=True) | st.dates().map(str)
modifiers = st.just("") | st.from_regex(r"\+~?[BCNQ][0-9]{1,2}", fullmatch=True)
revisions = st.builds("{}{}{}".format, st.sampled_from(["", "~"]), bases, modifiers)
statuses = st.sampled_from(list(STATUSES))
titles = st.text(letters | blanks | st.sampled_from("_().-"), min_size=1).filter(
    lambda title: title == title.strip() != ""
)
extensions = st.text(letters.filter(lambda letter: letter != "."), min_size=1)

files = st.builds(
    dict,
    tracking_number=tracking_numbers,
    revision=revisions,
    status=statuses,
    title=titles,
    extension=extensions,
)
folders = st.builds(
    dict, date=st.dates().map(str), tracking_number=folder_tracking_numbers, status=statuses, title=titles
)
# Text that is often close to a name or a part of one, and any text at all.
pieces = ["A-1", "_", "B", "+C1", "~", " ", "(", ")", "IFC", "-", " - ", "–", "T", ".", "pdf", "2025-10-31"]
wild = st.lists(st.sampled_from(pieces)).map("".join) | st.text(st.characters())


@st.composite
def one_part_is_anything(draw, names):
    parts = draw(names)
    return parts | {draw(st.sampled_from(list(parts))): draw(wild)}


def test_the_statuses_are_those_of_the_spec():
    spec = json.loads((SPEC_FOLDER / "statuses.json").read_text(encoding="utf-8"))["statuses"]
    assert list(STATUSES.items()) == list(spec.items())
    assert f"is not one of the {len(spec)} codes" in parse_filename("A-1_B (IFX) - T.pdf").reason


def test_the_statuses_cannot_be_changed():
    with pytest.raises(TypeError, match="does not support item assignment"):
        STATUSES["AFC"] = "approved for construction"


@pytest.mark.parametrize("status", ["ifr", "IFR ", "", "toString", "constructor", "__class__", "keys"])
def test_only_the_exact_code_is_a_status(status):
    with pytest.raises(ValueError, match="status"):
        format_filename(tracking_number="A-1", revision="B", status=status, title="T", extension="pdf")


@pytest.mark.parametrize("case", SPEC["files"], ids=by_rule)
def test_a_file_name_is_read(case):
    read = parse_filename(case["name"])
    assert list(read.to_json().items()) == list(case["expected"].items())
    assert bool(read.reason) == (not read.valid)


@pytest.mark.parametrize("case", SPEC["folders"], ids=by_rule)
def test_a_folder_name_is_read(case):
    read = parse_folder(case["name"])
    assert list(read.to_json().items()) == list(case["expected"].items())
    assert bool(read.reason) == (not read.valid)


@pytest.mark.parametrize("case", [case for case in SPEC["files"] if "canonical" in case], ids=by_rule)
def test_a_file_name_is_written_back_in_canonical_form(case):
    assert format_filename(parse_filename(case["name"])) == case["canonical"]
    assert format_filename(parse_filename(case["canonical"])) == case["canonical"]


@pytest.mark.parametrize("case", [case for case in SPEC["folders"] if "canonical" in case], ids=by_rule)
def test_a_folder_name_is_written_back_in_canonical_form(case):
    assert format_folder(parse_folder(case["name"])) == case["canonical"]
    assert format_folder(parse_folder(case["canonical"])) == case["canonical"]


@pytest.mark.parametrize("case", SPEC["zipped"], ids=lambda case: case["name"])
def test_a_zip_named_like_a_transmittal_folder_is_that_folder(case):
    assert folder_in_zip(case["name"]) == case["folder"]


@pytest.mark.parametrize("case", SPEC["unwritable_files"], ids=lambda case: case["reason"])
def test_a_file_name_that_would_not_be_read_back_is_not_written(case):
    with pytest.raises(ValueError) as error:
        format_filename(**case["parts"])
    assert case["reason"] in str(error.value)


@pytest.mark.parametrize("case", SPEC["unwritable_folders"], ids=lambda case: case["reason"])
def test_a_folder_name_that_would_not_be_read_back_is_not_written(case):
    with pytest.raises(ValueError) as error:
        format_folder(**case["parts"])
    assert case["reason"] in str(error.value)


def test_a_part_given_as_a_keyword_replaces_that_of_the_name():
    read = parse_filename("A-1_B (ifr) - Title.PDF")
    assert format_filename(read, status="IFR") == "A-1_B (IFR) - Title.PDF"
    assert format_filename(read, status="IFR", extension=".dwg") == "A-1_B (IFR) - Title.dwg"
    folder = parse_folder("2025-10-31_A-1 (IFC) - Title")
    assert format_folder(folder, date="2025-11-01", title="Other") == "2025-11-01_A-1 (IFC) - Other"


def test_an_empty_name_cannot_be_written():
    with pytest.raises(ValueError, match="no tracking number before the '_'"):
        format_filename(FileName())
    with pytest.raises(ValueError, match="no date written as YYYY-MM-DD at the start"):
        format_folder(FolderName())


def test_the_extension_compares_in_lower_case_and_is_kept_as_written():
    read = parse_filename("A-1_B (IFC) - Title.PDF")
    assert (read.extension, read.extension_as_written) == ("pdf", "PDF")


@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("2025-10-31_A", True),
        ("2025-99-99_", True),
        ("2025-10-31 A", False),
        ("2025-10-31", False),
        ("x2025-10-31_", False),
        ("ACME-00001_A", False),
    ],
)
def test_a_date_and_an_underscore_start_a_transmittal_folder(name, looks):
    assert looks_like_folder(name) is looks


@given(files)
def test_the_parts_of_a_file_survive_writing_and_reading(parts):
    read = parse_filename(format_filename(**parts))
    assert read == FileName(*parts.values(), valid=True)


@given(folders)
def test_the_parts_of_a_folder_survive_writing_and_reading(parts):
    read = parse_folder(format_folder(**parts))
    assert read == FolderName(*parts.values(), valid=True)


@given(files)
def test_a_canonical_file_name_survives_reading_and_writing(parts):
    name = format_filename(**parts)
    assert format_filename(parse_filename(name)) == name


@given(folders)
def test_a_canonical_folder_name_survives_reading_and_writing(parts):
    name = format_folder(**parts)
    assert format_folder(parse_folder(name)) == name


@given(one_part_is_anything(files))
@example({"tracking_number": "A-1", "revision": "B", "status": "IFC", "title": "T", "extension": ".pdf"})
def test_whatever_file_name_is_written_is_read_back_as_its_parts(parts):
    try:
        name = format_filename(**parts)
    except ValueError:
        return
    parts["extension_as_written"] = parts.pop("extension").removeprefix(".")
    assert parse_filename(name) == FileName(**parts, valid=True)


@given(one_part_is_anything(folders))
def test_whatever_folder_name_is_written_is_read_back_as_its_parts(parts):
    try:
        name = format_folder(**parts)
    except ValueError:
        return
    assert parse_folder(name) == FolderName(**parts, valid=True)


@given(wild)
def test_any_text_can_be_read_and_is_valid_or_has_a_reason(text):
    for parse, write in ((parse_filename, format_filename), (parse_folder, format_folder)):
        read = parse(text)
        assert bool(read.reason) == (not read.valid)
        assert not read.valid or parse(write(read)) == read


# With steps that grow as the square of the length, a name of so many characters would take far longer than a test may.
LONG = 1_000_000


@pytest.mark.parametrize(
    ("before", "unit", "after"),
    [
        *(("", unit, "") for unit in ["A", " ", "(", ")", "_", "-", ".", "A ", "A (", "(A)", " (A) -", "A_B (", "– "]),
        ("A-1_B (IFC) - T", " ", ".pdf"),
        ("A-1_B", " ", "(IFC) - T.pdf"),
        ("A-1_B (IFC)", " ", "T.pdf"),
        ("A", " ", "(IFC" + ")" * LONG),
        ("A-1_B (", "I", ") - T.pdf"),
        ("A-1_B+C", "1", " (IFC) - T.pdf"),
    ],
    ids=lambda part: repr(part[:12]),
)
def test_a_name_of_a_million_characters_is_read(before, unit, after):
    name = before + unit * (LONG // len(unit)) + after
    for read in (parse_filename(name), parse_folder(name), parse_folder("2025-10-31_" + name)):
        assert bool(read.reason) == (not read.valid)
