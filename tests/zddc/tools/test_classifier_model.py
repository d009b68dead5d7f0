"""The classifier and ``zddc rename`` say the same of plans, and finish and undo each other's renames."""

import os
import random
import shutil
import unicodedata
from pathlib import Path

import pytest
from tests.zddc.tools.questions import asking

from zddc import rename_journal
from zddc.errors import UserError
from zddc.naming import STATUSES, parse_filename
from zddc.rename_journal import JOURNALS, plan_steps, read_journal
from zddc.renaming import Rename, check_plan, format_plan, read_plan
from zddc.windows_names import comparable

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
PLANS = 10_000 if SOAK else 1_000
# Making files costs most: many plans are drawn for one tree.
PLANS_OF_A_TREE = 25
RUNS = 1_000 if SOAK else 20

STEMS = ("a", "B", "Plan 1", "Übersicht", "e\u0301tat", "Straße", "STRASSE", "ﬁle", "Ωmega", "x" * 251, "-n", "=1+1")
NEW = (*STEMS, "A", "b", "étal", "fILE", "CON", "dot.", "blank ", "two\nlines", "a?", "", "~$x", "y" * 260, "\u202ex")
FOLDERS = ("", "f", "f/g", "/".join(["d" * 120] * 2))


@pytest.fixture(scope="module")
def ask(made_once):
    """Ask the classifier's code many questions at once; its answers come in the same order."""
    return asking(made_once, "classifierAnswer")


def make_files(chance: random.Random, root: Path) -> dict[str, str]:
    """Make up to eight files, no two of which are one where letter case does not count; return what is in them."""
    files: dict[str, str] = {}
    taken = set()
    for number in range(chance.randint(1, 8)):
        folder = chance.choice(FOLDERS)
        name = chance.choice(STEMS) + chance.choice(("", ".pdf", ".PDF"))
        if (folder, comparable(name)) in taken or len(name.encode()) > 255:
            continue
        taken.add((folder, comparable(name)))
        (root / folder).mkdir(parents=True, exist_ok=True)
        path = f"{folder}/{name}" if folder else name
        (root / path).write_text(f"{number}", encoding="utf-8")
        files[path] = f"{number}"
    return files


def names_of(root: Path) -> dict[str, list[str]]:
    """Return the names in each folder."""
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    return {
        "" if folder == root else folder.relative_to(root).as_posix(): [path.name for path in folder.iterdir()]
        for folder in folders
    }


def draw_plan(chance: random.Random, files: dict[str, str]) -> list[tuple[str, str]]:
    """Return a plan for some files: good names and bad, swaps, twins, a file twice, a file that is not there."""
    paths = [path for path in files if chance.random() < 0.8]
    plan = []
    for path in paths:
        kind = chance.random()
        name = path.rpartition("/")[2]
        others = [other.rpartition("/")[2] for other in files]
        new = chance.choice(others) if kind < 0.4 else name.swapcase() if kind < 0.5 else chance.choice(NEW)
        plan.append((path, new))
    if plan and chance.random() < 0.1:
        plan.append((plan[0][0], "second"))
    if chance.random() < 0.1:
        plan.append(("nowhere.pdf", "somewhere.pdf"))
    return plan


def clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def test_random_plans_get_the_same_verdicts_and_the_same_steps(ask, tmp_path):
    questions, expected = [], []
    for seed in range(PLANS):
        chance = random.Random(seed)
        if seed % PLANS_OF_A_TREE == 0:
            root = tmp_path / str(seed)
            root.mkdir()
            files = make_files(chance, root)
            names = names_of(root)
        plan = draw_plan(chance, files)
        checked = check_plan(root, [Rename(*line) for line in plan])
        questions.append({"ask": "check", "names": names, "plan": plan})
        expected.append([[line.path, line.new_name, line.problem, line.warning] for line in checked])
        good = [line for line in checked if not line.problem]
        questions.append({"ask": "steps", "plan": [(line.path, line.new_name) for line in good]})
        steps = list(plan_steps(good))
        run = next((step[1].rpartition("/")[2][6:14] for step in steps if ".zddc-" in step[1]), "")
        expected.append([[path.replace(run, "0123abcd") if run else path for path in step] for step in steps])
    verdicts = [line[2] for answer in expected[::2] for line in answer]
    assert sum(map(bool, verdicts)) > PLANS / 2
    assert verdicts.count("") > PLANS / 2
    for question, given, wanted in zip(questions, ask(questions), expected, strict=True):
        assert sorted(given) == sorted(wanted), question
        if question["ask"] == "steps":
            assert given == wanted, question


