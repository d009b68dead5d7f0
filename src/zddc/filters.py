"""The filter language: an expression becomes a tree of conditions, and the tree is asked about rows.

::

    spec pdf             both, anywhere in the row      ^IFA | ^IFB           either; AND binds tighter than OR
    !draft   !(a | b)    not                            ^A   pdf$   ^A$       starts with, ends with, is
    el.*spc  [ei]fa      regular expressions            "site layout"         a phrase, taken as it is
    status:IFC           in one column                  status:(IFA | !IFB)   a group in one column

``spec/filters.json`` holds the columns, the limits, and what each expression matches.
"""

import difflib
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import re2

from zddc.errors import UserError

# How a column is written in an expression, and what it is called in a row.
COLUMNS: Mapping[str, str] = MappingProxyType(
    {"tracking": "tracking_number", "rev": "revision", "ext": "extension"}
    | {name: name for name in ("tracking_number", "title", "revision", "status", "extension", "name")}
    | {name: name for name in ("folder", "party", "transmittal", "date")}
)
LONGEST_EXPRESSION, LONGEST_PATTERN, DEEPEST_GROUP = 1000, 200, 20
# In RE2's instructions: at worst it goes through all of them for each character, 10 ms for a row of 1,500.
LARGEST_PATTERN = 1500
# A file has these by where it lies; all others are pieces of its name.
_NOT_OF_THE_NAME = ("folder", "party", "transmittal", "date")
# A pattern without a column is sought in these, joined by blanks.
_FREE_TEXT = operator.itemgetter("tracking_number", "title", "revision", "status", "extension", "name")

_BLANK = " \t\n\r\f\v\u00a0\u3000"
_BLANKS = re.compile(f"[{_BLANK}]*")
_PREFIX = re.compile(r"([A-Za-z_]+):")
_PHRASE = re.compile(r'"([^"]*)(?:"|\Z)')
_PATTERN = re.compile(rf"[^{_BLANK}()|]*")
_SPECIAL = re.compile(r"[.*+?\[\]{}\\^$]")
# RE2 has these and JavaScript has not: all that follows as it is, and one byte of a letter.
_ONLY_IN_RE2 = re.compile(r"\\[QC]")
_ANCHOR_AT_END = re.compile(r"(?<!\\)(?:\\\\)*\$\Z")

_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False
_OPTIONS.dot_nl = True
_OPTIONS.never_capture = True
_OPTIONS.log_errors = False

# What no name without it can be found by, in an expression as in a regular expression: what may be left out, what is
# repeated, what stands for several characters, and what other letters are the small or capital letter of.
_NOT_NEEDED = re.compile(r".?[*?+]|[.^$]|[^!-~]", re.DOTALL)

Row: TypeAlias = Mapping[str, str]
Test: TypeAlias = Callable[[Row], bool]


class Condition(NamedTuple):
    """What an expression states: ``test`` says whether a row fulfils it.

    ``may_be`` says it beforehand of a file, by its name as :func:`fold` gives it: where it is false, the row of that
    file does not fulfil the condition, as all that its name says are pieces of it. None rules out no name.
    """

    test: Test
    may_be: Callable[[str], bool] | None = None

    def __call__(self, row: Row) -> bool:
        """Whether a row fulfils the condition."""
        return self.test(row)


