"""Renames are done whole, undone whole, and either of them after a stop at any point.

With WEAKSPOT_SOAK=1 there are 10,000 random plans, and a process is killed at every one of its system calls.
"""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.processes import started
from tests.waiting import until
from tests.zddc.random_plans import expected, make_plan, make_tree, snapshot
from tests.zddc.system_calls import killed_at

from zddc import durable, rename_journal
from zddc.errors import UserError
from zddc.rename_journal import JOURNALS, apply, complete, plan_steps, read_journal, require_finished, undo
from zddc.renaming import Rename, check_plan

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
PLANS = 10_000 if SOAK else 30
PLANS_ON_FOLDING_DISK = 10_000 if SOAK else 15
# Of the system calls at which a process can be killed, each that many.
EACH_CALL = 1 if SOAK else 19

# Files, folders with files, a swap, a cycle, a chain, another letter case, a folder and what is in it.
FILES = ("a", "b", "c", "f/d", "f/e", "f/x.PDF", "g")
PLAN = [
    *(Rename("a", "b"), Rename("b", "a"), Rename("f/d", "e"), Rename("f/e", "new")),
    *(Rename("f/x.PDF", "x.pdf"), Rename("f", "F"), Rename("g", "h")),
]


def make_files(root: Path) -> None:
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    make_files(folder)
    return folder


@pytest.fixture(scope="module")
def folding_disk(tmp_path_factory):
    """A disk that keeps letter case and normalisation of names, and finds a file by any of their forms."""
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"libfuse cannot be used here: {error}")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be used here")
    folder = tmp_path_factory.mktemp("folding")
    (behind := folder / "behind").mkdir()
    (disk := folder / "disk").mkdir()
    with started([sys.executable, Path(__file__).with_name("folding_disk.py"), behind, disk]) as process:
        until(lambda: os.path.ismount(disk) or process.poll() is not None)
        if not os.path.ismount(disk):
            pytest.skip("a file system cannot be mounted here")
        try:
            yield disk
        finally:
            subprocess.run(["umount", disk], check=True)


def journals(root: Path) -> list[Path]:
    return sorted(root.glob(JOURNALS))


def names(root: Path) -> list[str]:
    """The names in a folder, without the journals."""
    return sorted(path.name for path in root.iterdir() if not path.match(JOURNALS))


# plans of every kind


def rename_and_undo(chance: random.Random, root: Path, behind: Path) -> int:
    """Apply a plan to ``root`` and undo it; return its lines. ``behind`` is where the same files can be seen faster."""
    make_tree(chance, behind)
    before = snapshot(behind)
    plan = check_plan(root, make_plan(chance, behind))
    assert [line for line in plan if line.problem] == []
    journal = apply(root, plan)
    assert snapshot(behind) == expected(before, plan)
    undo(root, journal)
    assert snapshot(behind) == before
    return len(plan)


@pytest.mark.timeout(7200 if SOAK else 300)
def test_a_plan_gives_the_tree_that_it_says_and_undone_the_tree_that_was(tmp_path):
    lines = 0
    for number in range(PLANS):
        (root := tmp_path / str(number)).mkdir()
        lines += rename_and_undo(random.Random(number), root, root)
        shutil.rmtree(root)
    assert lines > PLANS


@pytest.mark.slow
def test_on_the_disk_that_folds_a_file_is_found_by_any_form_of_its_name(folding_disk):
    (folding_disk / "Straße é").write_text("1")
    assert (folding_disk / "STRASSE E\u0301").read_text() == "1"
    assert [path.name for path in folding_disk.glob("S*")] == ["Straße é"]


@pytest.mark.slow
@pytest.mark.timeout(7200 if SOAK else 300)
def test_that_holds_on_a_disk_that_folds_letter_case_and_normalisation(folding_disk):
    lines = 0
    for number in range(PLANS_ON_FOLDING_DISK):
        (behind := folding_disk.with_name("behind") / str(number)).mkdir()
        lines += rename_and_undo(random.Random(number), folding_disk / str(number), behind)
        shutil.rmtree(behind)
    assert lines > PLANS_ON_FOLDING_DISK


