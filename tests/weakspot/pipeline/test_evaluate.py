"""Evaluation: on unseen examples only, per example, with a verdict and a page."""

import json
import shutil
from html.parser import HTMLParser

import pytest
import torch
from tests.weakspot.conftest import changed

from weakspot.dataset.reading import read_examples
from weakspot.deployment.releases import publish
from weakspot.evaluation.scoring import is_exact_match, parse_json
from weakspot.models import adapter_files, adapters
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.train import train
from weakspot.records import Release, Scorecard
from weakspot.settings import Model
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)
KNOWN_METRICS = ["exact match", "loss per token", "preference accuracy"]


@pytest.fixture
def card(evaluated) -> Scorecard:
    """What was written of an adapter whose workspace is ``evaluated``."""
    return Scorecard.from_json(evaluated[0].evaluation(NAME).read_bytes())


def test_the_scorecard_holds_every_test_example_under_base_and_adapter(trained):
    workspace, config = trained
    card = evaluate(workspace, config, "colours")
    assert card == Scorecard.from_json(workspace.evaluation(NAME).read_bytes())
    tested = [one.id for one in read_examples(workspace.split("test"))]
    assert sorted(row.interaction_id for row in card.rows) == sorted(tested)
    own = [row for row in card.rows if row.domain == "colours"]
    assert all(row.adapter_loss < row.base_loss for row in own)
    assert all(row.base_exact is not None for row in own)
    assert all(row.base_exact is None for row in card.rows if row.domain == "numbers")
    metrics = [comparison.metric for comparison in card.comparisons]
    assert metrics == KNOWN_METRICS
    assert [comparison.metric for comparison in card.harm] == ["all other domains", "numbers"]


def test_losses_are_those_of_the_models_themselves(evaluated, card):
    workspace, config = evaluated
    manifest = adapters.read_manifest(workspace, NAME)
    _, model, tokenizer = adapters.load(workspace, config, manifest)
    row = card.rows[0]
    turns = [{"role": "user", "content": row.query}]
    prompt = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))["input_ids"]
    answer = tokenizer(row.expert + "<|im_end|>")["input_ids"]
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    loss = -sum(logits[len(prompt) - 1 + n, token] for n, token in enumerate(answer)) / len(answer)
    assert row.adapter_loss == pytest.approx(float(loss), rel=1e-4)
    assert row.tokens == len(answer)


def test_retrieval_is_measured_beside_the_adapter_on_what_it_was_trained_on(evaluated, card):
    workspace, _ = evaluated
    taught = {one.id for one in read_examples(workspace.split("train"))}
    own = [row for row in card.rows if row.domain == "colours"]
    assert all(row.retrieved.found and taught.issuperset(row.retrieved.found) for row in own)
    assert all(row.retrieved.base_loss != row.base_loss for row in own)
    assert all(row.retrieved.base_exact is not None for row in own)
    assert all(row.retrieved is None for row in card.rows if row.domain == "numbers")
    assert [arm.metric for arm in card.retrieval] == [comparison.metric for comparison in card.comparisons]
    assert [(arm.base, arm.adapter) for arm in card.retrieval] == [(c.base, c.adapter) for c in card.comparisons]
    assert card.remarks[-1] == f"retrieval found examples for {len(own)} of {len(own)} questions"
    page = workspace.evaluation_page(NAME).read_text()
    assert all(text in page for text in ("base + retrieval", *card.remarks))


