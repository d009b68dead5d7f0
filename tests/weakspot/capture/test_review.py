"""A reviewer's decisions are written down as they were meant, and a mistake is said in one line."""

import pytest

from weakspot.capture import review
from weakspot.capture.decisions import load_decisions
from weakspot.capture.review import as_form_text
from weakspot.records import Decision
from weakspot.storage import append_log
from zddc.errors import UserError


def written(workspace) -> list[dict]:
    """Return what was decided, without the times."""
    lines = [Decision.from_json(line.data) for line in append_log.read_lines(workspace.decisions)]
    return [line.model_dump(exclude_unset=True, exclude={"timestamp"}) for line in lines]


def test_judging_is_one_line_each(workspace, config, interaction):
    one = interaction(interaction_id="int_a")
    review.judge(workspace, config, one, accepted=True)
    review.judge(workspace, config, one, accepted=False)
    assert [line["action"] for line in written(workspace)] == ["accept", "reject"]


def test_a_policy_that_refuses_is_told_at_once(workspace, config, interaction):
    refused = interaction(consultation={"teacher": "opus", "model": "m", "policy": "refuse", "terms": "of use"})
    with pytest.raises(UserError, match=r"the policy for opus is refuse \(of use\); leave it out"):
        review.judge(workspace, config, refused, accepted=True)
    review.judge(workspace, config, refused, accepted=False)
    assert [line["action"] for line in written(workspace)] == ["reject"]


def test_only_the_words_that_changed_are_written_down(workspace, config, interaction):
    one = interaction("How?", "So.", interaction_id="int_a")
    review.edit(workspace, config, one, "How?", "Thus.")
    assert written(workspace) == [{"interaction_id": "int_a", "action": "edit", "expert": "Thus."}]


def test_line_ends_of_a_text_field_are_no_change(workspace, config, interaction):
    one = interaction("How?\r\nAnd why?", "So.\rThere.", interaction_id="int_a")
    review.edit(workspace, config, one, "How?\r\nAnd why?", "So.\r\nThere.")
    assert load_decisions(workspace).with_edits(one) == one


def test_what_was_captured_is_given_back_by_editing_it_back(workspace, config, interaction):
    one = interaction("How?", "So.")
    for expert in ("Thus.", "So."):
        review.edit(workspace, config, one, "How?", expert)
    assert load_decisions(workspace).with_edits(one) == one


def test_a_secret_in_an_edit_is_replaced(workspace, config, interaction):
    key = "ghp_" + "a1B2" * 9
    review.edit(workspace, config, one := interaction("How?", "So."), "How?", f"Use {key}.")
    assert key.encode() not in workspace.decisions.read_bytes()
    assert load_decisions(workspace).with_edits(one).expert.text.startswith("Use ")


@pytest.mark.parametrize(
    ("query", "expert", "empty"),
    [
        (" ", "So.", "the query"),
        ("How?", "\r\n", "the answer"),
        ("", "", "the query and the answer"),
    ],
)
def test_an_edit_that_says_nothing_is_refused(workspace, config, interaction, query, expert, empty):
    with pytest.raises(UserError, match=f"{empty} would be empty"):
        review.edit(workspace, config, interaction("How?", "So."), query, expert)
    assert not workspace.decisions.exists()


@pytest.mark.parametrize("domain", ["", "../raw", "all", "No"])
def test_a_move_leads_to_a_domain(workspace, config, interaction, domain):
    with pytest.raises(UserError, match="domain"):
        review.move(workspace, config, interaction(), domain)
    assert not workspace.decisions.exists()


def test_where_nothing_stands_nothing_is_undone(workspace, config, interaction):
    one = interaction(interaction_id="int_a")
    review.move(workspace, config, one, "eggs")
    review.undo(workspace, config, "int_a")
    assert load_decisions(workspace).with_edits(one) == one
    with pytest.raises(UserError, match="nothing is decided about it"):
        review.undo(workspace, config, "int_a")


def test_a_text_field_gives_back_line_feeds_only():
    assert as_form_text("a\r\nb\rc\nd\0") == "a\nb\nc\nd\N{REPLACEMENT CHARACTER}"
