"""How much of what must go is found in chats, and how much of what must stay is left alone."""

import base64
import json
import random
import re
import string
import sys
import uuid
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weakspot.redaction import betterleaks
from weakspot.redaction.redact import scrub

HERE = Path(__file__).parent
PARTS = {"tuned": "scrub_cases.txt", "held out": "scrub_cases_held_out.txt"}
SEEDS = range(5)

ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "letters": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "base32": string.ascii_uppercase + "234567",
    "bech32": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    "b64": string.ascii_letters + string.digits + "+/",
    "b64url": string.ascii_letters + string.digits + "-_",
}
MARK = re.compile("⟦(.*?)⟧", re.DOTALL)


@dataclass
class Case:
    """A chat: ``text`` as it is captured, ``marked`` with ⟦ ⟧ around what must go."""

    kind: str
    title: str
    marked: str
    is_json: bool

    @property
    def text(self) -> str:
        return MARK.sub(r"\1", self.marked)

    @property
    def secrets(self) -> list[str]:
        return [mark[1] for mark in MARK.finditer(self._read(self.marked))]

    @property
    def kept(self) -> list[str]:
        """What stands between the secrets."""
        return MARK.sub("\0", self._read(self.marked)).split("\0")

    @cached_property
    def scrubbed(self) -> str:
        if self.is_json:
            return json.dumps(scrub(json.loads(self.text)).value, ensure_ascii=False)
        return str(scrub(self.text).value)

    def _read(self, text: str) -> str:
        return json.dumps(json.loads(text), ensure_ascii=False) if self.is_json else text

    def misses(self) -> list[str]:
        """Return the secrets of which half is left."""
        left = self.scrubbed
        return [one for one in self.secrets if one[: len(one) // 2 + 1] in left or one[len(one) // 2 :] in left]

    def false_hits(self) -> list[str]:
        """Return the pieces of clean text that were changed."""
        left, at, changed = self.scrubbed, 0, []
        for number, piece in enumerate(self.kept):
            last = number == len(self.secrets)
            found = left.rfind(piece, at) if last else left.find(piece, at)
            stands = found >= 0 and (number or found == 0) and (not last or found + len(piece) == len(left))
            at = found + len(piece) if stands else at
            changed += [] if stands else [piece]
        return changed


def written(kind: str, length: int, chance: random.Random) -> str:
    """Return what a mark such as ⟨alnum:36⟩ stands for."""
    some = lambda alphabet, n: "".join(chance.choices(ALPHABETS[alphabet], k=n))  # noqa: E731
    match kind:
        case "dashes":
            return "-" * 5
        case "uuid":
            return str(uuid.UUID(int=chance.getrandbits(128), version=4))
        case "pw":  # like those of a generator: every class of characters is in it
            every = [chance.choice(one) for one in (string.ascii_lowercase, string.ascii_uppercase, string.digits)]
            rest = chance.choices(ALPHABETS["alnum"] + "!*+-.=_~^", k=length - 5)
            middle = [*every, *rest, chance.choice("!*+-.=_~^")]
            chance.shuffle(middle)
            return "".join([chance.choice(string.ascii_letters), *middle])
        case "basic":
            return base64.b64encode(f"ci:{some('alnum', 17)}".encode()).decode()
        case "jwt":
            parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": some("digits", 10), "iat": chance.getrandbits(30)})
            head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
            return f"{head}.{body}.{some('b64url', 43)}"
        case "pem" | "pemescaped" | "pemescapedtwice":
            line_end = {"pem": "\n", "pemescaped": "\\n", "pemescapedtwice": "\\\\n"}[kind]
            return line_end.join(some("b64", 64) for _ in range(length))
    return some(kind, length)


def cases(part: str, seed: int = 0) -> list[Case]:
    """Read a file of cases and fill in what is random."""
    chance = random.Random(seed)
    fill = lambda match: written(match[1], int(match[2] or 0), chance)  # noqa: E731
    found = []
    for chapter in (HERE / PARTS[part]).read_text(encoding="utf-8").split("\n=== ")[1:]:
        head, _, body = chapter.partition("\n")
        kind, title, *options = (word.strip() for word in head.split("|"))
        marked = re.sub(r"⟨(\w+):?(\d*)⟩", fill, body.rstrip("\n"))
        found.append(
            Case(kind, title, marked.replace("\n", "\r\n") if "crlf" in options else marked, "json" in options)
        )
    return found


@pytest.fixture(params=["with betterleaks", "without betterleaks"])
def library(request, monkeypatch) -> str:
    """The library is there, or it is not installed."""
    if request.param == "with betterleaks":
        pytest.importorskip("betterleaks")
    else:
        monkeypatch.setitem(sys.modules, "betterleaks", None)
    betterleaks._library.cache_clear()
    yield request.param
    betterleaks._library.cache_clear()


# Recall and precision, a little below what was reached over these seeds. The held-out part measures how the
# rules do on what they were not made for: what it shows to be missing is not to be mended by looking at it.
FLOORS = {
    ("tuned", "with betterleaks"): (0.99, 0.99),
    ("tuned", "without betterleaks"): (0.97, 0.99),
    ("held out", "with betterleaks"): (0.97, 0.98),
    ("held out", "without betterleaks"): (0.945, 0.98),
}


@pytest.mark.parametrize("part", PARTS)
def test_secrets_are_found_and_nothing_else(part, library):
    every = [case for seed in SEEDS for case in cases(part, seed)]
    secrets = sum(len(case.secrets) for case in every)
    missed = [f"{case.kind} | {case.title}" for case in every for _ in case.misses()]
    false = [f"{case.kind} | {case.title}" for case in every for _ in case.false_hits()]
    found = secrets - len(missed)
    recall, precision = found / secrets, found / (found + len(false))
    floors = FLOORS[part, library]
    print(f"{part}, {library}: {secrets} secrets, recall {recall:.4f}, precision {precision:.4f}")
    assert recall >= floors[0], f"missed: {sorted({*missed})}"
    assert precision >= floors[1], f"changed, and should not be: {sorted({*false})}"


def test_the_cases_are_many_and_of_many_kinds():
    every = [*cases("tuned"), *cases("held out")]
    assert sum(case.kind != "clean" for case in every) >= 180
    assert sum(case.kind == "clean" for case in every) >= 100
    assert len({case.kind for case in every}) >= 30
    assert [case.title for case in every if (case.kind == "clean") == bool(case.secrets)] == []


CASES = cases("tuned")


@cache
def found_cases() -> list[Case]:
    """Those that the rules find: what surrounds them must not hide them."""
    return [case for case in CASES if case.secrets and not case.is_json and not case.misses()]


SURROUNDINGS = st.text(max_size=200)


@settings(max_examples=3 * settings.default.max_examples)
@given(st.deferred(lambda: st.sampled_from(found_cases())), SURROUNDINGS, SURROUNDINGS)
def test_no_text_around_it_hides_a_secret(case, before, after):
    left = str(scrub(f"{before}\n\n{case.text}\n\n{after}").value)
    assert [one for one in case.secrets if one in left] == []


@settings(max_examples=3 * settings.default.max_examples)
@given(st.lists(st.one_of(st.sampled_from([case.text for case in CASES]), st.text(max_size=50)), max_size=5))
def test_what_is_scrubbed_stays_as_it_is(texts):
    once = scrub("".join(texts))
    assert scrub(once.value) == (once.value, {})


@pytest.mark.parametrize("case", [case for case in CASES if case.is_json], ids=lambda case: case.title)
def test_scrubbing_keeps_the_shape_of_a_value(case):
    def shape(value):
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shape(item) for item in value]
        return str if isinstance(value, str) else value

    value = json.loads(case.text)
    assert shape(scrub(value).value) == shape(value)
