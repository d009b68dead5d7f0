import pytest

from zddc.server.answer import Path
from zddc.server.drop_names import Target, may_be_put, parse_target, refusal_of_names, twin

FOLDER = "2025-01-02_T-1 (IFC) - Sent"
FILE = "D-1_A (IFC) - Plan.pdf"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("P", "incoming", FOLDER, FILE), (("P", "incoming"), (FOLDER,), FILE)),
        (("P", "Incoming", FOLDER, "sub", FILE), (("P", "Incoming"), (FOLDER, "sub"), FILE)),
        (("incoming", FOLDER, FILE), (("incoming",), (FOLDER,), FILE)),
        (("incoming", "incoming", FOLDER, FILE), (("incoming", "incoming"), (FOLDER,), FILE)),
        (("incoming", FILE), None),
        (("P", "incoming", FOLDER, "a", "b", FILE), None),
        (("P", "received", FOLDER, FILE), None),
        ((), None),
    ],
)
def test_a_file_is_for_a_transmittal_below_an_incoming_folder(path, found):
    target = parse_target(Path(path, is_folder=False))
    assert target == (found and Target(*found))
    assert target is None or target.names == path
    assert parse_target(Path(path, is_folder=True)) is None


def reason(name, folder=FOLDER, *more):
    return refusal_of_names(Target(("incoming",), (folder, *more), name))


@pytest.mark.parametrize("name", [FILE, "SHA256SUMS", f"{FOLDER}.html", "D-1_A+C1 (RSB) - Übersicht.dwg"])
def test_a_transmittal_has_documents_its_list_and_its_page(name):
    assert reason(name) == ""
    assert reason(name, FOLDER, "sub") == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Plan.pdf", "does not follow the convention: no '_'"),
        ("D-1_A (XXX) - Plan.pdf", "is not one of the"),
        (".zddc", "does not follow the convention"),
        ("SHA256SUMS.txt", "does not follow the convention"),
        (FOLDER, "does not follow the convention"),
        ("D-1_A (IFC) - a:b.pdf", "Windows forbids ':'"),
        ("_D-1_A (IFC) - Plan.pdf", "begins with '_'"),
    ],
)
def test_what_else_has_a_reason(name, why):
    assert why in reason(name)
    assert reason(name)


def test_the_folder_is_a_transmittal():
    assert "is no transmittal: no date" in reason(FILE, "Plans")
    assert "Windows reserves 'CON'" in reason(FILE, FOLDER, "con")


def test_names_that_a_system_may_take_for_one_are_twins():
    assert twin("Plan.pdf", ["other", "PLAN.PDF"]) == "PLAN.PDF"
    assert twin("\u00fc", ["u\u0308"]) == "u\u0308"
    assert twin("Plan.pdf", ["Plan.pdf", "Plan2.pdf"]) == ""


@pytest.mark.parametrize("folder", ["x.zip", "x.ZIP", ".archive", ".profile", "_tools"])
def test_nothing_is_handed_in_where_no_folder_is(folder):
    assert may_be_put(("P", "incoming", FOLDER, "x.zip"))
    assert not may_be_put(("P", "incoming", FOLDER, folder, FILE))
