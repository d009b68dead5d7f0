"""The decision: the rules of the folders on the way to a file, and who asks, say whether he may."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, NamedTuple

from zddc.access.patterns import matches
from zddc.access.rules import HAND_IN, RULE_FILE, Rule, Rules

Verb = Literal["r", "c"]
WORDS: dict[Verb, str] = {"r": "read", "c": "hand in"}

_INCOMING = "incoming"


class Place(NamedTuple):
    """A line of the rule file of a folder; line 0 is the whole file."""

    folder: str
    line: int

    @property
    def file(self) -> str:
        """The path of the rule file, below the root of the archive."""
        return f"{self.folder.rstrip('/')}/{RULE_FILE}"

    def __str__(self) -> str:
        return f"{self.file} line {self.line}" if self.line else self.file


class Closed(NamedTuple):
    """A fault that closes a folder and all below it."""

    place: Place
    reason: str

    @property
    def sentence(self) -> str:
        """What is wrong, and what it does."""
        return f"{self.reason}; so this folder and all below are closed"


class Level(NamedTuple):
    """The rules of one folder, in the light of those above it.

    ``roles`` has the members from here and above; ``closed`` is the fault of this folder or of one above it.
    """

    folder: str
    rules: Rules
    roles: Mapping[str, tuple[str, ...]]
    closed: Closed | None
    is_incoming: bool


# The folders from the root to the one in which a file lies, each with its rules.
Chain = tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody may; ``by`` is the line that says so, None where no line does, and ``why`` a sentence on it."""

    allowed: bool
    by: Place | None
    why: str


def extend(chain: Chain, name: str, rules: Rules) -> Chain:
    """Return a chain with one folder more, of this name and with these rules; the root begins a chain, without a name.

    A folder is closed by a fault of its rules or of those above, by a role that nobody defines there or above, and by
    ``admins`` anywhere but in the root.
    """
    if not chain:
        return (_level("/", rules, {}, None, False),)
    above = chain[-1]
    folder = f"{above.folder.rstrip('/')}/{name}"
    roles = {} if rules.fence_line else above.roles
    return *chain, _level(folder, rules, roles, above.closed, above.is_incoming or name.lower() == _INCOMING)


def _level(
    folder: str, rules: Rules, roles: Mapping[str, tuple[str, ...]], closed: Closed | None, is_incoming: bool
) -> Level:
    if rules.roles:
        roles = {**roles, **{name: (*roles.get(name, ()), *role.members) for name, role in rules.roles.items()}}
    return Level(folder, rules, roles, closed or _fault(folder, rules, roles), is_incoming)


def _fault(folder: str, rules: Rules, roles: Mapping[str, tuple[str, ...]]) -> Closed | None:
    if rules.fault:
        return Closed(Place(folder, rules.fault.line), rules.fault.reason)
    if rules.admins and folder != "/":
        return Closed(Place(folder, rules.admins[0].line), "'admins' are in the rule file of the root only")
    for rule in rules.roles_named:
        if rule.pattern not in roles:
            return Closed(Place(folder, rule.line), f"nobody here or above says who has the role '{rule.pattern}'")
    return None


def decide(chain: Chain, email: str | None, verb: Verb) -> Decision:
    """Decide whether the person of an address, None without one, may read or hand in files in the chain's last folder.

    From that folder up to the root, the first that has a say decides: it refuses whom its ``deny`` names, and gives all
    others whom it names exactly the union of their letters. Below ``inherit: false`` nothing from above counts.
    """
    closed = chain[-1].closed
    if closed:
        return Decision(False, closed.place, f"{closed.place}: {closed.sentence}")
    if verb == HAND_IN and not chain[-1].is_incoming:
        return Decision(False, None, f"files are handed in below a folder named '{_INCOMING}' only")
    for level in reversed(chain):
        if decision := _say(level, email, verb):
            return decision
    return Decision(False, None, f"no rule names {_who(email)}")


def _say(level: Level, email: str | None, verb: Verb) -> Decision | None:
    rules = level.rules
    for rule in rules.deny:
        if is_named(rule, level, email):
            return _decision(False, level, rule)
    if named := [rule for rule in rules.grants if is_named(rule, level, email)]:
        rule = next((rule for rule in named if verb in rule.letters), named[0])
        return _decision(verb in rule.letters, level, rule)
    if rules.fence_line:
        place = Place(level.folder, rules.fence_line)
        return Decision(False, place, f"{place}: acl.inherit: false, and no rule from there on names {_who(email)}")
    return None


def is_admin(chain: Chain, email: str | None) -> bool:
    """Whether the rule file of the root names somebody as an admin, and is in order."""
    root = chain[0]
    return root.closed is None and any(is_named(rule, root, email) for rule in root.rules.admins)


def is_named(rule: Rule, level: Level, email: str | None) -> bool:
    """Whether a rule of a level names somebody, himself or by a role."""
    if rule.pattern in level.roles:
        return any(map(matches, level.roles[rule.pattern], repeat(email)))
    return matches(rule.pattern, email)


def patterns_of(rule: Rule, level: Level) -> tuple[str, ...]:
    """Return the patterns that a rule stands for: those of the role's members, or its own."""
    return level.roles.get(rule.pattern, (rule.pattern,))


def silent_folders(chain: Chain, decision: Decision) -> Iterator[tuple[str, str]]:
    """Yield the folders of a chain that had no say in a decision, from the last up, each with the reason."""
    asked = decision.by is None or not chain[-1].closed
    for level in reversed(chain):
        if decision.by and level.folder == decision.by.folder:
            asked = False
        elif not asked:
            yield level.folder, f"was not asked: {decision.by} decides"
        elif level.rules.deny or level.rules.grants:
            yield level.folder, "has rules, but none that names the person"
        else:
            yield level.folder, "has no rules"


def _decision(allowed: bool, level: Level, rule: Rule) -> Decision:
    place = Place(level.folder, rule.line)
    letters = f': "{rule.letters}"' if rule.key == "acl.permissions" else ""
    return Decision(allowed, place, f'{place}: {rule.key} "{rule.pattern}"{letters}')


def _who(email: str | None) -> str:
    return email or "people without an address"
