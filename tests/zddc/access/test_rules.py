"""What a rule file says, and every fault that closes its folder and all below."""

import os
import socket

import pytest
from tests.zddc.access.trees import open_descriptors

from zddc.access.decide import decide, extend
from zddc.access.rules import MOST_BYTES, NO_RULES, Fault, Role, Rule, Rules, parse_rules, read_rules
from zddc.file_identity import identity

OPEN = parse_rules(b"acl: {allow: ['*', anonymous]}")
# The text of a rule file; the line and the reason of its fault.
FAULTS = [
    (b"alow: []", 1, "unknown key 'alow' in the file"),
    (b"title: P\nacls: {}", 2, "unknown key 'acls' in the file; did you mean 'acl'"),
    (b"acl:\n  alow: []", 2, "unknown key 'alow' in acl; did you mean 'allow'"),
    (b"acl:\n  Allow: []", 2, "unknown key 'Allow' in acl; did you mean 'allow'"),
    (b"allow: ['*']", 1, "unknown key 'allow' in the file"),
    (b"worm: []", 1, "unknown key 'worm' in the file"),
    (b"acl: {reset: true}", 1, "unknown key 'reset' in acl"),
    (b"- acl", 1, "the file is a list instead of a mapping"),
    (b"acl", 1, "the file is a text instead of a mapping"),
    (b"--- ~", 1, "the file is nothing instead of a mapping"),
    (b"acl:", 1, "acl is nothing instead of a mapping"),
    (b"acl: []", 1, "acl is a list instead of a mapping"),
    (b"acl:\n  allow:\n", 2, "acl.allow is nothing instead of a list"),
    (b"acl:\n  allow: '*'", 2, "acl.allow is a text instead of a list"),
    (b"acl:\n  deny: {'*': r}", 2, "acl.deny is a mapping instead of a list"),
    (b"acl:\n  allow:\n  - 7", 3, "an entry of acl.allow is a number instead of a text"),
    (b"acl:\n  allow:\n  - yes", 3, "an entry of acl.allow is true or false instead of a text"),
    (b"acl:\n  allow:\n  -\n", 3, "an entry of acl.allow is nothing instead of a text"),
    (b"acl:\n  allow:\n  - ['*']", 3, "an entry of acl.allow is a list instead of a text"),
    (b"acl:\n  allow:\n  - x: r", 3, "an entry of acl.allow is a mapping instead of a text"),
    (b"acl: {inherit: 'no'}", 1, "acl.inherit is a text instead of true or false"),
    (b"acl: {inherit: 0}", 1, "acl.inherit is a number instead of true or false"),
    (b"acl: {inherit: }", 1, "acl.inherit is nothing instead of true or false"),
    (b"acl: {permissions: ['*']}", 1, "acl.permissions is a list instead of a mapping"),
    (b"acl:\n  permissions:\n    '*':\n", 3, "the permission of '*' is nothing instead of a text"),
    (b"acl:\n  permissions:\n    '*': [r]", 3, "the permission of '*' is a list instead of a text"),
    (b"acl:\n  permissions:\n    '*': rx", 3, "'x' is none of the letters r, w, c, d, a"),
    (b"acl:\n  permissions:\n    '*': R", 3, "'R' is none of the letters r, w, c, d, a"),
    (b"acl:\n  permissions:\n    '*': r c", 3, "' ' is none of the letters r, w, c, d, a"),
    (b"acl:\n  permissions:\n    K@x: r\n    k@x: c", 4, "'k@x' is there twice, first on line 3"),
    (b"acl:\n  permissions:\n    a@b@c: r", 3, "'a@b@c' does not hold exactly one '@'"),
    (b"acl:\n  permissions: {}\n  allow: []", 2, "'permissions' beside 'allow' or 'deny'; keep to one of the two ways"),
    (b"acl:\n  deny: []\n  permissions: {}", 3, "'permissions' beside 'allow' or 'deny'; keep to one of the two ways"),
    (b"acl:\n  allow:\n  - a@b@c", 3, "'a@b@c' does not hold exactly one '@'"),
    (b"acl: {allow: ['@x']}", 1, "'@x' holds nothing on one side of '@'"),
    (b"acl: {deny: ['[k]@x']}", 1, "'[k]@x' holds a character before '@' that no pattern may hold"),
    (b"acl: {deny: ['k@.x']}", 1, "'k@.x' is no pattern of a domain after '@'"),
    ("acl: {deny: ['ï@x']}".encode(), 1, "'ï@x' holds a character that is not ASCII"),
    (b"acl: {deny: ['k@x ']}", 1, "'k@x ' holds white space or a control character"),
    (b"acl: {deny: ['']}", 1, "'' is no name of a role, which has letters, digits, '.', '_' and '-' only"),
    (b"acl: {deny: ['**']}", 1, "'**' is no name of a role, which has letters, digits, '.', '_' and '-' only"),
    (b'acl: {deny: ["' + b"k" * 253 + b'@x"]}', 1, f"'{'k' * 253}@x' is longer than 254 characters"),
    (b"roles: []", 1, "roles is a list instead of a mapping"),
    (b"roles:\n  it: kim@x", 2, "the role 'it' is a text instead of a list"),
    (b"roles:\n  it: {reset: true}", 2, "the role 'it' is a mapping instead of a list"),
    (b"roles:\n  a@b: []", 2, "'a@b' is no name of a role, which has letters, digits, '.', '_' and '-' only"),
    (b"roles:\n  anonymous: []", 2, "'anonymous' is no name for a role: it names those without an address"),
    (b"roles:\n  it: []\n  IT: []", 3, "the role 'it' is there twice, first on line 2"),
    (b"roles:\n  it:\n  - other", 3, "'other' has no '@': the members of a role are addresses"),
    (b"roles:\n  it:\n  - '*'", 3, "'*' has no '@': the members of a role are addresses"),
    (b"roles:\n  it:\n  - anonymous", 3, "'anonymous' has no '@': the members of a role are addresses"),
    (b"roles:\n  it:\n  - a@b@c", 3, "'a@b@c' does not hold exactly one '@'"),
    (b"roles:\n  it:\n  - 7", 3, "a member of 'it' is a number instead of a text"),
    (b"title: 7", 1, "title is a number instead of a text"),
    (b"title: [P]", 1, "title is a list instead of a text"),
    (b"admins: it@x", 1, "admins is a text instead of a list"),
    (b"admins: [7]", 1, "an entry of admins is a number instead of a text"),
    (b"acl: {allow: [*@x]}", 1, "no YAML: write what starts with '*' or '@' in quotes"),
    (b"acl: {}\nacl: {}", 2, "'acl' is there twice, first on line 1"),
    (b"acl: &a {}", 1, "an anchor or alias ('&' or '*'): repeat the text, in quotes where it starts with '*'"),
    (b"acl: !!map {}", 1, "a tag ('!'): write plain texts, in quotes where they start with '!'"),
    (b"acl: {}\n---\nacl: {}", 2, "a second document"),
    (b"<<: {acl: {}}", 1, "a key is a special value instead of a text; write it in quotes"),
    (b"[[[[[[]]]]]]", 1, "nested too deep"),
    (b"title: \xff", 1, "not UTF-8"),
    (b"title: \x00", 1, "holds the character U+0000, which editors do not show"),
    (b"#" * (MOST_BYTES + 1), 0, "is larger than 64 KiB"),
]


