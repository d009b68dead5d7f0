"""The chain of a path on a real disk: nothing is followed, and an edit counts at once."""

import os
import shutil

import pytest
from tests.zddc.access.trees import open_descriptors

from zddc.access.decide import decide
from zddc.access.policy import Policy, UnservedError
from zddc.access.rules import NO_RULES


@pytest.fixture
def archive(tmp_path):
    """An archive in which only kim may read P/Team and lee the rest."""
    root = tmp_path / "archive"
    (root / "P" / "Team" / "deep").mkdir(parents=True)
    (root / ".zddc").write_text("acl: {allow: [lee@acme.example]}")
    (root / "P" / "Team" / ".zddc").write_text("acl: {allow: [kim@acme.example], deny: [lee@acme.example]}")
    for folder in (root, root / "P", root / "P" / "Team"):
        (folder / "file.pdf").touch()
    return root


@pytest.fixture
def policy(archive):
    """The policy of the archive; all its files count as settled."""
    with Policy(archive, clock=lambda: 1 << 62) as opened:
        yield opened


def folders(chain):
    return [level.folder for level in chain]


def test_a_folder_is_judged_by_itself_and_a_file_by_the_folder_it_is_in(policy):
    assert folders(policy.chain_of(())) == folders(policy.chain_of(["file.pdf"])) == ["/"]
    assert folders(policy.chain_of(["P", "Team"])) == ["/", "/P", "/P/Team"]
    chain = policy.chain_of(["P", "Team", "file.pdf"])
    assert folders(chain) == ["/", "/P", "/P/Team"]
    assert [bool(level.rules.grants) for level in chain] == [True, False, True]
    assert decide(chain, "kim@acme.example", "r").allowed
    assert not decide(chain, "lee@acme.example", "r").allowed


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["link"], "'link' is a symbolic link, and nobody gets that"),
        (["file-link"], "'file-link' is a symbolic link, and nobody gets that"),
        (["link", "Team"], "'link' is a link, or no folder, and nobody gets past it"),
        (["file.pdf", "x"], "'file.pdf' is a link, or no folder, and nobody gets past it"),
        (["pipe"], "'pipe' is neither a file nor a folder, and nobody gets that"),
        ([".zddc"], "'.zddc' begins with a dot, and nobody gets that"),
        (["P", "Team", ".zddc"], "'.zddc' begins with a dot, and nobody gets that"),
        ([".hidden", "x"], "'.hidden' begins with a dot, and nobody gets that"),
        (["P", ".."], "'..' begins with a dot, and nobody gets that"),
        ([".", "P"], "'.' begins with a dot, and nobody gets that"),
        (["P/Team"], "'P/Team' is no name of a file or folder"),
        (["P/Team", "file.pdf"], "'P/Team' is no name of a file or folder"),
        (["P", ""], "'' is no name of a file or folder"),
        (["", "P"], "'' is no name of a file or folder"),
        (["P\0"], "'P\0' is no name of a file or folder"),
    ],
)
def test_what_nobody_gets_has_a_reason(archive, policy, names, reason):
    (archive / "link").symlink_to("P")
    (archive / "file-link").symlink_to("file.pdf")
    (archive / ".hidden").mkdir()
    os.mkfifo(archive / "pipe")
    with pytest.raises(UnservedError) as refused:
        policy.chain_of(names)
    assert str(refused.value) == reason


@pytest.mark.parametrize("names", [["Q"], ["Q", "x"], ["P", "Team", "x.pdf"]])
def test_what_is_not_there_is_not_found(policy, names):
    with pytest.raises(FileNotFoundError):
        policy.chain_of(names)


def test_the_root_may_be_reached_through_a_link(archive, tmp_path):
    (tmp_path / "link").symlink_to(archive)
    with Policy(tmp_path / "link") as policy:
        assert folders(policy.chain_of(["P"])) == ["/", "/P"]


def test_the_root_is_a_folder(archive):
    with pytest.raises(NotADirectoryError):
        Policy(archive / "file.pdf")


def test_the_root_stays_the_same_folder_when_it_is_moved(archive, policy, tmp_path):
    archive.rename(tmp_path / "elsewhere")
    assert folders(policy.chain_of(["P"])) == ["/", "/P"]


