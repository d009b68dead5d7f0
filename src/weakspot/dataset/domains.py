"""Find the domain of an interaction by the trigger words that occur in it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from weakspot.config import Config
from weakspot.records import Interaction


@dataclass(frozen=True)
class Detection:
    """The domain found, and for every domain with a hit the triggers found in query and in answers."""

    domain: str
    hits: dict[str, dict[str, list[str]]]


@cache
def _pattern(trigger: str) -> re.Pattern[str]:
    # A boundary is asked for only where the trigger itself ends in a word character: "dist/app" has "dist/".
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
    """Choose the domain with the most distinct triggers, one in the query counting ``query_weight`` times.

    ``triggers`` maps each domain to its words and phrases in order of precedence; they are matched whole
    and case-insensitively. Nothing found gives ``default``.
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
    # max keeps the first of equals, and dicts keep the table's order.
    return Detection(max(scores, key=scores.__getitem__) if scores else default, hits)


def detected(example: Interaction, config: Config) -> Detection:
    """Choose an interaction's domain as the workspace's settings say."""
    collect, query, answers = config.collect, example.query.text, [example.local.text, example.expert.text]
    return detect(query, answers, config.triggers, default=collect.default_domain, query_weight=collect.query_weight)


def labelled(example: Interaction, config: Config) -> Interaction:
    """Return the example with its domain: the one it came with, else the one its words tell."""
    if example.metadata.domain is not None:
        return example
    return example.described({"domain": detected(example, config).domain})
