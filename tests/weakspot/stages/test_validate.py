"""Whatever is wrong with a workspace is found, named by place, and weighed; what is right is said too."""

import json
import re
import shutil

import pytest

from weakspot.config import Config, load
from weakspot.data import store
from weakspot.records import SPLITS, AdapterManifest, BaseReference
from weakspot.stages.process import process
from weakspot.stages.validate import CHECKS, Finding, validate
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError


@pytest.fixture
def healthy(tmp_path) -> Config:
    """Settings under which forty examples are enough, and with a base that is not on this machine."""
    return load(tmp_path / "none.toml", ["validate.low_examples=10", "model.base=nobody/no-such-model"])


@pytest.fixture
def processed(workspace, example, capture, config) -> Workspace:
    """A sound workspace: twenty examples in each of two domains."""
    capture(workspace, [example(n, domain="spam" if n % 2 else "eggs") for n in range(40)])
    process(workspace, config)
    return workspace


def problems(workspace, config, domain=None, check=None) -> list[Finding]:
    """Validate and return what did not pass (of one check)."""
    report = validate(workspace, config, domain)
    return [f for f in report.findings if f.level != "pass" and check in (None, f.check)]


def only(findings: list[Finding], level: str) -> Finding:
    (found,) = findings
    assert found.level == level
    assert "\n" not in found.detail
    return found


def rewrite(file, change) -> None:
    """Replace the lines of a file by what ``change`` makes of them."""
    file.write_text("".join(f"{line}\n" for line in change(file.read_text().splitlines())))


# When all is well.


def test_a_sound_workspace_passes_and_every_check_says_what_it_proved(processed, healthy):
    report = validate(processed, healthy, None)
    assert report.verdict == "pass"
    assert [finding.check for finding in report.findings] == [
        check.__name__.replace("_", "-") for check in CHECKS
    ]
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
    assert problems(processed, healthy, "eggs", "answers")
    report = validate(processed, healthy, "spam")
    assert report.verdict == "pass"
    assert (report.counts.examples, list(report.counts.domains)) == (20, ["spam"])


def test_multi_domain_is_all_of_them(processed, healthy):
    assert validate(processed, healthy, "multi-domain") == validate(processed, healthy, None)


def test_without_a_dataset_the_next_step_is_named(workspace, healthy):
    with pytest.raises(UserError, match=r"all.jsonl: no dataset yet; run 'weakspot process'"):
        validate(workspace, healthy, None)


def test_a_domain_that_is_not_there_is_refused(processed, healthy):
    with pytest.raises(
        UserError, match="sapm: no examples of this domain; choose from eggs, multi-domain, spam"
    ):
        validate(processed, healthy, "sapm")


def test_an_empty_dataset_is_a_warning(workspace, healthy):
    store.append(workspace.raw, [])
    process(workspace, healthy)
    assert only(problems(workspace, healthy), "warning").detail == "there are no examples"


def test_the_real_interactions_have_no_failure(workspace, capture, healthy, real_interactions):
    store.append(workspace.raw, real_interactions.read_text(encoding="utf-8").splitlines())
    process(workspace, healthy)
    report = validate(workspace, healthy, None)
    assert report.verdict == "warnings"
    flagged = {finding.check: finding.detail for finding in report.findings if finding.level != "pass"}
    assert flagged.keys() == {"balance", "split-sizes", "answers"}
    assert re.match(
        r"expert answers that refuse, \d: int_\d+_\w+, int_\d+_\w+, int_\d+_\w+, …$", flagged["answers"]
    )
    assert report.counts.raw_lines == report.counts.examples == 605


# Files.


@pytest.mark.parametrize(
    "name",
    ["processed/all.jsonl", "processed/spam.jsonl", "validation/train.jsonl", "validation/assignments.jsonl"],
)
@pytest.mark.parametrize("line", ['{"messages": [', "\0", "[]", "{}", "\ufeff{}"])
def test_a_damaged_line_is_a_failure_at_its_place(processed, healthy, name, line):
    file = processed.root / name
    number = len(file.read_text().splitlines()) + 1
    with file.open("a") as stream:
        stream.write(line + "\n")
    finding = only(problems(processed, healthy, check="lines"), "failure")
    assert finding.place == f"{file}:{number}"
    assert finding.detail.endswith("; run 'weakspot process'")


def test_many_damaged_lines_of_a_file_are_one_finding(processed, healthy):
    rewrite(processed.split("train"), lambda lines: [line[:30] for line in lines])
    finding = only(problems(processed, healthy, check="lines"), "failure")
    assert "and 31 more damaged lines" in finding.detail


