"""Everything that is wrong with the rules of an archive is found, with its line."""

import os
import weakref
from itertools import product

import pytest
from tests.zddc.access.reference import fits

from zddc.access.decide import Level
from zddc.access.findings import Finding, _covers, check
from zddc.access.policy import Policy
from zddc.access.rules import NO_RULES, Rule

ROOT = "acl: {allow: ['*@acme.example']}\n"


@pytest.fixture
def found(tmp_path):
    """Write rule files, given by their folders, and answer the findings as tuples of path, line, kind and reason."""

    def find(files, *folders):
        for folder in (*files, *folders):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for folder, text in files.items():
            (tmp_path / folder / ".zddc").write_text(text)
        with Policy(tmp_path) as policy:
            return [(one.path, one.line, one.kind, one.reason) for one in check(policy)]

    return find


def test_rules_that_are_in_order_have_no_findings(found):
    files = {
        "": "title: Archive\nadmins: [it@acme.example]\nroles: {reviewers: [kim@acme.example]}\n" + ROOT,
        "P": "acl: {deny: [lee@acme.example, '*@rival.example']}\n",
        "P/incoming": "acl: {permissions: {'*@pipe.example': c, '*@acme.example': r}}\n",
        "P/Team": "acl:\n  inherit: false\n  allow: [kim@acme.example]\n",
        "Q": "acl: {deny: [reviewers]}\n",
    }
    assert found(files) == []


def test_a_fault_is_found_in_its_own_folder_only(found):
    files = {
        "": ROOT,
        "P": "title: P\nalow: []\n",
        "P/Team": "acl: {deny: [x@y], allow: [x@y]}",
        "Q": "acl: {allow: [its]}",
    }
    end = "; so this folder and all below are closed"
    assert found(files) == [
        ("/P/.zddc", 2, "fault", f"unknown key 'alow' in the file{end}"),
        ("/Q/.zddc", 1, "fault", f"nobody here or above says who has the role 'its'{end}"),
    ]


def test_faults_below_a_fault_are_found_too(found):
    assert [path for path, *_ in found({"": "alow: []", "P": "alow: []"})] == ["/.zddc"]


def test_a_root_without_a_rule_file_is_found(found):
    reason = "the root has no rule file, so nobody reads what no other file allows"
    assert found({"P": ROOT}) == [("/.zddc", 0, "missing", reason)]


@pytest.mark.parametrize(
    "name",
    [
        ".ZDDC",
        ".Zddc",
        "zddc",
        ".zddc.txt",
        "zddc.txt",
        ".zddc.yaml",
        ".zddc.yml",
        "zddc.yaml",
        "zddc.yml",
        ".zddc.TXT",
    ],
)
def test_a_file_that_only_looks_like_a_rule_file_is_found(found, tmp_path, name):
    (tmp_path / "P").mkdir()
    (tmp_path / "P" / name).touch()
    reason = "this is no rule file: only '.zddc' is one"
    assert found({"": ROOT, "P": ""}) == [(f"/P/{name}", 0, "not read", reason)]