few_names = st.sampled_from(["a", "A", "b", "c", "d", "e", "\u00e9", "e\u0301", "E\u0301", ".."])
few_paths = st.sampled_from(["a", "A", "b", "c", "\u00e9", "e\u0301", "d", "d/a", "d/A", "d/b", "x"])


@given(st.lists(st.builds(Rename, few_paths, few_names), max_size=8))
def test_a_plan_of_any_kind_is_refused_or_done_and_undone(tmp_path_factory, plan):
    root = tmp_path_factory.mktemp("any")
    (root / "d").mkdir()
    for name in ("a", "A", "b", "c", "\u00e9", "e\u0301", "d/a", "d/A", "d/b"):
        (root / name).write_text(name)
    before = snapshot(root)
    checked = check_plan(root, plan)
    try:
        journal = apply(root, checked)
    except UserError:
        assert any(line.problem for line in checked)
    else:
        assert snapshot(root) == expected(before, checked)
        undo(root, journal)
    assert snapshot(root) == before


# one plan of each kind


@pytest.mark.parametrize(
    ("old_names", "plan"),
    [
        (["a", "b"], {"a": "b", "b": "a"}),
        (["a", "b", "c"], {"a": "b", "b": "c", "c": "a"}),
        (["a", "b"], {"a": "b", "b": "c"}),
        (["a.PDF"], {"a.PDF": "a.pdf"}),
        (["A", "b"], {"A": "B", "b": "a"}),
    ],
)
def test_no_name_is_overwritten_on_the_way(tmp_path, old_names, plan):
    for name in old_names:
        (tmp_path / name).write_text(name)
    apply(tmp_path, [Rename(old, new) for old, new in plan.items()])
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {
        plan.get(name, name): name for name in old_names
    }


def test_only_what_needs_one_gets_a_temporary_name():
    plan = [Rename("a", "b"), Rename("b", "c"), Rename("d", "e"), Rename("f", "F")]
    steps = list(plan_steps(plan))
    assert [(old, new) for old, new in steps if ".zddc-" not in old + new] == [("b", "c"), ("d", "e")]
    assert [old for old, _ in steps[:2]] == ["a", "f"]
    assert [new for _, new in steps[-2:]] == ["b", "F"]


def test_what_is_in_a_folder_comes_before_the_folder():
    plan = [Rename("f", "g"), Rename("f/a", "b"), Rename("f/h/i", "j"), Rename("f/h", "k")]
    assert list(plan_steps(plan)) == [("f/h/i", "f/h/j"), ("f/a", "f/b"), ("f/h", "f/k"), ("f", "g")]


def test_times_and_modes_stay_and_links_are_renamed_themselves(root):
    (root / "a").chmod(0o400)
    os.utime(root / "a", ns=(1, 2))
    (root / "link").symlink_to("a")
    apply(root, [Rename("a", "A1"), Rename("link", "to")])
    found = (root / "A1").stat()
    assert (found.st_mode & 0o777, found.st_mtime_ns, str((root / "to").readlink())) == (0o400, 2, "a")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_not_unicode_comes_back(tmp_path):
    name = os.fsdecode(b"T\xff\n.pdf")
    (tmp_path / name).touch()
    journal = apply(tmp_path, [Rename(name, "T.pdf")])
    assert names(tmp_path) == ["T.pdf"]
    assert undo(tmp_path, journal) == 1
    assert names(tmp_path) == [name]


def test_a_plan_with_a_problem_renames_nothing(root):
    before = snapshot(root)
    with pytest.raises(UserError, match="no such file or folder; nothing was renamed"):
        apply(root, check_plan(root, [Rename("a", "new"), Rename("none", "b")]))
    assert (snapshot(root), journals(root)) == (before, [])


