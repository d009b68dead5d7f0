"""Where an answer comes from: from what is in service back to the interactions that taught it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from weakspot.analytics.interaction_lineage import Whereabouts, raw_lines, whereabouts
from weakspot.capture.decisions import read_decisions
from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.dataset.bm25 import Ranking, compared
from weakspot.dataset.domains import detect
from weakspot.dataset.near_duplicates import grams, jaccard
from weakspot.deployment import releases
from weakspot.models import adapter_files, adapters
from weakspot.records import MULTI_DOMAIN, Interaction, Release, Snapshot
from weakspot.records.parsing import explain
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

# Similarity picks from the best ranked: a text of rare words may rank first and be less alike.
_CANDIDATES = 50


@dataclass(frozen=True)
class Taught:
    """An interaction that an adapter was trained on.

    ``similarity``, 0 to 1, is that of the text asked about to its query or to the expert's answer, the closer of
    which ``alike`` names; both are None where no text was given. ``raw_line`` is None where the raw file has it no
    more. A forgotten one is named without its words.
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
    """The way back from an answer: release, adapter, verdict, snapshot, interactions.

    ``release`` is None for an adapter that is not in service. The adapter's files, and those of the snapshot, are
    byte for byte what was trained and what it was trained on. ``taught`` are the most similar of the ``examples``
    interactions, or without a text the latest.
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
    taught: list[Taught]


def trace(
    workspace: Workspace,
    config: Config,
    asked: str,
    *,
    domain: str | None = None,
    adapter: AdapterName | None = None,
    release: int | None = None,
    limit: int = 5,
) -> Trace | Whereabouts:
    """Return what taught an answer, or where an interaction is.

    ``asked`` is an adapter's name, a release's number, an interaction's id, or the text of a query or an answer. One
    word is taken for a name, unless one of the three others says that it is a text: the adapter that wrote it, the
    release of that, or else the domain of whichever adapter is in service, which is detected where it is not given.

    Raises :class:`UserError` for what is not there, and where a file is not what it was when it was written.
    """
    known, asked = releases.read_releases(workspace), asked.strip()
    if not asked:
        raise UserError("trace", "nothing is asked about", "give a text, an adapter, a release or an id")
    if adapter is not None and release is not None:
        raise UserError(str(adapter), f"and release {release} at once", "give one of the two")
    if adapter is not None:
        return _back(workspace, known, adapter, None, asked, limit)
    if release is not None:
        return _back(workspace, known, None, _numbered(known, release), asked, limit)
    if domain is not None or re.search(r"\s", asked):
        return _back(workspace, known, None, _in_service(known, config, asked, domain), asked, limit)
    if asked.isdecimal():
        return _back(workspace, known, None, _numbered(known, int(asked)), "", limit)
    if any(str(name) == asked for name in workspace.adapter_names()):
        return _back(workspace, known, AdapterName.parsed(asked), None, "", limit)
    return whereabouts(workspace, asked)


def _in_service(known: Sequence[Release], config: Config, text: str, domain: str | None) -> Release:
    """Return what answers in a text's domain, behind the gateway if it does, else the newest elsewhere."""
    default, weight = config.collect.default_domain, config.collect.query_weight
    of = domain or detect(text, [], config.triggers, default=default, query_weight=weight).domain
    live = [one for one in releases.live(known).values() if one.adapter]
    for candidates in ([one for one in live if one.domain == d] for d in (of, MULTI_DOMAIN)):
        if candidates:
            return max(candidates, key=lambda one: (one.target == "gateway", one.number))
    there = ", ".join(sorted({one.domain for one in live}))
    remedy = f"give --domain: there are {there}" if there else "deploy one, or give --adapter"
    raise UserError(of, "no adapter is in service for it", remedy)


def _numbered(known: Sequence[Release], number: int) -> Release:
    found = next((one for one in known if one.number == number), None)
    if found is None:
        raise UserError(f"release {number}", "there is none", "see 'weakspot releases'")
    return found


