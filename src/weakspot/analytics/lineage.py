"""Lineage of an answer: from the release back to the adapter, its snapshot and the examples behind the answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from weakspot.analytics.interaction_lineage import InteractionLineage, find_raw_lines, trace_interaction
from weakspot.capture.decisions import load_decisions
from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.dataset.bm25 import Ranking, head_and_tail
from weakspot.dataset.domains import detect
from weakspot.dataset.near_duplicates import grams, jaccard
from weakspot.deployment import releases
from weakspot.models import adapter_files, adapters
from weakspot.records import MULTI_DOMAIN, Interaction, Release, Snapshot
from weakspot.records.parsing import parse_record
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

# BM25 ranks, then similarity decides among the best: a text with rare words may rank first and still be less similar.
_CANDIDATES = 50


@dataclass(frozen=True)
class TracedExample:
    """An interaction that an adapter was trained on.

    ``similarity`` (0 to 1) compares the given text with the query and with the expert's answer; ``alike`` says which
    of the two is closer ("query" or "answer"). Both are None if no text was given. ``raw_line`` is None if the raw
    file no longer contains the interaction. ``query`` is empty for a forgotten one.
    """

    interaction_id: str
    similarity: float | None
    alike: str | None
    raw_line: int | None
    teacher: str
    timestamp: str
    query: str
    forgotten: bool


@dataclass(frozen=True)
class Trace:
    """The chain behind an answer: release, adapter, verdict, snapshot, interactions.

    ``release`` is None for an adapter that is not in service. The files of the adapter and of the snapshot were
    verified by their hashes. The adapter was trained on ``examples`` interactions; ``taught`` has the most similar
    of them, or the latest if no text was given.
    """

    domain: str
    release: Release | None
    adapter: str
    adapter_sha256: str
    base: str
    trained: str
    verdict: str | None
    reasons: list[str]
    snapshot: str
    examples: int
    taught: list[TracedExample]


def trace(
    workspace: Workspace,
    config: Config,
    asked: str,
    *,
    domain: str | None = None,
    adapter: AdapterName | None = None,
    release: int | None = None,
    limit: int = 5,
) -> Trace | InteractionLineage:
    """Return the interactions behind an answer, or the lineage of one interaction.

    ``asked`` is an adapter's name, a release's number, an interaction's id, or the text of a query or an answer. A
    single word counts as a name, unless ``adapter``, ``release`` or ``domain`` is given: then it is a text, written by
    that adapter, by that release, or by the adapter in service for that domain. For a text without any of these three
    the domain is detected from its words.

    Raises :class:`UserError` for something unknown, and for a file whose hash is not the one that was written.
    """
    known, asked = releases.read_releases(workspace), asked.strip()
    if not asked:
        raise UserError("trace", "the text is empty", "give a text, an adapter, a release or an id")
    if adapter is not None and release is not None:
        raise UserError(str(adapter), f"given together with release {release}", "give one of the two")
    if adapter is not None:
        return _trace_back(workspace, known, adapter, None, asked, limit)
    if release is not None:
        return _trace_back(workspace, known, None, _find_release(known, release), asked, limit)
    if domain is not None or re.search(r"\s", asked):
        return _trace_back(workspace, known, None, _live_release(known, config, asked, domain), asked, limit)
    if asked.isdecimal():
        return _trace_back(workspace, known, None, _find_release(known, int(asked)), "", limit)
    if any(str(name) == asked for name in workspace.adapter_names()):
        return _trace_back(workspace, known, AdapterName.parse(asked), None, "", limit)
    return trace_interaction(workspace, asked)


def _live_release(known: Sequence[Release], config: Config, text: str, domain: str | None) -> Release:
    """Return the live release for a text's domain: the gateway's if there is one, else the newest of the others."""
    default, weight = config.collect.default_domain, config.collect.query_weight
    of = domain or detect(text, [], config.triggers, default=default, query_weight=weight).domain
    live = [one for one in releases.live(known).values() if one.adapter]
    for candidates in ([one for one in live if one.domain == d] for d in (of, MULTI_DOMAIN)):
        if candidates:
            return max(candidates, key=lambda one: (one.target == "gateway", one.number))
    there = ", ".join(sorted({one.domain for one in live}))
    remedy = f"give --domain: there are {there}" if there else "deploy one, or give --adapter"
    raise UserError(of, "no adapter is in service for it", remedy)


def _find_release(known: Sequence[Release], number: int) -> Release:
    found = next((one for one in known if one.number == number), None)
    if found is None:
        raise UserError(f"release {number}", "does not exist", "see 'weakspot releases'")
    return found


def _trace_back(
    workspace: Workspace,
    known: Sequence[Release],
    adapter: AdapterName | None,
    release: Release | None,
    text: str,
    limit: int,
) -> Trace:
    if adapter is None and release is not None and release.adapter is not None:
        adapter = AdapterName.parse(release.adapter)
    if adapter is None:
        raise UserError(f"release {release.number if release else 0}", "went back to the base", "give --adapter")
    if adapter not in workspace.adapter_names():
        raise UserError(str(adapter), "there is no such adapter", "see 'weakspot status' and 'weakspot releases'")
    manifest = adapters.read_manifest(workspace, adapter)
    weights = manifest.files[adapter_files.WEIGHTS]
    release = release or next((one for one in releases.live(known).values() if one.adapter == str(adapter)), None)
    if release is not None and release.adapter_sha256 not in (None, weights):
        raise UserError(str(adapter), f"is not what release {release.number} put into service", "deploy it again")
    card = adapters.read_scorecard(workspace, adapter)
    examples = _training_examples(workspace, manifest.snapshot, adapter.domain)
    return Trace(
        domain=adapter.domain,
        release=release,
        adapter=str(adapter),
        adapter_sha256=weights,
        base=manifest.base.name,
        trained=manifest.created,
        verdict=card.verdict if card else None,
        reasons=card.reasons if card else [],
        snapshot=manifest.snapshot,
        examples=len(examples),
        taught=_select_examples(workspace, examples, text, limit),
    )


def _training_examples(workspace: Workspace, snapshot: str, domain: str) -> list[Interaction]:
    """Verify a snapshot by its hashes, then return the examples that an adapter of ``domain`` was trained on."""
    folder, file = workspace.snapshot(snapshot), workspace.snapshot_manifest(snapshot)
    remedy = "restore the snapshot, or train again"
    try:
        hashes = parse_record(Snapshot, file.read_bytes(), file, remedy).files
    except FileNotFoundError:
        raise UserError(folder, "the snapshot is not there any more", remedy) from None
    for changed in atomic.changed_files(folder, hashes):
        raise UserError(changed, "is not what was written: the snapshot proves nothing", remedy)
    train = reading.read_examples(workspace.snapshot_split(snapshot, "train"))
    return [one for one in train if domain in (MULTI_DOMAIN, one.domain)]


def _select_examples(
    workspace: Workspace, examples: Sequence[Interaction], text: str, limit: int
) -> list[TracedExample]:
    found: list[tuple[Interaction, float | None, str | None]] = [(one, None, None) for one in reversed(examples)]
    if text:
        found = [(one, similarity, alike) for similarity, alike, one in rank_by_similarity(examples, text)]
    found = found[:limit]
    lines = find_raw_lines(workspace, {one.id for one, _, _ in found})
    forgotten = load_decisions(workspace).forgotten
    return [
        TracedExample(
            interaction_id=one.id,
            similarity=similarity,
            alike=alike,
            raw_line=lines.get(one.id),
            teacher=_teacher_name(one),
            timestamp=one.metadata.timestamp,
            query="" if one.id in forgotten else one.query.text,
            forgotten=one.id in forgotten,
        )
        for one, similarity, alike in found
    ]


def rank_by_similarity(examples: Sequence[Interaction], text: str) -> list[tuple[float, str, Interaction]]:
    """Return (similarity, "query" or "answer", example), the most similar first, for the examples most like a text."""
    own = grams(head_and_tail(text))
    best: dict[int, tuple[float, str]] = {}
    sides = {"query": [one.query.text for one in examples], "answer": [one.expert.text for one in examples]}
    for alike, texts in sides.items():
        ranking = Ranking()
        for one in texts:
            ranking.add(one)
        for number in ranking.best(text, _CANDIDATES):
            similarity = jaccard(own, grams(head_and_tail(texts[number])))
            best[number] = max(best.get(number, (0.0, alike)), (similarity, alike))
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [(similarity, alike, examples[number]) for number, (similarity, alike) in ranked if similarity > 0]


def _teacher_name(example: Interaction) -> str:
    consultation = example.metadata.consultation
    return consultation.teacher if consultation else example.metadata.source or ""
