"""Damage, disagreement and what was tampered with are found, and named by place."""

import json
import re
import shutil

import pytest

from weakspot.models import adapters, loading, weight_files
from weakspot.models.loading import Base
from weakspot.pipeline.process import process
from weakspot.pipeline.validate import Finding, validate
from weakspot.storage import append_log
from weakspot.workspace import AdapterName


def only(findings: list[Finding], level: str) -> Finding:
    """Return the one finding there is, which is of this level."""
    (found,) = findings
    assert found.level == level
    assert "\n" not in found.detail
    return found


def rewrite(file, change) -> None:
    """Replace the lines of a file by what ``change`` makes of them."""
    file.write_text("".join(f"{line}\n" for line in change(file.read_text().splitlines())))


# Files.


@pytest.mark.parametrize(
    "name",
    ["processed/all.jsonl", "processed/spam.jsonl", "validation/train.jsonl", "validation/assignments.jsonl"],
)
@pytest.mark.parametrize("line", ['{"messages": [', "\0", "[]", "{}", "\ufeff{}"])
def test_a_damaged_line_is_a_failure_at_its_place(problems, processed, healthy, name, line):
    file = processed.root / name
    number = len(file.read_text().splitlines()) + 1
    with file.open("a") as stream:
        stream.write(line + "\n")
    finding = only(problems(processed, healthy, check="lines"), "failure")
    assert finding.place == f"{file}:{number}"
    assert finding.detail.endswith("; run 'weakspot process'")


def test_many_damaged_lines_of_a_file_are_one_finding(problems, processed, healthy):
    rewrite(processed.split("train"), lambda lines: [line[:30] for line in lines])
    finding = only(problems(processed, healthy, check="lines"), "failure")
    assert "and 31 more damaged lines" in finding.detail


@pytest.mark.parametrize("name", ["validation/val.jsonl", "processed/multi-domain.jsonl", "processed/rejections.jsonl"])
def test_a_missing_file_is_a_failure(problems, processed, healthy, name):
    (processed.root / name).unlink()
    finding = only(problems(processed, healthy, check="lines"), "failure")
    assert (finding.place, finding.detail) == (
        str(processed.root / name),
        "is missing; run 'weakspot process'",
    )


def test_an_example_without_a_domain_is_a_failure(problems, processed, healthy):
    rewrite(processed.examples("spam"), lambda lines: [line.replace('"domain": "spam", ', "") for line in lines])
    assert "metadata.domain: field required" in only(problems(processed, healthy, check="lines"), "failure").detail


def test_raw_lines_that_cannot_be_used_are_a_warning_with_their_reasons(problems, processed, healthy, interaction):
    append_log.append(processed.raw, ["half a li", "[]", "{}"])
    process(processed, healthy)
    finding = only(problems(processed, healthy), "warning")
    assert (finding.check, finding.place) == ("lines", f"{processed.raw}:41")
    assert finding.detail == "lines left out: 2 not-json, 1 bad-schema; rejections.jsonl says why"


def test_duplicates_that_were_left_out_are_no_problem(problems, processed, healthy):
    append_log.append(processed.raw, [processed.raw.read_text().splitlines()[0].replace("int_", "other_")])
    assert process(processed, healthy).rejections == {"exact-duplicate": 1}
    assert problems(processed, healthy) == []


# Counts.


def test_raw_lines_that_came_since_are_a_warning(problems, processed, healthy, example, capture):
    capture(processed, [example(100), example(101)])
    finding = only(problems(processed, healthy), "warning")
    assert finding.check == "raw-lines"
    assert finding.detail == "2 lines came after the last 'weakspot process'; run it again"


def test_an_example_that_no_raw_line_holds_is_a_failure(problems, processed, healthy):
    rewrite(processed.raw, lambda lines: lines[:-1])
    assert "examples that no raw line holds, 1: int_" in only(problems(processed, healthy), "failure").detail


def test_a_raw_line_that_became_nothing_is_a_failure(problems, processed, healthy):
    for file in (
        processed.all_examples,
        processed.multi_domain,
        processed.examples("eggs"),
        processed.split("train"),
    ):
        first = processed.raw.read_text().splitlines()[0]
        rewrite(file, lambda lines, first=first: [line for line in lines if json.loads(line) != json.loads(first)])
    findings = problems(processed, healthy, check="raw-lines")
    assert only(findings, "failure").detail == "lines that are neither example nor rejection, 1: 1"


def test_a_rejection_of_a_line_that_is_not_there_is_a_failure(problems, processed, healthy):
    append_log.append(
        processed.rejections, ['{"line": 99, "reason": "not-json", "detail": "x", "interaction_id": null}']
    )
    findings = problems(processed, healthy, check="raw-lines")
    assert only(findings, "failure").detail == "rejections of lines that are not there, 1: 99"