def _back(
    workspace: Workspace,
    known: Sequence[Release],
    adapter: AdapterName | None,
    release: Release | None,
    text: str,
    limit: int,
) -> Trace:
    if adapter is None and release is not None and release.adapter is not None:
        adapter = AdapterName.parsed(release.adapter)
    if adapter is None:
        raise UserError(f"release {release.number if release else 0}", "put the base back", "give --adapter")
    if adapter not in workspace.adapter_names():
        raise UserError(str(adapter), "there is no such adapter", "see 'weakspot status' and 'weakspot releases'")
    manifest = adapters.read_manifest(workspace, adapter)
    weights = manifest.files[adapter_files.WEIGHTS]
    release = release or next((one for one in releases.live(known).values() if one.adapter == str(adapter)), None)
    if release is not None and release.adapter_sha256 not in (None, weights):
        raise UserError(str(adapter), f"is not what release {release.number} put into service", "deploy it again")
    card = adapters.read_scorecard(workspace, adapter)
    examples = _trained_on(workspace, manifest.snapshot, adapter.domain)
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
        taught=_taught(workspace, examples, text, limit),
    )


def _trained_on(workspace: Workspace, snapshot: str, domain: str) -> list[Interaction]:
    """Return what an adapter of ``domain`` was trained on, once the snapshot proved to be as it was written."""
    folder, file = workspace.snapshot(snapshot), workspace.snapshot_manifest(snapshot)
    remedy = "restore the snapshot, or train again"
    try:
        hashes = Snapshot.from_json(file.read_bytes()).files
    except FileNotFoundError:
        raise UserError(folder, "the snapshot is not there any more", remedy) from None
    except ValidationError as error:
        raise UserError(file, explain(error), remedy) from None
    for changed in atomic.changed_files(folder, hashes):
        raise UserError(changed, "is not what was written: the snapshot proves nothing", remedy)
    train = reading.read_examples(workspace.snapshot_split(snapshot, "train"))
    return [one for one in train if domain in (MULTI_DOMAIN, one.domain)]


def _taught(workspace: Workspace, examples: Sequence[Interaction], text: str, limit: int) -> list[Taught]:
    found: list[tuple[Interaction, float | None, str | None]] = [(one, None, None) for one in reversed(examples)]
    if text:
        found = [(one, similarity, alike) for similarity, alike, one in similar(examples, text)]
    found = found[:limit]
    lines = raw_lines(workspace, {one.id for one, _, _ in found})
    forgotten = read_decisions(workspace).forgotten
    return [
        Taught(
            interaction_id=one.id,
            similarity=similarity,
            alike=alike,
            raw_line=lines.get(one.id),
            teacher=_teacher(one),
            timestamp=one.metadata.timestamp,
            query="" if one.id in forgotten else one.query.text,
            forgotten=one.id in forgotten,
        )
        for one, similarity, alike in found
    ]


def similar(examples: Sequence[Interaction], text: str) -> list[tuple[float, str, Interaction]]:
    """Return similarity, what is alike, and example, for those whose query or expert answer is most like a text."""
    own = grams(compared(text))
    best: dict[int, tuple[float, str]] = {}
    sides = {"query": [one.query.text for one in examples], "answer": [one.expert.text for one in examples]}
    for alike, texts in sides.items():
        ranking = Ranking()
        for one in texts:
            ranking.add(one)
        for number in ranking.best(text, _CANDIDATES):
            similarity = jaccard(own, grams(compared(texts[number])))
            best[number] = max(best.get(number, (0.0, alike)), (similarity, alike))
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [(similarity, alike, examples[number]) for number, (similarity, alike) in ranked if similarity > 0]


def _teacher(example: Interaction) -> str:
    consultation = example.metadata.consultation
    return consultation.teacher if consultation else example.metadata.source or ""