def test_a_folder_is_open_as_long_as_it_is_needed(archive, policy):
    before = open_descriptors()
    with policy.open_folder(["P", "Team"]) as (folder, chain):
        assert os.fstat(folder).st_ino == (archive / "P" / "Team").stat().st_ino
        assert folders(chain) == ["/", "/P", "/P/Team"]
    policy.chain_of(["P", "Team"])
    policy.chain_of(["P", "Team", "file.pdf"])
    for names in (["P", "Q"], ["P", ".x"], ["file.pdf", "x"]):
        with pytest.raises(OSError), policy.open_folder(names):
            pass
    assert open_descriptors() == before


def test_a_policy_lets_the_root_go(archive):
    before = open_descriptors()
    with Policy(archive):
        assert open_descriptors() == before + 1
    assert open_descriptors() == before


def rules_of(policy, *names):
    with policy.open_folder(names) as (_, chain):
        return chain[-1].rules


def test_rules_are_kept_as_long_as_their_file_is_the_same(policy):
    assert rules_of(policy) is rules_of(policy)
    assert rules_of(policy, "P", "Team") is rules_of(policy, "P", "Team")
    assert rules_of(policy, "P") is NO_RULES


@pytest.mark.parametrize(("later", "kept"), [(2_000_000_000, False), (2_000_000_001, True)])
def test_rules_of_a_file_that_is_younger_than_two_seconds_are_not_kept(archive, later, kept):
    changed = (archive / ".zddc").stat().st_ctime_ns
    with Policy(archive, clock=lambda: changed + later) as policy:
        assert (rules_of(policy) is rules_of(policy)) is kept


def test_a_file_that_was_just_written_is_read_again(archive):
    with Policy(archive) as policy:
        for number in range(100):
            (archive / ".zddc").write_bytes(b"title: '%02d'" % number)
            assert rules_of(policy).title == f"{number:02}"


def replace(file, text):
    new = file.with_name("new")
    new.write_bytes(text)
    new.rename(file)


def write_with_the_old_time(file, text):
    old = file.stat()
    file.write_bytes(text)
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))


@pytest.mark.parametrize("write", [replace, write_with_the_old_time])
def test_an_edit_counts_at_once_even_of_the_same_size_and_time(archive, policy, write):
    file = archive / "P" / ".zddc"
    file.write_bytes(b"title: 'one'")
    assert rules_of(policy, "P").title == "one"
    write(file, b"title: 'two'")
    assert rules_of(policy, "P").title == "two"


def test_a_rule_file_that_goes_away_has_no_say_any_more(archive, policy):
    assert rules_of(policy).grants
    (archive / ".zddc").unlink()
    assert rules_of(policy) is NO_RULES


def test_a_rule_file_that_breaks_closes_and_old_rules_are_not_kept(archive, policy):
    assert decide(policy.chain_of(["P"]), "lee@acme.example", "r").allowed
    (archive / ".zddc").write_text("acl: {allow: [lee@acme.example]")
    assert not decide(policy.chain_of(["P"]), "lee@acme.example", "r").allowed
    (archive / ".zddc").unlink()
    (archive / ".zddc").symlink_to("nowhere")
    assert not decide(policy.chain_of(["P"]), "lee@acme.example", "r").allowed
    (archive / ".zddc").unlink()
    (archive / ".zddc").write_text("acl: {allow: [lee@acme.example]}")
    assert decide(policy.chain_of(["P"]), "lee@acme.example", "r").allowed


def test_a_link_to_a_rule_file_that_is_kept_is_a_fault_all_the_same(archive, policy):
    assert rules_of(policy).grants
    (archive / "P" / ".zddc").symlink_to("../.zddc")
    assert rules_of(policy, "P").fault


def test_a_folder_that_moves_takes_its_rules_along_and_comes_under_those_of_its_new_place(archive, policy):
    (archive / "Q").mkdir()
    (archive / "Q" / ".zddc").write_text("acl: {allow: ['*']}")
    (archive / "P" / "Team").rename(archive / "Q" / "Team")
    chain = policy.chain_of(["Q", "Team", "file.pdf"])
    assert decide(chain, "kim@acme.example", "r").allowed
    assert not decide(chain, "lee@acme.example", "r").allowed
    assert decide(chain, "x@other.example", "r").allowed


def test_a_descriptor_that_cannot_be_asked_closes(policy, archive):
    closed = os.open(archive, os.O_RDONLY)
    os.close(closed)
    assert policy.rules_in(closed).fault == (0, "cannot be read: bad file descriptor")


