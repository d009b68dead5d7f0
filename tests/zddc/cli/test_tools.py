"""What ``zddc tools`` prints and copies."""

import json

from zddc import tools


def test_pages_are_listed_with_the_hash_of_file_and_code(zddc):
    status, out, _ = zddc("tools")
    assert status == 0
    head, *lines = out.splitlines()
    assert head.split() == ["PAGE", "BYTES", "SHA-256", "CODE"]
    expected = [[p.file_name, f"{len(p.content):,}", p.sha256, p.code_sha256] for p in tools.read_pages().values()]
    assert [line.split() for line in lines] == expected


def test_pages_are_copied_and_what_was_there_is_told(zddc, tmp_path):
    names = [page.file_name for page in tools.read_pages().values()]
    assert zddc("tools", tmp_path) == (0, "".join(f"{tmp_path / name}: written\n" for name in names), "")
    (tmp_path / names[0]).unlink()
    found = [json.loads(line) for line in zddc("tools", tmp_path, "--json")[1].splitlines()]
    assert [(one["page"], one["written"]) for one in found] == [(name, name == names[0]) for name in names]


def test_another_file_is_kept(zddc, tmp_path):
    (tmp_path / "landing.html").write_text("mine")
    status, _, error = zddc("tools", tmp_path)
    assert status == 1
    assert error.endswith("is another file, perhaps with work in it; move it away, or add --replace\n")
    assert (tmp_path / "landing.html").read_text() == "mine"
    assert zddc("tools", tmp_path, "--replace")[0] == 0
