"""The picture of a scorecard: each test example, its own domain's and the others told apart."""

import pytest

from weakspot.evaluation import html_report
from weakspot.records import ScoredExample


def row(domain: str) -> ScoredExample:
    texts = {"interaction_id": "i", "domain": domain, "query": "q", "local": "l", "expert": "e", "tokens": 1}
    return ScoredExample(**texts, base_loss=2.0, adapter_loss=1.0, base_margin=0.0, adapter_margin=1.0)


@pytest.mark.parametrize("domains", [["spam"], ["spam", "eggs"]], ids=["own", "both"])
def test_the_picture_says_which_points_are_whose(domains):
    picture = html_report.scatter([row(domain) for domain in domains], {"eggs"})
    legend = picture.partition('id="legend_1"')[2]
    assert "<!-- own domain -->" in legend
    assert ("<!-- other domains -->" in legend) == ("eggs" in domains)