# the journal


@pytest.mark.slow
def test_the_journal_is_on_the_disk_before_each_rename(root):
    """It holds every step before the first, and the number of a step before that step."""
    script = Path(root.parent, "run.py")
    script.write_text(
        f"import pathlib\nfrom zddc.renaming import Rename\nfrom zddc.rename_journal import apply\n"
        f"apply(pathlib.Path({str(root)!r}), [Rename('a', 'z'), Rename('g', 'h')])\n"
    )
    if not shutil.which("strace"):
        pytest.skip("there is no strace")
    log = root.parent / "calls"
    command = ["strace", "-f", "-o", log, "-e", "trace=fsync,renameat2", sys.executable, script]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("strace cannot be used here")
    calls = [line.split()[1].partition("(")[0] for line in log.read_text().splitlines() if "(" in line]
    # The journal and its folder; then journal, rename, folder for each; then the end.
    assert calls == ["fsync", "fsync", *["fsync", "renameat2", "fsync"] * 2, "fsync"]


def test_a_journal_can_be_read_by_people(root):
    journal = apply(root, [Rename("a", "z")])
    heading, *lines = map(json.loads, journal.read_text().splitlines())
    assert heading.keys() == {"journal", "version", "created", "steps"}
    assert lines == [{"from": "a", "to": "z"}, {"do": 0}, {"end": 1}]


def test_what_is_undone_or_complete_is_not_done_again(root):
    journal = apply(root, PLAN)
    assert [complete(root, journal), undo(root, journal), undo(root, journal)] == [0, len(PLAN), 0]
    assert snapshot(root) == ORIGINAL
    assert [complete(root, journal), undo(root, journal)] == [len(PLAN), len(PLAN)]
    assert snapshot(root) == ORIGINAL


def test_another_run_waits_for_one_that_was_stopped(root):
    journal = apply(root, PLAN)
    journal.write_bytes(journal.read_bytes().rpartition(b'{"end": ')[0])
    for run in (lambda: require_finished(root), lambda: apply(root, [Rename("c", "z")])):
        with pytest.raises(UserError, match=r"were stopped on their way; 'zddc rename .* --complete .*' goes on"):
            run()
    complete(root, journal)
    require_finished(root)


def test_two_runs_at_once_do_not_mix(root):
    with rename_journal._alone(root), pytest.raises(UserError, match="another 'zddc rename' is at work here"):
        apply(root, [Rename("c", "z")])


def test_a_name_that_somebody_takes_meanwhile_stops_the_run_and_nothing_is_lost(root):
    before = snapshot(root)
    plan = check_plan(root, [Rename("a", "y"), Rename("b", "z")])
    (root / "z").write_text("somebody's")
    with pytest.raises(UserError, match=r"b: cannot become 'z': file exists; mend that, then 'zddc rename"):
        apply(root, plan)
    assert (root / "z").read_text() == "somebody's"
    (journal,) = journals(root)
    (root / "z").unlink()
    assert complete(root, journal) == 1
    undo(root, journal)
    assert snapshot(root) == before


def test_where_somebody_renamed_meanwhile_nothing_is_undone(root):
    journal = apply(root, PLAN)
    (root / "F/e").rename(root / "F/away")
    before = snapshot(root)
    with pytest.raises(
        UserError, match=r"F/e: cannot become 'f/.*tmp': it is not there any more; nothing was renamed now"
    ):
        undo(root, journal)
    assert snapshot(root) == before
    (root / "F/away").rename(root / "F/e")
    (root / "f").mkdir()
    with pytest.raises(UserError, match=r"F: cannot become 'f': 'f' is taken; nothing was renamed now"):
        undo(root, journal)
    (root / "f").rmdir()
    undo(root, journal)
    assert snapshot(root) == ORIGINAL


