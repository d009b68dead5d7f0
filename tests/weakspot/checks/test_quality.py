"""What would make the dataset teach badly is found, and its examples are named."""

import json
import re

import pytest

from weakspot.config import load
from weakspot.pipeline.process import process
from weakspot.pipeline.validate import Finding, validate
from weakspot.storage import append_log


def only(findings: list[Finding], level: str) -> Finding:
    """Return the one finding there is, which is of this level."""
    (found,) = findings
    assert found.level == level
    assert "\n" not in found.detail
    return found


# Leakage.


def test_near_duplicates_in_two_splits_are_a_failure_that_names_them(problems, processed, healthy, example):
    place = json.loads(processed.split("train").read_text().splitlines()[0])
    number = next(n for n in range(40) if example(n).expert.text == place["messages"][3]["content"])
    twin = example(number, "please", domain="spam", interaction_id="twin")
    append_log.append(processed.split("test"), [twin.to_json()])
    finding = only(problems(processed, healthy, check="leakage"), "failure")
    first = place["metadata"]["interaction_id"]
    assert re.match(rf"near-duplicates in train and test, 1: {first} and twin \(0\.\d\d\); run 'weak", finding.detail)


@pytest.mark.parametrize("domain", ["spam", "eggs", None])
def test_a_conversation_in_two_splits_is_a_failure_for_each_of_its_domains(
    problems, processed, healthy, example, domain
):
    for split, name, number in (("train", "spam", 100), ("val", "eggs", 101)):
        append_log.append(
            processed.split(split),
            [example(number, domain=name, conversation_id="c", interaction_id=name).to_json()],
        )
    finding = only(problems(processed, healthy, domain, "leakage"), "failure")
    assert finding.detail == "shared by train and val, 1: spam and eggs (conversation); run 'weakspot process'"


def test_a_lower_threshold_shows_what_it_would_keep_apart(problems, workspace, healthy, example, capture, tmp_path):
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


def test_an_empty_dataset_is_a_warning(problems, workspace, healthy):
    append_log.append(workspace.raw, [])
    process(workspace, healthy)
    assert only(problems(workspace, healthy), "warning").detail == "there are no examples"


def test_a_domain_with_few_examples_is_low(problems, processed, tmp_path):
    settings = load(tmp_path / "none.toml", ["validate.low_examples=21", "model.base=nobody/none"])
    findings = problems(processed, settings, check="balance")
    assert [(finding.level, finding.detail) for finding in findings] == [
        ("warning", "eggs is LOW: 20 of 21 examples"),
        ("warning", "spam is LOW: 20 of 21 examples"),
    ]
    assert len(problems(processed, settings, "spam", "balance")) == 1


def test_a_domain_without_a_test_example_is_a_warning(problems, processed, healthy, example, capture):
    capture(processed, [example(n, domain="new") for n in range(100, 103)])
    process(processed, healthy)
    findings = problems(processed, healthy, check="split-sizes")
    assert only(findings, "warning").detail == "new: no test example, so no adapter can be proved on it"


def test_splits_that_are_off_by_more_than_a_group_are_a_warning(problems, workspace, healthy, example, capture):
    # Every new example of spam is tied to a group of eggs that is in train already.
    capture(workspace, [example(n, domain="eggs") for n in range(60)])
    process(workspace, healthy)
    train = {json.loads(line)["messages"][3]["content"] for line in workspace.split("train").read_text().splitlines()}
    tied = [n for n in range(60) if example(n).expert.text in train]
    capture(workspace, [example(n, "please", domain="spam") for n in tied])
    process(workspace, healthy)
    findings = [f for f in problems(workspace, healthy, "spam", "split-sizes") if "groups" in f.detail]
    assert (
        only(findings, "warning").detail
        == f"spam: {len(tied)}/0/0 groups are not 80/10/10; new examples will even it out"
    )


# Answers.


def test_answers_that_teach_badly_are_warnings_with_their_ids(problems, processed, healthy, interaction, capture):
    bad = {
        "empty local answers": interaction("q1", "A.", local=" "),
        "expert answers equal to the local one": interaction("q2", "Yes,  it is. ", local="Yes, it is."),
        "expert answers that refuse": interaction("q3", "I'm sorry, but I can't help with that."),
        "expert answers that stop half-way": interaction("q4", "Take these:\n```python\nprint(1)"),
    }
    capture(processed, [one.with_metadata({"domain": "spam"}) for one in bad.values()])
    process(processed, healthy)
    findings = problems(processed, healthy)
    assert {(finding.check, finding.level) for finding in findings} == {("answers", "warning")}
    assert [finding.detail for finding in findings] == [f"{what}, 1: {one.id}" for what, one in bad.items()]
    assert problems(processed, healthy, "eggs") == []


def test_of_many_the_first_three_are_named(problems, processed, healthy, interaction, capture):
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
    problems, processed, base, tmp_path, interaction, capture
):
    history = [{"role": "user", "content": "h" * 300}, {"role": "assistant", "content": "a" * 300}]
    cut = interaction("short", "x" * 600, domain="spam")
    shortened = interaction("last", "y" * 40, domain="spam", context=history)
    hopeless = interaction("q" * 700, "z", domain="spam")
    capture(processed, [cut, shortened, hopeless])
    settings = load(tmp_path / "none.toml", [f"model.base={base}", "train.max_length=500", "validate.low_examples=1"])
    process(processed, settings)
    findings = problems(processed, settings)
    assert {(finding.check, finding.level) for finding in findings} == {("token-lengths", "warning")}
    assert [finding.detail for finding in findings] == [
        f"expert answers that are cut at max_length = 500, 1: {cut.id} (by 122 tokens)",
        f"examples that lose their oldest turns at max_length = 500, 1: {shortened.id}",
        "examples that cannot be trained on at max_length = 500, "
        f"1: {hopeless.id} (too-long: the query alone has 716 tokens, but max_length is 500)",
    ]


def test_lengths_that_fit_pass(problems, processed, base, tmp_path):
    settings = load(tmp_path / "none.toml", [f"model.base={base}", "validate.low_examples=1"])
    assert problems(processed, settings) == []
