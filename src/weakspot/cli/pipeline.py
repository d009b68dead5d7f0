"""The commands of the pipeline: init, process, validate, train, evaluate, ask, status, doctor, run."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from weakspot import api
from weakspot import config as configuration
from weakspot import workspace as workspaces
from weakspot.cli import output
from weakspot.cli.options import (
    DomainArgument,
    JsonOption,
    SetOption,
    WorkspaceOption,
    find_workspace,
    load_text,
    open_workspace,
    require_agreements,
)
from weakspot.records import MULTI_DOMAIN
from weakspot.trust.recipients import deployment_recipients, training_recipients
from weakspot.workspace import AdapterName, Workspace
from zddc.console import print_json
from zddc.errors import UserError


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The workspace to make.")] = Path(
        workspaces.DEFAULT_FOLDER
    ),
    json_: JsonOption = False,
) -> None:
    """Make a workspace: a folder with a commented weakspot.toml."""
    from weakspot.storage import atomic

    workspace = Workspace(folder)
    if workspace.config_file.exists():
        raise UserError(workspace.config_file, "is there already", "edit it, or give another folder")
    atomic.write_atomically(workspace.config_file, configuration.format_default_toml().encode())
    if json_:
        print_json({"config": str(workspace.config_file)})
    else:
        output.print_line(f"wrote {workspace.config_file}")
        output.print_line("next: weakspot collect, or weakspot gateway in front of your model")


def process(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Make the dataset from the raw interactions.

    They are checked, deduplicated, grouped and split, and a snapshot of the dataset is made.
    """
    from dataclasses import asdict

    done = api.process(find_workspace(workspace), settings=set_ or ())
    print_json(asdict(done)) if json_ else output.print_dataset(done)