@pytest.mark.parametrize(("text", "line", "reason"), FAULTS, ids=[reason for *_, reason in FAULTS])
def test_a_fault_closes_the_folder_and_all_below_and_is_explained(text, line, reason):
    faulty = parse_rules(text)
    assert faulty == Rules(fault=Fault(line, reason))
    folder = extend(extend((), "", OPEN), "P", faulty)
    below = extend(folder, "Team", OPEN)
    place = f"/P/.zddc line {line}" if line else "/P/.zddc"
    for chain in (folder, below):
        for email in ("kim@acme.example", None):
            decision = decide(chain, email, "r")
            assert not decision.allowed
            assert decision.why == f"{place}: {reason}; so this folder and all below are closed"
    assert decide(folder[:1], None, "r").allowed


def test_everything_that_a_file_may_say_is_read():
    text = b"""
title: Pump station 7
created_by: {anything: [at, all]}
acl:
  deny: ["*@rival.example"]
  allow:
  - Reviewers
  - "*"
  - anonymous
  inherit: false
roles:
  Reviewers: [Kim@acme.example, "l*@acme.example"]
admins: [it@acme.example, reviewers]
"""
    deny = Rule("acl.deny", "*@rival.example", "", 5)
    reviewers = Rule("acl.allow", "reviewers", "r", 7)
    admins = (Rule("admins", "it@acme.example", "", 13), Rule("admins", "reviewers", "", 13))
    assert parse_rules(text) == Rules(
        title="Pump station 7",
        deny=(deny,),
        grants=(reviewers, Rule("acl.allow", "*", "r", 8), Rule("acl.allow", "anonymous", "r", 9)),
        fence_line=10,
        roles={"reviewers": Role(("kim@acme.example", "l*@acme.example"), 12)},
        admins=admins,
        roles_named=(reviewers, admins[1]),
    )


