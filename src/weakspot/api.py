"""The stages as Python functions: what ``import weakspot`` offers, and all that the command line calls of them.

``settings`` are ``table.key=value`` texts over the workspace's ``weakspot.toml``, as ``--set`` gives them. What a user
can mend is raised as :class:`zddc.errors.UserError`. The libraries that a stage needs are imported when it is called.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, overload

from weakspot import config
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from weakspot.capture.recorder import Collected
    from weakspot.capture.unfitted import Retried
    from weakspot.deployment.control import Control
    from weakspot.importers.importer import Examined, Imported
    from weakspot.pipeline.process import Processed
    from weakspot.pipeline.quantize import QuantisedBase
    from weakspot.pipeline.status import Status
    from weakspot.pipeline.validate import Report
    from weakspot.records import AdapterManifest, Release, Scorecard, Target
    from weakspot.training.distributed import Ranks
    from weakspot.training.preflight import TrainingPlan
    from weakspot.training.preparation import TrainOptions


class TrainingArguments(TypedDict, total=False):
    """What :func:`train` and :func:`plan_training` are given alike."""

    all_due: bool
    sweep: bool
    engine: Literal["local", "ray"]
    ranks: "Ranks"
    settings: Sequence[str]


@overload
def collect(
    workspace: Workspace,
    *,
    query: str,
    local: str,
    expert: str,
    domain: str | None = None,
    escalation: str | None = None,
    settings: Sequence[str] = (),
) -> "Collected": ...


@overload
def collect(
    workspace: Workspace,
    source: Path,
    *,
    approve: "Callable[[Examined], bool]" = ...,
    settings: Sequence[str] = (),
) -> "Imported": ...


@overload
def collect(workspace: Workspace, *, unfitted: Literal[True], settings: Sequence[str] = ()) -> "Retried": ...


def collect(
    workspace: Workspace,
    source: Path | None = None,
    *,
    query: str = "",
    local: str = "",
    expert: str = "",
    domain: str | None = None,
    escalation: str | None = None,
    approve: "Callable[[Examined], bool]" = lambda _: True,
    unfitted: bool = False,
    settings: Sequence[str] = (),
) -> "Collected | Imported | Retried":
    """Store one consultation given as three texts, or those that a file or folder ``source`` holds.

    With ``unfitted`` those are tried again that were answered and were no interactions.

    Without ``domain`` it is found by the trigger words of ``[domains]``. ``approve`` is given what was found in other
    programs' files, and says whether it is to be stored. Raises :class:`UserError` for texts that teach nothing, and
    for a source of no known format.
    """
    from weakspot.pipeline import collect as stage

    loaded = config.load(workspace.config_file, settings)
    if unfitted:
        return stage.collect_unfitted(workspace, loaded)
    if source is None:
        texts = {"query": query, "local": local, "expert": expert}
        return stage.collect(workspace, loaded, **texts, domain=domain, escalation=escalation)
    examined = stage.examine(workspace, loaded, source)
    if not approve(examined):
        return stage.empty_import(workspace, examined)
    return stage.import_interactions(workspace, loaded, examined)


def process(workspace: Workspace, *, settings: Sequence[str] = ()) -> "Processed":
    """Check, deduplicate, group and split what was collected, and snapshot the dataset; return what came of it."""
    from weakspot.pipeline import process as stage

    return stage.process(workspace, config.load(workspace.config_file, settings))


def validate(
    workspace: Workspace, domain: str | None = None, *, full: bool = False, settings: Sequence[str] = ()
) -> "Report":
    """Check every file of the workspace, and whether the dataset, or one domain's share, is fit to train on."""
    from weakspot.pipeline import validate as stage

    return stage.validate(workspace, config.load(workspace.config_file, settings), domain, full=full)


def train(
    workspace: Workspace,
    *domains: str,
    announce: "Callable[[TrainingPlan], None]" = lambda _: None,
    **how: Unpack[TrainingArguments],
) -> "list[AdapterManifest]":
    """Train the next adapter of each domain in one pass, or go on with unfinished ones; return their manifests.

    Without domains one adapter learns from all of them; with ``all_due`` each domain that is due has its own. ``sweep``
    tries learning rates and ranks, ``engine`` "ray" spreads the domains over a cluster, and ``ranks`` are the processes
    that train together, where several were started. ``announce`` is given the plan before training begins.
    """
    from weakspot.pipeline import train as stage

    loaded, chosen, options = _training(workspace, domains, how)
    return stage.train_together(workspace, loaded, chosen, announce, options)


