"""The command for the keys of named clients: keys."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from weakspot.cli import output
from weakspot.cli.options import JsonOption, SetOption, WorkspaceOption, open_workspace
from zddc.console import print_json
from zddc.errors import UserError


def keys(
    action: Annotated[
        Literal["client", "remove"] | None,
        typer.Argument(
            metavar="[client|remove]", help="client: make a key; remove: accept it no more; without either, list them."
        ),
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The client's name.")] = None,
    budget_usd_per_day: Annotated[
        float | None, typer.Option(metavar="X", help="With client: US dollars in any 24 hours that it may spend.")
    ] = None,
    consultations_per_hour: Annotated[
        int | None, typer.Option(metavar="N", help="With client: consultations in any hour that it may make.")
    ] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Give clients of gateway and MCP server names, keys and budgets of their own.

    A key is shown once, when it is made. Servers that run see at once what is made and removed.
    """
    from weakspot.access import client_keys
    from weakspot.pipeline import status

    place, config = open_workspace(workspace, set_)
    allowed = config.collect.allow_network_filesystem
    if action != "client" and (budget_usd_per_day, consultations_per_hour) != (None, None):
        raise UserError("keys", "a limit is for a new key", "write weakspot keys client NAME with it")
    if action is None:
        found = status.client_budgets(place)
        print_json([asdict(one) for one in found]) if json_ else output.print_clients(found)
    elif name is None:
        raise UserError(f"keys {action}", "no name", f"write weakspot keys {action} NAME")
    elif action == "remove":
        client_keys.remove_client(place.clients, name, allow_network=allowed)
        print_json({"removed": name}) if json_ else output.print_line(f"removed the key of {name}")
    else:
        limits = (budget_usd_per_day, consultations_per_hour)
        key = client_keys.add_client(place.clients, name, *limits, allow_network=allowed)
        print_json({"client": name, "key": key}) if json_ else output.print_client_key(name, key)
