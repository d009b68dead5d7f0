"""A served prompt is the trained one, apart from the date in it; anything else is another chat template."""

import pytest

from weakspot.deployment.openai_client import ServedAnswer
from weakspot.deployment.served_prompt import require_same_prompt
from weakspot.records import ExpertAnswer, ReferenceAnswer
from zddc.errors import UserError

IDS = [1, 2, 30, 31, 3, 4]  # 30 and 31 are the date


def require(served, around_date, count=None):
    lists = {key: [] for key in ("tokens", "base_tokens", "adapter", "base", "margins")}
    one = ReferenceAnswer(
        **{"interaction_id": "int_1", "messages": [], "prompt_ids": IDS, "text": "", "base_text": "", **lists},
        expert=ExpertAnswer(tokens=[], places=[], adapter=[], base=[]),
        around_date=around_date,
    )
    require_same_prompt(one, ServedAnswer("", None, None, count, served), "it")


@pytest.mark.parametrize("served", [IDS, [1, 2, 40, 3, 4], [1, 2, 40, 41, 42, 3, 4]])
def test_another_date_is_the_same_prompt(served):
    require(served, (2, 2))
    require(None, (2, 2), len(served))


@pytest.mark.parametrize("served", [[1, 2, 30, 31, 3, 5], [9, 2, 30, 31, 3, 4], [2, 30, 31, 3, 4], []])
def test_another_word_is_another_prompt(served):
    with pytest.raises(UserError, match="the server builds another prompt"):
        require(served, (2, 2))


@pytest.mark.parametrize(("served", "count"), [([1, 2, 40, 31, 3, 4], None), (None, 7)])
def test_where_no_date_is_written_every_token_counts(served, count):
    with pytest.raises(UserError, match="the server builds another prompt"):
        require(served, None, count)
    require(None, None, 6)
    require(None, None, None)