@pytest.mark.parametrize("name", ["zddc.pdf", ".zddc~", ".zddc.d", ".zddc.zip", "a.zddc"])
def test_other_files_are_not_taken_for_one(found, tmp_path, name):
    (tmp_path / name).touch()
    assert found({"": ROOT}) == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (
            "acl:\n  deny: ['*@x.example']\n  allow:\n  - kim@x.example",
            4,
            "line 2 denies all whom this names, and deny comes first",
        ),
        ("acl:\n  deny: ['*']\n  allow:\n  - '*@*'", 4, "line 2 denies all whom this names, and deny comes first"),
        ("acl:\n  deny: ['*@*']\n  allow:\n  - '*'", 4, "line 2 denies all whom this names, and deny comes first"),
        (
            "acl:\n  deny: [k*@x]\n  allow:\n  - it\nroles: {it: [k@x, kim@x]}",
            4,
            "line 2 denies all whom this names, and deny comes first",
        ),
        (
            "acl:\n  deny: [it]\n  allow:\n  - k@x\nroles: {it: [x@x, k@x]}",
            4,
            "line 2 denies all whom this names, and deny comes first",
        ),
        ("acl:\n  allow:\n  - '*@x.example'\n  - kim@x.example", 4, "line 3 names all whom this names and gives 'r'"),
        ("acl:\n  allow:\n  - kim@x.example\n  - '*@x.example'", 3, "line 4 names all whom this names and gives 'r'"),
        ("acl:\n  allow:\n  - kim@x.example\n  - KIM@x.example", 4, "line 3 names all whom this names and gives 'r'"),
        ("acl:\n  deny:\n  - anonymous\n  - anonymous", 4, "line 3 names all whom this names"),
        ("acl:\n  permissions:\n    kim@x: ''\n    '*@x': r", 3, "line 4 names all whom this names and gives 'r'"),
        (
            "acl:\n  permissions:\n    '*@x': r\n    k@x: w",
            4,
            "'w' gives nothing: files are read ('r') and handed in ('c') only",
        ),
        (
            "acl:\n  permissions:\n    k@x: rwda",
            3,
            "'w, d, a' gives nothing: files are read ('r') and handed in ('c') only",
        ),
        ("acl:\n  permissions:\n    k@x: rc", 3, "'c' gives nothing: no folder here or below is named 'incoming'"),
        ("title: P\nroles: {it: [k@x]}", 2, "no rule here or below names the role 'it'"),
        (
            "acl:\n  deny: [ki?@x]\n  allow:\n  - kim@x",
            4,
            "line 2 denies all whom this names, and deny comes first",
        ),
        (
            "acl:\n  deny: [k@x]\n  allow:\n  - it\nroles: {it: [k@x]}",
            4,
            "line 2 denies all whom this names, and deny comes first",
        ),
        ("acl:\n  deny:\n  - it\nroles: {it: []}", 3, "the role 'it' has no members"),
        ("acl:\n  allow:\n  - it\nroles: {it: []}", 3, "the role 'it' has no members"),
    ],
)
def test_a_rule_that_never_applies_is_found(found, text, line, reason):
    assert found({"": "", "P": text}, "incoming") == [("/P/.zddc", line, "never applies", reason)]


@pytest.mark.parametrize(
    "text",
    [
        "acl: {deny: [kim@x.example], allow: ['*@x.example']}",
        "acl: {deny: ['?@x', '*a@x'], allow: ['*@x']}",
        "acl: {deny: ['?*@x'], allow: ['k*@y']}",
        "acl: {deny: ['*'], allow: [anonymous]}",
        "acl: {deny: [anonymous], allow: ['*']}",
        "acl: {deny: [it], allow: ['*@x']}\nroles: {it: [k@x, l@x]}",
        "acl: {deny: [k@x], allow: [it]}\nroles: {it: [k@x, l@x]}",
        "acl: {allow: [kim@x.example, lee@x.example, '*@y.example']}",
        "acl: {permissions: {k@x: r, '*@x': ''}}",
        "acl: {permissions: {k@x: r, '*@y': rc}}\n",
    ],
)
def test_a_rule_that_may_apply_is_not_found(found, text):
    assert found({"": "", "P": text}, "P/a/Incoming") == []


@pytest.mark.parametrize(
    ("folder", "count"), [("P/incoming", 0), ("P/a/INCOMING", 0), ("incoming", 1), ("PQ/incoming", 1)]
)
def test_handing_in_needs_a_folder_for_it_here_or_below(found, folder, count):
    assert len(found({"": "", "P": "acl: {permissions: {k@x: c}}"}, folder)) == count


def test_handing_in_below_a_folder_for_it_is_in_order(found):
    assert found({"": "", "P/incoming/a": "acl: {permissions: {k@x: c}}"}) == []


def test_a_role_may_be_named_far_below(found):
    roles = "roles: {it: [k@x], its: [l@x]}"
    assert found({"": "", "P": roles, "P/a/b": "acl: {deny: [it, its]}"}) == []
    assert len(found({"": "", "P": roles, "P/a/b": "acl: {deny: [it]}"})) == 1


