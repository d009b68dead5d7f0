"""Commands on the rules of an archive: ``access explain`` and ``access check``."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zddc import console
from zddc.access import findings
from zddc.access.decide import WORDS, Chain, Decision, Verb, decide, silent_folders
from zddc.access.patterns import ANONYMOUS, parse_email
from zddc.access.policy import Policy, UnservedError
from zddc.cli.options import ROOT_HELP, Json, Root, require_folder
from zddc.cli.output import print_line
from zddc.errors import UserError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def access() -> None:
    """See who may read what by the rules of an archive, and why."""


@app.command()
def explain(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Who asks; 'anonymous' is without an address.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file or folder of the archive.")],
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Say whether somebody may read PATH, which line of which rule file decides, and who had no say.

    Below a folder named 'incoming' the same is said about handing in files.

    Example: zddc access explain kim@acme.example "Pump station 7/received"
    """
    require_folder(root)
    person = _person(email)
    names = _names_below(root, path)
    with Policy(root) as policy:
        try:
            chain = policy.chain_of(names)
        except UnservedError as error:
            _print_decision(email, names, "r", (), Decision(False, None, str(error)), as_json)
            return
        except FileNotFoundError:
            raise UserError(path, "no such file or folder", "check the path") from None
    verbs: tuple[Verb, ...] = ("r", "c") if chain[-1].is_incoming else ("r",)
    for verb in verbs:
        _print_decision(email, names, verb, chain, decide(chain, person, verb), as_json)


@app.command()
def check(
    root: Annotated[Path, typer.Argument(metavar="[DIR]", envvar="ZDDC_ROOT", help=ROOT_HELP)] = Path(),
    as_json: Json = False,
) -> int:
    """Check every rule file of an archive: faults, rules that never apply, and allowing that restricts nobody.

    A fault closes its folder and all below. The exit status is 1 if there is one, or if the root has no rule file.

    Example: zddc access check /srv/archive
    """
    require_folder(root)
    with Policy(root) as policy:
        found = list(findings.check(policy))
    for one in found:
        if as_json:
            console.print_json(asdict(one))
        else:
            print_line(f"{one.path}{f' line {one.line}' if one.line else ''}: {one.reason}")
    faults = sum(one.kind in ("fault", "missing") for one in found)
    if not as_json:
        print_line(f"faults: {faults}; other findings: {len(found) - faults}")
    return 1 if faults else 0


def _person(email: str) -> str | None:
    if email == ANONYMOUS:
        return None
    try:
        return parse_email(email)
    except ValueError as error:
        raise UserError(email, str(error), f"give one address, or '{ANONYMOUS}'") from None


def _names_below(root: Path, path: Path) -> tuple[str, ...]:
    below = Path(os.path.abspath(path))  # noqa: PTH100 - unlike resolve() it follows no link
    for top in (Path(os.path.abspath(root)), root.resolve()):  # noqa: PTH100
        if below.is_relative_to(top):
            return below.relative_to(top).parts
    raise UserError(path, f"is not below {top}, the root of the archive", "give the root with --root")


def _print_decision(
    email: str, names: tuple[str, ...], verb: Verb, chain: Chain, decision: Decision, as_json: bool
) -> None:
    path = f"/{'/'.join(names)}"
    silent = list(silent_folders(chain, decision)) if chain else []
    if as_json:
        by = {"file": decision.by.file, "line": decision.by.line} if decision.by else {"file": None, "line": None}
        answer = {"email": email, "path": path, "verb": WORDS[verb], "allowed": decision.allowed, **by}
        folders = [{"folder": folder, "why": why} for folder, why in silent]
        console.print_json({**answer, "why": decision.why, "no_say": folders})
        return
    print_line(f"{email} may {'' if decision.allowed else 'not '}{WORDS[verb]} {path}: {decision.why}")
    for folder, why in silent:
        print_line(f"    {folder} {why}")