def test_a_run_that_renames_nothing_stops_no_other(root):
    plan = check_plan(root, [Rename("a", "z")])
    (root / "z").touch()
    with pytest.raises(UserError, match="file exists"):
        apply(root, plan)
    require_finished(root)


def test_a_folder_that_was_replaced_by_a_link_is_not_followed(root, tmp_path):
    journal = apply(root, [Rename("f/d", "z")])
    (root / "f").rename(tmp_path / "outside")
    (root / "f").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="f/z: cannot become 'f/d': not a directory"):
        undo(root, journal)
    assert names(tmp_path / "outside") == ["e", "x.PDF", "z"]


def test_a_full_disk_stops_the_run_before_the_rename(small_disk):
    for number in range(3):
        (small_disk / str(number)).touch()
    (small_disk / "filler").write_bytes(b"x" * 56_000)
    before = snapshot(small_disk)
    with contextlib.suppress(OSError):
        (small_disk / "more").write_bytes(b"x" * 100_000)
    with pytest.raises(OSError, match="zddc-rename") as caught:
        apply(small_disk, check_plan(small_disk, [Rename(str(number), f"n{number}") for number in range(3)]))
    assert caught.value.strerror == "No space left on device"
    (small_disk / "more").unlink()
    assert (snapshot(small_disk), journals(small_disk)) == (before, [])


HEADING = '{"journal": "zddc rename", "version": 1, "steps": 1}\n'
STEP = '{"from": "a", "to": "z"}\n'
HEADING_OF_3 = HEADING.replace("1}", "3}")
STEPS = "".join(f'{{"from": "{old}", "to": "{new}"}}\n' for old, new in ("ax", "by", "cz"))


@pytest.mark.parametrize(
    "text",
    [
        "no JSON\n",
        "[]\n",
        "[" * 100_000 + "\n",
        '{"journal": "other"}\n',
        '{"journal": "zddc rename", "version": 2, "steps": 0}\n',
        HEADING + '{"from": "a"}\n',
        HEADING + '{"from": "a", "to": 1}\n',
        HEADING + '{"from": "a", "to": "f/z"}\n',
        HEADING + '{"from": "../a", "to": "../z"}\n',
        HEADING + '{"from": "/a", "to": "/z"}\n',
        HEADING + '{"from": "a", "to": ""}\n',
        HEADING + '{"from": "f/..", "to": "f/z"}\n',
        HEADING + '{"from": "a\\u0000", "to": "z"}\n',
        HEADING + STEP + '{"do": 1}\n',
        HEADING + STEP + '{"undo": -1}\n',
        HEADING + STEP + '{"end": 2}\n',
        HEADING + STEP + '{"do": "0"}\n',
        HEADING + STEP + '{"redo": 0}\n',
        HEADING + STEP + '{"do": 0, "end": 0}\n',
        *(HEADING + STEP + f"{{{line}}}\n" for line in ('"do": []', '"do": [0]', '"do": [0, 1]', '"end": [0, 0]')),
        HEADING_OF_3 + STEPS + '{"do": [1, 0]}\n',
        HEADING_OF_3 + STEPS + '{"undo": [0, 1]}\n',
        HEADING + STEP + "{}\n",
    ],
)
def test_what_is_no_journal_is_one_line_and_renames_nothing(root, text):
    before = snapshot(root)
    (file := root.parent / "journal").write_text(text)
    with pytest.raises(UserError, match="not a journal of zddc rename; give the file"):
        undo(root, file)
    assert snapshot(root) == before


@pytest.mark.parametrize(
    "text", ["", HEADING[:20], HEADING, HEADING + STEP[:-1], HEADING + STEP, HEADING + STEP + '{"d']
)
def test_a_journal_that_ends_before_the_first_rename_has_nothing_to_undo(root, text):
    (file := root.parent / "journal").write_text(text)
    assert [undo(root, file), undo(root, file)] == [0, 0]
    assert names(root) == ["a", "b", "c", "f", "g"]


