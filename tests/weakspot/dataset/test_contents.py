"""The dataset is read whole, and what cannot be read is told of."""

import pytest

from weakspot.dataset import contents
from weakspot.dataset.contents import Damage
from weakspot.records import SPLITS


def test_every_file_is_read(processed):
    found = contents.load_contents(processed, None)
    assert found.damage == []
    assert len(found.raw) == len(found.examples) == len(found.assignments) == 40
    assert list(found.raw.values()) == [example.id for example in found.examples]
    assert {file.stem: len(examples) for file, examples in found.files.items()} == {
        "eggs": 20,
        "multi-domain": 40,
        "spam": 20,
    }
    assert {split: len(found.splits[split]) for split in SPLITS} == {"train": 32, "val": 4, "test": 4}
    assert found.rejections == []


def test_of_one_domain_the_files_of_the_others_are_not_read(processed):
    processed.examples("eggs").write_text("damaged")
    assert [damage.file for damage in contents.load_contents(processed, None).damage] == [processed.examples("eggs")]
    found = contents.load_contents(processed, "spam")
    assert found.damage == []
    assert [file.stem for file in found.files] == ["multi-domain", "spam"]
    assert len(found.examples) == 40


def test_a_raw_line_that_holds_no_interaction_has_no_id(processed):
    with processed.raw.open("a") as stream:
        stream.write("\nhalf a li")
    assert contents.load_contents(processed, None).raw[42] is None


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("processed/all.jsonl", "Expecting value: line 1 column 1 (char 0)"),
        ("validation/test.jsonl", "Expecting value: line 1 column 1 (char 0)"),
        ("validation/assignments.jsonl", "record: invalid JSON: "),
        ("processed/rejections.jsonl", "record: invalid JSON: "),
    ],
)
def test_a_damaged_line_is_left_out_and_told_of_by_number(processed, name, detail):
    file = processed.root / name
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:1], "damaged", *lines[1:]]))
    (damage,) = contents.load_contents(processed, None).damage
    assert (damage.file, damage.line) == (file, len(lines[:1]) + 1)
    assert damage.detail.startswith(detail)


def test_a_file_that_is_not_there_is_told_of(workspace):
    found = contents.load_contents(workspace, None)
    assert found.examples == []
    assert Damage(workspace.raw, None, "is missing") in found.damage
    assert len(found.damage) == 8