def test_an_allow_that_restricts_nobody_is_found(found):
    files = {"": f"title: A\n{ROOT}", "P": "acl:\n  allow:\n  - kim@acme.example\n  - lee@acme.example\n"}
    reason = "this allow does not restrict anybody: *@acme.example still reads through /.zddc line 2"
    assert found(files) == [("/P/.zddc", 3, "does not restrict", reason)]


def test_a_permission_that_restricts_nobody_is_found(found):
    files = {"": ROOT, "P": "acl:\n  permissions:\n    x@pipe.example: ''\n    kim@acme.example: r\n"}
    reason = "this permission does not restrict anybody: *@acme.example still reads through /.zddc line 1"
    assert found(files) == [("/P/.zddc", 4, "does not restrict", reason)]


def test_all_who_still_read_are_counted_from_the_nearest_on(found):
    roles = "roles: {team: [x@pipe.example, lee@acme.example]}\n"
    files = {
        "": f"{roles}acl: {{allow: ['*@acme.example', team, '*', anonymous]}}",
        "P": "acl: {allow: ['*@pump.example']}",
        "P/a": "acl: {allow: [kim@acme.example]}",
        "Q": "acl: {deny: ['*', '*@pipe.example']}",
        "Q/b": "acl: {allow: ['*@pump.example']}",
        "Q/b/c": "acl: {deny: [anonymous], allow: [kim@acme.example]}",
    }
    both = [one for one in found(files) if one[2] == "does not restrict"]
    still = "this allow does not restrict anybody:"
    assert [(path, reason) for path, _, _, reason in both] == [
        ("/P/.zddc", f"{still} *@acme.example still reads through /.zddc line 2, and 3 more"),
        ("/P/a/.zddc", f"{still} *@pump.example still reads through /P/.zddc line 1, and 4 more"),
        ("/Q/b/.zddc", f"{still} anonymous still reads through /.zddc line 2"),
        ("/Q/b/c/.zddc", f"{still} *@pump.example still reads through /Q/b/.zddc line 1"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "acl: {allow: [kim@acme.example], inherit: false}",
        "acl: {allow: ['*@acme.example']}",
        "acl: {allow: ['*']}",
        "acl: {permissions: {'*@pipe.example': c}}",
        "acl: {permissions: {kim@acme.example: r, '*@acme.example': c}}",
        "acl: {deny: ['*@acme.example'], allow: [x@pipe.example]}",
        "acl: {deny: [lee@acme.example]}",
    ],
)
def test_what_restricts_or_does_not_mean_to_is_not_found(found, text):
    files = {"": ROOT, "P": text}
    assert [kind for _, _, kind, _ in found(files, "P/incoming") if kind == "does not restrict"] == []


def test_most_of_a_company_still_read_where_a_few_are_denied(found):
    files = {"": ROOT, "P": "acl: {deny: ['?@acme.example', '??@acme.example'], allow: [x@pipe.example]}"}
    assert [kind for _, _, kind, _ in found(files)] == ["does not restrict"]


def test_two_who_still_read_are_counted(found):
    files = {"": "acl: {allow: ['*@acme.example', '*@pipe.example']}", "P": "acl: {allow: [kim@acme.example]}"}
    assert found(files)[0][3].endswith("*@acme.example still reads through /.zddc line 1, and 1 more")


def test_people_who_were_denied_in_between_do_not_read_any_more(found):
    files = {"": ROOT, "P": "acl: {deny: ['*@acme.example']}", "P/Team": "acl: {allow: [kim@acme.example]}"}
    assert found(files) == []


def test_who_hands_in_above_does_not_read(found):
    files = {"": "acl: {permissions: {'*@pipe.example': c}}", "P": "acl: {allow: [kim@acme.example]}"}
    assert found(files, "incoming") == []