def plan_training(
    workspace: Workspace, *domains: str, memory: str = "", nvfp4_experts: bool = False, **how: Unpack[TrainingArguments]
) -> "TrainingPlan":
    """Return what :func:`train` would do, without loading any weights.

    The memory is planned for this machine, or for a GPU of so much ``memory``, as ``24GB``; with ``nvfp4_experts`` as
    if :func:`quantize` had made the base.
    """
    from dataclasses import replace

    from weakspot.training.preparation import preflight

    loaded, chosen, options = _training(workspace, domains, how)
    return preflight(workspace, loaded, chosen, memory, replace(options, quantised_experts=nvfp4_experts))


def quantize(base: str, out: Path | None = None) -> "QuantisedBase":
    """Copy a base, a folder or a hub id, with its routed experts in NVFP4; return the copy's folder and sizes.

    Raises :class:`UserError` for a base whose experts cannot be quantised, and for a folder that holds something else.
    """
    from weakspot.pipeline import quantize as stage

    return stage.quantize(base, out)


def evaluate(workspace: Workspace, domain: str = MULTI_DOMAIN, *, settings: Sequence[str] = ()) -> "Scorecard":
    """Measure a domain's newest adapter on the test split, and return its scorecard with the gate's verdict."""
    from weakspot.pipeline import evaluate as stage

    return stage.evaluate(workspace, config.load(workspace.config_file, settings), domain)


def deploy(
    workspace: Workspace,
    domain: str = MULTI_DOMAIN,
    *,
    target: "Target | None" = None,
    server: str = "",
    share: float = 1.0,
    allow_unproven: bool = False,
    settings: Sequence[str] = (),
) -> "Release":
    """Put a domain's newest adapter into service at a ``target``, else at that of the settings; return the release.

    ``share`` of the questions are answered by it, where the target is the gateway. Raises :class:`UserError` for an
    adapter that is not proved, and where what is served does not answer as trained.
    """
    from weakspot.deployment.types import Destination
    from weakspot.pipeline import deploy as stage

    loaded = config.load(workspace.config_file, settings)
    where = Destination(target or loaded.deploy.target, server or loaded.deploy.server, share)
    if where.share < 1 and where.target != "gateway":
        raise UserError("--canary", f"{where.target} cannot answer only a share", "give --to gateway")
    return stage.deploy(workspace, loaded, domain, where, allow_unproven=allow_unproven)


def control(workspace: Workspace, domain: str = MULTI_DOMAIN, *, settings: Sequence[str] = ()) -> "Control":
    """Merge zeros in the shape of a domain's newest adapter, and return how far that is from the base; deploy nothing.

    Raises :class:`UserError` if it does not answer as the base.
    """
    from weakspot.pipeline import deploy as stage

    return stage.control(workspace, config.load(workspace.config_file, settings), domain)


def status(workspace: Workspace, *, settings: Sequence[str] = ()) -> "Status":
    """Return where each domain stands, and whether its adapter is due for retraining; reads files only."""
    from weakspot.pipeline import status as stage

    return stage.status(workspace, config.load(workspace.config_file, settings))


def _training(
    workspace: Workspace, domains: Sequence[str], how: TrainingArguments
) -> "tuple[config.Config, Sequence[str], TrainOptions]":
    """Return the settings, the domains that are meant, and how to train them."""
    from weakspot.pipeline.run import due_domains
    from weakspot.training.distributed import ALONE
    from weakspot.training.preparation import TrainOptions

    loaded = config.load(workspace.config_file, how.get("settings", ()))
    options = TrainOptions(how.get("sweep", False), how.get("engine", "local"), how.get("ranks", ALONE))
    if not how.get("all_due"):
        return loaded, domains or [MULTI_DOMAIN], options
    if domains:
        raise UserError("--all", "does not go with names of domains", "give one or the other")
    return loaded, due_domains(workspace, loaded), options