def test_permissions_are_read():
    text = b"acl:\n  permissions:\n    '*@Pipe.example': rc\n    reviewers: ''\n    anonymous: rwcda\n"
    reviewers = Rule("acl.permissions", "reviewers", "", 4)
    assert parse_rules(text) == Rules(
        grants=(
            Rule("acl.permissions", "*@pipe.example", "rc", 3),
            reviewers,
            Rule("acl.permissions", "anonymous", "rwcda", 5),
        ),
        roles_named=(reviewers,),
    )


@pytest.mark.parametrize("text", [b"", b"# nothing", b"\n"])
def test_a_file_that_says_nothing_has_no_rules(text):
    assert parse_rules(text) is NO_RULES


def test_64_kib_are_read():
    assert parse_rules(b"#" * MOST_BYTES) is NO_RULES


@pytest.fixture
def folder(tmp_path):
    """A descriptor of the folder ``tmp_path``."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_folder_without_a_rule_file_has_no_rules(folder):
    assert read_rules(folder) == (None, NO_RULES)


def test_a_rule_file_is_read_with_its_status(folder, tmp_path):
    file = tmp_path / ".zddc"
    file.write_bytes(b"title: P" + b"\n" * 60000)
    status, rules = read_rules(folder)
    assert rules == Rules(title="P")
    assert identity(status) == identity(file.stat())


def make_link(path):
    path.with_name("real").write_bytes(b"")
    path.symlink_to("real")


def make_large(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(path.parent)
        bound.bind(path.name)


ODD_FILES = [
    (make_link, "cannot be read: too many levels of symbolic links"),
    (lambda path: path.symlink_to("nowhere"), "cannot be read: too many levels of symbolic links"),
    (os.mkdir, "is not a regular file"),
    (os.mkfifo, "is not a regular file"),
    (make_socket, "cannot be read: no such device or address"),
    (make_large, "is larger than 64 KiB"),
]


@pytest.mark.parametrize(
    ("make", "reason"), ODD_FILES, ids=["link", "broken link", "folder", "pipe", "socket", "large"]
)
def test_what_is_no_readable_file_is_a_fault(folder, tmp_path, monkeypatch, make, reason):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / ".zddc")
    assert read_rules(folder)[1] == Rules(fault=Fault(0, reason))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_a_fault(folder, tmp_path):
    (tmp_path / ".zddc").touch(mode=0)
    assert read_rules(folder) == (None, Rules(fault=Fault(0, "cannot be read: permission denied")))


@pytest.mark.parametrize("change", [lambda file: file.write_bytes(b""), os.utime])
def test_a_file_that_changes_while_it_is_read_is_a_fault(folder, tmp_path, monkeypatch, change):
    file = tmp_path / ".zddc"
    file.write_bytes(b"title: P")
    os.utime(file, ns=(0, 0))
    real = os.read

    def read(*arguments):
        found = real(*arguments)
        change(file)
        return found

    monkeypatch.setattr(os, "read", read)
    assert read_rules(folder) == (None, Rules(fault=Fault(0, "changed while it was read")))


def test_a_file_that_is_not_read_whole_is_a_fault(folder, tmp_path, monkeypatch):
    (tmp_path / ".zddc").write_bytes(b"title: P\nacl: {deny: ['*']}")
    real = os.read
    monkeypatch.setattr(os, "read", lambda file, count: real(file, 9))
    assert read_rules(folder) == (None, Rules(fault=Fault(0, "changed while it was read")))


def test_a_disk_that_fails_is_a_fault(folder, tmp_path, monkeypatch):
    (tmp_path / ".zddc").touch()

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    assert read_rules(folder) == (None, Rules(fault=Fault(0, "cannot be read: input/output error")))


def test_no_descriptor_is_left_open(folder, tmp_path):
    before = open_descriptors()
    os.mkfifo(tmp_path / ".zddc")
    read_rules(folder)
    assert open_descriptors() == before
