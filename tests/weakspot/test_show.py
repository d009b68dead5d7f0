"""The commands of the model half, as a person and as a program sees them."""

import json
import re

import pytest

from weakspot.cli import app
from zddc import console


@pytest.fixture
def weakspot(taught, capsys):
    """Run a command in a taught workspace; give its status, output and errors."""
    workspace, config = taught
    settings = {
        "model": {"base": config.model.base},
        "lora": {"rank": 4},
        "train": {"learning_rate": 1e-2, "max_steps": 12, "max_length": 128},
        "evaluate": {"max_new_tokens": 8},
    }
    tables = [
        f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items())
        for name, table in settings.items()
    ]
    workspace.config_file.write_text("\n".join(tables))

    def run(*arguments):
        status = console.run(app, "weakspot", [*arguments, "-w", str(workspace.root)])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


def test_the_model_half_speaks_to_people(weakspot):
    status, shown, _ = weakspot("train", "colours", "--dry-run")
    assert status == 0
    assert "examples  48 train, 6 val, 0 left out" in shown
    assert "layers    2 of 2: k_proj, o_proj, q_proj, v_proj" in shown
    assert '>>>{"colour": ' in shown
    assert "coverage  attention 2 of 2, mlp 0 of 2" in shown
    assert re.search(r"memory    \d+\.\d GB of \d+\.\d: base 0\.0, adapters 0\.0, activations 0\.\d, process", shown)
    assert re.search(r"passes    [\d,]+ tokens; recompute: none, 0 of 2 layers", shown)
    status, shown, _ = weakspot("train", "colours")
    assert "colours-lora-v1: 12 steps in" in shown
    assert "next: weakspot evaluate colours" in shown
    status, shown, _ = weakspot("evaluate", "colours")
    assert status == 0
    assert "loss per token" in shown
    assert "adapter + retrieval" in shown
    assert "  retrieval found examples for 6 of 6 questions" in shown
    assert "report: " in shown
    status, shown, _ = weakspot("status")
    assert "colours-lora-v1" in shown
    assert "80 raw lines, 0 not processed" in shown
    status, shown, _ = weakspot("ask", "Which colour?", "--domain", "colours")
    assert status == 0
    assert shown.strip()


def test_the_model_half_speaks_to_programs(weakspot):
    plan = json.loads(weakspot("train", "colours", "--dry-run", "--json")[1])
    assert plan["runs"][0]["steps"] == 12
    assert plan["memory"]["checkpointed_layers"] == 0
    assert json.loads(weakspot("train", "colours", "--json")[1])["name"] == "colours-lora-v1"
    card = json.loads(weakspot("evaluate", "colours", "--json")[1])
    assert card["verdict"] in ("accept", "reject", "not enough evidence")
    assert card["report"].endswith("evaluation.html")
    allowed = [] if card["verdict"] == "accept" else ["--allow-unproven"]
    if card["verdict"] != "reject":
        release = json.loads(weakspot("deploy", "colours", "--json", *allowed)[1])
        assert release["location"].endswith("colours-lora-v1-merged")
        asked = weakspot("ask", "One?", "Two?", "--domain", "colours", "--merged", "--json")[1]
        assert [json.loads(line)["question"] for line in asked.splitlines()] == ["One?", "Two?"]
    steps = [json.loads(line) for line in weakspot("run", "colours", "--json")[1].splitlines()]
    assert [step["stage"] for step in steps] == ["process", "validate", "deploy"]


def test_several_domains_are_trained_together_and_each_is_told(weakspot):
    status, shown, error = weakspot("train", "colours", "numbers", "--dry-run", "--on", "24GB")
    assert (status, error) == (0, "")
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("adapter ")] == [
        "colours-lora-v1", "numbers-lora-v1",
    ]  # fmt: skip
    assert "device    a GPU of 24 GB" in shown
    trained = weakspot("train", "--all", "--json")[1].splitlines()
    assert [json.loads(line)["name"] for line in trained] == [
        "colours-lora-v1", "multi-domain-lora-v1", "numbers-lora-v1",
    ]  # fmt: skip
    # What every domain has by now is trained again only where it is named.
    assert weakspot("train", "--all")[2] == "train --all: no domain is due; name those to train again\n"


def test_what_does_not_fit_is_said_before_anything_is_loaded(weakspot):
    status, shown, error = weakspot("train", "colours", "--dry-run", "--on", "1.001GB")
    assert status == 0
    assert "recompute: full, 2 of 2 layers" in shown
    assert error.startswith("memory: this does not fit; lower [train] max_length")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["train", "colours", "colours"], "colours colours: names a domain twice; name each once"),
        (["train", "--all", "colours"], "--all: and domains are named; give one or the other"),
        (["train", "--on", "24GB"], "--on: is for a plan only; give --dry-run with it"),
        (["train", "--dry-run", "--on", "much"], "--on much: not an amount of memory; write --on 24GB"),
        (["train", "nowhere"], "nowhere: no examples of this domain; choose from colours, multi-domain, numbers"),
        (["train", "--max-step", "3"], "weakspot: no such option: --max-step"),
        (["evaluate", "colours"], "colours: has no complete adapter; run 'weakspot train colours'"),
        (["deploy", "colours"], "colours: has no complete adapter; run 'weakspot train colours'"),
        (["ask"], "ask: no question; give one, or - to read one a line"),
        (["ask", "One?", "--merged"], "--merged: of which domain?; give --domain"),
        (["train", "--set", "train.epoch=3"], "--set train.epoch=3: [train] epoch: unknown key; did you mean epochs"),
        (["train", "--set", "train.epochs=many"], "--set train.epochs=many: [train] epochs: "),
        (["train", "--set", "model.base=./gone"], "[model] base = './gone': no such folder; "),
        (["train", "--set", "lora.target_modules=['x']"], "[lora] target_modules: "),
    ],
)
def test_a_mistake_is_one_line_and_exit_1(weakspot, arguments, line):
    status, shown, error = weakspot(*arguments)
    assert status == 1
    assert shown == ""
    assert error.startswith(line)
    assert len(error.splitlines()) == 1
