"""Status of each domain: examples, newest adapter, verdict, and whether retraining is due."""

import contextlib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from weakspot.access.client_keys import Clients
from weakspot.analytics import savings
from weakspot.capture import unfitted
from weakspot.capture.decisions import load_decisions
from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.dataset.assignments import read_assignments
from weakspot.deployment import releases
from weakspot.models import adapters
from weakspot.records import MULTI_DOMAIN, SPLITS, Rejection, UnheardWish
from weakspot.records.parsing import RecordError, parse_interaction_object, parse_json_object
from weakspot.storage import append_log
from weakspot.storage.ledger import Balance, Ledger, Limits
from weakspot.teachers import limits
from weakspot.workspace import Workspace


@dataclass(frozen=True)
class DomainStatus:
    """One domain: examples, newest adapter, its verdict, and ``due``, the reason for retraining (empty if not due)."""

    domain: str
    examples: int
    new: int
    splits: dict[str, int]
    adapter: str | None
    verdict: str | None
    deployed: bool
    due: str


@dataclass(frozen=True)
class UnheardWishes:
    """Messages of one client that look like a request for an expert and were not taken: how many, and the latest."""

    client: str
    count: int
    latest: str


@dataclass(frozen=True)
class Budget:
    """What was spent and how many consultations there were, and the limits of both; None is no limit."""

    usd_last_24_hours: float
    budget_usd_per_day: float | None
    consultations_last_hour: int
    consultations_per_hour: int | None

    @property
    def is_used_up(self) -> bool:
        """Whether a limit is reached."""
        usd, count = self.budget_usd_per_day, self.consultations_per_hour
        spent = usd is not None and self.usd_last_24_hours >= usd
        return spent or (count is not None and self.consultations_last_hour >= count)

    @property
    def shown(self) -> str:
        """What is left of the limits, or what was used where there are none."""
        left = []
        if (budget := self.budget_usd_per_day) is not None:
            left.append(f"{max(0.0, budget - self.usd_last_24_hours):.2f} of {budget:.2f} US dollars for 24 hours")
        if (most := self.consultations_per_hour) is not None:
            left.append(f"{max(0, most - self.consultations_last_hour)} of {_consultations(most)} for an hour")
        if left:
            return f"{' and '.join(left)} left"
        count = _consultations(self.consultations_last_hour)
        return f"{self.usd_last_24_hours:.2f} US dollars in 24 hours and {count} in an hour, without a limit"


def _consultations(count: int) -> str:
    return f"{count} consultation{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class TeacherBudget(Budget):
    """The budget of a teacher."""

    teacher: str


@dataclass(frozen=True)
class ClientBudget(Budget):
    """The budget of a named client."""

    client: str


@dataclass(frozen=True)
class Status:
    """The workspace: numbers of raw lines, of unprocessed ones, of those waiting for permission; each domain.

    ``unfitted`` counts consultations that were answered and cannot be trained on.
    """

    workspace: str
    raw_lines: int
    unprocessed: int
    waiting: int
    unfitted: int
    unheard: list[UnheardWishes]
    snapshot: str | None
    savings: str
    domains: list[DomainStatus]
    budgets: list[TeacherBudget]
    clients: list[ClientBudget]


def status(workspace: Workspace, config: Config) -> Status:
    """Return the status of the workspace; it reads files only."""
    places = read_assignments(workspace.assignments).values()
    present = (
        {example.id: example.domain for example in reading.read_examples(workspace.all_examples)} if places else {}
    )
    counts: dict[str, Counter[str]] = {}
    for place in places:
        if place.interaction_id in present:
            counts.setdefault(present[place.interaction_id], Counter())[place.split] += 1
    known = {name.domain for name in workspace.adapter_names()}
    if len(counts) > 1 or MULTI_DOMAIN in known:
        counts[MULTI_DOMAIN] = sum(counts.values(), Counter())
    counts |= {domain: Counter() for domain in sorted(known - counts.keys())}
    raw, streak = _scan_raw_lines(workspace, config.status.retrain_streak)
    rejections = list(reading.read_rejections(workspace))
    unprocessed = max(0, raw - len(present) - len(rejections))
    snapshots = workspace.snapshot_names()
    return Status(
        workspace=str(workspace.root),
        raw_lines=raw,
        unprocessed=unprocessed,
        waiting=_count_waiting(workspace, rejections, unprocessed),
        unfitted=len(unfitted.read_unfitted(workspace)),
        unheard=_unheard_wishes(workspace),
        snapshot=snapshots[-1] if snapshots else None,
        savings=savings.format_summary(savings.economics(workspace, config, scorecards=False)),
        domains=[
            domain_status(workspace, config, domain, counts[domain], streak=domain == streak)
            for domain in config.ordered(counts)
        ],
        budgets=teacher_budgets(workspace, config),
        clients=client_budgets(workspace),
    )


