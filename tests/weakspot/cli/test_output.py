"""The commands of the model half, as a person and as a program sees them."""

import json
import re

import pytest

from weakspot.workspace import AdapterName

pytestmark = pytest.mark.slow

COLOURS = AdapterName("colours", 1)


def write_settings(workspace, config):
    settings = {
        "model": {"base": config.model.base},
        "lora": {"rank": 4},
        "train": {"learning_rate": 1e-2, "max_steps": 12, "max_length": 128},
        "evaluate": {"max_new_tokens": 8},
        "deploy": {"proof_prompts": 2},
    }
    tables = [
        f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items())
        for name, table in settings.items()
    ]
    workspace.config_file.write_text("\n".join(tables))


@pytest.fixture
def in_taught(taught, weakspot):
    """Run a command in a taught workspace; give its status, output and errors."""
    write_settings(*taught)
    return weakspot


def test_the_model_half_speaks_to_people(in_taught):
    status, shown, _ = in_taught("train", "colours", "--dry-run")
    assert status == 0
    assert "examples  48 train, 6 val, 0 left out" in shown
    assert "layers    2 of 2: k_proj, o_proj, q_proj, v_proj" in shown
    assert '>>>{"colour": ' in shown
    assert "coverage  attention 2 of 2, mlp 0 of 2" in shown
    assert re.search(r"memory    \d+\.\d GB of \d+\.\d: base 0\.0, adapters 0\.0, activations 0\.\d, process", shown)
    assert re.search(r"passes    [\d,]+ tokens; recompute: none, 0 of 2 layers", shown)
    status, shown, _ = in_taught("train", "colours")
    assert "colours-lora-v1: 12 steps in" in shown
    assert "next: weakspot evaluate colours" in shown
    status, shown, _ = in_taught("evaluate", "colours")
    assert status == 0
    assert "loss per token" in shown
    assert "adapter + retrieval" in shown
    assert "  retrieval found examples for 6 of 6 questions" in shown
    assert "report: " in shown
    status, shown, _ = in_taught("status")
    assert "colours-lora-v1" in shown
    assert "80 raw lines, 0 not processed" in shown
    status, shown, _ = in_taught("ask", "Which colour?", "--domain", "colours")
    assert status == 0
    assert shown.strip()


def test_the_model_half_speaks_to_programs(accepted, judge, weakspot):
    workspace, config = accepted
    write_settings(workspace, config)

    def as_json(*arguments):
        status, out, _ = weakspot(*arguments, "--json")
        assert status == 0
        return [json.loads(line) for line in out.splitlines()]

    (plan,) = as_json("train", "colours", "--dry-run")
    assert plan["runs"][0]["steps"] == 12
    assert plan["memory"]["checkpointed_layers"] == 0
    (card,) = as_json("evaluate", "colours")
    written = json.loads(workspace.evaluation(COLOURS).read_text())
    assert written.pop("rows")
    assert card == {**written, "report": str(workspace.evaluation_page(COLOURS))}
    judge(workspace, COLOURS, "not enough evidence")
    status, shown, error = weakspot("deploy", "colours", "--json")
    assert (status, shown) == (1, "")
    assert error.startswith("colours-lora-v1: is not proved: because; capture more, or pass --allow-unproven")
    (release,) = as_json("deploy", "colours", "--allow-unproven")
    assert (release["verdict"], release["location"]) == ("not enough evidence", str(workspace.merged(COLOURS)))
    asked = as_json("ask", "One?", "Two?", "--domain", "colours", "--merged")
    assert [line["question"] for line in asked] == ["One?", "Two?"]
    judge(workspace, COLOURS, "accept")
    assert [(step["stage"], step["outcome"]) for step in as_json("run", "colours")] == [
        ("process", "nothing changed"), ("validate", "warnings"), ("deploy", "colours-lora-v1 is in service"),
    ]  # fmt: skip
    (manifest,) = as_json("train", "colours", "--set", "train.max_steps=2")
    assert (manifest["name"], manifest["steps"]) == ("colours-lora-v2", 2)


def test_several_domains_are_trained_together_and_each_is_told(in_taught):
    status, shown, error = in_taught("train", "colours", "numbers", "--dry-run", "--on", "24GB")
    assert (status, error) == (0, "")
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("adapter ")] == [
        "colours-lora-v1", "numbers-lora-v1",
    ]  # fmt: skip
    assert "device    a GPU of 24 GB" in shown
    trained = in_taught("train", "--all", "--json")[1].splitlines()
    assert [json.loads(line)["name"] for line in trained] == [
        "colours-lora-v1", "multi-domain-lora-v1", "numbers-lora-v1",
    ]  # fmt: skip
    # What every domain has by now is trained again only where it is named.
    assert in_taught("train", "--all")[2] == "train --all: no domain is due; name those to train again\n"


def test_what_does_not_fit_is_said_before_anything_is_loaded(in_taught):
    status, shown, error = in_taught("train", "colours", "--dry-run", "--on", "1.00005GB")
    assert status == 0
    assert "recompute: full, 2 of 2 layers" in shown
    assert error.startswith("memory: this does not fit; lower [train] max_length")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["train", "colours", "colours"], "train: colours is named twice; name each domain once"),
        (["train", "--all", "colours"], "--all: does not go with names of domains; give one or the other"),
        (["train", "--on", "24GB"], "--on: is for a plan only; give --dry-run with it"),
        (["train", "--dry-run", "--on", "much"], "--on much: not an amount of memory; write --on 24GB"),
        (["train", "nowhere"], "nowhere: no examples of this domain; choose from colours, multi-domain, numbers"),
        (["train", "--max-step", "3"], "weakspot: no such option: --max-step"),
        (["evaluate", "colours"], "colours: has no complete adapter; run 'weakspot train colours'"),
        (["deploy", "colours"], "colours: has no complete adapter; run 'weakspot train colours'"),
        (["ask"], "ask: no question; give one, or - to read one per line"),
        (["ask", "One?", "--merged"], "--merged: needs a domain; give --domain"),
        (["train", "--set", "train.epoch=3"], "--set train.epoch=3: [train] epoch: unknown key; did you mean epochs"),
        (["train", "--set", "train.epochs=many"], "--set train.epochs=many: [train] epochs: "),
        (["train", "--set", "model.base=./gone"], "[model] base = './gone': no such folder in "),
        (["train", "--set", "lora.target_modules=['x']"], "[lora] target_modules: "),
    ],
)
def test_a_mistake_is_one_line_and_exit_1(in_taught, arguments, line):
    status, shown, error = in_taught(*arguments)
    assert status == 1
    assert shown == ""
    assert error.startswith(line)
    assert len(error.splitlines()) == 1
