"""Prove an adapter on examples that it never saw: base against adapter, and the verdict."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot import adapters, competitor, gate, report
from weakspot.config import Config
from weakspot.data import dataset, store
from weakspot.engine import scoring
from weakspot.model import bases, generating, lora, view
from weakspot.model.view import ViewError
from weakspot.progress import bar
from weakspot.records import MULTI_DOMAIN, AdapterManifest, Interaction, RetrievedScores, Row, Scorecard, Scores
from weakspot.releases import live, read_releases
from weakspot.retrieval import Examples, Found, with_examples
from weakspot.serving import proof
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase


def evaluate(workspace: Workspace, config: Config, domain: str) -> Scorecard:
    """Measure the domain's newest adapter on the test split and write its scorecard and report beside it."""
    name = workspace.require_adapter(domain)
    manifest = adapters.read_manifest(workspace, name)
    examples = dataset.split_examples(workspace, "test")
    own = [example for example in examples if domain in (MULTI_DOMAIN, example.domain)]
    others = [example for example in examples if domain not in (MULTI_DOMAIN, example.domain)]
    if not own:
        raise UserError(domain, "has no test example yet", "capture more, then run 'weakspot process'")
    trained = _require_unseen(workspace, manifest, [*own, *others])
    with bases.enough_memory(str(name), "lower [evaluate] batch_size"):
        _, model, tokenizer = adapters.load(workspace, manifest)
        with bar(f"evaluating {name}", len(own) + len(others)) as advance:
            rows = score(model, tokenizer, own, config)
            advance(len(own), "other domains")
            other_rows = score(model, tokenizer, others, config)
            advance(len(others), "")
        if not rows:
            raise UserError(domain, "no test example fits", "raise [train] max_length")
        rows = answered(model, tokenizer, own, rows, config)
        if config.evaluate.retrieval:
            # Those that are still there: what was forgotten since is shown to no model.
            taught = [one for one in dataset.split_examples(workspace, "train") if one.id in trained]
            rows = retrieved(model, tokenizer, own, rows, taught, config)
        if not manifest.settings["train"]["load_in_4bit"]:  # served is the base in full precision
            proof.expect(workspace, config, name, model, tokenizer)
    significance = config.evaluate.significance
    compared, harm = gate.comparisons(rows, significance), gate.harm(other_rows, significance)
    served = _served(workspace, manifest)
    replaced = gate.replacing(rows, served, significance) if served else []
    verdict, reasons = gate.judge(compared, harm, config.evaluate, replaced)
    arms = competitor.arms(rows, significance)
    card = Scorecard(
        adapter=str(name),
        adapter_sha256=manifest.files[lora.WEIGHTS],
        base=manifest.base,
        verdict=verdict,
        reasons=reasons,
        comparisons=[*compared, *replaced],
        harm=harm,
        rows=[*rows, *other_rows],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        retrieval=arms,
        remarks=competitor.remarks(arms, rows),
    )
    store.write_atomically(workspace.evaluation_page(name), report.page(card, manifest).encode())
    store.write_atomically(workspace.evaluation(name), card.to_document())
    return card


def score(
    model: "PeftModel", tokenizer: "PreTrainedTokenizerBase", examples: Sequence[Interaction], config: Config
) -> list[Row]:
    """Return a row for each example: losses and margins of the expert's and the local answer, base and adapter.

    Examples that cannot be rendered or do not fit are left out.
    """
    kept, experts, locals_ = [], [], []
    for example in examples:
        try:
            expert = view.tokens(tokenizer, example, config.train.max_length)
            # An empty local answer is just the end of the turn: still something to prefer the expert's to.
            local = view.tokens(tokenizer, example, config.train.max_length, answer=example.local)
        except ViewError:
            continue
        kept.append(example)
        experts.append(expert)
        locals_.append(local)
    size = config.evaluate.batch_size
    means: list[list[float]] = []
    for adapted in (False, True):
        for sequences in (experts, locals_):
            means.append(_mean_losses(model, sequences, size, adapted=adapted))
    return [
        Row(
            interaction_id=example.id,
            domain=example.domain,
            query=example.query.text,
            local=example.local.text,
            expert=example.expert.text,
            tokens=expert.supervised,
            base_loss=base_expert,
            adapter_loss=adapter_expert,
            base_margin=base_local - base_expert,
            adapter_margin=adapter_local - adapter_expert,
        )
        for example, expert, base_expert, base_local, adapter_expert, adapter_local in zip(
            kept, experts, *means, strict=True
        )
    ]


