"""Print how many questions are given their domain: run it, or `--errors` to see the errors too."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from weakspot.config import Config
from weakspot.dataset.domains import detect

QUESTIONS = [
    json.loads(line) for line in Path(__file__).with_name("domain_queries.jsonl").read_text("utf-8").splitlines()
]
SECOND = "second-annotator"
# On the first annotator's questions, of the triggers before, which were matched as they stand.
OLD = 0.344
# On the second's, before the triggers were ever tried on them.
UNSEEN = 0.933


def errors(questions: Sequence[dict] = QUESTIONS) -> list[str]:
    """Return the questions with a wrong domain."""
    config, found = Config(), []
    for one in questions:
        told = detect(one["query"], [], config.domains, default="general-coding", query_weight=3)
        if told.domain != one["domain"]:
            shown = {domain: hits["query"] for domain, hits in told.hits.items()}
            found.append(f"{one['domain']} {one['kind']}: {one['query']!r} -> {told.domain} {shown}")
    return found


def share_right(questions: Sequence[dict] = QUESTIONS) -> float:
    """Return the share of questions with the right domain."""
    return 1 - len(errors(questions)) / len(questions)


if __name__ == "__main__":
    first, second = ([one for one in QUESTIONS if (one["kind"] == SECOND) is by] for by in (False, True))
    print(f"first annotator: before {OLD:.3f}; now {share_right(first):.3f}")
    print(f"second: at first sight {UNSEEN:.3f}; now {share_right(second):.3f}")
    asked = Counter((one["domain"], one["kind"]) for one in QUESTIONS)
    wrong = Counter(tuple(error.split(":")[0].split(" ")) for error in errors())
    for kind, number in asked.items():
        print(f"  {' '.join(kind):<40}{number - wrong[kind]:>4} of {number}")
    if "--errors" in sys.argv:
        print(*errors(), sep="\n")
