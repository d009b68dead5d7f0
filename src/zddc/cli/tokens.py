"""Commands on the tokens of programs: ``token new``, ``token list`` and ``token revoke``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zddc import console
from zddc.cli.options import Json, Root, require_folder
from zddc.cli.output import print_columns, print_line
from zddc.server.tokens import FOLDER, LONGEST_DAYS, Token, TokenError, TokenStore
from zddc.times import format_time

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def token() -> None:
    """Give programs that ask 'zddc serve' a token by which they say for whom they ask.

    Run these commands as the user that runs the server: only the owner of a token's file can read it.
    """


@app.command()
def new(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="For whom the program asks.")],
    days: Annotated[int, typer.Option("--days", help=f"How long it is good: 1 to {LONGEST_DAYS} days.")] = 90,
    note: Annotated[str, typer.Option("--note", help="What it is for; 'token list' shows it.")] = "",
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Make a token and print it: only now, since no more than its SHA-256 is stored.

    A program sends it as 'Authorization: Bearer TOKEN'.

    Example: zddc token new kim@acme.example --days 30 --note "nightly copy"
    """
    require_folder(root)
    text, made = TokenStore(root / FOLDER).issue(email, days, note)
    if as_json:
        console.print_json({"token": text, **_row(made)})
    else:
        print_line(text)
        console.err.print(f"token {made.id} of {made.email}, good until {_row(made)['expires']}; it is not shown again")


@app.command()
def list(root: Root = Path(), as_json: Json = False) -> int:
    """Print what is stored of each token, the first that expires first.

    The exit status is 1 if a file of the store cannot be used.

    Example: zddc token list
    """
    require_folder(root)
    unusable, rows = [], []
    for one in TokenStore(root / FOLDER).tokens():
        if isinstance(one, TokenError):
            unusable.append(one)
        else:
            rows.append(_row(one))
    if as_json:
        for row in rows:
            console.print_json(row)
    else:
        print_columns(("ID", "EMAIL", "CREATED", "EXPIRES", "NOTE"), [tuple(row.values()) for row in rows])
    for error in unusable:
        console.err.print(f"token {error}; revoke it, and make a new one")
    return 1 if unusable else 0


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token, as 'token list' shows it.")],
    root: Root = Path(),
) -> None:
    """Forget a token: from now on the server refuses it.

    Example: zddc token revoke 0f3a9c1e
    """
    require_folder(root)
    TokenStore(root / FOLDER).revoke(token_id)
    print_line(f"token {token_id} is revoked")


def _row(token: Token) -> dict[str, str]:
    times = {name: format_time(getattr(token, name)) for name in ("created", "expires")}
    return {**asdict(token), **times}
