"""The commands that run a server: gateway, mcp, ui."""

import sys
from typing import Annotated

import typer

from weakspot.cli import output
from weakspot.cli.options import JsonOption, SetOption, WorkspaceOption, open_workspace, require_agreements
from weakspot.config import Config
from zddc import console
from zddc.addresses import hide_password


def _with_options(set_: list[str] | None, **options: str | None) -> list[str]:
    """Return the settings of --set, followed by those of options such as --listen."""
    return [*(set_ or ()), *(f"gateway.{name}={value}" for name, value in options.items() if value is not None)]


def gateway(
    upstream: Annotated[
        str | None, typer.Option(help="The local model's server; default is [gateway] upstream.")
    ] = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT for clients; default is [gateway] listen.")] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Run the proxy in front of the local model.

    It recognises consultations, has a teacher answer them, and stores them.
    """
    import asyncio

    from weakspot.gateway import app
    from weakspot.trust.recipients import gateway_recipients

    settings = _with_options(set_, upstream=upstream, listen=listen)
    place, config = open_workspace(workspace, settings)
    require_agreements(place, workspace, settings, gateway_recipients(config))
    console.log_to_stderr("weakspot")
    asyncio.run(app.serve(place, config, lambda address: _print_address(address, config, json_)))


def _print_address(address: str, config: Config, json_: bool) -> None:
    if json_:
        console.print_json({"listening": address, "upstream": hide_password(config.gateway.upstream)})
    else:
        output.print_gateway(address, config)
    sys.stdout.flush()  # a program that reads the pipe waits for the address


def mcp(
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve streamable HTTP at this address instead of stdio.")
    ] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
) -> None:
    """Run the MCP server, by whose tools an agent consults a teacher.

    Each consultation is stored.
    """
    from weakspot import mcp_server
    from weakspot.trust.recipients import teacher_recipients

    place, config = open_workspace(workspace, set_)
    require_agreements(place, workspace, set_, teacher_recipients(config))
    console.log_to_stderr("weakspot")
    if http is None:
        mcp_server.serve_stdio(place, config)
    else:
        mcp_server.serve_http(place, config, http)


def ui(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Address of the pages.")] = "127.0.0.1:8789",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open them in the browser.")] = True,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines connect, without encryption.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Run the web pages for reviewing what was captured.

    They also show adapters and releases.
    """
    import asyncio

    from weakspot.ui import server

    place, config = open_workspace(workspace, set_)
    console.log_to_stderr("weakspot")

    def listening(address: str) -> None:
        console.print_json({"listening": address}) if json_ else output.print_line(f"open {address}")
        sys.stdout.flush()
        if open_ and sys.stdout.isatty():
            server.open_in_browser(address)

    asyncio.run(server.serve(place, config, listen, listening, allow_remote=allow_remote))
