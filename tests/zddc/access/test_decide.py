"""Every worked case of spec/access.json, and drawn ones against a reference of sixty lines."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.zddc.access import reference
from tests.zddc.access.trees import FOLDERS, PEOPLE, trees, written

from zddc.access.decide import Place, decide, extend, is_admin, silent_folders
from zddc.access.patterns import parse_email
from zddc.access.rules import NO_RULES, parse_rules

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
SPEC = json.loads((Path(__file__).parents[3] / "spec/access.json").read_text(encoding="utf-8"))


def chain_of(files, folder):
    """Return the chain of a folder among the texts of rule files, by the folders that they are in."""
    chain, path = (), ""
    for name in ["", *filter(None, folder.split("/"))]:
        path = f"{path.rstrip('/')}/{name}"
        text = files.get(path)
        chain = extend(chain, name, NO_RULES if text is None else parse_rules(text.encode()))
    return chain


@pytest.mark.parametrize("case", SPEC["cases"], ids=lambda case: case["name"])
def test_a_case_is_decided_as_the_specification_says(case):
    decided = []
    for email, folder, verb, *_ in case["asked"]:
        decision = decide(chain_of(case["files"], folder), email and parse_email(email), verb)
        decided.append([email, folder, verb, decision.allowed, decision.by and str(decision.by)])
    assert decided == case["asked"]


def test_there_are_sixty_cases_of_different_names():
    assert len({case["name"] for case in SPEC["cases"]}) == len(SPEC["cases"]) >= 60


# Each is 72 cases: six folders, six people, two verbs.
@pytest.mark.timeout(3600 if SOAK else 300)
@settings(max_examples=10_000 if SOAK else 3 * settings.default.max_examples)
@given(trees, st.sampled_from([None, 1]))
def test_the_reference_decides_alike(tree, indent):
    files = {f"/{'/'.join(folder)}": written(file, indent) for folder, file in tree.items()}
    for folder in FOLDERS:
        chain = chain_of(files, "/".join(folder))
        for email in PEOPLE:
            for verb in ("r", "c"):
                decision = decide(chain, email and parse_email(email), verb)
                assert decision.allowed == reference.allowed(tree, folder, email, verb), (folder, email, verb)
                assert not decision.allowed or decision.by


def test_a_decision_names_file_key_and_pattern():
    files = {"/": "roles: {it: ['*@acme.example']}\nacl: {permissions: {it: rc, '*': ''}}", "/P": "acl: {deny: [it]}"}
    assert decide(chain_of(files, "/"), "kim@acme.example", "r").why == '/.zddc line 2: acl.permissions "it": "rc"'
    assert decide(chain_of(files, "/"), "x@other.example", "r").why == '/.zddc line 2: acl.permissions "*": ""'
    assert decide(chain_of(files, "/P"), "kim@acme.example", "r").why == '/P/.zddc line 1: acl.deny "it"'
    assert decide(chain_of(files, "/P"), None, "r").why == "no rule names people without an address"
    assert decide(chain_of({}, "/P"), "kim@acme.example", "r").why == "no rule names kim@acme.example"
    assert decide(chain_of(files, "/P"), None, "c").why == "files are handed in below a folder named 'incoming' only"
    fenced = chain_of({"/P": "acl:\n  inherit: false"}, "/P/Team")
    assert decide(fenced, None, "r").why == (
        "/P/.zddc line 2: acl.inherit: false, and no rule from there on names people without an address"
    )


def test_the_reason_of_what_closes_is_given():
    for text, reason in [
        ("roles: {it: []}\nacl: {allow: [its]}", "nobody here or above says who has the role 'its'"),
        ("title: P\nadmins: [kim@acme.example]", "'admins' are in the rule file of the root only"),
    ]:
        decision = decide(chain_of({"/P": text}, "/P"), None, "r")
        assert decision.why == f"/P/.zddc line 2: {reason}; so this folder and all below are closed"


def test_the_fault_nearest_to_the_root_is_given():
    files = {"/P": "acl: [", "/P/Team": "alow: []"}
    assert decide(chain_of(files, "/P/Team"), None, "r").by == Place("/P", 1)


def silent(files, folder, email):
    chain = chain_of(files, folder)
    return list(silent_folders(chain, decide(chain, email, "r")))


def test_every_folder_that_had_no_say_is_named_with_the_reason():
    files = {
        "/": "acl: {allow: ['*@acme.example']}",
        "/a": "acl: {deny: [kim@acme.example]}",
        "/a/b": "title: B",
        "/a/b/c": "acl: {allow: [x@pipe.example]}",
    }
    nothing = [
        ("/a/b/c/d", "has no rules"),
        ("/a/b/c", "has rules, but none that names the person"),
        ("/a/b", "has no rules"),
    ]
    assert silent(files, "/a/b/c/d", "kim@acme.example") == [*nothing, ("/", "was not asked: /a/.zddc line 1 decides")]
    unnamed = ("/a", "has rules, but none that names the person")
    assert silent(files, "/a/b/c/d", "lee@acme.example") == [*nothing, unnamed]
    assert silent(files, "/a/b/c/d", None) == [*nothing, unnamed, ("/", "has rules, but none that names the person")]


def test_no_folder_is_asked_where_one_is_closed():
    files = {"/": "acl: {allow: ['*']}", "/a": "acl: [", "/a/b": "acl: {allow: ['*']}"}
    said = "was not asked: /a/.zddc line 1 decides"
    assert silent(files, "/a/b", "kim@acme.example") == [("/a/b", said), ("/", said)]


@pytest.mark.parametrize(
    ("text", "admin"),
    [
        ("admins: ['*@acme.example']", True),
        ("roles: {it: [kim@acme.example]}\nadmins: [it]", True),
        ("admins: [lee@acme.example]", False),
        ("acl: {allow: ['*']}", False),
        ("admins: ['*@acme.example']\nalow: []", False),
        ("admins: ['*@acme.example', its]", False),
    ],
)
def test_an_admin_is_whom_the_root_names(text, admin):
    chain = chain_of({"/": text, "/P": "acl: {deny: ['*']}"}, "/P")
    assert is_admin(chain, "kim@acme.example") is admin
    assert not is_admin(chain, None)
