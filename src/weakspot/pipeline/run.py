"""Runs every stage that is due, in order: process, validate, train, evaluate, deploy."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from weakspot.config import Config
from weakspot.dataset.reading import load_split
from weakspot.deployment import releases
from weakspot.deployment.types import Destination
from weakspot.models import adapters
from weakspot.pipeline.deploy import deploy
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.gpu_handover import hand_over_gpu
from weakspot.pipeline.process import process
from weakspot.pipeline.status import DomainStatus, status
from weakspot.pipeline.train import train_together
from weakspot.pipeline.validate import validate
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass(frozen=True)
class Step:
    """A stage that ran or was not due, and its outcome."""

    stage: str
    domain: str | None
    outcome: str


def run(workspace: Workspace, config: Config, domain: str | None) -> Iterator[Step]:
    """Run what is due, and yield each step when it is done.

    Without a domain, every domain that is due is trained in one pass, then evaluated and deployed. A named domain is
    also trained if it is not due but was never trained. An adapter that is not accepted is not deployed.
    """
    yield from process_and_validate(workspace, config, domain)
    entries = [entry for entry in status(workspace, config).domains if domain in (None, entry.domain)]
    reasons = training_reasons(workspace, entries)
    if domain is not None and not reasons and entries and entries[0].adapter is None:
        reasons = {domain: "never trained"}
    with hand_over_gpu(config) if needs_gpu(workspace, reasons, entries) else contextlib.nullcontext():
        yield from train_due(workspace, config, reasons)
        for entry in entries:
            yield from evaluate_newest(workspace, config, entry.domain)
    for entry in entries:
        yield from deploy_newest(workspace, config, entry.domain)


def needs_gpu(workspace: Workspace, reasons: Mapping[str, str], entries: Sequence[DomainStatus]) -> bool:
    """Return whether anything is to be trained or evaluated."""
    names = [workspace.newest_adapter(entry.domain) for entry in entries]
    return bool(reasons) or any(name and adapters.read_scorecard(workspace, name) is None for name in names)


def training_reasons(workspace: Workspace, entries: Sequence[DomainStatus]) -> dict[str, str]:
    """Return the reason for training by domain, for the domains that are due or have an unfinished training."""
    found = {}
    for entry in entries:
        unfinished = workspace.adapter_checkpoint(workspace.next_adapter(entry.domain)).exists()
        if reason := entry.due or ("resumed" if unfinished else ""):
            found[entry.domain] = reason
    return found


def due_domains(workspace: Workspace, config: Config) -> list[str]:
    """Return what ``train --all`` trains: each domain that is due or was never trained, and multi-domain.

    Raises :class:`UserError` if no domain is due.
    """
    entries = status(workspace, config).domains
    found = set(training_reasons(workspace, entries)) | {
        one.domain for one in entries if one.adapter is None and one.splits["train"]
    }
    if not found:
        raise UserError("train --all", "no domain is due", "name those to train again")
    return [one.domain for one in entries if one.domain in found or one.domain == MULTI_DOMAIN]


def train_due(workspace: Workspace, config: Config, reasons: Mapping[str, str]) -> Iterator[Step]:
    """Train the domains of ``reasons`` (domain: why it is trained) in one pass."""
    if reasons:
        for manifest in train_together(workspace, config, list(reasons)):
            yield Step("train", manifest.domain, f"{manifest.name} ({reasons[manifest.domain]})")


def process_and_validate(workspace: Workspace, config: Config, domain: str | None = None) -> Iterator[Step]:
    """Process and validate; raise :class:`UserError` if the dataset has failures."""
    processed = process(workspace, config)
    yield Step("process", None, f"snapshot {processed.snapshot}" if processed.changed else "nothing changed")
    report = validate(workspace, config, domain)
    yield Step("validate", domain, report.verdict)
    if report.verdict == "failures":
        raise UserError(workspace.root, "the dataset has failures", "run 'weakspot validate' to see them")


def evaluate_newest(workspace: Workspace, config: Config, domain: str) -> Iterator[Step]:
    """Evaluate a domain's newest adapter if that was not done yet."""
    name = workspace.newest_adapter(domain)
    if name is None:
        yield Step("train", domain, "not due")
    elif adapters.read_scorecard(workspace, name) is None:
        if not load_split(workspace, "test", domain):
            yield Step("evaluate", domain, "no test example yet")
            return
        yield Step("evaluate", domain, f"{name}: {evaluate(workspace, config, domain).verdict}")


def deploy_newest(workspace: Workspace, config: Config, domain: str) -> Iterator[Step]:
    """Deploy a domain's newest adapter if it is accepted."""
    name = workspace.newest_adapter(domain)
    card = adapters.read_scorecard(workspace, name) if name else None
    if card is None:
        return
    if card.verdict != "accept":
        yield Step("deploy", domain, f"{name} is not deployed: {card.verdict}")
        return
    # An adapter that people rolled back is not deployed again automatically.
    target, known = config.deploy.target, releases.read_releases(workspace)
    if releases.was_live(known, str(name), target):
        standing = "is in service" if releases.is_live(known, str(name)) else "was rolled back"
        yield Step("deploy", domain, f"{name} {standing}")
    else:
        done = deploy(workspace, config, domain, Destination(target, config.deploy.server))
        yield Step("deploy", domain, f"{target}: {done.location}")
