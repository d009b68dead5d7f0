"""Evaluates an adapter on examples that it was not trained on: base against adapter, and the gate's verdict."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.deployment import parity_check
from weakspot.deployment.releases import live, read_releases
from weakspot.evaluation import gate, html_report, retrieval_baseline, scoring
from weakspot.models import adapter_files, adapters, loading, rendering
from weakspot.progress import bar
from weakspot.records import MULTI_DOMAIN, AdapterManifest, Interaction, Scorecard
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

_NO_TOOLS = "no test example with tools was answered, so broken tool calls were not looked at"


def evaluate(workspace: Workspace, config: Config, domain: str) -> Scorecard:
    """Evaluate the domain's newest adapter on the test split; write its scorecard and report into its folder."""
    name = workspace.require_adapter(domain)
    manifest = adapters.read_manifest(workspace, name)
    examples = reading.load_split(workspace, "test")
    own = [example for example in examples if domain in (MULTI_DOMAIN, example.domain)]
    others = [example for example in examples if domain not in (MULTI_DOMAIN, example.domain)]
    if not own:
        raise UserError(domain, "has no test example yet", "capture more, then run 'weakspot process'")
    trained = _require_unseen(workspace, manifest, [*own, *others])
    with loading.explain_out_of_memory(str(name), "lower [evaluate] batch_size"):
        base, model, tokenizer = adapters.load(workspace, config, manifest)
        rows_of_embedding = model.get_input_embeddings().weight.shape[0]
        if len(tokenizer) > rows_of_embedding:
            texts = (turn.text for one in examples for turn in (*one.prompt, *one.attempt, one.expert))
            ids = (id_ for text in texts for id_ in tokenizer(text)["input_ids"])
            loading.require_embedded_tokens(base, tokenizer, rows_of_embedding, ids)
        # Only examples that still exist: a forgotten one is shown to no model.
        taught = [one for one in reading.load_split(workspace, "train") if one.id in trained]
        retrieval = config.evaluate.retrieval
        view = rendering.view_of(manifest, reading.load_local_thoughts(workspace))
        left_out: dict[str, str] = {}
        with bar(f"evaluating {name}", 2 * len(own) * (1 + retrieval)) as advance:
            rows = scoring.score_examples(
                model,
                tokenizer,
                own,
                config,
                taught=taught if retrieval else None,
                advance=advance,
                view=view,
                left_out=left_out,
            )
        if not rows:
            why = next(iter(left_out.values()))
            raise UserError(
                domain, f"no test example is left: {why}", "raise [train] max_length, or see docs/models.md"
            )
        with bar("other domains", 2 * len(others)) as advance:
            other_rows = scoring.score_examples(
                model, tokenizer, others, config, answering=False, advance=advance, view=view
            )
        if not manifest.settings["train"]["load_in_4bit"]:  # served models have the base in full precision
            parity_check.write_reference_answers(workspace, config, manifest, model, tokenizer)
    significance = config.evaluate.significance
    tool_calls = gate.compare_tool_calls([*rows, *other_rows], significance)
    compared, harm = [*gate.comparisons(rows, significance), *tool_calls], gate.harm(other_rows, significance)
    served = _live_scorecard(workspace, manifest)
    replaced = gate.compare_with_live(rows, served, significance) if served else []
    verdict, reasons = gate.decide_verdict(compared, harm, config.evaluate, replaced)
    arms = retrieval_baseline.baseline_comparisons(rows, significance)
    card = Scorecard(
        adapter=str(name),
        adapter_sha256=manifest.files[adapter_files.WEIGHTS],
        base=manifest.base,
        verdict=verdict,
        reasons=reasons,
        comparisons=[*compared, *replaced],
        harm=harm,
        rows=[*rows, *other_rows],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        retrieval=arms,
        remarks=[*([] if tool_calls else [_NO_TOOLS]), *retrieval_baseline.remarks(arms, rows)],
        left_out=dict(Counter(text.partition(":")[0] for text in left_out.values())),
    )
    atomic.write_atomically(workspace.evaluation_page(name), html_report.page(card, manifest).encode())
    atomic.write_atomically(workspace.evaluation(name), card.to_document())
    return card


def _live_scorecard(workspace: Workspace, manifest: AdapterManifest) -> Scorecard | None:
    """Return the scorecard of the live adapter of this domain; None if there is none, or it is this adapter itself."""
    answering = [one for one in live(read_releases(workspace)).values() if one.domain == manifest.domain]
    latest = max((one for one in answering if one.adapter), key=lambda one: one.number, default=None)
    if latest is None or latest.adapter in (None, manifest.name):
        return None
    name = AdapterName.parse(latest.adapter)
    card = adapters.read_scorecard(workspace, name) if workspace.adapter_manifest(name).exists() else None
    return card if card and card.base.is_same(manifest.base) else None


def _require_unseen(workspace: Workspace, manifest: AdapterManifest, examples: Sequence[Interaction]) -> set[str]:
    """Return the ids that an adapter was trained on; raise :class:`UserError` if one of ``examples`` is among them."""
    file = workspace.snapshot_split(manifest.snapshot, "train")
    trained = {example.id for example in reading.read_examples(file)}
    seen = [example.id for example in examples if example.id in trained]
    if seen:
        raise UserError(
            manifest.name,
            f"{seen[0]} is in the test split and was trained on",
            f"restore {workspace.assignments} from a snapshot",
        )
    return trained
