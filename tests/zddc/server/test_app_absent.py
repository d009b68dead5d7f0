"""B4: an archive in which a transmittal is closed to who asks answers exactly as one that never had it."""

import os
import random
import shutil
from pathlib import Path

import pytest
from tests.zddc.server.test_app import CONDITIONS, app_of

from zddc.access.policy import Policy

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
PAIRS = 10_000 if SOAK else 250
SENT = "2025-01-02_T-1 (IFC) - Sent"
SECRET = "2025-01-03_T-2 (IFC) - Prices"
SEEN = ("/", "/P/", "/P/received/", f"/P/received/{SENT}/".replace(" ", "%20"), "/.profile/", "/P/issued/")
HIDDEN = (
    f"/P/received/{SECRET}".replace(" ", "%20"),
    f"/P/received/{SECRET}/D-9_A%20(IFC)%20-%20Plan.pdf".replace(" ", "%20"),
    "/P/.archive/D-9.html", "/P/.archive/D-9.pdf", "/P/.archive/D-9.zip", "/P/.archive/D-9_A.html", "/P/.archive/D-9",
    "/P/.archive/D-9/", "/P/.archive/d-9.html", "/P/.archive/D-9_A/", "/.archive/D-9.html", "/.archive/D-9/",
    "/P/received/.archive/D-9.html", "/P/x.zip/D-9_A.pdf", "/P/.archive/D-9.html/x",
)  # fmt: skip
LINKS = ("/P/.archive/", "/.archive/", "/P/.archive/D-1.html", "/P/.archive/D-1/", "/P/.archive/D-1_A.pdf")
QUERIES = ("", "", "?recursive=1", "?zip=1", "?x=y")


def make(root: Path, *, has_secret: bool) -> Path:
    """Write an archive; all its times are the same."""
    received = root / "P" / "received"
    for folder, number in ((SENT, "D-1"), (SECRET, "D-9")):
        (received / folder).mkdir(parents=True)
        for name in (f"{number}_A (IFC) - Plan.pdf", f"{number}_B (IFC) - Plan.pdf", f"{number}_B (IFC) - Plan.zip"):
            (received / folder / name).write_text(f"{number} {name}")
    (root / "P" / "issued").mkdir()
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example", anonymous]}\n')
    (received / SECRET / ".zddc").write_text("acl: {inherit: false, allow: [lee@rival.example]}\n")
    if not has_secret:
        shutil.rmtree(received / SECRET)
    for path in (root, *root.rglob("*")):
        os.utime(path, ns=(10**18, 10**18))
    return root


@pytest.fixture
def roots(tmp_path) -> list[Path]:
    return [make(tmp_path / "with", has_secret=True), make(tmp_path / "without", has_secret=False)]


def test_a_closed_transmittal_is_in_no_answer(roots, ask, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "0" * 2 * size)  # what divides parts is drawn anew each time
    drawn = random.Random(11)
    with Policy(roots[0]) as one, Policy(roots[1]) as other:
        apps = [app_of(root, policy) for root, policy in zip(roots, (one, other), strict=True)]
        for _ in range(PAIRS):
            path = drawn.choice((*HIDDEN, *HIDDEN, *SEEN, *LINKS)) + drawn.choice(QUERIES)
            method, headers = drawn.choice(("GET", "GET", "HEAD")), drawn.choice(CONDITIONS)
            got = [ask(app, path, method, headers) for app in apps]
            tags = [answer.headers.pop("etag", "") for answer in got]
            assert got[0] == got[1], (path, method, headers)
            if not path.startswith("/P/.archive/D-1") or path.startswith("/P/.archive/D-1/"):  # those are of the file
                assert tags[0] == tags[1], (path, method, headers)


def test_who_may_read_it_gets_it(roots, ask):
    """So the answers above are equal because of the rules, and not because nothing is there."""
    from zddc.server.identity import Identity

    with Policy(roots[0]) as policy:
        app = app_of(roots[0], policy, Identity("x-auth-request-email", local="lee@rival.example"))
        assert ask(app, "/P/.archive/D-9.pdf").status == 200
        assert ask(app, HIDDEN[1]).status == 200
        assert b"D-9" in ask(app, f"{HIDDEN[0]}/?recursive=1").sent
