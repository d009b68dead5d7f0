"""Archives that tests draw are the same for the same seed, and are what they say."""

from itertools import islice
from random import Random

from tests import archives

from zddc.naming import parse_filename, parse_folder


def test_a_seed_draws_the_same_archive_again():
    assert list(archives.draw(500, 7)) == list(archives.draw(500, 7)) != list(archives.draw(500, 8))


def test_there_are_as_many_files_as_asked_for_and_each_has_its_own_path(tmp_path):
    files = list(archives.draw(2000, 1, odd=0.3))
    assert len({file.path for file in files}) == len(files) == 2000
    archives.write(tmp_path, files)
    for file in files:
        assert (tmp_path / file.path).read_bytes() == file.content


def test_without_odd_names_all_names_are_valid():
    for file in archives.draw(2000, odd=0):
        *_, transmittal, name = (part for part in file.path.split("/") if part != "native")
        assert parse_folder(transmittal).valid
        assert parse_filename(name).valid


def test_a_drawn_archive_has_revisions_copies_and_conflicts():
    contents: dict[tuple[str, ...], list[bytes]] = {}
    for file in archives.draw(3000, odd=0):
        read = parse_filename(file.path.rpartition("/")[2])
        contents.setdefault((read.tracking_number, read.revision, read.extension), []).append(file.content)
    copies = [held for held in contents.values() if len(held) > 1]
    assert len(copies) > 100
    assert any(len(set(held)) > 1 for held in copies)
    assert len({key[0] for key in contents}) < len(contents) / 3


def test_a_mutated_name_is_mostly_another_name():
    chance = Random(0)
    name = "A-1_B (IFC) - Title.pdf"
    assert len(set(islice((archives.mutate(chance, name) for _ in range(200)), 200))) > 150