def test_losses_behind_retrieved_examples_are_those_of_the_conversation(evaluated):
    workspace, config = evaluated
    # Room for all of it: the oldest example would be left out.
    row = evaluate(workspace, changed(config, "train", max_length=256), "colours").rows[0]
    _, model, tokenizer = adapters.load(workspace, config, adapters.read_manifest(workspace, NAME))
    by_id = {one.id: one for one in read_examples(workspace.split("train"))}
    turns = [turn for id_ in reversed(row.retrieved.found) for turn in (by_id[id_].query, by_id[id_].expert)]
    messages = [{"role": turn.role, "content": turn.text} for turn in turns] + [{"role": "user", "content": row.query}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    prompt, answer = tokenizer(text)["input_ids"], tokenizer(row.expert + "<|im_end|>")["input_ids"]
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    loss = -sum(logits[len(prompt) - 1 + n, token] for n, token in enumerate(answer)) / len(answer)
    assert row.retrieved.adapter_loss == pytest.approx(float(loss), rel=1e-4)


def test_where_nothing_is_similar_retrieval_changes_nothing(evaluated):
    workspace, config = evaluated
    card = evaluate(workspace, changed(config, "retrieval", min_similarity=1.0), "colours")
    assert all(arm.base_retrieval == arm.base and arm.adapter_retrieval == arm.adapter for arm in card.retrieval)
    assert card.remarks[-1].startswith("retrieval found examples for 0 of ")


def test_retrieval_can_be_left_out_and_older_scorecards_are_read(evaluated):
    workspace, config = evaluated
    card = evaluate(workspace, changed(config, "evaluate", retrieval=False), "colours")
    assert card.retrieval == []
    assert card.remarks == ["no test example with tools was answered, so broken tool calls were not looked at"]
    assert all(row.retrieved is None for row in card.rows)
    assert "Compared with retrieval" not in workspace.evaluation_page(NAME).read_text()
    older = card.model_dump(exclude={"retrieval": True, "remarks": True, "rows": {"__all__": {"retrieved"}}})
    assert Scorecard.from_json(json.dumps(older)) == card.model_copy(update={"remarks": []})


def test_an_adapter_is_measured_beside_the_one_in_service(evaluated, card):
    workspace, config = evaluated
    config, first = changed(config, "evaluate", retrieval=False), card
    train(workspace, config, "colours")  # fewer steps
    assert [one.metric for one in evaluate(workspace, config, "colours").comparisons] == KNOWN_METRICS
    draft = {"action": "deploy", "domain": "colours", "adapter": first.adapter, "location": "", "verdict": "accept"}
    publish(workspace, config, Release(target="merged", **draft))
    card = evaluate(workspace, config, "colours")
    assert [one.metric for one in card.comparisons] == [*KNOWN_METRICS, "exact match against colours-lora-v1"]
    own = {row.interaction_id for row in card.rows if row.domain == "colours"}
    beside, before = card.comparisons[-1], [row for row in first.rows if row.interaction_id in own]
    assert beside.base == sum(row.adapter_exact for row in before) / len(own)
    assert beside.adapter == card.comparisons[0].adapter
    publish(workspace, config, Release(target="vllm", **draft | {"adapter": card.adapter}))
    assert [one.metric for one in evaluate(workspace, config, "colours").comparisons] == KNOWN_METRICS


def test_the_page_is_self_contained_and_escapes_what_models_wrote(evaluated, card):
    workspace, _ = evaluated
    from weakspot.evaluation import html_report

    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    poisoned = card.model_copy(
        update={"rows": [card.rows[0].model_copy(update={"expert": evil, "local": evil, "query": evil})]}
    )
    text = html_report.page(poisoned, adapters.read_manifest(workspace, NAME))
    tags = []

    class Collector(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Collector().feed(text)
    assert "script" not in {tag for tag, _ in tags}
    assert "img" not in {tag for tag, _ in tags}
    assert not any(
        value.startswith(("http", "//")) for _, a in tags for key, value in a.items() if key in ("src", "href")
    )
    assert workspace.evaluation_page(NAME).read_text().startswith("<!doctype html>")


def test_an_example_that_was_trained_on_is_never_tested_on(trained):
    workspace, config = trained
    train_line = workspace.split("train").read_text().splitlines()[0]
    with workspace.split("test").open("a") as stream:
        stream.write(train_line + "\n")
    with pytest.raises(UserError, match="is in the test split and was trained on"):
        evaluate(workspace, config, "colours")


def test_damaged_weights_are_found(trained):
    workspace, config = trained
    with (workspace.adapter(NAME) / adapter_files.WEIGHTS).open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x7f")
    with pytest.raises(UserError, match="not the file that was trained"):
        evaluate(workspace, config, "colours")


def test_a_scorecard_of_other_weights_does_not_count(evaluated):
    workspace, _ = evaluated
    assert adapters.read_scorecard(workspace, NAME) is not None
    with (workspace.adapter(NAME) / adapter_files.WEIGHTS).open("ab") as stream:
        stream.write(b"x")
    assert adapters.read_scorecard(workspace, NAME) is None


def test_other_weights_of_the_base_are_refused(trained, tiny_base, tmp_path):
    workspace, config = trained
    base = shutil.copytree(tiny_base, tmp_path / "base")
    known = adapters.read_manifest(workspace, NAME)
    moved = known.base.model_copy(update={"name": str(base), "location": str(base)})
    workspace.adapter_manifest(NAME).write_bytes(known.model_copy(update={"base": moved}).to_document())
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"1234")
    config = config.model_copy(update={"model": Model(base=str(base))})
    with pytest.raises(UserError, match=r"was trained on other weights or settings than .*base has now; restore"):
        evaluate(workspace, config, "colours")


def test_without_an_adapter_it_says_what_to_run(taught):
    workspace, config = taught
    with pytest.raises(UserError, match="run 'weakspot train colours'"):
        evaluate(workspace, config, "colours")


@pytest.mark.parametrize(
    ("expected", "answer", "right"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,\n"a":1}', True),
        ('{"a": 1}', '{"a": 1.5}', False),
        ('{"a": 1}', 'Sure: {"a": 1}', False),
        ('{"a": 1}', '{"a": 1', False),
        ("[1]", "[1]", True),
        ('{"a": 1}', "", False),
    ],
)
def test_exact_is_the_same_json_value(expected, answer, right):
    assert is_exact_match(expected, answer) is right


@pytest.mark.parametrize("text", ["42", '"a"', "null", "no", "", "[" * 100_000])
def test_only_objects_and_arrays_can_be_checked(text):
    assert parse_json(text) is None