def teacher_budgets(workspace: Workspace, config: Config) -> list[TeacherBudget]:
    """Return the standing of each teacher that has a limit."""
    ledger = Ledger(workspace.spending)
    found = {name: (ledger.balance(name), limits(teacher)) for name, teacher in config.teachers.items()}
    return [TeacherBudget(*_standing(*one), name) for name, one in found.items() if one[1]]


def client_budgets(workspace: Workspace) -> list[ClientBudget]:
    """Return the standing of each named client, by name."""
    ledger = Ledger(workspace.spending)
    known = Clients(workspace.clients).all()
    return [ClientBudget(*_standing(ledger.balance(one.account), one.limits), one.client) for one in known]


def _standing(spent: Balance, most: Limits) -> tuple[float, float | None, int, int | None]:
    return spent.usd, most.usd_per_day, spent.count, most.count_per_hour


def _count_waiting(workspace: Workspace, rejections: Sequence[Rejection], unprocessed: int) -> int:
    """Return how many interactions wait for a person: of those that were processed, and of those captured since."""
    decisions = load_decisions(workspace)
    found = sum(
        one.reason == "policy-ask" and decisions.judgement(one.interaction_id or "") is None for one in rejections
    )
    for line in deque(append_log.read_lines(workspace.raw), maxlen=unprocessed):
        try:
            decisions.require_permission(parse_interaction_object(parse_json_object(line.data), whole=False))
        except RecordError as error:
            found += error.reason == "policy-ask"
    return found


def _unheard_wishes(workspace: Workspace) -> list[UnheardWishes]:
    """Return the wishes that were not taken for one, by client, the most frequent first."""
    counts: Counter[str] = Counter()
    latest: dict[str, str] = {}
    for line in append_log.read_lines(workspace.unheard):
        with contextlib.suppress(ValueError):  # half a line, which a killed gateway left
            wish = UnheardWish.from_json(line.data)
            counts[wish.client] += 1
            latest[wish.client] = wish.words
    return [UnheardWishes(client, count, latest[client]) for client, count in counts.most_common()]


def _scan_raw_lines(workspace: Workspace, streak: int) -> tuple[int, str | None]:
    """Return the number of raw lines, and the domain of the last ``streak`` lines if they all have the same one."""
    lines, last = 0, deque[bytes](maxlen=streak)
    for line in append_log.read_lines(workspace.raw):
        lines += 1
        last.append(line.data)
    domains = set()
    for data in last:
        try:
            domains.add(parse_interaction_object(parse_json_object(data)).metadata.domain)
        except RecordError:
            domains.add(None)
    return lines, domains.pop() if len(last) == streak and len(domains) == 1 else None


def domain_status(
    workspace: Workspace, config: Config, domain: str, splits: Counter[str], *, streak: bool = False
) -> DomainStatus:
    """Return the status of one domain, given the number of examples in each of its splits.

    ``streak`` says whether the latest consultations were all in this domain.
    """
    examples = splits.total()
    name = workspace.newest_adapter(domain)
    manifest = adapters.read_manifest(workspace, name, verify=False) if name else None
    card = adapters.read_scorecard(workspace, name) if name else None
    seen = manifest.domain_examples if manifest else 0
    return DomainStatus(
        domain=domain,
        examples=examples,
        new=max(0, examples - seen),
        splits={split: splits[split] for split in SPLITS},
        adapter=str(name) if name else None,
        verdict=card.verdict if card else None,
        deployed=name is not None and releases.is_live(releases.read_releases(workspace), str(name)),
        due=why_due(
            config,
            examples,
            seen,
            forgotten=name is not None and workspace.adapter_forgotten(name).exists(),
            streak=streak,
        ),
    )


def why_due(config: Config, examples: int, seen: int, *, forgotten: bool = False, streak: bool = False) -> str:
    """Return why a domain is due for retraining; empty if it is not.

    The domain has ``examples`` now and had ``seen`` at its last training. It is also due if the adapter saw an
    interaction that was ``forgotten`` since, and if the latest consultations were all in this domain (a ``streak``)
    and came after the last training.
    """
    if forgotten:
        return "saw a forgotten interaction"
    after, at = config.status.retrain_after, config.status.retrain_at
    if examples - seen >= after:
        return f"{examples - seen} new, at least {after}"
    if seen < at <= examples:
        return f"{examples} examples, past {at}"
    if streak and examples - seen >= config.status.retrain_streak:
        return f"the last {config.status.retrain_streak} consultations are all in this domain"
    return ""
