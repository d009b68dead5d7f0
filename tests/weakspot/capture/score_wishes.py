"""Print how well wishes for an expert are told from other messages: run it, or `--errors` to see the errors too."""

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from weakspot.capture.trigger_phrases import parse_trigger, resembles_wish
from weakspot.config import Config

MESSAGES = [json.loads(line) for line in Path(__file__).with_name("wishes.jsonl").read_text("utf-8").splitlines()]
SECOND = "second-annotator"
# On the first annotator's messages, of the recogniser before, for which the whole message had to be a phrase.
OLD = "recall 0.114, precision 0.971"
# On the second's, before the recogniser was ever tried on them.
UNSEEN = "recall 0.875, precision 1.000"


@dataclass
class Score:
    """How many messages were taken rightly and wrongly, and the errors by kind."""

    wishes: int = 0
    right: int = 0
    taken: int = 0
    about: int = 0
    kinds: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    errors: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of the wishes that were taken for the right teacher."""
        return self.right / max(1, self.wishes)

    @property
    def precision(self) -> float:
        """The share of the taken messages that were wishes, for that teacher."""
        return self.right / max(1, self.taken)

    def __str__(self) -> str:
        told = f"recall {self.recall:.3f}, precision {self.precision:.3f}"
        return f"{told}, {self.about} of {self.right} about the right question"


def score(is_counted: Callable[[dict], bool] = lambda one: True) -> Score:
    """Return the score on the messages that are counted."""
    config, result = Config(), Score()
    for one in filter(is_counted, MESSAGES):
        found = parse_trigger(config, one["text"])
        teacher = found.teacher if found else None
        about = one.get("about") if found is None else "message" if found.question else "before"
        result.wishes += one["teacher"] is not None
        result.taken += found is not None
        result.right += found is not None and teacher == one["teacher"]
        kind = result.kinds[one["kind"]]
        kind[1] += 1
        if teacher == one["teacher"]:
            kind[0] += 1
            result.about += found is not None and about == one["about"]
        if teacher != one["teacher"] or about != one.get("about"):
            result.errors.append(f"{one['kind']}: {one['text']!r} -> {found}")
    return result


if __name__ == "__main__":
    first, second = (score(lambda one, by=by: (one["kind"] == SECOND) is by) for by in (False, True))
    whole = score()
    print(f"first annotator: before {OLD}; now {first}\nsecond: at first sight {UNSEEN}; now {second}\nboth: {whole}")
    for kind, (right, number) in whole.kinds.items():
        print(f"  {kind:<22}{right:>4} of {number}")
    missed = [one for one in MESSAGES if one["teacher"] and parse_trigger(Config(), one["text"]) is None]
    traps = [one for one in MESSAGES if not one["teacher"]]
    for name, messages in (("missed wishes", missed), ("other messages", traps)):
        seen = sum(resembles_wish(Config(), one["text"]) for one in messages)
        print(f"look like wishes: {seen} of {len(messages)} {name}")
    if "--errors" in sys.argv:
        print(*whole.errors, sep="\n")
