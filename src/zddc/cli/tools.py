"""The command ``tools``: the pages that work in a browser, with or without a server."""

from pathlib import Path
from typing import Annotated

import typer

from zddc import console
from zddc import tools as pages
from zddc.cli.options import Json
from zddc.cli.output import print_columns, print_line


def tools(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Where to copy the pages.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over other files of these names.")] = False,
    as_json: Json = False,
) -> int:
    """List the pages that work in a browser, with their SHA-256, or copy them to DIR.

    Each page is one HTML file: opened by a double click, it needs no server and no network. 'zddc serve' has the same
    pages at /_tools/. Code is what a page shows under 'About this page'.

    Example: zddc tools pages
    """
    written = pages.copy_pages(folder, replace=replace) if folder else {}
    found = pages.read_pages().values()
    if as_json:
        for page in found:
            line = {"page": page.file_name, "bytes": len(page.content), "sha256": page.sha256}
            console.print_json({**line, "code_sha256": page.code_sha256, "written": written.get(page.file_name, False)})
    elif folder:
        for page in found:
            print_line(f"{folder / page.file_name}: {'written' if written[page.file_name] else 'already there'}")
    else:
        rows = [(page.file_name, f"{len(page.content):,}", page.sha256, page.code_sha256) for page in found]
        print_columns(("PAGE", "BYTES", "SHA-256", "CODE"), rows)
    return 0
