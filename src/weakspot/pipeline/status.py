"""Where each domain stands, and whether its adapter is due for retraining."""

from collections import Counter, deque
from dataclasses import dataclass

from weakspot.analytics import savings
from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.deployment import releases
from weakspot.models import adapters
from weakspot.records import MULTI_DOMAIN, SPLITS, Assignment, Rejection
from weakspot.records.parsing import RecordError, interaction, parse_json_object
from weakspot.storage import append_log
from weakspot.workspace import Workspace


@dataclass(frozen=True)
class DomainStatus:
    """One domain: its examples, its newest adapter, the verdict on it, and why it is due (empty: it is not)."""

    domain: str
    examples: int
    new: int
    splits: dict[str, int]
    adapter: str | None
    verdict: str | None
    deployed: bool
    due: str


@dataclass(frozen=True)
class Status:
    """The workspace: raw lines, those not processed yet, those that wait for permission, savings, and each domain."""

    workspace: str
    raw_lines: int
    unprocessed: int
    waiting: int
    snapshot: str | None
    savings: str
    domains: list[DomainStatus]


def status(workspace: Workspace, config: Config) -> Status:
    """Return where everything stands; reads files only."""
    places = [Assignment.from_json(line.data) for line in append_log.read_lines(workspace.assignments)]
    present = (
        {example.id: example.domain for example in reading.read_examples(workspace.all_examples)} if places else {}
    )
    counts: dict[str, Counter[str]] = {}
    for place in places:
        if place.interaction_id in present:
            counts.setdefault(present[place.interaction_id], Counter())[place.split] += 1
    if len(counts) > 1:
        counts[MULTI_DOMAIN] = sum(counts.values(), Counter())
    raw, streak = _captured(workspace, config.status.retrain_streak)
    reasons = Counter(Rejection.from_json(line.data).reason for line in append_log.read_lines(workspace.rejections))
    known = len(present) + reasons.total()
    snapshots = workspace.snapshot_names()
    return Status(
        workspace=str(workspace.root),
        raw_lines=raw,
        unprocessed=max(0, raw - known),
        waiting=reasons["policy-ask"],
        snapshot=snapshots[-1] if snapshots else None,
        savings=savings.line(savings.economics(workspace, config, scorecards=False)),
        domains=[
            domain_status(workspace, config, domain, counts[domain], streak=domain == streak)
            for domain in config.ordered(counts)
        ],
    )


def _captured(workspace: Workspace, streak: int) -> tuple[int, str | None]:
    """Return how many raw lines there are, and the domain that the last ``streak`` of them all have."""
    lines, last = 0, deque[bytes](maxlen=streak)
    for line in append_log.read_lines(workspace.raw):
        lines += 1
        last.append(line.data)
    domains = set()
    for data in last:
        try:
            domains.add(interaction(parse_json_object(data)).metadata.domain)
        except RecordError:
            domains.add(None)
    return lines, domains.pop() if len(last) == streak and len(domains) == 1 else None


def domain_status(
    workspace: Workspace, config: Config, domain: str, splits: Counter[str], *, streak: bool = False
) -> DomainStatus:
    """Return where one domain stands, given how many examples each of its splits has.

    ``streak`` says whether the latest consultations were all of this domain.
    """
    examples = splits.total()
    name = workspace.newest_adapter(domain)
    manifest = adapters.read_manifest(workspace, name, verify=False) if name else None
    card = adapters.read_scorecard(workspace, name) if name else None
    seen = manifest.domain_examples if manifest else 0
    return DomainStatus(
        domain=domain,
        examples=examples,
        new=examples - seen,
        splits={split: splits[split] for split in SPLITS},
        adapter=str(name) if name else None,
        verdict=card.verdict if card else None,
        deployed=name is not None and releases.answering(releases.read_releases(workspace), str(name)),
        due=why_due(
            config,
            examples,
            seen,
            forgotten=name is not None and workspace.adapter_forgotten(name).exists(),
            streak=streak,
        ),
    )


def why_due(config: Config, examples: int, seen: int, *, forgotten: bool = False, streak: bool = False) -> str:
    """Return why a domain of so many examples, ``seen`` of them at its last training, is due; empty if it is not.

    Due is also an adapter that saw what was ``forgotten`` since, and a domain that the latest consultations were
    all of, a ``streak``, where none of them was seen.
    """
    if forgotten:
        return "saw a forgotten interaction"
    after, at = config.status.retrain_after, config.status.retrain_at
    if examples - seen >= after:
        return f"{examples - seen} new, at least {after}"
    if seen < at <= examples:
        return f"{examples} examples, past {at}"
    if streak and examples - seen >= config.status.retrain_streak:
        return f"the last {config.status.retrain_streak} consultations are all of it"
    return ""
