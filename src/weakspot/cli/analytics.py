"""The commands that analyse past use: economics, replay, trace."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from weakspot.analytics.usage import Period
from weakspot.cli import output_analytics as show
from weakspot.cli.options import (
    DomainArgument,
    JsonOption,
    SetOption,
    WorkspaceOption,
    load_text,
    open_workspace,
    require_agreements,
)
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import AdapterName
from zddc.console import print_json
from zddc.errors import UserError

AdapterOption = Annotated[str | None, typer.Option(metavar="NAME", help="The adapter, for example colours-lora-v2.")]


def _parse_adapter_option(name: str | None) -> AdapterName | None:
    try:
        return AdapterName.parse(name) if name else None
    except ValueError:
        raise UserError(f"--adapter {name}", "not an adapter's name", "write it as colours-lora-v2") from None


def economics(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Count from this day on, in UTC.")
    ] = None,
    period: Annotated[Period, typer.Option(help="Length of the periods of the table.")] = "week",
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw a chart into this SVG file.")] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Show how often the expert was needed, and what it cost.

    Also what each release changed.
    """
    from pydantic_core import to_jsonable_python

    from weakspot.analytics import savings as noun
    from weakspot.storage import atomic
    from weakspot.ui import savings_chart

    place, config = open_workspace(workspace, set_)
    found = noun.economics(place, config, since=since.date() if since else None, period=period)
    if chart is not None:
        atomic.write_atomically(chart, savings_chart.chart(found).encode())
    print_json(to_jsonable_python(found)) if json_ else show.print_economics(found, chart)


def replay(
    domain: DomainArgument = None,
    adapter: AdapterOption = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="TEACHER",
            help="A teacher that judges where the answers cannot be compared exactly; without one, by likelihood.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most this many; unseen and newer ones first.")
    ] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Ask an adapter past escalations again.

    It is counted how many would no longer need the expert.
    """
    from pydantic_core import to_jsonable_python

    from weakspot.capture.trigger_phrases import find_teacher
    from weakspot.evaluation import replay as noun
    from weakspot.trust.recipients import teacher_recipients

    place, config = open_workspace(workspace, set_)
    if judge and (teacher := find_teacher(config, judge)):
        require_agreements(place, workspace, set_, teacher_recipients(config, [teacher]))
    name = _parse_adapter_option(adapter)
    of = domain or (name.domain if name else MULTI_DOMAIN)
    done = noun.replay(place, config, of, adapter=name, judge=judge, limit=limit)
    print_json(to_jsonable_python(done)) if json_ else show.print_replay(done)


def trace(
    asked: Annotated[
        str,
        typer.Argument(metavar="ASKED", help="A text (or @file, or -), an adapter, a release, or an interaction's id."),
    ],
    domain: Annotated[str | None, typer.Option(help="The text's domain; detected from its words if not given.")] = None,
    adapter: AdapterOption = None,
    release: Annotated[int | None, typer.Option(metavar="N", help="The release whose adapter is meant.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many interactions to show.")] = 5,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Show which interactions taught an answer.

    For the id of an interaction, show where it is used.
    """
    from pydantic_core import to_jsonable_python

    from weakspot.analytics import lineage as noun

    place, config = open_workspace(workspace, set_)
    text, name = load_text("ASKED", asked), _parse_adapter_option(adapter)
    found = noun.trace(place, config, text, domain=domain, adapter=name, release=release, limit=limit)
    if json_:
        print_json(to_jsonable_python(found))
    elif isinstance(found, noun.Trace):
        show.print_trace(found)
    else:
        show.print_interaction_lineage(found)
