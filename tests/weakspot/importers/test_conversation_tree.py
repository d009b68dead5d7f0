"""A conversation is a tree: paths lead back from every turn, and a question may have several answers."""

from weakspot.importers.conversation_tree import Tree, Turn
from weakspot.importers.messages import text_message


def user(identity: str, parent: str | None = None) -> Turn:
    return Turn(identity, parent, (text_message("user", identity),))


def model(identity: str, parent: str | None) -> Turn:
    return Turn(identity, parent, (text_message("assistant", identity),))


def ids(turns) -> list[str]:
    return [turn.id for turn in turns]


def test_a_path_leads_from_the_beginning():
    tree = Tree([user("q"), model("a", "q"), user("q2", "a"), model("other", "q")])
    assert ids(tree.path(tree.turns[2])) == ["q", "a", "q2"]
    assert ids(tree.path(tree.turns[3])) == ["q", "other"]


def test_a_turn_that_is_written_twice_counts_once():
    tree = Tree([user("q"), model("a", "q"), user("q"), model("a", None)])
    assert ids(tree.turns) == ["q", "a"]
    assert ids(tree.path(tree.turns[1])) == ["q", "a"]


def test_a_turn_begins_anew_where_its_parent_is_missing_or_comes_later():
    tree = Tree([model("a", "b"), model("b", "a"), model("c", "c"), model("d", "gone")])
    assert [ids(tree.path(turn)) for turn in tree.turns] == [["a"], ["a", "b"], ["c"], ["d"]]


def test_every_answer_to_a_question_is_a_path_to_its_last_message():
    tree = Tree(
        [
            user("q"),
            model("step", "q"),
            Turn("result", "step", (text_message("tool", "42"),)),
            model("end", "result"),
            model("again", "q"),
            user("next", "end"),
            model("of next", "next"),
        ]
    )
    assert [ids(reply) for reply in tree.replies(tree.turns[0])] == [["step", "result", "end"], ["again"]]


def test_a_branch_in_which_nobody_speaks_is_no_answer():
    tree = Tree([user("q"), model("call a", "q"), model("call b", "call a"), Turn("result a", "call a")])
    assert [ids(reply) for reply in tree.replies(tree.turns[0])] == [["call a", "call b"]]


def test_turns_that_only_link_are_passed_over():
    tree = Tree([user("q"), model("a", "q"), Turn("note", "a"), user("q2", "note"), user("q3", "a")])
    assert [tree.before(turn) for turn in tree.turns] == [None, "q", "a", "a", "a"]
