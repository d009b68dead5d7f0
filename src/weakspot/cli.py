"""The command line: it parses, calls a stage and prints; there is no logic here."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from weakspot import config as configuration
from weakspot import workspace as workspaces
from weakspot.config import Config
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import Workspace
from zddc import console
from zddc.console import out, print_json
from zddc.errors import UserError

app = typer.Typer(
    name="weakspot",
    help="Turn expert consultations into LoRA adapters that patch a local model's weak spots.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="The workspace; else WEAKSPOT_WORKSPACE, the nearest weakspot.toml, ./training-data."),
]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Override a setting, for this run.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DomainArgument = Annotated[str | None, typer.Argument(metavar="[DOMAIN]", help="A domain; none is multi-domain.")]


def _open(workspace: Path | None, settings: list[str] | None) -> tuple[Workspace, Config]:
    found = workspaces.find(workspace)
    return found, configuration.load(found.config_file, settings or ())


def _text(option: str, value: str) -> str:
    """Return the text an option stands for: itself, the content of ``@file``, or standard input for ``-``."""
    if value == "-":
        return sys.stdin.read()
    if value.startswith("@"):
        file = Path(value[1:])
        try:
            return file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{option} {value}", f"not UTF-8 at byte {error.start}", "save the file as UTF-8") from None
    return value


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The workspace to make.")] = Path(workspaces.DEFAULT_FOLDER),
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
        out.print(f"wrote {workspace.config_file}", markup=False)


@app.command()
def collect(
    query: Annotated[str | None, typer.Option(help="The question; any text may be @file or - for standard input.")] = None,
    local: Annotated[str | None, typer.Option("--local", "--qwen", help="The local model's answer.")] = None,
    expert: Annotated[str | None, typer.Option(help="The stronger model's answer.")] = None,
    domain: Annotated[str | None, typer.Option(help="The domain; detected from the texts otherwise.")] = None,
    escalation: Annotated[str | None, typer.Option(help='What was said to consult, as "consult Opus".')] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help='Import JSONL: the raw format, or {"query","local","expert"[,"domain"]}.'),
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
        extra = [name for name, value in {**texts, "--domain": domain, "--escalation": escalation}.items() if value is not None]
        if extra:
            raise UserError("collect", f"--from does not go with {', '.join(extra)}", "give one or the other")
        _print_import(stage.import_file(place, config, from_), from_, json_)
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
    metadata = found.interaction.metadata
    shown: dict[str, Any] = {
        "domain": metadata.domain,
        "adapter": found.adapter,
        "interaction_id": metadata.interaction_id,
        "timestamp": metadata.timestamp,
        "file": str(found.file),
    }
    if json_:
        print_json({**shown, "hits": found.hits})
        return
    for key, value in shown.items():
        out.print(f"{key:15}{value}", markup=False)


def _print_import(done: Any, source: Path, json_: bool) -> None:
    if json_:
        bad = [{"line": line.number, "reason": line.reason, "detail": line.detail} for line in done.bad]
        print_json({"added": done.added, "already_there": done.already_there, "bad": bad, "file": str(done.file)})
    else:
        out.print(f"added {done.added}, already there {done.already_there}, bad {len(done.bad)}: {done.file}", markup=False)
    for line in done.bad:
        console.err.print(f"{source}:{line.number}: {line.reason}: {line.detail}; mend the line and import again", markup=False)
    if done.bad:
        raise typer.Exit(1)


@app.command()
def process(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Check, deduplicate, group and split the raw interactions, and snapshot the dataset."""
    from dataclasses import asdict

    from weakspot.stages import process as stage

    place, config = _open(workspace, set_)
    done = stage.process(place, config)
    if json_:
        print_json(asdict(done))
        return
    if not done.changed:
        out.print(f"nothing changed since snapshot {done.snapshot}", markup=False)
    table = Table("domain", "train", "val", "test", "all")
    for domain, splits in done.domains.items():
        table.add_row(domain, *(str(count) for count in splits.values()), str(sum(splits.values())))
    out.print(table)
    left_out = ", ".join(f"{count} {reason}" for reason, count in done.rejections.items()) or "none"
    out.print(f"{done.raw_lines} raw lines: {done.examples} examples, left out: {left_out}", markup=False)
    out.print(f"snapshot {done.snapshot}", markup=False)


@app.command()
def train(
    domain: DomainArgument = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the preflight; load no weights.")] = False,
    load_in_4bit: Annotated[bool, typer.Option("--load-in-4bit", help="QLoRA: the base in NF4, on a CUDA GPU.")] = False,
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
        print_json(asdict(plan)) if json_ else _print_preflight(plan)
        return
    manifest = stage.train(place, config, domain or MULTI_DOMAIN, _silent if json_ else _print_preflight)
    if json_:
        print_json(manifest.model_dump())
        return
    val = "" if manifest.val_loss is None else f", val loss {manifest.val_loss:.3f}"
    out.print(f"{manifest.name}: {manifest.steps} steps in {manifest.seconds} s, best at {manifest.best_step}{val}", markup=False)
    out.print(f"next: weakspot evaluate {manifest.domain}", markup=False)


def _silent(_: Any) -> None:
    pass


def _print_preflight(plan: Any) -> None:
    giga = 1 / 1e9
    rows = {
        "adapter": f"{plan.adapter} on {plan.base}, {plan.device}, {plan.precision}",
        "examples": f"{plan.examples} train, {plan.val_examples} val, {len(plan.left_out)} left out",
        "tokens": f"{plan.tokens:,}, {plan.supervised_share:.0%} under loss; {plan.shortened} without oldest turns, {plan.cut} cut",
        "steps": str(plan.steps),
        "layers": f"{plan.layers_touched} of {plan.layers}: {', '.join(plan.modules)}; {plan.trainable:,} parameters trained",
        "memory": f"about {plan.memory_needed_bytes * giga:.1f} GB of {plan.memory_available_bytes * giga:.1f} GB",
    }
    for key, value in rows.items():
        out.print(f"{key:10}{value}", markup=False)
    for identity, reason in plan.left_out.items():
        out.print(f"left out  {identity}: {reason}", markup=False)
    if plan.memory_needed_bytes > plan.memory_available_bytes:
        console.err.print("memory: this may not fit; lower [train] batch_size or max_length", markup=False)
    shown = Text("the tokens under loss, in one example:\n").append(plan.sample_prompt, "dim").append(plan.sample_target, "bold green")
    out.print(shown if out.is_terminal else f"one example: {plan.sample_prompt}>>>{plan.sample_target}<<<", markup=False)


def main() -> None:
    """Run the ``weakspot`` command."""
    sys.exit(console.run(app, "weakspot"))
