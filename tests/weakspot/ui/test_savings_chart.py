"""What was saved as a picture: what is known of it in panels, with each release marked."""

from xml.etree import ElementTree

import pytest
from tests.weakspot.used import released, uses

from weakspot.analytics.savings import Wins, economics
from weakspot.storage import append_log
from weakspot.ui.savings_chart import chart

pytestmark = pytest.mark.slow


def words(svg: str) -> str:
    """Return the texts of a picture, which are drawn as paths, each with its words in a comment."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(svg, parser)
    return "\n".join(one.text or "" for one in root.iter() if one.tag is ElementTree.Comment)


@pytest.fixture
def found(workspace, config):
    """Two weeks in two domains, of which one has prices, with a release in between for each."""
    lines = [*uses(0, 60, 30, "d", 0.1), *uses(8, 90, 9, "d", 0.1), *uses(1, 10, 4, "e", None)]
    append_log.append(workspace.usage, lines)
    released(workspace, 1, 7)
    released(workspace, 2, 7, "e")
    return economics(workspace, config)


def test_the_picture_names_domains_and_marks_releases(found):
    drawn = words(chart(found))
    for text in (" d ", " e ", " 1, 2 ", " needed the expert, % ", " USD a week ", " seconds to answer "):
        assert text in drawn
    assert "better than base" not in drawn  # neither adapter was ever measured


def test_how_each_adapter_did_against_the_base_is_drawn_where_its_release_is(found):
    found.wins[1] = Wins("d-lora-v1", "exact match", rows=15, won=12, lost=0)
    assert " better than base, % " in words(chart(found))


def test_what_has_no_price_has_no_panel_of_it(workspace, config):
    append_log.append(workspace.usage, uses(0, 5, 2, "d", None))
    drawn = words(chart(economics(workspace, config)))
    assert " needed the expert, % " in drawn
    assert "USD" not in drawn


def test_the_picture_is_the_same_each_time(found):
    assert chart(found) == chart(found)


def test_without_a_log_the_picture_shows_how_many_consultations(workspace, config, capture, interaction):
    capture(workspace, [interaction(domain="d")])
    assert " consultations a week " in words(chart(economics(workspace, config)))


def test_of_nothing_there_is_a_picture_too(workspace, config):
    assert " nothing was asked yet " in words(chart(economics(workspace, config)))
