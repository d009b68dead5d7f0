"""Past escalations are asked again of a trained adapter; what it has seen is counted apart."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from tests.servers import Asked, Reply, Script, Server

from weakspot import config as configuration
from weakspot.evaluation.replay import ReplayedEscalation, count_outcomes, replay
from weakspot.evaluation.scoring import is_exact_match
from weakspot.models.adapters import read_manifest
from weakspot.pipeline.process import process
from weakspot.records import Assignment
from weakspot.storage import append_log
from weakspot.workspace import AdapterName
from zddc.errors import UserError

COLOURS = AdapterName("colours", 1)


def one(
    outcome: str, judge: str = "exact match", base_right: bool | None = None, teacher: str = "opus"
) -> ReplayedEscalation:
    texts = {"query": "q", "expert": "e", "answer": "a"}
    given = {"interaction_id": "i", "seen": False, "judge": judge, "outcome": outcome, "teacher": teacher}
    return ReplayedEscalation(**given, base_right=base_right, **texts)


def test_a_count_tells_outcomes_judges_and_who_had_answered():
    found = count_outcomes(
        [one("resolved"), one("resolved", base_right=True), one("needed"), one("undecided", "likelihood")]
    )
    assert (found.escalations, found.resolved, found.needed, found.undecided) == (4, 2, 1, 1)
    assert (found.base_right, found.teachers) == (1, {"opus": 4})
    assert found.judges == {"exact match": 3, "likelihood": 1}


def test_what_only_the_base_answers_right_is_not_resolved():
    assert count_outcomes([one("needed", base_right=True)]).base_right == 0


def test_a_judge_who_is_nobody_is_one_line(workspace, config):
    with pytest.raises(UserError, match="judge gandalf: no such teacher; there are sonnet, opus"):
        replay(workspace, config, "d", judge="gandalf")


@pytest.mark.slow
def test_checkable_answers_are_judged_by_exact_match_and_unseen_ones_apart(accepted, interaction, capture):
    workspace, config = accepted
    late = interaction("Which colour has the sky over shelf 7?", '{"colour": "grey"}', domain="colours")
    capture(workspace, [late])
    process(workspace, config)
    found = replay(workspace, config, "colours")
    assert (found.adapter, found.left_out, found.cost_usd) == ("colours-lora-v1", 0, 0.0)
    assert found.adapter_sha256 == read_manifest(workspace, COLOURS).files["adapter_model.safetensors"]
    # Train and val of the snapshot are seen; its test split, and what was captured since, are not.
    assert (found.seen.escalations, found.unseen.escalations) == (54, 7)
    assert found.rows[0].interaction_id == late.id
    assert [row.seen for row in found.rows] == [False] * 7 + [True] * 54
    assert {row.judge for row in found.rows} == {"exact match"}
    for row in found.rows:
        assert row.outcome == ("resolved" if is_exact_match(row.expert, row.answer) else "needed")
    assert found.unseen.resolved == sum(row.outcome == "resolved" for row in found.rows[:7])


@pytest.mark.slow
def test_a_near_duplicate_of_what_was_trained_on_is_seen(accepted, interaction, capture):
    workspace, config = accepted
    train = [
        Assignment.from_json(line.data)
        for line in append_log.read_lines(workspace.assignments)
        if b'"train"' in line.data and b'"colours"' in line.data
    ]
    known = {json.loads(line.data)["metadata"]["interaction_id"]: line for line in append_log.read_lines(workspace.raw)}
    messages = json.loads(known[train[0].interaction_id].data)["messages"]
    twin = interaction(f"{messages[0]['content']}!", messages[3]["content"], domain="colours")
    capture(workspace, [twin])
    process(workspace, config)
    found = {row.interaction_id: row.seen for row in replay(workspace, config, "colours").rows}
    assert found[twin.id] is True


@pytest.mark.slow
def test_what_cannot_be_checked_is_judged_by_likelihood(accepted):
    workspace, config = accepted
    found = replay(workspace, config, "numbers", adapter=COLOURS, limit=5)
    assert found.domain == "numbers"
    assert len(found.rows) == 5
    assert {(row.judge, row.answer, row.base_right) for row in found.rows} == {("likelihood", None, None)}


@pytest.mark.slow
def test_a_named_teacher_judges_what_cannot_be_checked(accepted):
    workspace, config = accepted

    def script(asked: Asked) -> Reply:
        material = json.loads(asked.body["messages"][0]["content"].rpartition("\n\n")[2])
        return Reply("A" if "digits sum to" in material["A"] else "B")

    with listening(script) as url:
        judge = {"kind": "openai", "model": "big", "base_url": f"{url}/v1"}
        table = ", ".join(f"{key}={json.dumps(value)}" for key, value in judge.items())
        teachers = configuration.load(workspace.config_file, [f"teachers.judge={{{table}}}"]).teachers
        found = replay(
            workspace,
            config.model_copy(update={"teachers": teachers}),
            "numbers",
            adapter=COLOURS,
            judge="judge",
            limit=2,
        )
    assert {(row.judge, row.outcome) for row in found.rows} == {("teacher judge", "needed")}
    assert all(isinstance(row.answer, str) for row in found.rows)
    assert found.cost_usd is None


@pytest.mark.slow
def test_a_domain_without_escalations_is_one_line(accepted):
    workspace, config = accepted
    with pytest.raises(UserError, match="cooking: has no escalation to replay"):
        replay(workspace, config, "cooking", adapter=COLOURS)


@contextlib.contextmanager
def listening(script: Script) -> Iterator[str]:
    """Run a server in a thread of its own, for what runs an event loop itself; give its address."""
    address: Future[str] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with Server(script) as server:
            address.set_result(server.url)
            await stop.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield address.result(120)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
