"""The checkpoints of one pass: whenever it breaks off, all of its adapters have one of the same step."""

import pytest

from weakspot.settings import Train
from weakspot.training import checkpoints

pytestmark = pytest.mark.slow

SETTINGS = Train(max_steps=4, batch_size=2, gradient_accumulation=1, learning_rate=1e-2, save_steps=1)


@pytest.mark.parametrize("whole", [3, 4, 5, 6, 7])
def test_a_pass_that_breaks_off_while_checkpoints_are_written_has_a_step_in_common(
    train, sequences, tmp_path, monkeypatch, whole
):
    given = [(sequences(8, seed=seed), [], SETTINGS) for seed in range(3)]
    write, written = checkpoints.write_checkpoint, []

    def until_the_disk_is_full(folder, *what):
        if len(written) == whole:
            raise OSError(28, "No space left on device", str(folder))
        write(folder, *what)
        written.append(folder)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_checkpoint", until_the_disk_is_full)
        with pytest.raises(OSError, match="No space left"):
            train(*given)
    kept = [set(checkpoints.find_steps(tmp_path / f"run-{number}")) for number in range(3)]
    assert kept[0] & kept[1] & kept[2] == {whole // 3}
    alone = train(*given, folder=tmp_path / "uninterrupted")
    assert train(*given).steps == alone.steps