def fold(name: str) -> str:
    """Return a name as :attr:`Condition.may_be` is asked about it: what small letters of ASCII fit is one of them."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", name).lower().replace("\u017f", "s")  # the long s, which is small


class FilterError(UserError):
    """An expression that cannot be read; what is wrong with it stands in ``expression[start:end]``."""

    def __init__(self, expression: str, start: int, end: int, problem: str, remedy: str) -> None:
        wrong = expression[start:end]
        super().__init__(f"'{wrong if len(wrong) <= 60 else wrong[:59] + '…'}'", problem, remedy)
        self.expression, self.start, self.end = expression, start, end


def parse_filter(expression: str) -> Condition:
    """Return the condition that an expression states: a function that says whether a row fulfils it.

    A row has a text for every name that :data:`COLUMNS` leads to. A blank expression states nothing, so every row
    fulfils it. Letter case, and how an accent is encoded, never count. A pattern fits as a regular expression, or as
    it is: ``A+C1`` is also a revision. Whatever the expression, a row takes time linear in its length. Raises
    :class:`FilterError`.
    """
    if len(expression) > LONGEST_EXPRESSION:
        problem = f"an expression has at most {LONGEST_EXPRESSION} characters"
        raise FilterError(expression, LONGEST_EXPRESSION, len(expression), problem, "leave out this part")
    try:
        expression.encode()
    except UnicodeEncodeError as error:
        raise FilterError(expression, error.start, error.end, "not valid Unicode text", "leave it out") from error
    parser = _Parser(expression)
    condition = parser.alternatives("", 0)
    if parser.at < len(expression):
        remedy = 'leave it out, or put it in quotation marks: ")"'
        raise FilterError(expression, parser.at, parser.at + 1, "there is no '(' before it", remedy)
    return condition


class _Parser:
    """Reads an expression from left to right; ``at`` is how far it came."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def alternatives(self, column: str, depth: int) -> Condition:
        """Read up to the end of the text or of the group."""
        branches = [self.branch(column, depth)]
        while self.take("|"):
            branches.append(self.branch(column, depth))
        if len(branches) == 1:
            return branches[0] or _EVERYTHING
        return _any_of([branch for branch in branches if branch])

    def branch(self, column: str, depth: int) -> Condition | None:
        """Read what stands between two bars; None where nothing does."""
        parts = []
        while self.take_match(_BLANKS) and self.text[self.at : self.at + 1] not in ("", "|", ")"):
            parts.append(self.item(column, depth))
        return _all_of(parts) if parts else None

    def item(self, column: str, depth: int) -> Condition:
        """Read a term or a group, with what stands before it."""
        negated = self.take("!")
        start = self.at
        if prefix := self.take_match(_PREFIX):
            column = self.column(prefix[1], start)
            negated ^= self.take("!")
        condition = self.group(column, depth) if self.take("(") else self.term(column)
        return _negation(condition) if negated else condition

    def column(self, name: str, start: int) -> str:
        """Return what a column is called in a row."""
        if name.lower() in COLUMNS:
            return COLUMNS[name.lower()]
        near = difflib.get_close_matches(name.lower(), COLUMNS, 1)
        remedy = f"did you mean {near[0]}:" if near else f"there are {', '.join(COLUMNS)}"
        remedy += f'; or put it in quotation marks: "{name}:"'
        raise FilterError(self.text, start, start + len(name), "no column has this name", remedy)

    def group(self, column: str, depth: int) -> Condition:
        """Read a group behind its bracket; the end of the text closes it too."""
        if depth == DEEPEST_GROUP:
            problem = f"more than {DEEPEST_GROUP} groups lie in each other"
            raise FilterError(self.text, self.at - 1, self.at, problem, "leave out brackets")
        condition = self.alternatives(column, depth + 1)
        self.take(")")
        return condition

    def term(self, column: str) -> Condition:
        """Read a phrase or a pattern, with its anchors."""
        at_start, start = self.take("^"), self.at
        phrase = self.take_match(_PHRASE)
        if phrase:
            pattern, at_end = phrase[1], self.take("$")
        else:
            found = self.take_match(_PATTERN)
            pattern = found[0] if found else ""
            at_end = _ANCHOR_AT_END.search(pattern) is not None
            pattern = pattern[: len(pattern) - at_end]
            if pattern == "*":
                return _EVERYTHING
        if not pattern and not (at_start and at_end):
            return _EVERYTHING
        if len(pattern) > LONGEST_PATTERN:
            problem = f"a pattern has at most {LONGEST_PATTERN} characters"
            raise FilterError(self.text, start, self.at, problem, "write a shorter one")
        pattern, literal = unicodedata.normalize("NFC", pattern), bool(phrase) or not _SPECIAL.search(pattern)
        regex = _regex(pattern, literal, before=b".*" if at_end and not at_start else b"")
        if regex is None or regex.programsize > LARGEST_PATTERN:
            problem = "as a regular expression it is too large"
            raise FilterError(self.text, start, self.at, problem, "repeat less in it")
        find = regex.fullmatch if at_end else regex.match if at_start else regex.search
        needed = _needed(pattern, literal) if column not in _NOT_OF_THE_NAME else ""
        if literal and pattern.isascii():
            return _term(column, _plain_test(pattern.lower(), find, at_start, at_end), needed)
        return _term(column, lambda text: find(_encode(text)), needed)

    def take(self, character: str) -> bool:
        """Go past a character, if it is the next."""
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def take_match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Go past what a pattern matches here, if it does."""
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found


def _term(column: str, test: Callable[[str], object], needed: str) -> Condition:
    may_be = (lambda name: needed in name) if needed else None
    if column:
        return Condition(lambda row: bool(test(row[column])), may_be)
    return Condition(lambda row: bool(test(_free_text(row))), may_be)


def _free_text(row: Row) -> str:
    texts = _FREE_TEXT(row)
    return " ".join(texts if all(texts) else filter(None, texts))


def _needed(pattern: str, is_literal: bool) -> str:
    """Return the longest text, of ASCII in small letters, that every text has in it, folded, which a pattern fits.

    It holds no blank, so that it lies in one of the columns that are sought together. A pattern has neither brackets
    nor bars around its parts, and what has other brackets or escapes needs nothing.
    """
    if not is_literal and any(character in pattern for character in "[]{}\\"):
        return ""
    parts = re.split(r"[^!-~]", pattern) if is_literal else _NOT_NEEDED.split(pattern)
    return max(parts, key=len).lower()


def _plain_test(text: str, find: Callable[[bytes], object], at_start: bool, at_end: bool) -> Callable[[str], object]:
    """Return a test for a text of ASCII in small letters, which needs ``find`` for other scripts only."""
    test = (operator.contains, str.endswith, str.startswith, operator.eq)[2 * at_start + at_end]
    return lambda value: test(value.lower(), text) if value.isascii() else find(_encode(value))


def _encode(text: str) -> bytes:
    # A name may hold what is no Unicode text; RE2 passes over it.
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")


def _regex(pattern: str, is_literal: bool, before: bytes) -> Any:
    """Compile ``before`` and a pattern; None if that is too large."""
    data = pattern.encode()
    as_it_is = before + re2.escape(data)
    if not is_literal and not _ONLY_IN_RE2.search(pattern):
        try:
            re2.compile(data, _OPTIONS)  # alone, for behind '.*' a pattern such as '?a' would be one
            return re2.compile(before + data + b"|" + as_it_is, _OPTIONS)
        except re2.error as error:
            if b"too large" in error.args[0]:
                return None
    return re2.compile(as_it_is, _OPTIONS)


# What says nothing, and what no row fulfils; both are known by their identity.
_EVERYTHING = Condition(lambda _row: True)
_NOTHING = Condition(lambda _row: False, lambda _name: False)


def _all_of(parts: list[Condition]) -> Condition:
    parts = [part for part in parts if part is not _EVERYTHING]
    if len(parts) <= 1:
        return parts[0] if parts else _EVERYTHING
    tests, may_be = [part.test for part in parts], [part.may_be for part in parts if part.may_be]
    if len(may_be) <= 1:
        return Condition(lambda row: all(test(row) for test in tests), *may_be)
    return Condition(lambda row: all(test(row) for test in tests), lambda name: all(one(name) for one in may_be))


def _any_of(parts: list[Condition]) -> Condition:
    if _EVERYTHING in parts:
        return _EVERYTHING
    if len(parts) <= 1:
        return parts[0] if parts else _NOTHING
    tests, may_be = [part.test for part in parts], [part.may_be for part in parts if part.may_be]
    if len(may_be) < len(parts):
        return Condition(lambda row: any(test(row) for test in tests))
    return Condition(lambda row: any(test(row) for test in tests), lambda name: any(one(name) for one in may_be))


def _negation(condition: Condition) -> Condition:
    """Return the opposite of a condition; of one that says nothing, itself."""
    if condition is _EVERYTHING:
        return condition
    test = condition.test
    return Condition(lambda row: not test(row))
