"""An adapter is read whole, on its own base, or not at all."""

import shutil

import pytest

from weakspot.models import adapter_files, adapters
from weakspot.settings import Model
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)


def test_an_adapter_is_read_with_its_scorecard_and_its_base(accepted):
    workspace, config = accepted
    manifest = adapters.read_manifest(workspace, NAME)
    assert (manifest.name, manifest.domain, manifest.version) == (str(NAME), "colours", 1)
    assert adapters.read_scorecard(workspace, NAME).verdict == "accept"
    assert adapters.require_base(workspace, config, manifest).location == config.model.base


def test_a_workspace_can_be_moved_nothing_in_it_says_where_it_lies(merged, prepared):
    workspace, config = merged
    made = {str(prepared[0](stage)) for stage in ("taught", "trained", "evaluated", "accepted", "merged")}
    places = [place.encode() for place in made]
    for file in (one for one in workspace.root.rglob("*") if one.is_file()):
        assert not any(place in file.read_bytes() for place in places), file
    assert config.model.base.encode() in workspace.adapter_manifest(NAME).read_bytes()


def test_weights_that_were_changed_since_are_told(accepted):
    workspace, _ = accepted
    weights = workspace.adapter(NAME) / adapter_files.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="not the file that was trained; train again: weakspot train colours"):
        adapters.read_manifest(workspace, NAME)
    assert adapters.read_scorecard(workspace, NAME) is None


@pytest.mark.parametrize(
    ("part", "read"), [("adapter_manifest", adapters.read_manifest), ("evaluation", adapters.read_scorecard)]
)
def test_a_damaged_document_is_one_line(accepted, part, read):
    workspace, _ = accepted
    getattr(workspace, part)(NAME).write_text("{}")
    with pytest.raises(UserError, match="again: weakspot"):
        read(workspace, NAME)


def test_what_was_never_evaluated_has_no_scorecard(accepted):
    workspace, _ = accepted
    workspace.evaluation(NAME).unlink()
    assert adapters.read_scorecard(workspace, NAME) is None


@pytest.fixture
def moved(accepted, tiny_base, tmp_path):
    """An adapter whose base was at a place where it is no more, and the base's new place."""
    workspace, config = accepted
    manifest = adapters.read_manifest(workspace, NAME)
    gone = str(tmp_path / "gone")
    base = manifest.base.model_copy(update={"name": gone, "location": gone})
    return workspace, config, manifest.model_copy(update={"base": base}), tmp_path / "base"


def settings(config, base):
    return config.model_copy(update={"model": Model(base=str(base))})


def test_a_base_that_was_moved_is_found_where_the_settings_say(moved, tiny_base):
    workspace, config, manifest, place = moved
    shutil.copytree(tiny_base, place)
    config = settings(config, place)
    assert adapters.require_base(workspace, config, manifest).location == str(place)
    adapters.require_unchanged_base(workspace, config, manifest)


def test_a_base_that_is_nowhere_is_told_and_where_to_say_it(moved, tmp_path):
    workspace, config, manifest, place = moved
    config = settings(config, place)
    with pytest.raises(
        UserError, match=r"its base .*gone is not at .*gone any more; set \[model\] base to where it is"
    ):
        adapters.require_base(workspace, config, manifest)
    adapters.require_unchanged_base(workspace, config, manifest)


def test_another_base_in_its_place_is_refused(moved, tiny_base):
    workspace, config, manifest, place = moved
    weights = shutil.copytree(tiny_base, place) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"1234")
    for refuse in (adapters.require_base, adapters.require_unchanged_base, adapters.load):
        with pytest.raises(UserError, match=r"was trained on other weights or settings than .* has now"):
            refuse(workspace, settings(config, place), manifest)