def _mean_losses(model: "PeftModel", sequences: Sequence[view.Tokens], size: int, *, adapted: bool) -> list[float]:
    import contextlib

    import torch

    budget = size * max((len(one.ids) for one in sequences), default=1)
    with torch.inference_mode(), contextlib.nullcontext() if adapted else model.disable_adapter():
        sums = scoring.negative_log_likelihoods(model, sequences, budget).tolist()
    return [total / one.supervised for total, one in zip(sums, sequences, strict=True)]


def answered(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    rows: list[Row],
    config: Config,
) -> list[Row]:
    """Let base and adapter write the answers that can be checked, and check them."""
    by_id = {example.id: example for example in examples}
    checkable = [row for row in rows if parsed_json(row.expert) is not None]
    if not checkable:
        return rows
    prompts = [prompt(tokenizer, by_id[row.interaction_id]) for row in checkable]
    # An answer twice as long as the expert's is wrong already.
    longest = min(config.evaluate.max_new_tokens, 2 * max(row.tokens for row in checkable) + 16)
    size = config.evaluate.batch_size
    with bar("answering", 2 * len(prompts)) as advance:
        with model.disable_adapter():
            base = generating.answers(model, tokenizer, prompts, longest, size, advance)
        adapter = generating.answers(model, tokenizer, prompts, longest, size, advance)
    found = {
        row.interaction_id: row.model_copy(
            update={
                "base_answer": one,
                "adapter_answer": other,
                "base_exact": exact(row.expert, one),
                "adapter_exact": exact(row.expert, other),
            }
        )
        for row, one, other in zip(checkable, base, adapter, strict=True)
    }
    return [found.get(row.interaction_id, row) for row in rows]


def retrieved(
    model: "PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Interaction],
    rows: Sequence[Row],
    taught: Iterable[Interaction],
    config: Config,
) -> list[Row]:
    """Measure the same rows with what retrieval finds among ``taught`` in front of each question.

    Where it finds nothing, nothing changes; where the model cannot take what it finds, ``retrieved`` stays None.
    """
    index = Examples(config.retrieval)
    for one in taught:
        index.add(one)
    found = {example.id: index.search(example.query.text) for example in examples}
    shown = [with_examples(example, found[example.id]) for example in examples if found[example.id]]
    with bar("with retrieved examples"):
        behind = score(model, tokenizer, shown, config)
    measured = {row.interaction_id: row for row in rows if not found[row.interaction_id]}
    measured |= {row.interaction_id: row for row in answered(model, tokenizer, shown, behind, config)}
    return [_with_retrieved(row, measured.get(row.interaction_id), found[row.interaction_id]) for row in rows]


def _with_retrieved(row: Row, measured: Row | None, found: Sequence[Found]) -> Row:
    if measured is None:
        return row
    scores = measured.model_dump(include=set(Scores.model_fields))
    return row.model_copy(update={"retrieved": RetrievedScores(found=[one.interaction_id for one in found], **scores)})


def prompt(tokenizer: "PreTrainedTokenizerBase", example: Interaction) -> str:
    """Return the text that a server gives the model for an example's query."""
    return view.render(tokenizer, example.prompt, example.expert, example.tools).prompt


def parsed_json(text: str) -> Any:
    """Return the JSON object or array that ``text`` is, None where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def exact(expected: str, answer: str) -> bool:
    """Whether ``answer`` is the same JSON value as ``expected``, key order and white space aside."""
    return bool(parsed_json(answer) == parsed_json(expected))


def _served(workspace: Workspace, manifest: AdapterManifest) -> Scorecard | None:
    """Return the scorecard of the adapter that answers in this domain now; None where it is this one, or no other."""
    answering = [one for one in live(read_releases(workspace)).values() if one.domain == manifest.domain]
    latest = max((one for one in answering if one.adapter), key=lambda one: one.number, default=None)
    if latest is None or latest.adapter in (None, manifest.name):
        return None
    name = AdapterName.parsed(latest.adapter)
    card = adapters.read_scorecard(workspace, name) if workspace.adapter_manifest(name).exists() else None
    return card if card and card.base.identity == manifest.base.identity else None


def _require_unseen(workspace: Workspace, manifest: AdapterManifest, examples: Sequence[Interaction]) -> set[str]:
    """Return the ids that an adapter was trained on; raise :class:`UserError` where an example is one of them."""
    file = Path(workspace.snapshot(manifest.snapshot)) / workspace.split("train").relative_to(workspace.root)
    trained = {example.id for example in dataset.read_examples(file)}
    seen = [example.id for example in examples if example.id in trained]
    if seen:
        raise UserError(
            manifest.name,
            f"{seen[0]} is in the test split and was trained on",
            f"restore {workspace.assignments} from a snapshot",
        )
    return trained
