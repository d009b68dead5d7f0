"""Base, adapter and merged model answer, each as itself."""

import pytest

from weakspot.pipeline.ask import ask
from weakspot.pipeline.deploy import deploy
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)
QUESTIONS = ["Which colour has item 1 of green shelf 37?", "Which colour has item 2 of blue shelf 74?"]


def test_the_merged_model_answers_as_the_adapter_does_and_the_base_otherwise(evaluated):
    workspace, config = evaluated
    base = ask(workspace, config, QUESTIONS, None, merged=False)
    adapter = ask(workspace, config, QUESTIONS, NAME, merged=False)
    assert adapter != base
    with pytest.raises(UserError, match="has no merged model; run 'weakspot deploy colours'"):
        ask(workspace, config, QUESTIONS, NAME, merged=True)
    deploy(workspace, config, "colours", allow_unproven=True)
    assert ask(workspace, config, QUESTIONS, NAME, merged=True) == adapter