def validate(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="A domain; without one, all.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Read every byte of the adapters' bases, too.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Check every file, and whether the dataset is fit to train on."""
    from dataclasses import asdict

    report = api.validate(find_workspace(workspace), domain, full=full, settings=set_ or ())
    print_json(asdict(report)) if json_ else output.print_report(report)
    if report.verdict == "failures" or (strict and report.verdict == "warnings"):
        raise typer.Exit(1)


def train(
    domains: Annotated[
        list[str] | None, typer.Argument(metavar="[DOMAIN]...", help="The domains; without any, multi-domain.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every domain that is due or was never trained, and multi-domain.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the preflight; load no weights.")] = False,
    on: Annotated[
        str, typer.Option(metavar="MEMORY", help="With --dry-run: plan for a GPU of this size, such as 24GB.")
    ] = "",
    experts: Annotated[
        Literal["nvfp4"] | None, typer.Option(help="With --dry-run: plan for the base that 'weakspot quantize' makes.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Try several learning rates and ranks; keep the best on val.")
    ] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="ray: distribute the domains over a Ray cluster.")
    ] = "local",
    load_in_4bit: Annotated[
        bool, typer.Option("--load-in-4bit", "--load_in_4bit", help="QLoRA: the base in NF4.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Train the next adapter of each domain, all in one pass.

    Unfinished trainings are resumed.
    """
    from dataclasses import asdict

    from weakspot.training.distributed import join_process_group

    with join_process_group() as ranks:
        place = find_workspace(workspace)
        for name, given in (("--on", on), ("--experts", experts)):
            if given and not dry_run:
                raise UserError(name, "is for a plan only", "give --dry-run with it")
        how = api.TrainingArguments(
            all_due=all_,
            sweep=sweep,
            engine=engine,
            ranks=ranks,
            settings=[*(set_ or ()), *(["train.load_in_4bit=true"] if load_in_4bit else ())],
        )
        if dry_run:
            plan = api.plan_training(place, *domains or (), memory=on, nvfp4_experts=experts is not None, **how)
            print_json(asdict(plan)) if json_ else output.print_preflight(plan)
            return
        announce = (lambda _: None) if json_ else output.print_preflight
        for manifest in api.train(place, *domains or (), announce=announce, **how):
            print_json(manifest.model_dump()) if json_ else output.print_adapter(manifest)


def quantize(
    base: Annotated[str, typer.Argument(metavar="BASE", help="A folder or a hub id.")],
    experts: Annotated[Literal["nvfp4"], typer.Option(help="The format of the routed experts.")] = "nvfp4",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The copy's folder; default is the base's name and -nvfp4.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Copy a base with its routed experts in 4 bits, to train and serve it on one GPU.

    It needs no data and no GPU. Everything that an adapter may touch keeps its precision.
    """
    done = api.quantize(base, out)
    if json_:
        print_json({"folder": str(done.folder), "experts_bytes": done.experts_bytes, "rest_bytes": done.rest_bytes})
    else:
        output.print_quantised(done, experts)


def evaluate(
    domain: DomainArgument = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Evaluate a domain's newest adapter on its test examples.

    The verdict is accept, reject, or not enough evidence.
    """
    place = find_workspace(workspace)
    card = api.evaluate(place, domain or MULTI_DOMAIN, settings=set_ or ())
    name = AdapterName.parse(card.adapter)
    if json_:
        print_json({**card.model_dump(exclude={"rows"}), "report": str(place.evaluation_page(name))})
    else:
        output.print_scorecard(card, place.evaluation_page(name))


def ask(
    question: Annotated[
        list[str] | None, typer.Argument(metavar="[QUESTION]...", help="A text, @file, or - for one per line.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Ask the newest adapter of this domain instead of the base.")
    ] = None,
    merged: Annotated[bool, typer.Option("--merged", help="With --domain: ask its merged model instead.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Ask the local model, an adapter, or a merged model."""
    from weakspot.pipeline import ask as asking

    place, config = open_workspace(workspace, set_)
    if not question:
        raise UserError("ask", "no question", "give one, or - to read one per line")
    if merged and domain is None:
        raise UserError("--merged", "needs a domain", "give --domain")
    texts = [
        text
        for one in question
        for text in (sys.stdin.read().splitlines() if one == "-" else [load_text("QUESTION", one)])
        if text.strip()
    ]
    name = place.require_adapter(domain) if domain else None
    for text, answer in zip(texts, asking.ask(place, config, texts, name, merged=merged), strict=True):
        print_json({"question": text, "answer": answer}) if json_ else output.print_line(answer)


def status(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Show each domain, and whether it is due for training.

    Also what waits for a person: permissions, and consultations that are not fit to train on.
    """
    from dataclasses import asdict

    found = api.status(find_workspace(workspace), settings=set_ or ())
    print_json(asdict(found)) if json_ else output.print_status(found)


def doctor(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Show what is trusted and why not, and what else may keep the pipeline from working.

    Each line is ok, a note or a problem, with what to do next. Nothing is changed, and no secret is shown.
    """
    from dataclasses import asdict

    from weakspot.pipeline.doctor import diagnose

    found = diagnose(workspace, set_ or ())
    problems = sum(one.level == "problem" for one in found)
    print_json({"problems": problems, "findings": [asdict(one) for one in found]}) if json_ else (
        output.print_diagnosis(found)
    )
    if problems:
        raise typer.Exit(1)


def run(
    domain: Annotated[
        str | None,
        typer.Argument(
            metavar="[DOMAIN]",
            help="Only this domain, also if it was never trained; without one, every domain that is due.",
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Run every stage that is due, in order.

    An adapter that is not accepted is not deployed.
    """
    from dataclasses import asdict

    from weakspot.pipeline import run as noun

    place, config = open_workspace(workspace, set_)
    require_agreements(place, workspace, set_, [*deployment_recipients(config), *training_recipients(config)])
    for step in noun.run(place, config, domain):
        print_json(asdict(step)) if json_ else output.print_step(step)
