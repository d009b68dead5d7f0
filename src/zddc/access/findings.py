"""Finds what is wrong with access rules: faults, rules that never apply, and allowing that restricts nobody."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from zddc.access.decide import Chain, Level, Place, decide, is_named, patterns_of
from zddc.access.patterns import ANONYMOUS, ANYBODY, LONGEST_EMAIL, is_role
from zddc.access.policy import Policy, Visit
from zddc.access.rules import HAND_IN, NO_RULES, READ, RULE_FILE, Rule

Kind = Literal["fault", "missing", "not read", "never applies", "does not restrict", "names others too"]

# A star that stands for the beginning of somebody else's domain, "*acme.example", or for the end of one, "acme.*".
_OPEN_DOMAIN = re.compile(r"@\*[a-z0-9-]|@.+\*$")
_LOOK_ALIKE = {f"{dot}zddc{end}" for dot in ("", ".") for end in ("", ".txt", ".yaml", ".yml")}


@dataclass(frozen=True)
class Finding:
    """What is wrong with a line of a rule file; line 0 is the whole file.

    ``kind`` "fault" closes the folder and all below, "missing" is a root without a rule file; the others are what a
    person may have meant otherwise.
    """

    path: str
    line: int
    kind: Kind
    reason: str


def check(policy: Policy) -> Iterator[Finding]:
    """Yield what is wrong with each rule file, folder by folder."""
    if policy.has_rules_above():
        yield Finding(f"../{RULE_FILE}", 0, "not read", "the folder above has rules too, and they do not count here")
    visits = [_without_files(visit) for visit in policy.walk()]
    for number, visit in enumerate(visits):
        if visit.problem:
            yield Finding(f"/{'/'.join(visit.names)}", 0, "fault", visit.problem)
            continue
        yield from _look_alikes(visit)
        level = visit.chain[-1]
        if level.folder == "/" and RULE_FILE not in visit.entries:
            yield _finding(level, 0, "missing", "the root has no rule file, so nobody reads what no other file allows")
        if level.closed and level.closed.place.folder == level.folder:
            yield _finding(level, level.closed.place.line, "fault", level.closed.sentence)
        elif level.rules is not NO_RULES and not level.closed:
            yield from _rules_that_never_apply(level, _here_and_below(visits, number))
            yield from _allowing_that_restricts_nobody(visit.chain)
            yield from _open_domains(level)


def _without_files(visit: Visit) -> Visit:
    # There may be millions of other names, and no rule is about them.
    return visit._replace(entries=tuple(name for name in visit.entries if name.lower() in _LOOK_ALIKE))


def _here_and_below(visits: Sequence[Visit], number: int) -> list[Level]:
    # On a walk, all that is below a folder follows it.
    names = visits[number].names
    found = takewhile(lambda visit: visit.names[: len(names)] == names, visits[number:])
    return [visit.chain[-1] for visit in found if visit.chain]


def _finding(level: Level, line: int, kind: Kind, reason: str) -> Finding:
    return Finding(Place(level.folder, line).file, line, kind, reason)


def _look_alikes(visit: Visit) -> Iterator[Finding]:
    for name in visit.entries:
        if name != RULE_FILE:
            path = "/".join(("", *visit.names, name))
            yield Finding(path, 0, "not read", f"this is no rule file: only '{RULE_FILE}' is one")


def _rules_that_never_apply(level: Level, here_and_below: Iterable[Level]) -> Iterator[Finding]:
    rules = level.rules
    for same in (rules.deny, rules.grants):
        for number, rule in enumerate(same):
            if reason := _overruled(rule, level, same, number):
                yield _finding(level, rule.line, "never applies", reason)
    for rule in rules.grants:
        if idle := [letter for letter in rule.letters if letter not in (READ, HAND_IN)]:
            reason = f"'{', '.join(idle)}' gives nothing: files are read ('{READ}') and handed in ('{HAND_IN}') only"
            yield _finding(level, rule.line, "never applies", reason)
        if HAND_IN in rule.letters and not any(one.is_incoming for one in here_and_below):
            reason = f"'{HAND_IN}' gives nothing: no folder here or below is named 'incoming'"
            yield _finding(level, rule.line, "never applies", reason)
    named = {rule.pattern for one in here_and_below for rule in one.rules.roles_named}
    for name, role in rules.roles.items():
        if name not in named:
            yield _finding(level, role.line, "never applies", f"no rule here or below names the role '{name}'")


def _overruled(rule: Rule, level: Level, same: Sequence[Rule], number: int) -> str:
    if not patterns_of(rule, level):
        return f"the role '{rule.pattern}' has no members"
    if rule.key != "acl.deny":
        for other in level.rules.deny:
            if _covers(other, rule, level):
                return f"line {other.line} denies all whom this names, and deny comes first"
    for other in (*same[:number], *(one for one in same if not _covers(rule, one, level))):
        if _covers(other, rule, level) and set(rule.letters) <= set(other.letters):
            gives = f" and gives '{other.letters}'" if other.letters else ""
            return f"line {other.line} names all whom this names{gives}"
    return ""


def _allowing_that_restricts_nobody(chain: Chain) -> Iterator[Finding]:
    level = chain[-1]
    allowing = [rule for rule in level.rules.grants if READ in rule.letters]
    still = [
        f"{rule.pattern} still reads through {place}"
        for above in reversed(chain[:-1])
        for rule in above.rules.grants
        if (place := _still_reads(rule, above, chain))
    ]
    if allowing and still:
        more = f", and {len(still) - 1} more" if still[1:] else ""
        what = allowing[0].key.removeprefix("acl.").removesuffix("s")
        reason = f"this {what} does not restrict anybody: {still[0]}{more}"
        yield _finding(level, allowing[0].line, "does not restrict", reason)


def _still_reads(rule: Rule, above: Level, chain: Chain) -> Place | None:
    """Return the line above the last folder of a chain by which people whom a rule names read there."""
    for pattern in patterns_of(rule, above):
        decision = decide(chain, _people(pattern)[0], READ)
        if decision.allowed and decision.by and decision.by.folder != chain[-1].folder:
            return decision.by
    return None


def _open_domains(level: Level) -> Iterator[Finding]:
    for rule in (*level.rules.grants, *level.rules.admins):
        for pattern in patterns_of(rule, level):
            if _OPEN_DOMAIN.search(pattern):
                domain = pattern.partition("@")[2].replace("?", "x")
                other = domain.replace("*", "not") if domain.startswith("*") else domain.replace("*", "other.example")
                yield _finding(level, rule.line, "names others too", f"'{pattern}' names people of '{other}' too")


def _covers(wide: Rule, narrow: Rule, level: Level) -> bool:
    """Whether one rule names everybody whom another names."""
    if _is_address(wide.pattern) and not is_role(narrow.pattern):  # quick: a list may have thousands
        return wide.pattern == narrow.pattern
    people = [person for pattern in patterns_of(narrow, level) for person in _people(pattern)]
    return all(is_named(wide, level, person) for person in people)


def _is_address(pattern: str) -> bool:
    return "@" in pattern and "*" not in pattern and "?" not in pattern


def _people(pattern: str) -> tuple[str | None, ...]:
    """Return two who stand for all whom a pattern names.

    They have very many stars in the place of a ``*``, which no other pattern names but by a ``*``, and nothing.
    """
    if pattern == ANONYMOUS:
        return (None,)
    pattern = "*@*" if pattern == ANYBODY else pattern
    return pattern.replace("*", "*" * LONGEST_EMAIL), pattern.replace("*", "")
