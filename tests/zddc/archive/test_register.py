"""What was sent for review or approval is due until its answer comes back."""

from datetime import date

import pytest
from tests.zddc.transmittal.made import FIELDS, NOW

from zddc.archive.index import Index
from zddc.archive.register import due_answers
from zddc.archive.tree import walk
from zddc.transmittal.data import Transmittal
from zddc.transmittal.page import make_page
from zddc.transmittal.signatures import make_envelope
from zddc.transmittal.writing import make_payload

TODAY = date(2025, 10, 31)
SENT = "Acme/issued/2025-10-01_T-1 (IFR) - Plans"


def put(root, *names):
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def due(root, days=14):
    return due_answers(root, Index(walk(root)), TODAY, days)


def shown(root):
    return [(one.number, one.revision, one.owner, one.days_late) for one in due(root)]


@pytest.mark.parametrize("status", ["IFR", "IFA"])
def test_what_was_sent_for_review_or_approval_is_due(tmp_path, status):
    put(tmp_path, f"{SENT}/A-1_B ({status}) - Plan.pdf", f"{SENT}/A-1_B ({status}) - Plan.dwg")
    (one,) = due(tmp_path)
    assert (one.number, one.revision, one.title, one.party, one.transmittal) == ("A-1", "B", "Plan", "Acme", "T-1")
    assert (one.owner, one.sent, one.due, one.days_late) == ("them", date(2025, 10, 1), date(2025, 10, 15), 16)


@pytest.mark.parametrize("status", ["IFC", "IFI", "DFT", "RSA"])
def test_what_asks_for_no_answer_is_not(tmp_path, status):
    put(tmp_path, f"{SENT}/A-1_B ({status}) - Plan.pdf")
    assert due(tmp_path) == []


def test_what_we_got_we_owe(tmp_path):
    put(tmp_path, f"{SENT.replace('issued', 'received')}/A-1_B (IFR) - Plan.pdf")
    assert shown(tmp_path) == [("A-1", "B", "us", 16)]


ANSWERED = [
    ("Acme/received/2025-10-09_S-1 (RSB) - Comments/A-1_B+C1 (RSB) - Plan.pdf", True),
    ("Acme/received/2025-10-09_S-1 (IFI) - Comments/A-1_B (RSA) - Plan.pdf", True),
    ("Acme/received/2025-10-09_T-1 (RSI) - No comments/other.txt", True),
    ("Acme/received/2025-10-01_S-1 (RSB) - The same day/A-1_B+C1 (RSB) - Plan.pdf", True),
    ("Acme/issued/2025-10-09_S-1 (RSB) - Our own/A-1_B+C1 (RSB) - Plan.pdf", False),
    ("Acme/received/2025-09-09_S-1 (RSB) - Before/A-1_B+C1 (RSB) - Plan.pdf", False),
    ("Acme/received/2025-10-09_S-1 (RSB) - Other revision/A-1_A+C1 (RSB) - Plan.pdf", False),
    ("Acme/received/2025-10-09_S-1 (RSB) - Other document/A-2_B+C1 (RSB) - Plan.pdf", False),
    ("Acme/received/2025-10-09_S-1 (IFI) - No answer/A-1_B+C1 (IFI) - Plan.pdf", False),
    ("Rock/received/2025-10-09_S-1 (RSB) - Other party/A-1_B+C1 (RSB) - Plan.pdf", False),
    ("Acme/incoming/2025-10-09_S-1 (RSB) - Not checked/A-1_B+C1 (RSB) - Plan.pdf", False),
    ("Acme/issued/2025-10-20_T-2 (IFC) - Newer revision/A-1_0 (IFC) - Plan.pdf", True),
    ("Acme/issued/2025-10-20_T-2 (DFT) - A draft of it/A-1_~C (DFT) - Plan.pdf", False),
]


@pytest.mark.parametrize(("answer", "answers"), ANSWERED)
def test_an_answer_comes_back_for_the_same_revision(tmp_path, answer, answers):
    put(tmp_path, f"{SENT}/A-1_B (IFR) - Plan.pdf", answer)
    assert ([one.number for one in due(tmp_path)] == []) is answers


def write_page(root, folder, published=True, **fields):
    payload = make_payload({**FIELDS, "trackingNumber": "T-1", "date": "2025-10-01", **fields}, [], draft=False)
    page = make_page(Transmittal(payload, make_envelope(payload, NOW) if published else {}, {}))
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / "T-1_2025-10-01 (IFR) - Plans.html").write_text(page, encoding="utf-8")


def test_a_submittal_names_the_day(tmp_path):
    put(tmp_path, f"{SENT}/A-1_B (IFR) - Plan.pdf")
    write_page(tmp_path, SENT, type="Submittal", responseDue="2025-11-05")
    assert shown(tmp_path) == [("A-1", "B", "them", -5)]


def test_a_submittal_of_other_documents_is_due_as_a_whole(tmp_path):
    put(tmp_path, f"{SENT}/A-1_B (IFI) - Data.pdf")
    write_page(tmp_path, SENT, type="Submittal", responseDue="2025-10-30")
    assert shown(tmp_path) == [("T-1", "", "them", 1)]
    put(tmp_path, "Acme/received/2025-10-09_T-1 (RSA) - Answer/x.txt")
    assert shown(tmp_path) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "Transmittal"},
        {"type": "Submittal", "responseDue": ""},
        {"type": "Submittal", "responseDue": "soon"},
        {"type": "Submittal", "responseDue": "2025-10-30", "published": False},
    ],
)
def test_nothing_is_due_of_a_transmittal_that_names_no_day(tmp_path, fields):
    write_page(tmp_path, SENT, **fields)
    assert due(tmp_path) == []


def test_a_page_that_is_damaged_does_not_hide_what_is_due(tmp_path):
    put(tmp_path, f"{SENT}/A-1_B (IFR) - Plan.pdf")
    (tmp_path / SENT / "T-1_2025-10-01 (IFR) - Plans.html").write_bytes(b'<script id="transmittal-data">{\xff')
    assert shown(tmp_path) == [("A-1", "B", "them", 16)]


def test_the_longest_overdue_comes_first(tmp_path):
    put(
        tmp_path,
        f"{SENT}/B-1_B (IFR) - Plan.pdf",
        f"{SENT}/sub/A-1_B (IFR) - Plan.pdf",
        "Acme/issued/2025-09-01_T-0 (IFA) - Older/C-1_A (IFA) - Plan.pdf",
    )
    assert [one.number for one in due(tmp_path)] == ["C-1", "A-1", "B-1"]
