"""The command line: it parses, calls a stage and prints; there is no logic here."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from weakspot import config as configuration
from weakspot import workspace as workspaces
from weakspot.config import Config
from weakspot.records import MULTI_DOMAIN
from weakspot.workspace import Workspace
from zddc import console
from zddc.console import out, print_json
from zddc.errors import UserError

if TYPE_CHECKING:
    from weakspot.stages.collect import Imported
    from weakspot.stages.train import Preflight

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
        out.print(f"wrote {workspace.config_file}", markup=False)


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
        extra = [
            name
            for name, value in {**texts, "--domain": domain, "--escalation": escalation}.items()
            if value is not None
        ]
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


def _print_import(done: "Imported", source: Path, json_: bool) -> None:
    if json_:
        bad = [{"line": line.number, "reason": line.reason, "detail": line.detail} for line in done.bad]
        print_json({"added": done.added, "already_there": done.already_there, "bad": bad, "file": str(done.file)})
    else:
        out.print(
            f"added {done.added}, already there {done.already_there}, bad {len(done.bad)}: {done.file}", markup=False
        )
    for line in done.bad:
        console.err.print(
            f"{source}:{line.number}: {line.reason}: {line.detail}; mend the line and import again", markup=False
        )
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
    table = console.table("domain", "train", "val", "test", "all")
    for domain, splits in done.domains.items():
        table.add_row(domain, *(str(count) for count in splits.values()), str(sum(splits.values())))
    out.print(table)
    left_out = ", ".join(f"{count} {reason}" for reason, count in done.rejections.items()) or "none"
    out.print(f"{done.raw_lines} raw lines: {done.examples} examples, left out: {left_out}", markup=False)
    out.print(f"snapshot {done.snapshot}", markup=False)


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
    if json_:
        print_json(asdict(report))
    else:
        _print_report(report)
    if report.verdict == "failures" or (strict and report.verdict == "warnings"):
        raise typer.Exit(1)


def _print_report(report: Any) -> None:
    colours = {"pass": "green", "warning": "yellow", "failure": "bold red"}
    table = console.table("check", "", "finding")
    for finding in report.findings:
        detail = f"{finding.place}: {finding.detail}" if finding.place else finding.detail
        table.add_row(finding.check, Text(finding.level, colours[finding.level]), Text(detail))
    out.print(table)
    counts = report.counts
    splits = [sum(domain[split] for domain in counts.domains.values()) for split in ("train", "val", "test")]
    shown = "{} raw lines, {} examples ({} train, {} val, {} test), {} rejections".format(
        counts.raw_lines, counts.examples, *splits, counts.rejections
    )
    out.print(shown, markup=False)
    out.print(report.verdict, markup=False)


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
        print_json(asdict(plan)) if json_ else _print_preflight(plan)
        return
    manifest = stage.train(place, config, domain or MULTI_DOMAIN, _silent if json_ else _print_preflight)
    if json_:
        print_json(manifest.model_dump())
        return
    val = "" if manifest.val_loss is None else f", val loss {manifest.val_loss:.3f}"
    out.print(
        f"{manifest.name}: {manifest.steps} steps in {manifest.seconds} s, best at {manifest.best_step}{val}",
        markup=False,
    )
    out.print(f"next: weakspot evaluate {manifest.domain}", markup=False)


def _silent(_: "Preflight") -> None:
    pass


def _print_preflight(plan: "Preflight") -> None:
    giga = 1 / 1e9
    rows = {
        "adapter": f"{plan.adapter} on {plan.base}, {plan.device}, {plan.precision}",
        "examples": f"{plan.examples} train, {plan.val_examples} val, {len(plan.left_out)} left out",
        "tokens": f"{plan.tokens:,}, {plan.supervised_share:.0%} under loss; "
        f"{plan.shortened} without oldest turns, {plan.cut} cut",
        "steps": str(plan.steps),
        "layers": f"{plan.layers_touched} of {plan.layers}: {', '.join(plan.modules)}; "
        f"{plan.trainable:,} parameters trained",
        "memory": f"about {plan.memory_needed_bytes * giga:.1f} GB of {plan.memory_available_bytes * giga:.1f} GB",
    }
    for key, value in rows.items():
        out.print(f"{key:10}{value}", markup=False)
    for identity, reason in plan.left_out.items():
        out.print(f"left out  {identity}: {reason}", markup=False)
    if plan.memory_needed_bytes > plan.memory_available_bytes:
        console.err.print("memory: this may not fit; lower [train] batch_size or max_length", markup=False)
    shown = (
        Text("the tokens under loss, in one example:\n")
        .append(plan.sample_prompt, "dim")
        .append(plan.sample_target, "bold green")
    )
    out.print(
        shown if out.is_terminal else f"one example: {plan.sample_prompt}>>>{plan.sample_target}<<<", markup=False
    )


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
        print_json(card.model_dump(exclude={"rows"}))
        return
    table = console.table("", "examples", "base", "adapter", "difference", "95 % interval", "p", "")
    for c in (*card.comparisons, *card.harm):
        interval = f"{c.low:+.3f} … {c.high:+.3f}"
        table.add_row(
            c.metric,
            str(c.n),
            f"{c.base:.3f}",
            f"{c.adapter:.3f}",
            f"{c.difference:+.3f}",
            interval,
            f"{c.p:.2g}",
            c.outcome,
        )
    out.print(table)
    out.print(f"{card.adapter}: {card.verdict}", markup=False)
    for reason in card.reasons:
        out.print(f"  {reason}", markup=False)
    out.print(f"report: {place.evaluation_page(name)}", markup=False)


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
        return
    out.print(f"{place.merged(name)}: answers as base and adapter do", markup=False)
    out.print(
        f"largest difference {done.largest_logit_difference:.2g} nats over {done.prompts} held-out conversations",
        markup=False,
    )
    out.print(f"asked     {done.sample['query']}\nanswered  {done.sample['answer']}", markup=False)


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
        if json_:
            print_json({"question": text, "answer": answer})
        else:
            out.print(answer, markup=False)


@app.command()
def status(workspace: WorkspaceOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Show each domain: examples, new ones, splits, last verdict, and whether retraining is due."""
    from dataclasses import asdict

    from weakspot import status as noun

    place, config = _open(workspace, set_)
    found = noun.status(place, config)
    if json_:
        print_json(asdict(found))
        return
    table = console.table("domain", "examples", "new", "train/val/test", "adapter", "verdict", "in service", "due")
    for d in found.domains:
        splits = "/".join(str(count) for count in d.splits.values())
        service = "yes" if d.deployed else "no"
        table.add_row(
            d.domain,
            str(d.examples),
            str(d.new),
            splits,
            d.adapter or "none",
            d.verdict or "none",
            service,
            d.due or "no",
        )
    out.print(table)
    out.print(
        f"{found.raw_lines} raw lines, {found.unprocessed} not processed; snapshot {found.snapshot or 'none'}",
        markup=False,
    )


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
        if json_:
            print_json(asdict(step))
        else:
            out.print(f"{step.stage:9} {step.domain or '':24} {step.outcome}", markup=False)


def main() -> None:
    """Run the ``weakspot`` command."""
    sys.exit(console.run(app, "weakspot"))