def draw_sheet(chance: random.Random, files: dict[str, str]) -> list[dict[str, object]]:
    """Return what somebody types into a sheet: mostly good fields, some that no name can have."""
    parts = {
        "tracking": ("A-1", "A-2", "a-1", "A_1", "A 1"),
        "revision": ("A", "~B", "A+C1", "1..2", "("),
        "status": ("IFC", "IFR", "ifc", "XXX"),
        "title": ("Plan", "PLAN", "Straße", "Strasse", "a?", "x" * 240, "Plan."),
        "extension": ("pdf", "PDF", "p df"),
    }
    typed = []
    for row in range(len(files)):
        if chance.random() < 0.2:
            continue
        for field, values in parts.items():
            good = values[: 2 if field == "title" else 1]
            typed.append(
                {"row": row, "field": field, "value": chance.choice(good if chance.random() < 0.85 else values)}
            )
    return typed


def test_what_a_random_sheet_is_ready_to_rename_passes_as_a_plan_and_conforms(ask, tmp_path):
    questions, roots = [], []
    for seed in range(PLANS):
        chance = random.Random(seed)
        if seed % PLANS_OF_A_TREE == 0:
            root = tmp_path / str(seed)
            root.mkdir()
            files = make_files(chance, root)
            for number in range(chance.choice((0, 0, 2))):
                name = f"A-1_A (IFC) - {('Plan', 'Other')[number]}.pdf"
                (root / name).touch()
                files[name] = ""
            names = names_of(root)
        questions.append({"ask": "sheet", "names": names, "files": files, "typed": draw_sheet(chance, files)})
        roots.append(root)
    ready = 0
    for given, root in zip(ask(questions), roots, strict=True):
        plan = [Rename(*line) for line in given]
        assert [line.problem for line in check_plan(root, plan)] == [""] * len(plan)
        for line in plan:
            read = parse_filename(line.new_name)
            assert read.valid, line
            assert read.status in STATUSES
        ready += len(plan)
    assert ready > PLANS / 2