@pytest.mark.parametrize(
    "name", ["validation/val.jsonl", "processed/multi-domain.jsonl", "processed/rejections.jsonl"]
)
def test_a_missing_file_is_a_failure(processed, healthy, name):
    (processed.root / name).unlink()
    finding = only(problems(processed, healthy, check="lines"), "failure")
    assert (finding.place, finding.detail) == (
        str(processed.root / name),
        "is missing; run 'weakspot process'",
    )


def test_an_example_without_a_domain_is_a_failure(processed, healthy):
    rewrite(
        processed.examples("spam"), lambda lines: [line.replace('"domain": "spam", ', "") for line in lines]
    )
    assert (
        "metadata.domain: field required"
        in only(problems(processed, healthy, check="lines"), "failure").detail
    )


def test_raw_lines_that_cannot_be_used_are_a_warning_with_their_reasons(processed, healthy, interaction):
    store.append(processed.raw, ["half a li", "[]", "{}"])
    process(processed, healthy)
    finding = only(problems(processed, healthy), "warning")
    assert (finding.check, finding.place) == ("lines", f"{processed.raw}:41")
    assert finding.detail == "unusable lines: 2 not-json, 1 bad-schema"


def test_duplicates_that_were_left_out_are_no_problem(processed, healthy):
    store.append(processed.raw, [processed.raw.read_text().splitlines()[0].replace("int_", "other_")])
    assert process(processed, healthy).rejections == {"exact-duplicate": 1}
    assert problems(processed, healthy) == []


# Counts.


def test_raw_lines_that_came_since_are_a_warning(processed, healthy, example, capture):
    capture(processed, [example(100), example(101)])
    finding = only(problems(processed, healthy), "warning")
    assert finding.check == "raw-lines"
    assert finding.detail == "2 lines came after the last 'weakspot process'; run it again"


def test_an_example_that_no_raw_line_holds_is_a_failure(processed, healthy):
    rewrite(processed.raw, lambda lines: lines[:-1])
    assert "examples that no raw line holds, 1: int_" in only(problems(processed, healthy), "failure").detail


def test_a_raw_line_that_became_nothing_is_a_failure(processed, healthy):
    for file in (
        processed.all_examples,
        processed.multi_domain,
        processed.examples("eggs"),
        processed.split("train"),
    ):
        first = processed.raw.read_text().splitlines()[0]
        rewrite(
            file, lambda lines, first=first: [line for line in lines if json.loads(line) != json.loads(first)]
        )
    findings = problems(processed, healthy, check="raw-lines")
    assert only(findings, "failure").detail == "lines that are neither example nor rejection, 1: 1"


def test_a_rejection_of_a_line_that_is_not_there_is_a_failure(processed, healthy):
    store.append(
        processed.rejections, ['{"line": 99, "reason": "not-json", "detail": "x", "interaction_id": null}']
    )
    findings = problems(processed, healthy, check="raw-lines")
    assert only(findings, "failure").detail == "rejections of lines that are not there, 1: 99"


def test_a_missing_raw_file_is_a_failure(processed, healthy):
    processed.raw.unlink()
    assert {finding.check for finding in problems(processed, healthy)} == {"lines", "raw-lines"}


# Files that disagree.


def test_an_example_in_no_split_is_a_failure(processed, healthy):
    rewrite(processed.split("test"), lambda lines: lines[1:])
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert finding.place == str(processed.split("test"))
    assert finding.detail.startswith("examples are missing, 1: int_")


def test_an_example_in_two_splits_is_a_failure_and_leaks(processed, healthy):
    store.append(processed.split("train"), processed.split("test").read_text().splitlines()[:1])
    assert only(problems(processed, healthy, check="files"), "failure").detail.startswith(
        "examples do not belong here, 1"
    )
    assert {finding.detail.split(",")[0] for finding in problems(processed, healthy, check="leakage")} == {
        "near-duplicates in train and test",
        "shared by train and test",
    }


def test_an_example_in_the_file_of_another_domain_is_a_failure(processed, healthy):
    store.append(processed.examples("spam"), processed.examples("eggs").read_text().splitlines()[:1])
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert finding.place == str(processed.examples("spam"))


def test_an_example_that_differs_between_files_is_a_failure(processed, healthy):
    rewrite(
        processed.multi_domain, lambda lines: [lines[0].replace("I do not know.", "I do know."), *lines[1:]]
    )
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert finding.detail.startswith("examples differ from all.jsonl, 1: int_")


