"""What a killed writer of a folder left is in nobody's way."""

from weakspot.storage import atomic


def test_a_folder_that_was_put_aside_goes_with_the_next_that_is_written(tmp_path):
    """As when the writer died after the new folder had its name and before the old one was removed."""
    whole, aside = tmp_path / "whole", tmp_path / ".whole.old"
    for place, written in ((whole, b"second"), (aside / "deep", b"first")):
        place.mkdir(parents=True)
        (place / "file").write_bytes(written)
    with atomic.write_folder_atomically(whole) as folder:
        (folder / "file").write_bytes(b"third")
    assert list(tmp_path.iterdir()) == [whole]
    assert [(path.name, path.read_bytes()) for path in whole.iterdir()] == [("file", b"third")]
