"""The command line: it parses, calls a stage and prints; all logic is elsewhere.

Reading order: ``options`` (shared by the commands), one module for each group of commands, ``output``,
``output_capture`` and ``output_analytics`` (what they print).
"""

import os
import sys

import typer

from weakspot.cli import analytics, capture, curate, deploy, keys, pipeline, servers
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


# The order of the help: that in which a newcomer needs the commands.
for command in (
    pipeline.init,
    capture.collect,
    servers.gateway,
    servers.mcp,
    servers.ui,
    keys.keys,
    curate.allow,
    curate.scrub,
    curate.forget,
    curate.trust,
    pipeline.process,
    pipeline.validate,
    pipeline.quantize,
    pipeline.train,
    pipeline.evaluate,
    deploy.deploy,
    deploy.releases,
    deploy.rollback,
    pipeline.ask,
    pipeline.status,
    pipeline.doctor,
    pipeline.run,
    deploy.watch,
    analytics.economics,
    analytics.replay,
    analytics.trace,
):
    app.command()(command)


def main() -> None:
    """Run the ``weakspot`` command."""
    status = console.run(app, "weakspot")
    if os.environ.get("WORLD_SIZE", "1") != "1":  # a process of a group
        # At times a thread of gloo aborts Python's own way out (pytorch#190489), and torchrun calls that a failure.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