def test_an_example_without_an_assignment_is_a_failure(processed, healthy):
    rewrite(processed.assignments, lambda lines: lines[:-1])
    details = [finding.detail for finding in problems(processed, healthy, check="files")]
    assert details[0].startswith("examples without a split, 1: int_")


def test_a_file_of_a_domain_that_is_no_more_is_a_failure(processed, healthy):
    shutil.copy(processed.examples("spam"), processed.examples("old"))
    finding = only(problems(processed, healthy, check="files"), "failure")
    assert (finding.place, finding.detail.split(":")[0]) == (
        str(processed.examples("old")),
        "examples do not belong here, 20",
    )


def test_an_id_that_occurs_twice_is_a_failure(processed, healthy):
    rewrite(processed.split("val"), lambda lines: [*lines, lines[0]])
    finding = only(problems(processed, healthy, check="ids"), "failure")
    assert finding.place == str(processed.split("val"))


def test_exact_duplicates_are_a_failure(processed, healthy):
    rewrite(processed.all_examples, lambda lines: [*lines, lines[0].replace('"int_', '"twin_')])
    assert only(problems(processed, healthy, check="duplicates"), "failure").detail.startswith(
        "exact duplicates, 1: twin_"
    )


# Snapshots.


def test_a_snapshot_that_was_changed_is_a_failure(processed, healthy):
    file = processed.snapshot(processed.snapshot_names()[0]) / "validation" / "test.jsonl"
    file.chmod(0o644)
    file.write_text("")
    finding = only(problems(processed, healthy), "failure")
    assert (finding.check, finding.place) == ("snapshots", str(file))
    assert finding.detail == "is not what was written: the snapshot proves nothing"


def test_a_file_that_is_missing_in_a_snapshot_is_a_failure(processed, healthy):
    (processed.snapshot(processed.snapshot_names()[0]) / "processed" / "all.jsonl").unlink()
    assert only(problems(processed, healthy), "failure").detail == "is missing"


def test_a_dataset_that_is_not_its_newest_snapshot_is_a_failure(processed, healthy):
    rewrite(processed.all_examples, lambda lines: [line.replace(", ", ",") for line in lines])
    findings = problems(processed, healthy, check="snapshots")
    assert re.match(
        r"differs from v\d{4}-\d\d-\d\d; run 'weakspot process'", only(findings, "failure").detail
    )


def test_an_older_snapshot_may_differ_from_the_dataset(processed, healthy, example, capture):
    capture(processed, [example(100)])
    process(processed, healthy)
    assert len(processed.snapshot_names()) == 2
    assert problems(processed, healthy) == []


def test_a_damaged_manifest_of_a_snapshot_is_a_failure(processed, healthy):
    manifest = processed.snapshot_manifest(processed.snapshot_names()[0])
    manifest.write_text("{}")
    finding = only(problems(processed, healthy), "failure")
    assert (finding.place, finding.detail) == (str(manifest), "is no manifest: files: field required")


def test_a_snapshot_without_a_manifest_is_a_warning(processed, healthy):
    processed.snapshot("v2025-01-01").mkdir()
    assert only(problems(processed, healthy), "warning").place == str(processed.snapshot("v2025-01-01"))


def test_no_snapshot_at_all_is_a_warning(processed, healthy):
    shutil.rmtree(processed.snapshots)
    assert only(problems(processed, healthy), "warning").detail == "there is none; run 'weakspot process'"


# Leakage.


def test_near_duplicates_in_two_splits_are_a_failure_that_names_them(processed, healthy, example):
    place = json.loads(processed.split("train").read_text().splitlines()[0])
    number = next(n for n in range(40) if example(n).expert.text == place["messages"][3]["content"])
    twin = example(number, "please", domain="spam", interaction_id="twin")
    store.append(processed.split("test"), [twin.to_json()])
    finding = only(problems(processed, healthy, check="leakage"), "failure")
    first = place["metadata"]["interaction_id"]
    assert re.match(
        rf"near-duplicates in train and test, 1: {first} and twin \(0\.\d\d\); run 'weak", finding.detail
    )


@pytest.mark.parametrize("domain", ["spam", "eggs", None])
def test_a_conversation_in_two_splits_is_a_failure_for_each_of_its_domains(
    processed, healthy, example, domain
):
    for split, name, number in (("train", "spam", 100), ("val", "eggs", 101)):
        store.append(
            processed.split(split),
            [example(number, domain=name, conversation_id="c", interaction_id=name).to_json()],
        )
    finding = only(problems(processed, healthy, domain, "leakage"), "failure")
    assert (
        finding.detail == "shared by train and val, 1: spam and eggs (conversation); run 'weakspot process'"
    )


