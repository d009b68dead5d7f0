"""An adapter is read whole, on its own base, or not at all."""

import pytest

from weakspot.models import adapter_files, adapters, loading
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NAME = AdapterName("colours", 1)


def test_an_adapter_is_read_with_its_scorecard_and_its_base(accepted):
    workspace, config = accepted
    manifest = adapters.read_manifest(workspace, NAME)
    assert (manifest.name, manifest.domain, manifest.version) == (str(NAME), "colours", 1)
    assert adapters.read_scorecard(workspace, NAME).verdict == "accept"
    assert adapters.require_base(manifest).location == config.model.base


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


def test_another_base_by_the_same_name_is_refused(accepted, monkeypatch):
    workspace, _ = accepted
    manifest = adapters.read_manifest(workspace, NAME)
    monkeypatch.setattr(loading, "identity", lambda base: "other")
    with pytest.raises(UserError, match="was trained on a different"):
        adapters.load(workspace, manifest)
