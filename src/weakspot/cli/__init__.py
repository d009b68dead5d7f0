"""The command line: it parses, calls a stage and prints; there is no logic here."""

import sys

import typer

from weakspot.cli import capture, decisions, pipeline, savings, servers, service
from zddc import console

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def weakspot(_version: console.VersionOption = False) -> None:
    """Turn expert consultations into LoRA adapters that patch a local model's weak spots."""


# In the order in which a newcomer needs them, which is that of the help.
for command in (
    pipeline.init,
    capture.collect,
    servers.gateway,
    servers.mcp,
    servers.ui,
    decisions.allow,
    decisions.scrub,
    decisions.forget,
    pipeline.process,
    pipeline.validate,
    pipeline.train,
    pipeline.evaluate,
    service.deploy,
    service.releases,
    service.rollback,
    pipeline.ask,
    pipeline.status,
    pipeline.run,
    service.watch,
    savings.economics,
    savings.replay,
    savings.trace,
):
    app.command()(command)


def main() -> None:
    """Run the ``weakspot`` command."""
    sys.exit(console.run(app, "weakspot"))