def test_a_walk_comes_to_every_folder_but_links_and_hidden_ones(archive, policy):
    (archive / "P" / ".hidden" / "x").mkdir(parents=True)
    (archive / "A").mkdir()
    (archive / "link").symlink_to("P")
    visits = list(policy.walk())
    assert [visit.names for visit in visits] == [(), ("A",), ("P",), ("P", "Team"), ("P", "Team", "deep")]
    assert [folders(visit.chain)[-1] for visit in visits] == ["/", "/A", "/P", "/P/Team", "/P/Team/deep"]
    assert visits[0].entries == (".zddc", "A", "P", "file.pdf", "link")
    assert {visit.problem for visit in visits} == {""}


def test_a_walk_says_what_it_could_not_read(archive, policy):
    (archive / "A").mkdir()
    walk = policy.walk()
    assert next(walk).names == ()
    (archive / "A").rmdir()
    shutil.rmtree(archive / "P")
    (archive / "P").symlink_to("nowhere")
    assert list(walk) == [
        (("A",), (), (), "cannot be read: No such file or directory"),
        (("P",), (), (), "cannot be read: 'P' is a link, or no folder, and nobody gets past it"),
    ]


def test_a_walk_goes_deeper_than_a_path_may_be_long(archive, policy):
    folder = os.open(archive, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 100, dir_fd=folder)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    assert max(len(visit.names) for visit in policy.walk()) == 60


def test_the_folders_that_have_rules_are_found(archive, policy):
    assert list(policy.folders_with_rules()) == [(), ("P", "Team")]
    (archive / ".zddc").unlink()
    assert list(policy.folders_with_rules()) == [(), ("P", "Team")]


@pytest.mark.parametrize(
    ("email", "entries"),
    [
        ("lee@acme.example", ["/", "/P/Team/deep"]),
        ("kim@acme.example", ["/P/Team"]),
        ("x@other.example", []),
        (None, []),
    ],
)
def test_a_person_enters_where_she_may_read_but_not_above(archive, policy, email, entries):
    (archive / "P" / "Team" / "deep" / ".zddc").write_text("acl: {allow: ['*@acme.example']}")
    gone = ("P", "gone")
    assert list(policy.entry_points(email, [*policy.folders_with_rules(), gone])) == entries


def test_chains_and_decisions_are_kept_as_long_as_the_rules_are(archive, policy):
    def asked():
        chain = policy.chain_of(["P", "Team"])
        return chain, policy.decide(chain, "lee@acme.example", "r")

    chain, decision = asked()
    assert not decision.allowed
    again = asked()
    assert (again[0] is chain, again[1] is decision) == (True, True)
    (archive / "P" / "Team" / ".zddc").write_text("acl: {deny: [kim@acme.example]}")
    assert asked()[1].allowed
    (archive / ".zddc").unlink()
    assert not asked()[1].allowed
    assert policy.decide(chain, "kim@acme.example", "r").allowed  # the chain that it was
    assert not policy.decide(asked()[0], "kim@acme.example", "r").allowed


def test_a_decision_is_that_of_the_chain_the_person_and_the_verb(archive, policy):
    (archive / "incoming").mkdir()
    (archive / "incoming" / ".zddc").write_text('acl: {permissions: {kim@acme.example: "c", lee@acme.example: "r"}}')
    for names in ((), ("P",), ("P", "Team"), ("incoming",)):
        for email in ("kim@acme.example", "lee@acme.example", None):
            for verb in ("r", "c"):
                for _ in range(2):
                    chain = policy.chain_of(names)
                    assert policy.decide(chain, email, verb) == decide(chain, email, verb), (names, email, verb)


def test_no_more_is_kept_than_there_is_room_for(archive, policy, monkeypatch):
    monkeypatch.setattr("zddc.access.policy._MOST_KEPT", 5)
    for number in range(20):
        (archive / f"F{number}").mkdir()
        chain = policy.chain_of([f"F{number}"])
        assert folders(chain) == ["/", f"/F{number}"]
        email = f"person{number}@acme.example"
        assert policy.decide(chain, email, "r") == decide(chain, email, "r")
        assert policy.decide(chain, "lee@acme.example", "r").allowed
        assert len(policy._chains) <= 5
        assert len(policy._decisions) <= 5
