"""The commands that decide what answers: deploy, releases, rollback."""

import sys
from typing import Annotated

import typer

from weakspot import api
from weakspot.cli import output
from weakspot.cli.options import DomainArgument, JsonOption, SetOption, WorkspaceOption, find_workspace, open_workspace
from weakspot.records import MULTI_DOMAIN, Target
from zddc.console import print_json
from zddc.errors import UserError

TargetOption = Annotated[Target | None, typer.Option("--to", help="Where; none is [deploy] target.")]


def _share(canary: str) -> float:
    """Return the share that ``10%`` or ``0.1`` stands for."""
    try:
        share = float(canary.removesuffix("%")) / (100 if canary.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(f"--canary {canary}", "not a share of the questions", "write 10%")
    return share


def deploy(
    domain: DomainArgument = None,
    to: TargetOption = None,
    server: Annotated[str | None, typer.Option(help="The server's address; [deploy] server.")] = None,
    canary: Annotated[str, typer.Option(metavar="SHARE", help="Of the questions, with --to gateway.")] = "100%",
    allow_unproven: Annotated[
        bool, typer.Option("--allow-unproven", help="Also without an accept; never after a reject.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Put a proved adapter into service, and prove that what is served is what was trained."""
    done = api.deploy(
        find_workspace(workspace),
        domain or MULTI_DOMAIN,
        target=to,
        server=server or "",
        share=_share(canary),
        allow_unproven=allow_unproven,
        settings=set_ or (),
    )
    print_json(done.model_dump()) if json_ else output.release(done)


def releases(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """List every release, and which of them answer now."""
    from weakspot.deployment import releases as noun

    place, _ = open_workspace(workspace, set_)
    known = noun.read_releases(place)
    live = list(noun.live(known).values())
    if json_:
        print_json([{**one.model_dump(), "live": one in live} for one in known])
    else:
        output.releases(known, live)


def rollback(
    domain: DomainArgument = None,
    to: TargetOption = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Put back what answered before the live adapter, at one target or at all; doing it twice changes nothing."""
    from weakspot.pipeline import deploy as stage

    place, config = open_workspace(workspace, set_)
    done = stage.rollback(place, config, domain or MULTI_DOMAIN, to)
    if json_:
        print_json([one.model_dump() for one in done])
        return
    for one in done:
        output.release(one)


def watch(
    once: Annotated[bool, typer.Option("--once", help="One look, then leave: for cron.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Retrain by itself: run what is due while nobody asks, and deploy what the gate accepts."""
    from dataclasses import asdict

    from weakspot.pipeline import watch as noun

    place, config = open_workspace(workspace, set_)
    failed = False
    for step in noun.watch(place, config, once=once):
        failed = failed or step.stage == "error"
        print_json(asdict(step)) if json_ else output.step(step)
        sys.stdout.flush()
    raise typer.Exit(1 if failed else 0)
