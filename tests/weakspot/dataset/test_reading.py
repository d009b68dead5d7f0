"""The processed dataset is read back by split and domain."""

import pytest

from weakspot.dataset.reading import load_split, read_examples, require_domain
from weakspot.pipeline.process import process
from zddc.errors import UserError


@pytest.fixture
def processed(workspace, interaction, config, capture):
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
    for domain in ("spam", "eggs"):
        capture(workspace, [interaction(f"{n} {domain}", f"{domain} {n}" * 4, domain=domain) for n in numbers])
    process(workspace, config)
    return workspace


def test_a_split_is_read_whole_or_by_domain(processed):
    both = load_split(processed, "train")
    assert {example.domain for example in both} == {"spam", "eggs"}
    assert load_split(processed, "train", "spam") == [one for one in both if one.domain == "spam"]


def test_without_a_dataset_the_next_step_is_named(workspace):
    with pytest.raises(UserError, match=r"train.jsonl: no dataset yet; run 'weakspot process'"):
        load_split(workspace, "train")


def test_a_damaged_line_is_named(processed):
    with processed.split("val").open("a") as stream:
        stream.write('{"messages": [\n')
    lines = len(processed.split("val").read_text().splitlines())
    with pytest.raises(UserError, match=rf"val.jsonl:{lines}: Expecting value.*; run 'weakspot process' to write it"):
        list(read_examples(processed.split("val")))


def test_a_domain_that_has_no_example_is_refused_and_the_others_are_named(processed):
    require_domain(processed, "spam")
    require_domain(processed, "multi-domain")
    with pytest.raises(UserError, match="sapm: no examples of this domain; choose from eggs, multi-domain, spam"):
        require_domain(processed, "sapm")


def test_before_anything_was_processed_there_is_no_domain(workspace):
    with pytest.raises(UserError, match="spam: no examples of this domain; run 'weakspot process'"):
        require_domain(workspace, "spam")