def test_a_lower_threshold_shows_what_it_would_keep_apart(workspace, healthy, example, capture, tmp_path):
    records = [example(n) for n in range(12)]
    longer = [example(n, "please tell me, if you can, at some length") for n in reversed(range(12))]
    capture(workspace, [*records, *longer])
    process(workspace, load(tmp_path / "none.toml", ["process.near_duplicate_threshold=1.0"]))
    assert problems(workspace, healthy, check="leakage") == []
    lower = load(tmp_path / "none.toml", ["process.near_duplicate_threshold=0.5", "model.base=nobody/none"])
    assert problems(workspace, lower, check="leakage")
    process(workspace, lower)
    assert problems(workspace, lower, check="leakage") == []


# Sizes.


def test_a_domain_with_few_examples_is_low(processed, tmp_path):
    settings = load(tmp_path / "none.toml", ["validate.low_examples=21", "model.base=nobody/none"])
    findings = problems(processed, settings, check="balance")
    assert [(finding.level, finding.detail) for finding in findings] == [
        ("warning", "eggs is LOW: 20 of 21 examples"),
        ("warning", "spam is LOW: 20 of 21 examples"),
    ]
    assert len(problems(processed, settings, "spam", "balance")) == 1


def test_a_domain_without_a_test_example_is_a_warning(processed, healthy, example, capture):
    capture(processed, [example(n, domain="new") for n in range(100, 103)])
    process(processed, healthy)
    findings = problems(processed, healthy, check="split-sizes")
    assert only(findings, "warning").detail == "new: no test example, so no adapter can be proved on it"


def test_splits_that_are_off_by_more_than_a_group_are_a_warning(workspace, healthy, example, capture):
    # Every new example of spam is tied to a group of eggs that is in train already.
    capture(workspace, [example(n, domain="eggs") for n in range(60)])
    process(workspace, healthy)
    train = {
        json.loads(line)["messages"][3]["content"]
        for line in workspace.split("train").read_text().splitlines()
    }
    tied = [n for n in range(60) if example(n).expert.text in train]
    capture(workspace, [example(n, "please", domain="spam") for n in tied])
    process(workspace, healthy)
    findings = [f for f in problems(workspace, healthy, "spam", "split-sizes") if "groups" in f.detail]
    assert (
        only(findings, "warning").detail
        == f"spam: {len(tied)}/0/0 groups are not 80/10/10; new examples will even it out"
    )


# Answers.


def test_answers_that_teach_badly_are_warnings_with_their_ids(processed, healthy, interaction, capture):
    bad = {
        "empty local answers": interaction("q1", "A.", local=" "),
        "expert answers equal to the local one": interaction("q2", "Yes,  it is. ", local="Yes, it is."),
        "expert answers that refuse": interaction("q3", "I'm sorry, but I can't help with that."),
        "expert answers that stop half-way": interaction("q4", "Take these:\n```python\nprint(1)"),
    }
    capture(processed, [one.labelled("spam") for one in bad.values()])
    process(processed, healthy)
    findings = problems(processed, healthy)
    assert {(finding.check, finding.level) for finding in findings} == {("answers", "warning")}
    assert [finding.detail for finding in findings] == [f"{what}, 1: {one.id}" for what, one in bad.items()]
    assert problems(processed, healthy, "eggs") == []


def test_of_many_the_first_three_are_named(processed, healthy, interaction, capture):
    bad = [interaction(f"q{n}", f"{n}.", local=f"{n}.", domain="spam") for n in range(5)]
    capture(processed, bad)
    process(processed, healthy)
    shown = ", ".join(one.id for one in bad[:3])
    assert problems(processed, healthy)[0].detail == f"expert answers equal to the local one, 5: {shown}, …"


# Token lengths.


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A folder with a tokenizer of one token a character, and a chat template."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({chr(n): n for n in range(128)} | {"<end>": 128}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    folder = tmp_path_factory.mktemp("base")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<end>",
        chat_template="{% for m in messages %}{{ m.role }}:{{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}",
    ).save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


def test_lengths_are_not_measured_where_the_tokenizer_is_not_at_hand(processed, healthy):
    finding = next(f for f in validate(processed, healthy, None).findings if f.check == "token-lengths")
    assert finding.level == "pass"
    assert finding.detail == "skipped: the tokenizer of nobody/no-such-model is not on this machine"