def test_a_missing_raw_file_is_a_failure(problems, processed, healthy):
    processed.raw.unlink()
    assert {finding.check for finding in problems(processed, healthy)} == {"lines", "raw-lines"}


# Files that disagree.


def test_an_example_in_no_split_is_a_failure(problems, processed, healthy):
    rewrite(processed.split("test"), lambda lines: lines[1:])
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert finding.place == str(processed.split("test"))
    assert finding.detail.startswith("examples are missing, 1: int_")


def test_an_example_in_two_splits_is_a_failure_and_leaks(problems, processed, healthy):
    append_log.append(processed.split("train"), processed.split("test").read_text().splitlines()[:1])
    assert only(problems(processed, healthy, check="files"), "failure").detail.startswith(
        "examples do not belong here, 1"
    )
    assert {finding.detail.split(",")[0] for finding in problems(processed, healthy, check="leakage")} == {
        "near-duplicates in train and test",
        "shared by train and test",
    }


def test_an_example_in_the_file_of_another_domain_is_a_failure(problems, processed, healthy):
    append_log.append(processed.examples("spam"), processed.examples("eggs").read_text().splitlines()[:1])
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert finding.place == str(processed.examples("spam"))


def test_an_example_that_differs_between_files_is_a_failure(problems, processed, healthy):
    rewrite(processed.multi_domain, lambda lines: [lines[0].replace("I do not know.", "I do know."), *lines[1:]])
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert finding.detail.startswith("examples differ between the files, 1: int_")


def test_an_example_without_an_assignment_is_a_failure(problems, processed, healthy):
    rewrite(processed.assignments, lambda lines: lines[:-1])
    details = [finding.detail for finding in problems(processed, healthy, check="files")]
    assert details[0].startswith("examples without a split, 1: int_")


def test_a_file_of_a_domain_that_is_no_more_is_a_failure(problems, processed, healthy):
    shutil.copy(processed.examples("spam"), processed.examples("old"))
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert (finding.place, finding.detail.split(":")[0]) == (
        str(processed.examples("old")),
        "examples do not belong here, 20",
    )


def test_an_id_that_occurs_twice_is_a_failure(problems, processed, healthy):
    rewrite(processed.split("val"), lambda lines: [*lines, lines[0]])
    finding = only(problems(processed, healthy, check="ids"), "failure")
    assert finding.place == str(processed.split("val"))


def test_exact_duplicates_are_a_failure(problems, processed, healthy):
    rewrite(processed.all_examples, lambda lines: [*lines, lines[0].replace('"int_', '"twin_')])
    assert only(problems(processed, healthy, check="duplicates"), "failure").detail.startswith(
        "exact duplicates, 1: twin_"
    )


# Snapshots.


def test_a_snapshot_that_was_changed_is_a_failure(problems, processed, healthy):
    file = processed.snapshot(processed.snapshot_names()[0]) / "validation" / "test.jsonl"
    file.chmod(0o644)
    file.write_text("")
    finding = only(problems(processed, healthy), "failure")
    assert (finding.check, finding.place) == ("snapshots", str(file))
    assert finding.detail == "is not what was written: the snapshot proves nothing"


def test_a_file_that_is_missing_in_a_snapshot_is_a_failure(problems, processed, healthy):
    (processed.snapshot(processed.snapshot_names()[0]) / "processed" / "all.jsonl").unlink()
    assert only(problems(processed, healthy), "failure").detail == "is missing"


def test_a_dataset_that_is_not_its_newest_snapshot_is_a_failure(problems, processed, healthy):
    rewrite(processed.all_examples, lambda lines: [line.replace(", ", ",") for line in lines])
    findings = problems(processed, healthy, check="snapshots")
    assert re.match(r"differs from v\d{4}-\d\d-\d\d; run 'weakspot process'", only(findings, "failure").detail)


def test_an_older_snapshot_may_differ_from_the_dataset(problems, processed, healthy, example, capture):
    capture(processed, [example(100)])
    process(processed, healthy)
    assert len(processed.snapshot_names()) == 2
    assert problems(processed, healthy) == []


def test_a_damaged_manifest_of_a_snapshot_is_a_failure(problems, processed, healthy):
    manifest = processed.snapshot_manifest(processed.snapshot_names()[0])
    manifest.write_text("{}")
    finding = only(problems(processed, healthy), "failure")
    assert (finding.place, finding.detail) == (str(manifest), "is no manifest: files: field required")


def test_a_snapshot_without_a_manifest_is_a_warning(problems, processed, healthy):
    processed.snapshot("v2025-01-01").mkdir()
    assert only(problems(processed, healthy), "warning").place == str(processed.snapshot("v2025-01-01"))


def test_no_snapshot_at_all_is_a_warning(problems, processed, healthy):
    shutil.rmtree(processed.snapshots)
    assert only(problems(processed, healthy), "warning").detail == "has no snapshot; run 'weakspot process'"


# Adapters.


