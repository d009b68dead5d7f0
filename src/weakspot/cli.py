"""The command line: it parses, calls a stage and prints; there is no logic here."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from weakspot import config as configuration
from weakspot import show
from weakspot import workspace as workspaces
from weakspot.config import Config
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import Workspace
from zddc import console
from zddc.console import print_json
from zddc.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", help="The workspace; else WEAKSPOT_WORKSPACE, the nearest weakspot.toml, ./training-data."
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Override a setting, for this run.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DomainArgument = Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="A domain; none is multi-domain.")]


def _open(workspace: Path | None, settings: list[str] | None) -> tuple[Workspace, Config]:
    found = workspaces.find(workspace)
    return found, configuration.load(found.config_file, settings or ())


def _text(option: str, value: str) -> str:
    """Return the text an option stands for: itself, the content of ``@file``, or standard input for ``-``."""
    try:
        if value == "-":
            return sys.stdin.read()
        if value.startswith("@"):
            return Path(value[1:]).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{option} {value}", f"not UTF-8 at byte {error.start}", "save the text as UTF-8") from None
    return value


@app.callback()
def weakspot(_version: console.VersionOption = False) -> None:
    """Turn expert consultations into LoRA adapters that patch a local model's weak spots."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The workspace to make.")] = Path(
        workspaces.DEFAULT_FOLDER
    ),
    json_: JsonOption = False,
) -> None:
    """Make a workspace: a folder with a commented weakspot.toml."""
    from weakspot.data import store

    workspace = Workspace(folder)
    if workspace.config_file.exists():
        raise UserError(workspace.config_file, "is there already", "edit it, or give another folder")
    store.write_atomically(workspace.config_file, configuration.commented().encode())
    if json_:
        print_json({"config": str(workspace.config_file)})
    else:
        show.line(f"wrote {workspace.config_file}")


