"""The commands by which a person decides: about captured interactions allow, scrub, forget; about settings trust."""

from dataclasses import asdict
from typing import Annotated

import typer

from weakspot import workspace as workspaces
from weakspot.cli import output, output_capture
from weakspot.cli.options import JsonOption, SetOption, WorkspaceOption, open_workspace
from zddc.console import print_json


def allow(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Interactions; without any, list those that wait.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="All waiting answers of this teacher.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All waiting answers.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Keep them out of training instead.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Allow training on answers that wait for permission.

    Without a name, list them. The answers of a teacher wait if its policy is 'ask'.
    """
    from weakspot.capture import approval

    place, config = open_workspace(workspace, set_)
    if not (ids or teacher or all_):
        waiting = approval.list_waiting(place)
        print_json([asdict(one) for one in waiting]) if json_ else output_capture.print_waiting(waiting)
        return
    decided = approval.permit(place, config, ids or [], teacher=teacher, refuse=refuse)
    action = "refused" if refuse else "allowed"
    if json_:
        print_json({action: decided})
    else:
        output.print_line(f"{action} {len(decided)}; run 'weakspot process'")


def scrub(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be replaced.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Replace secrets and personal data in what is stored already.

    In new interactions they are replaced before anything is stored.
    """
    from weakspot.capture import redact_stored

    place, config = open_workspace(workspace, set_)
    done = redact_stored.rescrub(place, config, dry_run=dry_run)
    print_json(asdict(done)) if json_ else output_capture.print_scrub(done)


def forget(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The interaction's id.")],
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Then train the adapters that learned from it anew, without it.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Erase an interaction for good.

    It is taken out of snapshots; the adapters that saw it are marked, and trained anew with --retrain.
    """
    from weakspot.models import loading
    from weakspot.pipeline import forget as noun

    place, config = open_workspace(workspace, set_)
    if retrain:
        loading.require_libraries()  # before anything is erased
    done = noun.forget(place, config, identity)
    if not json_:
        output_capture.print_forget(done, retrain=retrain)
    if retrain:
        announce = (lambda _: None) if json_ else output.print_preflight
        trained = noun.retrain(place, config, done.adapters, announce)
        names = {"retrained": [one.name for one in trained.adapters], "untrainable": trained.untrainable}
        print_json({**asdict(done), **names}) if json_ else output_capture.print_retrained(trained)
    elif json_:
        print_json(asdict(done))


def trust(
    list_: Annotated[bool, typer.Option("--list", help="Only show what is agreed to, and why.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Agree to what the settings of this workspace send where: conversations, and the keys of the environment."""
    from weakspot.trust import agreements
    from weakspot.trust.recipients import all_recipients

    place, config = open_workspace(workspace, set_)
    recipients, named = all_recipients(config), workspaces.is_named(workspace)
    found = agreements.standings(place, recipients, named=named, settings=set_ or ())
    fresh = [one.recipient for one in found if not one.reason]
    if fresh and not list_:
        agreements.remember_agreements(place, fresh)
        found = agreements.standings(place, recipients, named=named, settings=set_ or ())
    if json_:
        print_json([{**asdict(one.recipient), "reason": one.reason} for one in found])
        return
    for one in found:
        output.print_line(f"{one.recipient.shown}: {one.reason or 'nobody agreed to that; weakspot trust'}")
