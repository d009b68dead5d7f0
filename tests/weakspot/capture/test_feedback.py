"""A reader's thumb is stored once, with their words and without secrets."""

from weakspot.capture.decisions import decide, load_decisions
from weakspot.capture.feedback import store_ratings


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


def test_nothing_is_said_of_what_was_forgotten(workspace, config):
    decide(workspace, config, [("int_1", "forget", "a" * 64)])
    assert store_ratings(workspace, config, {"int_1": (True, "good")}) == 0
    assert store_ratings(workspace, config, {}) == 0