@pytest.fixture
def adapter(processed, save_manifest):
    """An adapter of the domain spam, complete, with something for its weights."""
    name = AdapterName("spam", 1)
    save_manifest(processed, name)
    return name


def test_a_complete_adapter_and_merged_model_pass(problems, processed, healthy, adapter):
    processed.merged(adapter).mkdir()
    processed.merged_manifest(adapter).write_text("{}")
    assert problems(processed, healthy) == []


def test_an_adapter_whose_weights_changed_is_a_failure(problems, processed, healthy, adapter):
    weights = processed.adapter(adapter) / "adapter_model.safetensors"
    weights.write_bytes(b"others")
    finding = only(problems(processed, healthy), "failure")
    assert (finding.place, finding.detail) == (str(weights), "is not what was trained; train it anew")
    assert problems(processed, healthy, "eggs") == []


def test_an_adapter_without_its_weights_is_a_failure(problems, processed, healthy, adapter):
    (processed.adapter(adapter) / "adapter_model.safetensors").unlink()
    assert only(problems(processed, healthy), "failure").detail == "is missing"


def test_an_adapter_without_a_manifest_is_a_warning(problems, processed, healthy, adapter):
    processed.adapter_manifest(adapter).unlink()
    finding = only(problems(processed, healthy), "warning")
    assert (finding.place, finding.detail) == (
        str(processed.adapter(adapter)),
        "is incomplete; 'weakspot train spam' goes on with it",
    )


def test_a_damaged_manifest_of_an_adapter_is_a_failure(problems, processed, healthy, adapter):
    processed.adapter_manifest(adapter).write_text('{"name": 1')
    assert only(problems(processed, healthy), "failure").detail.startswith("is no manifest: record: invalid JSON")


def test_a_merged_model_without_a_manifest_is_a_warning(problems, processed, healthy, adapter):
    processed.merged(adapter).mkdir()
    finding = only(problems(processed, healthy), "warning")
    assert finding.detail == "is incomplete; run 'weakspot deploy spam'"


@pytest.mark.slow
def test_on_request_every_byte_of_a_base_is_checked(processed, healthy, tiny_base, tmp_path, save_manifest):
    base = Base("tiny", str(shutil.copytree(tiny_base, tmp_path / "base")), None)
    save_manifest(processed, AdapterName("spam", 1), **loading.reference(base, whole=True).model_dump())

    def of_bases() -> list[Finding]:
        return [one for one in validate(processed, healthy, None, full=True).findings if one.check == "bases"]

    assert [one.level for one in of_bases()] == ["pass"]
    weights = tmp_path / "base" / "model.safetensors"
    whole = weights.read_bytes()
    large = next(one for one in weight_files.read_tensors(tmp_path / "base").values() if one.size > 1 << 16)
    weights.write_bytes(whole[: large.start] + bytes([whole[large.start] ^ 1]) + whole[large.start + 1 :])
    assert adapters.require_base(processed, healthy, adapters.read_manifest(processed, AdapterName("spam", 1))) == base
    (finding,) = of_bases()
    assert (finding.level, finding.place) == ("failure", str(processed.adapter(AdapterName("spam", 1))))
    assert finding.detail.startswith("was trained on other weights than ")
    assert all(one.check != "bases" for one in validate(processed, healthy, None).findings)


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
def test_no_hub_is_asked_for_a_base(processed, healthy, save_manifest, hub, tiny_base, monkeypatch, cached):
    known = loading.reference(Base("tiny", str(tiny_base), None), whole=True).model_dump()
    name = "somebody/tiny" if cached else "somebody/other"
    save_manifest(processed, AdapterName("spam", 1), **known | {"name": name, "location": name, "revision": hub.name})
    asked = []

    def unreachable(*given, **_):
        asked.append(given)
        raise OSError("no hub")

    for name_ in ("hf_hub_download", "snapshot_download"):
        monkeypatch.setattr(f"huggingface_hub.{name_}", unreachable)
    found = [one for one in validate(processed, healthy, None, full=True).findings if one.check == "bases"]
    assert asked == []
    assert [one.level for one in found] == ["pass" if cached else "failure"]


@pytest.mark.slow
def test_a_base_that_is_gone_and_one_that_was_not_noted_are_told(processed, healthy, save_manifest, tmp_path):
    save_manifest(processed, AdapterName("spam", 1), weights="0", weights_whole="0")
    save_manifest(processed, AdapterName("spam", 2))
    away = str(tmp_path / "away")
    save_manifest(processed, AdapterName("spam", 3), name=away, location=away, weights="0", weights_whole="0")
    found = [one for one in validate(processed, healthy, None, full=True).findings if one.check == "bases"]
    assert [(one.level, one.detail.partition(";")[0]) for one in found] == [
        ("failure", "its base b is not on this machine"),
        ("warning", "was trained before the weights of its base were noted"),
        ("failure", f"its base {away} is not at {away} any more"),
    ]
