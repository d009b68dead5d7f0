"""A reader's thumb is stored once, with their words and without secrets."""

from weakspot.capture.decisions import decide, load_decisions
from weakspot.capture.feedback import store_feedback, store_ratings


def test_a_thumb_is_stored_with_its_words_once(workspace, config):
    assert store_ratings(workspace, config, {"int_1": (False, "wrong"), "int_2": (True, "")}) == 2
    assert store_ratings(workspace, config, {"int_1": (False, "wrong"), "int_2": (False, "")}) == 1
    thumbs = load_decisions(workspace).thumbs
    assert [(one.action, one.comment) for one in thumbs.values()] == [("thumbs-down", "wrong"), ("thumbs-down", None)]


def test_words_are_without_secrets_and_not_endless(workspace, config):
    store_ratings(workspace, config, {"int_1": (True, "write to ann.lee@gmail.com " + "x" * 9000)})
    comment = load_decisions(workspace).thumbs["int_1"].comment
    assert "ann.lee@gmail.com" not in comment
    assert len(comment) == 4000


def test_an_interaction_is_found_by_its_id_and_by_its_answers(workspace, config, interaction):
    one = interaction("one", answer_id="chatcmpl-1")
    workspace.raw.parent.mkdir(parents=True)
    workspace.raw.write_text(f"{one.to_json()}\n" + '{"chatcmpl-2": cut\n')
    assert store_feedback(workspace, config, "chatcmpl-1", "", up=True) == one.id
    assert store_feedback(workspace, config, one.id, "", up=False) == one.id
    assert load_decisions(workspace).thumbs[one.id].action == "thumbs-down"
    for other in ("chatcmpl", "chatcmpl-2", "consult"):
        assert store_feedback(workspace, config, other, "", up=True) is None


def test_nothing_is_said_of_what_was_forgotten(workspace, config):
    decide(workspace, config, [("int_1", "forget", "a" * 64)])
    assert store_ratings(workspace, config, {"int_1": (True, "good")}) == 0
    assert store_ratings(workspace, config, {}) == 0
