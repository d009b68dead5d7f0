"""Detects the domain of an interaction by the trigger words in its query and answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from weakspot.config import Config
from weakspot.records import Interaction


@dataclass(frozen=True)
class Detection:
    """The detected domain, and the triggers found in query and answers for every domain that has any."""

    domain: str
    hits: dict[str, dict[str, list[str]]]


@cache
def _pattern(trigger: str) -> re.Pattern[str]:
    # A word boundary is required only where the trigger itself ends in a word character: "dist/" matches in "dist/app".
    words = trigger.split()
    body = r"\s+".join(re.escape(word) for word in words)
    before = r"(?<!\w)" if re.match(r"\w", words[0]) else ""
    after = r"(?!\w)" if re.search(r"\w$", words[-1]) else ""
    return re.compile(before + body + after, re.IGNORECASE)


def detect(
    query: str,
    answers: Sequence[str],
    triggers: Mapping[str, Sequence[str]],
    *,
    default: str,
    query_weight: int,
) -> Detection:
    """Choose the domain with the most distinct triggers; a trigger in the query counts ``query_weight`` times.

    ``triggers`` maps each domain to its words and phrases, domains in order of precedence. They are matched as whole
    words, ignoring case. If none is found, the domain is ``default``.
    """
    hits: dict[str, dict[str, list[str]]] = {}
    scores: dict[str, int] = {}
    for domain, phrases in triggers.items():
        in_query = [phrase for phrase in phrases if _pattern(phrase).search(query)]
        in_answers = [
            phrase
            for phrase in phrases
            if phrase not in in_query and any(_pattern(phrase).search(answer) for answer in answers)
        ]
        if in_query or in_answers:
            hits[domain] = {"query": in_query, "answers": in_answers}
            scores[domain] = query_weight * len(in_query) + len(in_answers)
    # Among equals max returns the first, and dicts keep the table's order.
    return Detection(max(scores, key=scores.__getitem__) if scores else default, hits)


def detect_domain(example: Interaction, config: Config) -> Detection:
    """Detect an interaction's domain with the triggers of the workspace's settings."""
    collect, query, answers = config.collect, example.query.text, [example.local.text, example.expert.text]
    return detect(query, answers, config.triggers, default=collect.default_domain, query_weight=collect.query_weight)


def with_domain(example: Interaction, config: Config) -> Interaction:
    """Return the example with its domain: the captured one, else the one detected from its words."""
    if example.metadata.domain is not None:
        return example
    return example.with_metadata({"domain": detect_domain(example, config).domain})
