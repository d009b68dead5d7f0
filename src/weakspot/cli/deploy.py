"""The commands that change what answers: deploy, releases, rollback, watch."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from weakspot import api
from weakspot.cli import output
from weakspot.cli.options import (
    DomainArgument,
    JsonOption,
    SetOption,
    WorkspaceOption,
    find_workspace,
    open_workspace,
    require_agreements,
)
from weakspot.records import MULTI_DOMAIN, Target
from weakspot.trust.recipients import deployment_recipients, server_recipients, training_recipients
from zddc.console import print_json
from zddc.errors import UserError


def _parse_share(canary: str) -> float:
    """Parse a share of the questions, ``10%`` or ``0.1``."""
    try:
        share = float(canary.removesuffix("%")) / (100 if canary.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(f"--canary {canary}", "not a share of the questions", "write 10%")
    return share


def deploy(
    domain: DomainArgument = None,
    to: Annotated[Target | None, typer.Option(help="Where to put it into service; default is [deploy] target.")] = None,
    server: Annotated[str | None, typer.Option(help="The server's address; default is [deploy] server.")] = None,
    canary: Annotated[
        str, typer.Option(metavar="SHARE", help="Share of the questions it answers, with --to gateway.")
    ] = "100%",
    allow_unproven: Annotated[
        bool, typer.Option("--allow-unproven", help="Deploy without the verdict accept; never after a reject.")
    ] = False,
    control: Annotated[
        bool, typer.Option("--control", help="Deploy nothing; merge zeros, and compare that with the base.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Put an accepted adapter into service.

    It is proved that the served model answers as the trained one; else nothing is changed.
    """
    if control:
        _run_control(domain or MULTI_DOMAIN, workspace, set_, json_=json_)
        return
    place, config = open_workspace(workspace, set_)
    said = [*(set_ or ()), *([f"deploy.server={server}"] if server else [])]
    require_agreements(place, workspace, said, deployment_recipients(config, to, server or ""))
    done = api.deploy(
        place,
        domain or MULTI_DOMAIN,
        target=to,
        server=server or "",
        share=_parse_share(canary),
        allow_unproven=allow_unproven,
        settings=set_ or (),
    )
    print_json(done.model_dump()) if json_ else output.print_release(done)


def _run_control(domain: str, workspace: Path | None, set_: list[str] | None, *, json_: bool) -> None:
    from dataclasses import asdict

    found = api.control(find_workspace(workspace), domain, settings=set_ or ())
    print_json(asdict(found)) if json_ else output.print_control(found)


def releases(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """List every release, and mark those in service."""
    from weakspot.deployment import releases as noun

    place, _ = open_workspace(workspace, set_)
    known = noun.read_releases(place)
    live = list(noun.live(known).values())
    if json_:
        print_json([{**one.model_dump(), "live": one in live} for one in known])
    else:
        output.print_releases(known, live)


def rollback(
    domain: DomainArgument = None,
    to: Annotated[
        Target | None, typer.Option(help="Only at this target; without it, wherever the domain is in service.")
    ] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Go back to the release before; without one, to the base.

    Running it twice changes nothing.
    """
    from weakspot.deployment.releases import read_releases
    from weakspot.pipeline import deploy as stage

    place, config = open_workspace(workspace, set_)
    servers = {one.location for one in read_releases(place) if one.location and one.location.startswith("http")}
    require_agreements(place, workspace, set_, server_recipients(config, servers))
    done = stage.rollback(place, config, domain or MULTI_DOMAIN, to)
    if json_:
        print_json([one.model_dump() for one in done])
        return
    for one in done:
        output.print_release(one)


def watch(
    once: Annotated[bool, typer.Option("--once", help="Check once and exit, for cron.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Retrain what is due while nobody uses the model.

    Adapters that the gate accepts are deployed.
    """
    from dataclasses import asdict

    from weakspot.pipeline import watch as noun

    place, config = open_workspace(workspace, set_)
    require_agreements(place, workspace, set_, [*deployment_recipients(config), *training_recipients(config)])
    failed = False
    for step in noun.watch(place, config, once=once):
        failed = failed or step.stage == "error"
        print_json(asdict(step)) if json_ else output.print_step(step)
        sys.stdout.flush()
    raise typer.Exit(1 if failed else 0)
