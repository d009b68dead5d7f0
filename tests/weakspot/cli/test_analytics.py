"""The commands that look back: what they read, draw and print as JSON, and how they fail."""

import json

import pytest

from weakspot.deployment.releases import publish
from weakspot.records import Release, UsageEvent
from weakspot.storage import append_log


@pytest.fixture
def used(workspace):
    """Three questions and a consultation."""
    common = {"timestamp": "2026-03-02T12:00:00.000Z", "domain": "d", "model": "m", "release": None, "seconds": 1.0}
    uses = [UsageEvent.model_validate({**common, "consulted": n == 3}) for n in range(4)]
    append_log.append(workspace.usage, [one.to_json() for one in uses])
    return workspace


@pytest.mark.slow
def test_economics_draws_and_sums_up(weakspot, used, tmp_path):
    status, out, err = weakspot("economics", "--chart", str(tmp_path / "saved.svg"))
    assert (status, err) == (0, "")
    summary = "1 of 3 questions needed the expert (33%, 95 % interval 6% to 79%), 1 without a price"
    assert out.splitlines()[-2:] == [summary, f"wrote {tmp_path / 'saved.svg'}"]
    assert (tmp_path / "saved.svg").read_text().startswith("<?xml")


def test_economics_gives_everything_as_json(weakspot, used):
    _, out, _ = weakspot("economics", "--since", "2026-03-02", "--period", "day", "--json")
    found = json.loads(out)
    assert (found["since"], found["total"]["questions"], found["total"]["cost_usd"]) == ("2026-03-02", 3, None)
    assert found["over_time"]["2026-03-02"]["rate"]["rate"] == 1 / 3
    _, out, _ = weakspot("economics", "--since", "2026-03-03", "--json")
    assert json.loads(out)["total"]["questions"] == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["replay", "d"], "d: has no complete adapter; run 'weakspot train d'"),
        (["replay", "--adapter", "d"], "--adapter d: not an adapter's name; write it as colours-lora-v2"),
        (["replay", "--judge", "nobody"], "judge nobody: no such teacher; there are sonnet, opus"),
        (["trace", "9"], "release 9: does not exist; see 'weakspot releases'"),
    ],
)
def test_a_mistake_is_one_line(weakspot, arguments, line):
    status, out, err = weakspot(*arguments)
    assert (status, out) == (1, "")
    assert line in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_an_adapter_is_replayed_and_traced(accepted, weakspot):
    workspace, config = accepted
    settings = [f"--set={name}" for name in (f"model.base={config.model.base}", "evaluate.max_new_tokens=8")]
    draft = Release(action="deploy", domain="colours", target="merged", location="l", adapter="colours-lora-v1")
    publish(workspace, config, draft)
    status, out, _ = weakspot("replay", "colours", "--limit", "2", "--json", *settings)
    done = json.loads(out)
    assert (status, done["adapter"], done["unseen"]["escalations"]) == (0, "colours-lora-v1", 2)
    _, out, _ = weakspot("replay", "--adapter", "colours-lora-v1", "--limit", "2", *settings)
    assert "of 2 would no longer need the expert; judged 2 by exact match" in out
    _, out, _ = weakspot("trace", "Which colour has item 1?", "--domain", "colours", "--limit", "1", "--json")
    found = json.loads(out)
    assert (found["release"]["number"], len(found["taught"])) == (1, 1)
    _, out, _ = weakspot("trace", found["taught"][0]["interaction_id"], "--json")
    assert json.loads(out)["adapters"] == {"colours-lora-v1": "train"}
