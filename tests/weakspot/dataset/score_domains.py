"""Print how many questions are given their domain: run it, or `--errors` to see the errors too."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from weakspot.config import Config
from weakspot.dataset.domains import detect

QUESTIONS = [
    json.loads(line) for line in Path(__file__).with_name("domain_queries.jsonl").read_text("utf-8").splitlines()
]
# Of the triggers before, which were matched as they stand.
OLD = 0.344


def errors(is_counted: Callable[[int], bool] = lambda number: True) -> list[str]:
    """Return the questions with a wrong domain, of those whose number is counted."""
    config, found = Config(), []
    for number, one in enumerate(QUESTIONS, 1):
        told = detect(one["query"], [], config.domains, default="general-coding", query_weight=3)
        if is_counted(number) and told.domain != one["domain"]:
            shown = {domain: hits["query"] for domain, hits in told.hits.items()}
            found.append(f"{one['domain']} {one['kind']}: {one['query']!r} -> {told.domain} {shown}")
    return found


def share_right(is_counted: Callable[[int], bool] = lambda number: True) -> float:
    """Return the share of questions with the right domain."""
    return 1 - len(errors(is_counted)) / sum(is_counted(number) for number in range(1, len(QUESTIONS) + 1))


if __name__ == "__main__":
    print(
        f"before {OLD:.3f}, whole set {share_right():.3f}, hold-out {share_right(lambda number: number % 3 == 0):.3f}"
    )
    asked = Counter((one["domain"], one["kind"]) for one in QUESTIONS)
    wrong = Counter(tuple(error.split(":")[0].split(" ")) for error in errors())
    for kind, number in asked.items():
        print(f"  {' '.join(kind):<40}{number - wrong[kind]:>4} of {number}")
    if "--errors" in sys.argv:
        print(*errors(), sep="\n")