@pytest.mark.parametrize(
    ("pattern", "domain"),
    [
        ("*@*acme.example", "notacme.example"),
        ("kim@acme.*", "acme.other.example"),
        ("kim@acme*", "acmeother.example"),
        ("kim@*1.ac?e.example", "not1.acxe.example"),
    ],
)
def test_a_pattern_that_others_can_have_a_domain_for_is_found(found, pattern, domain):
    reason = f"'{pattern}' names people of '{domain}' too"
    files = {"": f"roles: {{it: ['{pattern}']}}\nacl:\n  allow: ['{pattern}']\nadmins: [it]\n"}
    kind = "names others too"
    assert found(files) == [("/.zddc", 3, kind, reason), ("/.zddc", 4, kind, reason)]


@pytest.mark.parametrize(
    "pattern", ["*", "*@*", "*@acme.example", "*@*.acme.example", "k*@a*.acme.example", "anonymous"]
)
def test_a_pattern_of_one_domain_or_of_all_is_not_found(found, pattern):
    assert found({"": f"acl: {{allow: ['{pattern}']}}"}) == []


def test_denying_too_many_is_no_finding(found):
    assert found({"": "acl: {deny: ['*@*acme.example']}"}) == []


def test_rules_above_the_root_are_found(tmp_path):
    (tmp_path / ".zddc").write_text(ROOT)
    (tmp_path / "P").mkdir()
    (tmp_path / "P" / ".zddc").write_text(ROOT)
    with Policy(tmp_path / "P") as policy:
        reason = "the folder above has rules too, and they do not count here"
        assert list(check(policy)) == [Finding("../.zddc", 0, "not read", reason)]
    (tmp_path / ".zddc").unlink()
    (tmp_path / ".zddc").symlink_to("nowhere")
    with Policy(tmp_path / "P") as policy:
        assert policy.has_rules_above()
    with Policy(tmp_path) as policy:
        assert not policy.has_rules_above()


def test_a_folder_that_cannot_be_read_is_a_fault(found, monkeypatch, tmp_path):
    real = os.open

    def refuse(path, *arguments, **options):
        if path == "P":
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    (tmp_path / "a" / ".zddc.txt").mkdir(parents=True)
    assert found({"": ROOT, "a/X": "alow: []"}, "a/P") == [
        ("/a/.zddc.txt", 0, "not read", "this is no rule file: only '.zddc' is one"),
        ("/a/P", 0, "fault", "cannot be read: Permission denied"),
        (
            "/a/X/.zddc",
            1,
            "fault",
            "unknown key 'alow' in the file; so this folder and all below are closed",
        ),
    ]


GLOBS, TEXTS = (
    ["".join(letters) for length in range(4) for letters in product(alphabet, repeat=length)]
    for alphabet in ("ab*?", "abc")
)


def test_what_covers_a_pattern_names_everybody_whom_it_names():
    level = Level("/", NO_RULES, {}, None, False)
    named = {glob: {text for text in TEXTS if fits(glob, text)} for glob in GLOBS}
    rules = {glob: Rule("", f"{glob}@x", "", 1) for glob in GLOBS}
    covers = [(wide, narrow) for wide, narrow in product(GLOBS, repeat=2) if _covers(rules[wide], rules[narrow], level)]
    assert [(wide, narrow) for wide, narrow in covers if not named[wide] >= named[narrow]] == []
    assert len(covers) > 500


def test_names_of_files_are_not_kept(tmp_path, monkeypatch):
    """An archive may have millions of them."""
    for number in range(5):
        (tmp_path / f"P{number}").mkdir()
        (tmp_path / f"P{number}" / "a.pdf").touch()
    seen = []
    walk = Policy.walk

    class Name(str):
        """A name that can be asked whether it is still there."""

        __slots__ = ("__weakref__",)

    def walk_and_watch(policy):
        for visit in walk(policy):
            name = Name("a.pdf")
            seen.append(weakref.ref(name))
            watched = visit._replace(entries=(name,))
            del name
            yield watched
            del watched
        assert sum(one() is not None for one in seen) <= 1

    monkeypatch.setattr(Policy, "walk", walk_and_watch)
    with Policy(tmp_path) as policy:
        assert [one.kind for one in check(policy)] == ["missing"]
    assert len(seen) == 6