@pytest.mark.parametrize("make", ["touch", "mkdir"])
@pytest.mark.parametrize(("there", "words"), [(["a", "z"], "both of them are there"), ([], "none of them is there")])
def test_a_step_whose_names_were_changed_by_others_is_left_to_people(tmp_path, make, there, words):
    for name in there:
        getattr(tmp_path / name, make)()
        os.utime(tmp_path / name, ns=(0, 0))
    (file := tmp_path / "journal").write_text(HEADING + STEP + '{"do": 0}\n')
    with pytest.raises(UserError, match=f"a: it was being renamed to 'z', and {words}"):
        complete(tmp_path, file)


@pytest.mark.parametrize(
    ("word", "there", "undone", "done"), [("do", "z", 1, 0), ("do", "a", 0, 1), ("undo", "a", 0, 1)]
)
def test_the_names_that_are_there_tell_whether_the_last_step_was_done(tmp_path, word, there, undone, done):
    for run, count in ((undo, undone), (complete, done)):
        (folder := tmp_path / run.__name__).mkdir()
        (folder / there).touch()
        (file := folder / "journal").write_text(HEADING + STEP + f'{{"{word}": 0}}\n')
        assert run(folder, file) == count


@pytest.mark.parametrize(("line", "count"), [('{"do": [0, 2]}', 3), ('{"undo": [2, 0]}', 3), ('{"do": [1, 2]}', 2)])
@pytest.mark.parametrize("run", [undo, complete])
def test_the_names_that_are_there_tell_how_many_steps_of_one_line_were_done(tmp_path, line, count, run):
    for done in range(3 - count, 4):
        (folder := tmp_path / str(done)).mkdir()
        for name in "xyz"[:done] + "abc"[done:]:
            (folder / name).write_text(name)
        (file := folder / "journal").write_text(f"{HEADING_OF_3}{STEPS}{line}\n")
        assert not read_journal(file).finished
        assert run(folder, file) == (done if run == undo else 3 - done)
        assert names(folder) == sorted(["journal", *("abc" if run == undo else "xyz")])
        assert read_journal(file).finished


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("xc", "none of them is there"),
        ("xbyc", "both of them are there"),
        ("xbz", "a later rename is made while this one is not"),
    ],
)
def test_a_name_that_somebody_changed_among_those_of_one_line_is_left_to_people(tmp_path, there, words):
    for name in there:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(0, 0))
    (file := tmp_path / "journal").write_text(HEADING_OF_3 + STEPS + '{"do": [0, 2]}\n')
    for run in (undo, complete):
        with pytest.raises(UserError, match=f"b: it was being renamed to 'y', and {words}; rename by hand"):
            run(tmp_path, file)
    assert names(tmp_path) == sorted([*there, "journal"])


def test_a_stop_between_the_halves_of_a_rename_by_links_is_mended(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "z").hardlink_to(tmp_path / "a")
    (file := tmp_path / "journal").write_text(HEADING + STEP + '{"do": 0}\n')
    assert complete(tmp_path, file) == 1
    assert names(tmp_path) == ["journal", "z"]


# kills


def run_killed(folder: Path, act, mend, wanted) -> int:
    """Kill ``act`` at its system calls, one after another, each in a tree of its own; ``mend`` must give ``wanted``."""
    number = 0
    while True:
        root = folder / str(number)
        make_files(root)
        prepared = act(root)
        was_killed = killed_at(number, prepared)
        for journal in journals(root):
            mend(root, journal)
        assert snapshot(root) == wanted(root), f"killed at call {number}"
        require_finished(root)
        shutil.rmtree(root)
        if not was_killed:
            return number
        number += EACH_CALL


def begin_to_apply(root: Path):
    return lambda: apply(root, PLAN)


def begin_to_undo(root: Path):
    journal = apply(root, PLAN)
    return lambda: undo(root, journal)


