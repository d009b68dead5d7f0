"""Reads the rule file of a folder; whatever is wrong with it is a fault, which closes the folder and all below."""

import os
import stat
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, NamedTuple

from zddc.access.patterns import ANONYMOUS, is_role, parse_pattern, parse_role
from zddc.access.strict_yaml import FaultError, Node, parse_yaml
from zddc.file_identity import FILE, identity

RULE_FILE = ".zddc"
MOST_BYTES = 64 * 1024
READ: Final = "r"
HAND_IN: Final = "c"
LETTERS = "rwcda"
_TEXT = "a text"  # the kind of a node


class Rule(NamedTuple):
    """A line of a rule file: those whom ``pattern`` names get ``letters``; no letter refuses them."""

    key: str
    pattern: str
    letters: str
    line: int


class Role(NamedTuple):
    """Members of a role, as patterns, and the line that begins it."""

    members: tuple[str, ...]
    line: int


class Fault(NamedTuple):
    """What is wrong with a rule file, and on which line; 0 is the whole file."""

    line: int
    reason: str


class Rules(NamedTuple):
    """What a rule file says.

    ``fence_line`` is the line of ``inherit: false``, 0 where rules from above count; ``roles_named`` are the lines that
    name a role, which must be defined here or above.
    """

    title: str = ""
    deny: tuple[Rule, ...] = ()
    grants: tuple[Rule, ...] = ()
    fence_line: int = 0
    roles: Mapping[str, Role] = MappingProxyType({})
    admins: tuple[Rule, ...] = ()
    roles_named: tuple[Rule, ...] = ()
    fault: Fault | None = None


NO_RULES = Rules()


def read_rules(folder: int) -> tuple[os.stat_result | None, Rules]:
    """Read the rule file of the folder of a descriptor; a folder without one has :data:`NO_RULES`.

    The file's status is that under which its rules may be kept, and None where they may not be.
    """
    try:
        file = os.open(RULE_FILE, FILE, dir_fd=folder)
    except FileNotFoundError:
        return None, NO_RULES
    except OSError as error:
        return None, _fault(0, f"cannot be read: {str(error.strerror).lower()}")
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return None, _fault(0, "is not a regular file")
        data = os.read(file, min(status.st_size, MOST_BYTES) + 1)  # one more than there should be
        if identity(os.fstat(file)) != identity(status) or len(data) != min(status.st_size, MOST_BYTES + 1):
            return None, _fault(0, "changed while it was read")
    except OSError as error:
        return None, _fault(0, f"cannot be read: {str(error.strerror).lower()}")
    finally:
        os.close(file)
    return status, parse_rules(data)


def parse_rules(data: bytes) -> Rules:
    """Return what the bytes of a rule file say; of wrong ones only the first fault."""
    try:
        if len(data) > MOST_BYTES:
            raise FaultError(0, f"is larger than {MOST_BYTES // 1024} KiB")
        document = parse_yaml(data)
        return _rules(document) if document else NO_RULES
    except FaultError as error:
        return _fault(error.line, error.reason)


def _fault(line: int, reason: str) -> Rules:
    return Rules(fault=Fault(line, reason))


def _rules(document: Node) -> Rules:
    fields = _fields(document, "the file", ("title", "acl", "roles", "admins", "created_by"))
    acl = _fields(fields["acl"], "acl", ("deny", "allow", "permissions", "inherit")) if "acl" in fields else {}
    if "permissions" in acl and {"allow", "deny"} & set(acl):
        raise FaultError(acl["permissions"].line, "'permissions' beside 'allow' or 'deny'; keep to one of the two ways")
    inherit = acl.get("inherit")
    deny = _rules_of_list(acl, "deny", "acl.deny", "")
    grants = _rules_of_list(acl, "allow", "acl.allow", READ) + _permissions(acl)
    admins = _rules_of_list(fields, "admins", "admins", "")
    return Rules(
        title=_text(fields["title"], "title") if "title" in fields else "",
        deny=deny,
        grants=grants,
        fence_line=inherit.line if inherit and not _flag(inherit, "acl.inherit") else 0,
        roles=_roles(fields["roles"]) if "roles" in fields else {},
        admins=admins,
        roles_named=tuple([rule for rule in (*deny, *grants, *admins) if is_role(rule.pattern)]),
    )


def _fields(node: Node, name: str, known: tuple[str, ...]) -> dict[str, Node]:
    for key, _ in _require(node, "a mapping", name).pairs:
        if key.text not in known:
            meant = "".join(f"; did you mean '{near}'" for near in get_close_matches(key.text, known, n=1))
            raise FaultError(key.line, f"unknown key '{key.text}' in {name}{meant}")
    return {key.text: value for key, value in node.pairs}


def _require(node: Node, kind: str, name: str) -> Node:
    if node.kind != kind:
        raise FaultError(node.line, f"{name} is {node.kind} instead of {kind}")
    return node


def _text(node: Node, name: str) -> str:
    return _require(node, _TEXT, name).text


def _flag(node: Node, name: str) -> bool:
    return _require(node, "true or false", name).text.lower() in ("true", "yes", "on")


def _rules_of_list(fields: Mapping[str, Node], key: str, name: str, letters: str) -> tuple[Rule, ...]:
    if key not in fields:
        return ()
    items, entry = _require(fields[key], "a list", name).items, f"an entry of {name}"
    return tuple([Rule(name, _pattern(item, entry), letters, item.line) for item in items])


def _permissions(acl: Mapping[str, Node]) -> tuple[Rule, ...]:
    if "permissions" not in acl:
        return ()
    name = "acl.permissions"
    found: dict[str, Rule] = {}
    for who, what in _require(acl["permissions"], "a mapping", name).pairs:
        pattern = _pattern(who, f"an entry of {name}")
        letters = _text(what, f"the permission of '{pattern}'")
        if unknown := set(letters) - set(LETTERS):
            raise FaultError(what.line, f"'{min(unknown)}' is none of the letters {', '.join(LETTERS)}")
        if pattern in found:
            raise FaultError(who.line, f"'{pattern}' is there twice, first on line {found[pattern].line}")
        found[pattern] = Rule(name, pattern, letters, who.line)
    return tuple(found.values())


def _roles(node: Node) -> dict[str, Role]:
    found: dict[str, Role] = {}
    for key, members in _require(node, "a mapping", "roles").pairs:
        name = _parse_node(parse_role, key)
        if name == ANONYMOUS:
            raise FaultError(key.line, f"'{ANONYMOUS}' is no name for a role: it names those without an address")
        if name in found:
            raise FaultError(key.line, f"the role '{name}' is there twice, first on line {found[name].line}")
        for member in _require(members, "a list", f"the role '{name}'").items:
            if "@" not in _pattern(member, f"a member of '{name}'"):
                raise FaultError(member.line, f"'{member.text}' has no '@': the members of a role are addresses")
        found[name] = Role(tuple(member.text.lower() for member in members.items), key.line)
    return found


def _pattern(node: Node, name: str) -> str:
    if node.kind != _TEXT:
        _require(node, _TEXT, name)
    return _parse_node(parse_pattern, node)


def _parse_node(parse: Callable[[str], str], node: Node) -> str:
    try:
        return parse(node.text)
    except ValueError as error:
        raise FaultError(node.line, f"'{node.text}' {error}") from None
