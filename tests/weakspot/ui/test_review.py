"""The index finds what a reviewer looks for, and knows what was captured, decided and erased since."""

import pytest

from weakspot.capture.decisions import append_decisions, decide, new_decision
from weakspot.pipeline.forget import forget
from weakspot.storage import append_log
from weakspot.ui.review import STATES, Filter, ReviewIndex


@pytest.fixture
def indexed(workspace, config, capture):
    """Capture interactions, and index them."""

    def made(*interactions) -> ReviewIndex:
        capture(workspace, interactions)
        index = ReviewIndex(workspace, config)
        index.refresh()
        return index

    return made


def ids(index: ReviewIndex, **wanted: str) -> list[str]:
    return [entry.id for entry in index.matching(Filter(**wanted))]


def test_all_are_found_in_the_order_of_capture_and_read_as_they_were(indexed, example):
    made = [example(n) for n in range(5)]
    index = indexed(*made)
    assert ids(index) == [one.id for one in made]
    assert [index.load(one.id) for one in made] == made
    assert index.load("int_none") is None


def test_a_domain_is_the_one_that_process_would_give_and_then_that_of_the_move(
    indexed, workspace, config, example, interaction
):
    named, moved, detected = (
        example(1, domain="eggs"),
        example(2, domain="eggs"),
        interaction("Name the drawing 123-EL-0001_A - Cable schedule.pdf by the zddc convention"),
    )
    index = indexed(named, moved, detected)
    append_decisions(workspace, config, [new_decision(moved.id, "move", domain="ham")])
    index.refresh()
    assert ids(index, domain="eggs") == [named.id]
    assert ids(index, domain="ham") == [moved.id]
    assert ids(index, domain=index.domain(index.entry(detected.id)))[-1] == detected.id
    assert {"eggs", "ham"} <= set(index.domains())


def test_each_state_has_its_interactions(indexed, workspace, config, example):
    asked = {"consultation": {"teacher": "sonnet", "model": "m", "policy": "ask", "terms": "of use"}}
    names = ("plain", "asked", "accepted", "allowed", "rejected", "refused", "edited")
    made = {name: example(n, **(asked if name == "asked" else {})) for n, name in enumerate(names)}
    index = indexed(*made.values())
    for name, action in [("accepted", "accept"), ("allowed", "allow"), ("rejected", "reject"), ("refused", "refuse")]:
        decide(workspace, config, [(made[name].id, action, None)])
    append_decisions(workspace, config, [new_decision(made["edited"].id, "edit", expert="So.")])
    index.refresh()
    found = {state: {name for name in names if made[name].id in ids(index, state=state)} for state in STATES}
    assert found == {
        "undecided": {"plain", "asked", "edited"},
        "waiting": {"asked"},
        "accepted": {"accepted", "allowed"},
        "rejected": {"rejected", "refused"},
        "edited": {"edited"},
    }


def test_a_search_reads_every_turn_and_the_id_whatever_the_case(indexed, interaction):
    context = [{"role": "user", "content": "about Okapis"}, {"role": "assistant", "content": "yes?"}]
    one = interaction("Where do they live?", "In the ÄQUATOR's forest.", local="On the moon.", context=context)
    other = interaction("Something else", interaction_id="int_special")
    index = indexed(one, other)
    for words in ("okapis", "THEY LIVE", "äquator", "moon"):
        assert ids(index, search=words) == [one.id]
    assert ids(index, search="SPECIAL") == [other.id]
    assert ids(index, search="giraffe") == []


def test_a_search_finds_what_was_captured_since(indexed, workspace, example, interaction, capture):
    index = indexed(example(1))
    assert ids(index, search="okapi") == []
    capture(workspace, [late := interaction("An okapi?")])
    index.refresh()
    assert ids(index, search="okapi") == [late.id]


def test_what_was_captured_since_is_taken_in_and_what_is_known_is_not_parsed_again(
    indexed, workspace, example, capture
):
    index = indexed(one := example(1))
    before = index.entry(one.id)
    capture(workspace, [two := example(2)])
    index.refresh()
    assert ids(index) == [one.id, two.id]
    assert index.entry(one.id) is before


def test_what_was_forgotten_is_gone_at_once_also_for_an_index_that_does_not_know_it_yet(
    indexed, workspace, config, example
):
    one, two = example(1), example(2)
    index = indexed(one, two)
    forget(workspace, config, one.id)
    assert index.load(one.id) is None
    index.refresh()
    assert ids(index) == [two.id]
    assert index.load(two.id) == two


def test_where_forgetting_was_broken_off_after_the_decision_it_is_gone_too(indexed, workspace, config, example):
    index = indexed(one := example(1), two := example(2))
    decide(workspace, config, [(one.id, "forget", one.content_key())])
    index.refresh()
    assert ids(index) == [two.id]
    assert index.load(one.id) is None


def test_lines_that_are_no_interaction_are_passed_over_and_of_two_with_one_id_the_first_counts(
    indexed, workspace, interaction
):
    first, second = interaction("First?", interaction_id="int_a"), interaction("Second?", interaction_id="int_a")
    index = indexed(first)
    with workspace.raw.open("a") as stream:
        stream.write(f'{{"half": \n\n{second.to_json()}\n')
    index.refresh()
    assert ids(index) == ["int_a"]
    assert index.load("int_a") == first
    assert ids(index, search="second") == []


def test_an_answer_that_was_cut_off_is_shown_and_marked(indexed, interaction):
    index = indexed(cut := interaction().with_metadata({"incomplete": True}))
    assert index.entry(cut.id).incomplete


def test_a_long_query_is_shortened_on_one_line(indexed, interaction):
    index = indexed(one := interaction("word\n" * 100))
    shown = index.entry(one.id).query
    assert shown.endswith("…")
    assert (len(shown), "\n" in shown) == (90, False)


def test_there_may_be_nothing(indexed, workspace):
    assert ids(indexed()) == []
    assert not any(append_log.read_lines(workspace.raw))