@app.command()
def collect(
    query: Annotated[
        str | None, typer.Option(help="The question; any text may be @file or - for standard input.")
    ] = None,
    local: Annotated[str | None, typer.Option("--local", "--qwen", help="The local model's answer.")] = None,
    expert: Annotated[str | None, typer.Option(help="The stronger model's answer.")] = None,
    domain: Annotated[str | None, typer.Option(help="The domain; detected from the texts otherwise.")] = None,
    escalation: Annotated[str | None, typer.Option(help='What was said to consult, as "consult Opus".')] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help='Import JSONL: the raw format, or {"query","local","expert"[,"domain"]}.'
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Capture one consultation, or import a file of them."""
    from weakspot.stages import collect as stage

    place, config = _open(workspace, set_)
    texts = {"--query": query, "--local": local, "--expert": expert}
    if from_ is not None:
        _import(place, config, from_, {**texts, "--domain": domain, "--escalation": escalation}, json_)
        return
    missing = [name for name, value in texts.items() if value is None]
    if missing:
        raise UserError("collect", f"{', '.join(missing)} missing", "give all three texts, or --from FILE")
    if list(texts.values()).count("-") > 1:
        raise UserError("collect", "standard input can be only one of the texts", "give the others as @file")
    given = {name: _text(name, value) for name, value in texts.items() if value is not None}
    found = stage.collect(
        place,
        config,
        query=given["--query"],
        local=given["--local"],
        expert=given["--expert"],
        domain=domain,
        escalation=escalation,
    )
    if json_:
        keys = {"domain", "timestamp", "interaction_id"}
        metadata = found.interaction.metadata.model_dump(include=keys)
        print_json({**metadata, "adapter": found.adapter, "file": str(found.file), "hits": found.hits})
    else:
        show.collected(found)


def _import(place: Workspace, config: Config, source: Path, given: dict[str, str | None], json_: bool) -> None:
    from dataclasses import asdict

    from weakspot.stages import collect as stage

    extra = [name for name, value in given.items() if value is not None]
    if extra:
        raise UserError("collect", f"--from does not go with {', '.join(extra)}", "give one or the other")
    done = stage.import_file(place, config, source)
    if json_:
        print_json({**asdict(done), "file": str(done.file)})
    else:
        show.imported(done)
    show.bad_lines(done, source)
    if done.bad:
        raise typer.Exit(1)


@app.command()
def process(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Check, deduplicate, group and split the raw interactions, and snapshot the dataset."""
    from dataclasses import asdict

    from weakspot.stages import process as stage

    place, config = _open(workspace, set_)
    done = stage.process(place, config)
    print_json(asdict(done)) if json_ else show.processed(done)


@app.command()
def validate(
    domain: Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="A domain; none is all of them.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Check every file of the workspace, and whether the dataset is fit to train on."""
    from dataclasses import asdict

    from weakspot.stages import validate as stage

    place, config = _open(workspace, set_)
    report = stage.validate(place, config, domain)
    print_json(asdict(report)) if json_ else show.report(report)
    if report.verdict == "failures" or (strict and report.verdict == "warnings"):
        raise typer.Exit(1)


@app.command()
def train(
    domain: DomainArgument = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the preflight; load no weights.")] = False,
    load_in_4bit: Annotated[
        bool, typer.Option("--load-in-4bit", help="QLoRA: the base in NF4, on a CUDA GPU.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Train the next LoRA adapter of a domain, or go on with an unfinished one."""
    from dataclasses import asdict

    from weakspot.stages import train as stage

    place, config = _open(workspace, [*(set_ or ()), *(["train.load_in_4bit=true"] if load_in_4bit else ())])
    if dry_run:
        plan = stage.preflight(place, config, domain or MULTI_DOMAIN)
        print_json(asdict(plan)) if json_ else show.preflight(plan)
        return
    manifest = stage.train(place, config, domain or MULTI_DOMAIN, (lambda _: None) if json_ else show.preflight)
    print_json(manifest.model_dump()) if json_ else show.trained(manifest)


@app.command()
def evaluate(
    domain: DomainArgument = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Prove the newest adapter of a domain on the test split: accept, reject, or not enough evidence."""
    from weakspot.stages import evaluate as stage

    place, config = _open(workspace, set_)
    name = place.require_adapter(domain or MULTI_DOMAIN)
    card = stage.evaluate(place, config, domain or MULTI_DOMAIN)
    if json_:
        print_json({**card.model_dump(exclude={"rows"}), "report": str(place.evaluation_page(name))})
    else:
        show.scorecard(card, place.evaluation_page(name))


@app.command()
def deploy(
    domain: DomainArgument = None,
    allow_unproven: Annotated[
        bool, typer.Option("--allow-unproven", help="Also without an accept; never after a reject.")
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Merge a proved adapter into its base as a standalone model, and prove that it answers alike."""
    from weakspot.stages import deploy as stage

    place, config = _open(workspace, set_)
    name = place.require_adapter(domain or MULTI_DOMAIN)
    done = stage.deploy(place, config, domain or MULTI_DOMAIN, allow_unproven=allow_unproven)
    if json_:
        print_json({**done.model_dump(), "folder": str(place.merged(name))})
    else:
        show.merged(done, place.merged(name))


@app.command()
def ask(
    question: Annotated[
        list[str] | None, typer.Argument(metavar="[QUESTION]...", help="A text, @file, or - for one a line.")
    ] = None,
    domain: Annotated[str | None, typer.Option(help="Ask the newest adapter of this domain on the base.")] = None,
    merged: Annotated[bool, typer.Option("--merged", help="Ask the merged model instead; needs --domain.")] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Ask the local model, or with --domain the adapter, or with --merged the merged model."""
    from weakspot import ask as asking

    place, config = _open(workspace, set_)
    if not question:
        raise UserError("ask", "no question", "give one, or - to read one a line")
    if merged and domain is None:
        raise UserError("--merged", "of which domain?", "give --domain")
    texts = [
        text
        for one in question
        for text in (sys.stdin.read().splitlines() if one == "-" else [_text("QUESTION", one)])
        if text.strip()
    ]
    name = place.require_adapter(domain) if domain else None
    for text, answer in zip(texts, asking.ask(place, config, texts, name, merged=merged), strict=True):
        print_json({"question": text, "answer": answer}) if json_ else show.line(answer)


@app.command()
def status(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Show each domain: examples, new ones, splits, last verdict, and whether retraining is due."""
    from dataclasses import asdict

    from weakspot import status as noun

    place, config = _open(workspace, set_)
    found = noun.status(place, config)
    print_json(asdict(found)) if json_ else show.status(found)


@app.command()
def run(
    domain: DomainArgument = None,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Run every stage that is due, in order; an adapter that is not accepted is not deployed."""
    from dataclasses import asdict

    from weakspot import run as noun

    place, config = _open(workspace, set_)
    for step in noun.run(place, config, domain):
        print_json(asdict(step)) if json_ else show.step(step)


def main() -> None:
    """Run the ``weakspot`` command."""
    sys.exit(console.run(app, "weakspot"))
