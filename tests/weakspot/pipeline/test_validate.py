"""The whole workspace, or one domain of it, is judged: each check has its say, and the worst finding counts."""

import pytest

from weakspot.config import load
from weakspot.pipeline.process import process
from weakspot.pipeline.validate import CHECKS, validate
from weakspot.records import SPLITS
from zddc.errors import UserError


def test_a_sound_workspace_passes_and_every_check_says_what_it_proved(processed, healthy):
    report = validate(processed, healthy, None)
    assert report.verdict == "pass"
    assert [finding.check for finding in report.findings] == [check.__name__.replace("_", "-") for check in CHECKS]
    assert all(finding.detail for finding in report.findings)
    assert (report.counts.raw_lines, report.counts.examples, report.counts.rejections) == (40, 40, 0)
    assert report.counts.domains == {name: {"train": 16, "val": 2, "test": 2} for name in ("eggs", "spam")}


def test_validating_changes_nothing(processed, healthy):
    def state():
        return {path: path.stat().st_mtime_ns for path in processed.root.rglob("*")}

    before = state()
    validate(processed, healthy, None)
    assert state() == before


def test_one_domain_is_checked_alone(processed, healthy, interaction, capture):
    capture(processed, [interaction(domain="eggs", local="Yes.", expert="Yes.")])
    process(processed, healthy)
    assert validate(processed, healthy, None).verdict == validate(processed, healthy, "eggs").verdict == "warnings"
    report = validate(processed, healthy, "spam")
    assert report.verdict == "pass"
    assert (report.counts.examples, list(report.counts.domains)) == (20, ["spam"])


def test_multi_domain_is_all_of_them(processed, healthy):
    assert validate(processed, healthy, "multi-domain") == validate(processed, healthy, None)


def test_without_a_dataset_the_next_step_is_named(workspace, healthy):
    with pytest.raises(UserError, match=r"all.jsonl: no dataset yet; run 'weakspot process'"):
        validate(workspace, healthy, None)


def test_a_domain_that_is_not_there_is_refused(processed, healthy):
    with pytest.raises(UserError, match="sapm: no examples of this domain; choose from eggs, multi-domain, spam"):
        validate(processed, healthy, "sapm")


def test_warnings_alone_are_no_failures(processed, tmp_path):
    settings = load(tmp_path / "none.toml", ["model.base=nobody/no-such-model"])
    assert validate(processed, settings, None).verdict == "warnings"


def test_failures_outweigh_warnings(processed, tmp_path):
    processed.split("val").unlink()
    report = validate(processed, load(tmp_path / "none.toml", ["model.base=nobody/no-such-model"]), None)
    assert {"warning", "failure"} <= {finding.level for finding in report.findings}
    assert report.verdict == "failures"
    assert set(SPLITS) == set(report.counts.domains["spam"])