def nothing_or_all(root: Path) -> dict:
    return expected(ORIGINAL, PLAN) if any(read_journal(journal).steps for journal in journals(root)) else ORIGINAL


ORIGINAL = {**{name: name.encode() for name in FILES}, "f": None}


@pytest.mark.slow
@pytest.mark.timeout(3600 if SOAK else 300)
@pytest.mark.parametrize("begin", [begin_to_apply, begin_to_undo])
def test_a_run_that_is_killed_at_any_system_call_can_be_undone(tmp_path, begin):
    assert run_killed(tmp_path, begin, undo, lambda root: ORIGINAL) > 100


@pytest.mark.slow
@pytest.mark.timeout(3600 if SOAK else 300)
@pytest.mark.parametrize("begin", [begin_to_apply, begin_to_undo])
def test_a_run_that_is_killed_at_any_system_call_can_be_completed(tmp_path, begin):
    assert run_killed(tmp_path, begin, complete, nothing_or_all) > 100


@pytest.mark.slow
@pytest.mark.timeout(3600 if SOAK else 300)
@pytest.mark.parametrize("begin", [begin_to_apply, begin_to_undo])
@pytest.mark.parametrize(("mend", "wanted"), [(undo, lambda root: ORIGINAL), (complete, nothing_or_all)])
def test_that_holds_for_kills_where_a_rename_is_two_links(tmp_path, monkeypatch, begin, mend, wanted):
    monkeypatch.setattr(durable, "_renameat2", lambda: None)  # a C library that has no renameat2
    assert run_killed(tmp_path, begin, mend, wanted) > 100


@pytest.mark.slow
@pytest.mark.timeout(3600 if SOAK else 300)
@pytest.mark.parametrize("begin", [begin_to_apply, begin_to_undo])
def test_that_holds_for_kills_on_a_disk_that_folds(folding_disk, begin):
    (folder := folding_disk / "kills").mkdir(exist_ok=True)
    assert run_killed(folder, begin, undo, lambda root: ORIGINAL) > 100


def stop(journal: Path) -> None:
    """Make the journal of a run look as if that had been stopped at its last step."""
    journal.write_bytes(journal.read_bytes().rpartition(b'{"end": ')[0])


def test_a_run_in_a_folder_above_comes_first_where_it_is_about_the_same_names(root):
    stop(journal := apply(root, [Rename("f/d", "z")]))
    with pytest.raises(UserError, match=r"renames of what is in '.*f' were stopped on their way; ") as caught:
        apply(root / "f", [Rename("e", "y")])
    assert f"zddc rename {root} " in str(caught.value)
    (root / "other").mkdir()
    (root / "other/a").touch()
    apply(root / "other", [Rename("a", "b")])
    complete(root, journal)
    apply(root / "f", [Rename("e", "y")])


def test_a_run_above_that_renames_the_folder_itself_comes_first(root):
    (root / "f/deep").mkdir()
    (root / "f/deep/a").touch()
    stop(apply(root, [Rename("f", "F")]))
    with pytest.raises(UserError, match="were stopped on their way"):
        apply(root / "F/deep", [Rename("a", "b")])


def test_a_run_in_a_folder_of_the_plan_comes_first(root):
    stop(journal := apply(root / "f", [Rename("d", "z")]))
    with pytest.raises(UserError, match="these renames were stopped on their way") as caught:
        apply(root, [Rename("f/e", "y")])
    assert f"zddc rename {root / 'f'} " in str(caught.value)
    apply(root, [Rename("a", "z")])
    complete(root / "f", journal)
    apply(root, [Rename("f/e", "y")])


def test_what_is_no_journal_in_a_folder_above_stops_nobody(root):
    (root / ".zddc-rename-20251031T000000Z-abcd.jsonl").write_text("no journal\n")
    apply(root / "f", [Rename("d", "z")])
    with pytest.raises(UserError, match="not a journal"):
        apply(root, [Rename("a", "z")])
