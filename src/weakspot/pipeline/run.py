"""Every stage that is due, in order: process, validate, train, evaluate, deploy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from weakspot.config import Config
from weakspot.dataset.reading import split_examples
from weakspot.deployment import releases
from weakspot.deployment.types import Destination
from weakspot.models import adapters
from weakspot.pipeline.deploy import deploy
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.process import process
from weakspot.pipeline.status import DomainStatus, status
from weakspot.pipeline.train import train_together
from weakspot.pipeline.validate import validate
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import Workspace
from zddc.errors import UserError


@dataclass(frozen=True)
class Step:
    """A stage that ran, or was not due, and what came of it."""

    stage: str
    domain: str | None
    outcome: str


def run(workspace: Workspace, config: Config, domain: str | None) -> Iterator[Step]:
    """Run what is due, yielding each step when it is done.

    Without a domain every domain that is due is trained, in one pass, and taken to the end; a named one is trained
    also when it is not due but was never trained. An adapter that is not accepted is not deployed.
    """
    yield from refreshed(workspace, config, domain)
    entries = [entry for entry in status(workspace, config).domains if domain in (None, entry.domain)]
    reasons = due(workspace, entries)
    if domain is not None and not reasons and entries and entries[0].adapter is None:
        reasons = {domain: "never trained"}
    yield from trained(workspace, config, reasons)
    for entry in entries:
        yield from taken_through(workspace, config, entry.domain)


def due(workspace: Workspace, entries: Sequence[DomainStatus]) -> dict[str, str]:
    """Return the domains that are due, or half trained, each with the reason."""
    found = {}
    for entry in entries:
        unfinished = workspace.adapter_checkpoint(workspace.next_adapter(entry.domain)).exists()
        if reason := entry.due or ("resumed" if unfinished else ""):
            found[entry.domain] = reason
    return found


def due_domains(workspace: Workspace, config: Config) -> list[str]:
    """Return what ``train --all`` trains: each domain that is due or was never trained, and all of them together.

    Raises :class:`UserError` where nothing is.
    """
    entries = status(workspace, config).domains
    found = set(due(workspace, entries)) | {
        one.domain for one in entries if one.adapter is None and one.splits["train"]
    }
    if not found:
        raise UserError("train --all", "no domain is due", "name those to train again")
    return [one.domain for one in entries if one.domain in found or one.domain == MULTI_DOMAIN]


def trained(workspace: Workspace, config: Config, reasons: Mapping[str, str]) -> Iterator[Step]:
    """Train the domains named, together; ``reasons`` says of each why."""
    if reasons:
        for manifest in train_together(workspace, config, list(reasons)):
            yield Step("train", manifest.domain, f"{manifest.name} ({reasons[manifest.domain]})")


def refreshed(workspace: Workspace, config: Config, domain: str | None = None) -> Iterator[Step]:
    """Process and validate; raise :class:`UserError` where nothing sound comes of it."""
    processed = process(workspace, config)
    yield Step("process", None, f"snapshot {processed.snapshot}" if processed.changed else "nothing changed")
    report = validate(workspace, config, domain)
    yield Step("validate", domain, report.verdict)
    if report.verdict == "failures":
        raise UserError(workspace.root, "the dataset has failures", "run 'weakspot validate' to see them")


def taken_through(workspace: Workspace, config: Config, domain: str) -> Iterator[Step]:
    """Evaluate a domain's newest adapter where it was not yet, deploy it where it was accepted."""
    name = workspace.newest_adapter(domain)
    if name is None:
        yield Step("train", domain, "not due")
        return
    card = adapters.read_scorecard(workspace, name)
    if card is None:
        if not split_examples(workspace, "test", domain):
            yield Step("evaluate", domain, "no test example yet")
            return
        card = evaluate(workspace, config, domain)
        yield Step("evaluate", domain, f"{name}: {card.verdict}")
    if card.verdict != "accept":
        yield Step("deploy", domain, f"{name} is not deployed: {card.verdict}")
        return
    # What people went back from is not put into service again by itself.
    target, known = config.deploy.target, releases.read_releases(workspace)
    if releases.was_released(known, str(name), target):
        standing = "is in service" if releases.answering(known, str(name)) else "was taken back"
        yield Step("deploy", domain, f"{name} {standing}")
    else:
        done = deploy(workspace, config, domain, Destination(target, config.deploy.server))
        yield Step("deploy", domain, f"{target}: {done.location}")
