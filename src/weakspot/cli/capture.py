"""The command that captures interactions: collect."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weakspot import api
from weakspot.cli import output_capture
from weakspot.cli.options import JsonOption, SetOption, WorkspaceOption, find_workspace, load_text
from weakspot.workspace import Workspace
from zddc.console import print_json
from zddc.errors import UserError

if TYPE_CHECKING:
    from weakspot.importers.importer import Examined, ImportCandidate

_PAGE = 5


def collect(
    query: Annotated[
        str | None, typer.Option(help="The question. Each text may be @file, or - for standard input.")
    ] = None,
    local: Annotated[str | None, typer.Option("--local", "--qwen", help="The local model's answer.")] = None,
    expert: Annotated[str | None, typer.Option(help="The stronger model's answer.")] = None,
    domain: Annotated[str | None, typer.Option(help="The domain; without it, it is detected from the texts.")] = None,
    escalation: Annotated[
        str | None, typer.Option(help='The message that asked for the expert, for example "consult Opus".')
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help='Import from a file or folder: the raw format, {"query","local","expert"[,"domain"]}, or logs of '
            "Claude Code, Codex, Cline, opencode, Open WebUI, ChatGPT, ShareGPT, LiteLLM, preference files, or in the "
            "style of OpenAI.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Import what --from finds without asking first.")] = False,
    unfitted: Annotated[
        bool,
        typer.Option(
            "--unfitted", help="After an update: try again to store consultations that could not be trained on."
        ),
    ] = False,
    workspace: WorkspaceOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Capture one consultation, or import consultations from files."""
    place = find_workspace(workspace)
    texts = {"--query": query, "--local": local, "--expert": expert}
    others = {**texts, "--domain": domain, "--escalation": escalation}
    if unfitted:
        _refuse_together("--unfitted", {**others, "--from": str(from_) if from_ else None})
        _retry_unfitted(place, set_ or (), json_)
        return
    if from_ is not None:
        _refuse_together("--from", others)
        _import_files(place, from_, set_ or (), yes, json_)
        return
    given = _load_texts(texts)
    found = api.collect(
        place,
        query=given["--query"],
        local=given["--local"],
        expert=given["--expert"],
        domain=domain,
        escalation=escalation,
        settings=set_ or (),
    )
    if json_:
        keys = {"domain", "timestamp", "interaction_id"}
        metadata = found.interaction.metadata.model_dump(include=keys)
        print_json({**metadata, "adapter": found.adapter, "file": str(found.file), "hits": found.hits})
    else:
        output_capture.print_capture(found)


def _load_texts(texts: dict[str, str | None]) -> dict[str, str]:
    missing = [name for name, value in texts.items() if value is None]
    if missing:
        raise UserError("collect", f"{', '.join(missing)} missing", "give all three texts, or --from PATH")
    if list(texts.values()).count("-") > 1:
        raise UserError("collect", "standard input can be only one of the texts", "give the others as @file")
    return {name: load_text(name, value) for name, value in texts.items() if value is not None}


def _refuse_together(chosen: str, options: dict[str, str | None]) -> None:
    extra = [name for name, value in options.items() if value is not None]
    if extra:
        raise UserError("collect", f"{chosen} does not go with {', '.join(extra)}", "give one or the other")


def _retry_unfitted(place: Workspace, settings: Sequence[str], json_: bool) -> None:
    from dataclasses import asdict

    done = api.collect(place, unfitted=True, settings=settings)
    if json_:
        print_json(asdict(done))
    else:
        output_capture.print_retry(done)


def _ask(found: "Sequence[ImportCandidate]") -> bool:
    """Show what would be imported, a page at a time, and return whether the person wants it."""
    for start in range(0, len(found), _PAGE):
        page, rest = found[start : start + _PAGE], len(found) - start - _PAGE
        output_capture.print_candidates(page)
        while rest > 0:
            answer = typer.prompt(
                f"import {len(found)}? y, n, or Enter to see more of the other {rest}", default="", show_default=False
            ).strip()
            if answer.lower() in ("y", "yes"):
                return True
            if answer.lower() in ("n", "no"):
                return False
            if not answer:
                break
    return typer.confirm(f"import {len(found)}?")


def _import_files(place: Workspace, source: Path, settings: Sequence[str], yes: bool, json_: bool) -> None:
    from dataclasses import asdict

    seen: list[Examined] = []
    unasked = False

    def approve(examined: "Examined") -> bool:
        nonlocal unasked
        seen.append(examined)
        asks = bool(examined.found) and not yes
        unasked = asks and (json_ or not (sys.stdin.isatty() and sys.stdout.isatty()))
        if examined.foreign and not json_:
            output_capture.print_import_preview(examined)
            if unasked or not asks:
                output_capture.print_candidates(examined.found)
        return not asks or (not unasked and _ask(examined.found))

    done = api.collect(place, source, approve=approve, settings=settings)
    if json_:
        (examined,) = seen
        print_json({**(examined.summary() if examined.foreign else {}), **asdict(done), "file": str(done.file)})
    else:
        output_capture.print_import(done)
    output_capture.print_bad_lines(done)
    if unasked:
        raise UserError(source, "nothing was imported, as nobody could be asked", "give --yes to import what was found")
    if done.bad:
        raise typer.Exit(1)