def test_every_character_compares_as_in_python(ask):
    points = [point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
    assigned = [chr(point) for point in points if unicodedata.category(chr(point)) != "Cn"]
    (given,) = ask([{"ask": "comparable", "texts": assigned}])
    assert [
        (text, one, comparable(text)) for text, one in zip(assigned, given, strict=True) if one != comparable(text)
    ] == []


def test_a_plan_of_the_page_is_the_csv_that_the_command_line_writes_and_reads(ask, tmp_path):
    plans = []
    for seed in range(200):
        chance = random.Random(seed)
        names = [chance.choice(NEW[:-1]) or "x" for _ in range(6)]
        plans.append(
            [(f"{chance.choice(('', 'f/', '=f/'))}{name}".strip() or "x", chance.choice(NEW)) for name in names]
        )
    for plan, given in zip(plans, ask([{"ask": "csv", "plan": plan} for plan in plans]), strict=True):
        lines = [Rename(*line) for line in plan]
        assert given.encode() == format_plan(lines)
        file = tmp_path / "rename-plan.csv"
        file.write_bytes(given.encode())
        assert [line.path for line in read_plan(file)] == [line.path for line in lines]


def good_plan(chance: random.Random, root: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    files = make_files(chance, root)
    plan = draw_plan(chance, files)
    while True:
        checked = check_plan(root, [Rename(*line) for line in plan])
        good = [(line.path, line.new_name) for line in checked if not line.problem]
        if len(good) == len(checked):
            return files, good
        plan = good


def write_tree(root: Path, tree: dict[str, str]) -> None:
    clear(root)
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")


def read_tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in root.rglob("*")
        if path.is_file() and not path.match(JOURNALS)
    }


def test_what_the_page_began_the_command_line_undoes_and_completes(ask, tmp_path):
    root = tmp_path / "root"
    cases = []
    for seed in range(RUNS):
        chance = random.Random(seed)
        clear(root)
        files, plan = good_plan(chance, root)
        if plan:
            question = {"ask": "run", "files": files, "plan": plan, "steps": chance.randint(1, 2 * len(plan))}
            cases += [(files, plan, {**question, "isKilled": is_killed}) for is_killed in (False, True)]
    # One run undoes what another did, and is killed on its way.
    whole = ask([{**question, "steps": 0} for _, _, question in cases])
    back = [
        {**question, "ask": "resume", "files": done["tree"], "text": done["journals"][0][1], "goal": "undo"}
        for (_, _, question), done in zip(cases, whole, strict=True)
    ]
    answers = ask([question for _, _, question in cases] + back)
    stopped = 0
    for (files, plan, _), given in zip(cases * 2, answers, strict=True):
        ((name, text),) = given["journals"]
        for goal in ("undo", "complete"):
            write_tree(root, given["tree"])
            (root / name).write_text(text, encoding="ascii")
            stopped += not read_journal(root / name).finished
            getattr(rename_journal, goal)(root, root / name)
            new_names = dict(plan)
            wanted = {
                (path.rpartition("/")[0] + "/").lstrip("/") + new_names.get(path, path.rpartition("/")[2]): content
                for path, content in files.items()
            }
            assert read_tree(root) == (files if goal == "undo" else wanted)
            rename_journal.require_finished(root)
    assert stopped > 2 * RUNS


def test_what_the_command_line_began_the_page_undoes_and_completes(ask, tmp_path):
    root = tmp_path / "root"
    questions, expected = [], []
    for seed in range(RUNS):
        chance = random.Random(1_000_000 + seed)
        clear(root)
        files, plan = good_plan(chance, root)
        if not plan:
            continue
        steps = list(plan_steps([Rename(*line) for line in plan]))
        journal = rename_journal._begin(root, steps)
        rename_journal._move(root, journal, chance.randint(0, len(steps)))
        text = journal.file.read_text(encoding="ascii")
        # Killed: the last line is not written, or the last step is not done.
        if chance.random() < 0.5:
            text = "".join(text.splitlines(keepends=True)[:-1]) + chance.choice(("", '{"do": '))
        after = read_tree(root)
        for goal, tree in (("undo", files), ("complete", None)):
            questions.append({"ask": "resume", "files": after, "text": text, "goal": goal})
            expected.append(tree)
        rename_journal.complete(root, journal.file)
        expected[-1] = read_tree(root)
    for question, given, tree in zip(questions, ask(questions), expected, strict=True):
        assert given["tree"] == tree, question
        ((_, text),) = given["journals"]
        file = tmp_path / "journal"
        file.write_text(text, encoding="ascii")
        assert read_journal(file).finished


def test_journals_are_read_alike_whole_cut_and_damaged(ask, tmp_path):
    chance = random.Random(7)
    heading = '{"journal": "zddc rename", "version": 1, "created": "2026-01-01T00:00:00+00:00", "steps": 2}\n'
    good = (
        heading
        + '{"from": "a", "to": "b"}\n{"from": "f/\\u00fc", "to": "f/y"}\n'
        + '{"do": 0}\n{"do": 1}\n{"undo": [1, 0]}\n{"do": [0, 1]}\n{"undo": 1}\n{"end": 1}\n'
    )
    texts = [good[:length] for length in range(len(good) + 1)]
    for _ in range(400):
        at = chance.randrange(len(good))
        texts.append(good[:at] + chance.choice('{}[]",:/.0123 \\n\nxé') + good[at + chance.randint(0, 2) :])
    texts = [text.encode() for text in texts]
    given = ask([{"ask": "journal", "text": text.decode("latin-1")} for text in texts])
    file = tmp_path / "journal"
    refused = 0
    for text, answer in zip(texts, given, strict=True):
        file.write_bytes(text)
        try:
            read = read_journal(file)
        except UserError:
            refused += 1
            assert answer == "JournalError", text
        else:
            wanted = {
                "steps": [list(step) for step in read.steps],
                "position": read.position,
                "openSteps": list(read.open_steps),
            }
            assert answer == {**wanted, "size": read.size}, text
    assert 50 < refused < len(texts) - 100
