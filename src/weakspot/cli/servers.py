"""The commands that stay: the gateway in front of the local model, the MCP server, and the pages."""

import sys
from typing import Annotated

import typer

from weakspot.cli import output
from weakspot.cli.options import JsonOption, SetOption, WorkspaceOption, open_workspace
from weakspot.config import Config
from zddc import console


def _given(set_: list[str] | None, **options: str | None) -> list[str]:
    """Return the settings that options of their own stand for, behind those of --set."""
    return [*(set_ or ()), *(f"gateway.{name}={value}" for name, value in options.items() if value is not None)]


def gateway(
    upstream: Annotated[str | None, typer.Option(help="The local model's server; [gateway] upstream.")] = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT for clients; [gateway] listen.")] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Run the proxy in front of the local model that recognises consultations and keeps them."""
    import asyncio

    from weakspot.gateway import app

    place, config = open_workspace(workspace, _given(set_, upstream=upstream, listen=listen))
    console.log_to_stderr("weakspot")
    asyncio.run(app.serve(place, config, lambda address: _say_where(address, config, json_)))


def _say_where(address: str, config: Config, json_: bool) -> None:
    if json_:
        console.print_json({"listening": address, "upstream": config.gateway.upstream})
    else:
        output.gateway(address, config)
    sys.stdout.flush()  # who reads a pipe waits for the address


def mcp(
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve streamable HTTP there instead of stdio.")
    ] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
) -> None:
    """Run the MCP server: an agent consults the expert, and captures, by a tool call."""
    from weakspot import mcp_server

    place, config = open_workspace(workspace, set_)
    console.log_to_stderr("weakspot")
    if http is None:
        mcp_server.serve_stdio(place, config)
    else:
        mcp_server.serve_http(place, config, http)


def ui(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the browser finds the pages.")] = (
        "127.0.0.1:8789"
    ),
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open them in the browser.")] = True,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen where other machines can connect, unencrypted.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Run the local web page on which interactions are reviewed, and adapters and releases looked at."""
    import asyncio

    from weakspot.ui import server

    place, config = open_workspace(workspace, set_)
    console.log_to_stderr("weakspot")

    def listening(address: str) -> None:
        console.print_json({"listening": address}) if json_ else output.line(f"open {address}")
        sys.stdout.flush()
        if open_ and sys.stdout.isatty():
            server.open_in_browser(address)

    asyncio.run(server.serve(place, config, listen, listening, allow_remote=allow_remote))