def test_examples_that_do_not_fit_are_warnings_each_of_its_kind(
    processed, base, tmp_path, interaction, capture
):
    history = [{"role": "user", "content": "h" * 300}, {"role": "assistant", "content": "a" * 300}]
    cut = interaction("short", "x" * 600, domain="spam")
    shortened = interaction("last", "y" * 40, domain="spam", context=history)
    hopeless = interaction("q" * 700, "z", domain="spam")
    capture(processed, [cut, shortened, hopeless])
    settings = load(
        tmp_path / "none.toml", [f"model.base={base}", "train.max_length=500", "validate.low_examples=1"]
    )
    process(processed, settings)
    findings = problems(processed, settings)
    assert {(finding.check, finding.level) for finding in findings} == {("token-lengths", "warning")}
    assert [finding.detail for finding in findings] == [
        f"expert answers that are cut at max_length = 500, 1: {cut.id} (by 121 tokens)",
        f"examples that lose their oldest turns at max_length = 500, 1: {shortened.id}",
        f"examples that cannot be trained on at max_length = 500, 1: {hopeless.id} (the query alone has 716 tokens of 500)",
    ]


def test_lengths_that_fit_pass(processed, base, tmp_path):
    settings = load(tmp_path / "none.toml", [f"model.base={base}", "validate.low_examples=1"])
    assert problems(processed, settings) == []


# Adapters.


@pytest.fixture
def adapter(processed):
    """An adapter of the domain spam, complete, with something for its weights."""
    name = AdapterName("spam", 1)
    folder = processed.adapter(name)
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    manifest = AdapterManifest(
        name=str(name),
        domain="spam",
        version=1,
        base=BaseReference(name="b", location="b", revision=None, identity="0"),
        snapshot=processed.snapshot_names()[-1],
        examples=16,
        domain_examples=20,
        settings={},
        seed=42,
        steps=1,
        best_step=1,
        train_loss=1.0,
        val_loss=None,
        seconds=1.0,
        created="2025-10-31T14:30:00+00:00",
        versions={},
        files={"adapter_model.safetensors": store.sha256(folder / "adapter_model.safetensors")},
    )
    processed.adapter_manifest(name).write_text(manifest.model_dump_json(indent=2))
    return name


def test_a_complete_adapter_and_merged_model_pass(processed, healthy, adapter):
    processed.merged(adapter).mkdir()
    processed.merged_manifest(adapter).write_text("{}")
    assert problems(processed, healthy) == []


def test_an_adapter_whose_weights_changed_is_a_failure(processed, healthy, adapter):
    weights = processed.adapter(adapter) / "adapter_model.safetensors"
    weights.write_bytes(b"others")
    finding = only(problems(processed, healthy), "failure")
    assert (finding.place, finding.detail) == (str(weights), "is not what was trained; train it anew")
    assert problems(processed, healthy, "eggs") == []


def test_an_adapter_without_its_weights_is_a_failure(processed, healthy, adapter):
    (processed.adapter(adapter) / "adapter_model.safetensors").unlink()
    assert only(problems(processed, healthy), "failure").detail == "is missing"


def test_an_adapter_without_a_manifest_is_a_warning(processed, healthy, adapter):
    processed.adapter_manifest(adapter).unlink()
    finding = only(problems(processed, healthy), "warning")
    assert (finding.place, finding.detail) == (
        str(processed.adapter(adapter)),
        "is incomplete; 'weakspot train spam' goes on with it",
    )


def test_a_damaged_manifest_of_an_adapter_is_a_failure(processed, healthy, adapter):
    processed.adapter_manifest(adapter).write_text('{"name": 1')
    assert only(problems(processed, healthy), "failure").detail.startswith(
        "is no manifest: record: invalid JSON"
    )


def test_a_merged_model_without_a_manifest_is_a_warning(processed, healthy, adapter):
    processed.merged(adapter).mkdir()
    finding = only(problems(processed, healthy), "warning")
    assert finding.detail == "is incomplete; run 'weakspot deploy spam'"


def test_failures_outweigh_warnings(processed, healthy, adapter):
    processed.merged(adapter).mkdir()
    processed.split("val").unlink()
    report = validate(processed, healthy, None)
    assert {"warning", "failure"} <= {finding.level for finding in report.findings}
    assert report.verdict == "failures"
    assert set(SPLITS) == set(report.counts.domains["spam"])
