"""From an answer back over release, adapter and snapshot to the interactions that taught it."""

import json

import pytest

from weakspot.analytics.interaction_lineage import InteractionLineage
from weakspot.analytics.lineage import rank_by_similarity, trace
from weakspot.dataset.reading import read_examples
from weakspot.deployment.releases import publish
from weakspot.pipeline.forget import forget
from weakspot.records import MULTI_DOMAIN, Release
from weakspot.storage import append_log
from weakspot.workspace import AdapterName
from zddc.errors import UserError

COLOURS = AdapterName("colours", 1)


@pytest.fixture
def live(accepted):
    """A workspace whose adapter for colours is in service, and its settings."""
    workspace, config = accepted
    weights = json.loads(workspace.adapter_manifest(COLOURS).read_text())["files"]["adapter_model.safetensors"]
    released(workspace, config, COLOURS, adapter_sha256=weights)
    return workspace, config


def released(workspace, config, adapter, domain="colours", action="deploy", target="merged", **values) -> Release:
    adapter = str(adapter) if adapter else None
    draft = Release(action=action, domain=domain, target=target, location="l", adapter=adapter, **values)
    return publish(workspace, config, draft)


def trained_on(workspace):
    """Return what the adapter for colours was trained on."""
    return [one for one in read_examples(workspace.split("train")) if one.domain == "colours"]


# what is like a text


def test_the_most_similar_query_or_answer_comes_first(interaction):
    examples = [
        interaction("How is bread baked?", "Knead, wait, bake."),
        interaction("How are lists sorted?", "Call sorted on the list."),
        interaction("Who was here?", "Nobody that I know."),
    ]
    (similarity, alike, first), *_ = rank_by_similarity(examples, "how are lists  SORTED?")
    assert (similarity, alike, first) == (1.0, "query", examples[1])
    (similarity, alike, first), *_ = rank_by_similarity(examples, "Knead, then wait, then bake")
    assert (alike, first) == ("answer", examples[0])
    assert 0 < similarity < 1


def test_nothing_is_like_what_shares_nothing(interaction):
    assert rank_by_similarity([interaction("How is bread baked?", "Knead.")], "平 平") == []
    assert rank_by_similarity([], "a text") == []


# what was meant


def test_one_word_that_is_nothing_is_an_unknown_id(workspace, config):
    with pytest.raises(UserError, match="int_404: no interaction, adapter or release has this name"):
        trace(workspace, config, "int_404")


def test_what_is_not_there_is_one_line(workspace, config):
    for asked, options, message in (
        ("7", {}, "release 7: does not exist; see 'weakspot releases'"),
        ("a text", {}, "general-coding: no adapter is in service for it; deploy one, or give --adapter"),
        ("a text", {"adapter": COLOURS}, "colours-lora-v1: there is no such adapter"),
        ("a text", {"adapter": COLOURS, "release": 1}, "colours-lora-v1: given together with release 1"),
        (" ", {}, "trace: the text is empty"),
    ):
        with pytest.raises(UserError) as error:
            trace(workspace, config, asked, **options)
        assert str(error.value).startswith(message)


def test_an_interaction_is_looked_for_where_it_went(workspace, config, capture, interaction):
    capture(workspace, [interaction(interaction_id="int_a")])
    found = trace(workspace, config, "int_a")
    assert isinstance(found, InteractionLineage)
    assert found.raw_line == 1


# the way back


@pytest.mark.slow
def test_a_text_leads_to_the_interactions_that_taught_its_answer(live):
    workspace, config = live
    taught = trained_on(workspace)[3]
    found = trace(workspace, config, taught.query.text, domain="colours", limit=3)
    assert (found.release.number, found.adapter, found.verdict) == (1, "colours-lora-v1", "accept")
    assert (found.snapshot, found.examples, len(found.taught)) == (workspace.snapshot_names()[0], 48, 3)
    nearest = found.taught[0]
    assert (nearest.interaction_id, nearest.similarity, nearest.alike) == (taught.id, 1.0, "query")
    line = next(one for one in append_log.read_lines(workspace.raw) if one.number == nearest.raw_line)
    assert json.loads(line.data)["metadata"]["interaction_id"] == taught.id
    assert [one.similarity for one in found.taught] == sorted((one.similarity for one in found.taught), reverse=True)


@pytest.mark.slow
def test_an_adapter_and_a_release_lead_there_too(live):
    workspace, config = live
    latest = [one.id for one in reversed(trained_on(workspace))][:5]
    for asked in ("colours-lora-v1", "1"):
        found = trace(workspace, config, asked)
        assert (found.release.number, [one.interaction_id for one in found.taught]) == (1, latest)
        assert {one.similarity for one in found.taught} == {None}
    for options in ({"adapter": COLOURS}, {"release": 1}):
        assert trace(workspace, config, '{"colour":"red"}', **options).taught[0].alike == "answer"


@pytest.mark.slow
def test_after_going_back_the_base_answers_and_nothing_taught_it(live):
    workspace, config = live
    released(workspace, config, None, action="rollback")
    with pytest.raises(UserError, match="colours: no adapter is in service for it"):
        trace(workspace, config, "Which colour?", domain="colours")
    with pytest.raises(UserError, match="release 2: went back to the base"):
        trace(workspace, config, "2")
    assert trace(workspace, config, "Which colour?", release=1).release.number == 1
    assert trace(workspace, config, "colours-lora-v1").release is None


@pytest.mark.slow
def test_the_gateways_release_answers_and_that_for_all_domains_where_there_is_no_other(live):
    workspace, config = live
    released(workspace, config, COLOURS, target="gateway")
    released(workspace, config, COLOURS, target="vllm")
    assert trace(workspace, config, "Which colour?", domain="colours").release.number == 2
    released(workspace, config, COLOURS, MULTI_DOMAIN)
    assert trace(workspace, config, "Which colour?").release.number == 4


@pytest.mark.slow
def test_what_is_forgotten_is_named_no_more_and_the_snapshot_still_proves_the_rest(live):
    workspace, config = live
    taught = trained_on(workspace)[0]
    forget(workspace, config, taught.id)
    found = trace(workspace, config, taught.query.text, domain="colours")
    assert taught.id not in [one.interaction_id for one in found.taught]
    assert found.examples == len(trained_on(workspace)) > 0


@pytest.mark.slow
def test_what_was_changed_since_proves_nothing(live):
    workspace, config = live
    released(workspace, config, COLOURS, adapter_sha256="0" * 64)
    with pytest.raises(UserError, match="colours-lora-v1: is not what release 2 put into service"):
        trace(workspace, config, "2")
    (name,) = workspace.snapshot_names()
    file = workspace.snapshot(name) / workspace.split("train").relative_to(workspace.root)
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"red", b"rad"))
    with pytest.raises(UserError, match=r"train\.jsonl: is not what was written"):
        trace(workspace, config, "1")
    weights = workspace.adapter(COLOURS) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="not the file that was trained"):
        trace(workspace, config, "1")
