"""The command on the SHA-256 of files: ``hash``."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from zddc import console, hashing
from zddc.cli.options import Json, require_folder
from zddc.cli.output import print_line, track_progress
from zddc.hash_cache import HashCache, cache_file
from zddc.hashing import LIST_NAME, HashedFile


def hash(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder whose files are read.")],
    write: Annotated[bool, typer.Option("--write", help=f"Write the list to DIR/{LIST_NAME}.")] = False,
    as_json: Json = False,
) -> int:
    """Print the SHA-256 of every file below DIR, or write it to DIR/SHA256SUMS.

    The list is as sha256sum writes it, sorted by path; 'sha256sum -c' reads it. The exit status is 1 if a file cannot
    be read. Links are not followed. A file that did not change since it was last read is not read again.

    Example: zddc hash received --write
    """
    require_folder(folder)
    files = list(hashing.find_files(folder))
    with HashCache(cache_file()) as cache:
        hashed = list(track_progress("hashing", hashing.hash_files(folder, files, cache), len(files)))
    if write:
        hashing.write_list(folder, hashed)
        if not as_json:
            print_line(f"{folder / LIST_NAME}: {len(hashed)} files")
    else:
        _print_list([file for file in hashed if file.sha256], as_json)
    failed = [file for file in hashed if file.reason]
    for file in failed:
        console.err.print(f"{folder / file.path}: {file.reason}; it has no line in the list")
    return 1 if failed else 0


def _print_list(files: Iterable[HashedFile], as_json: bool) -> None:
    for file in files:
        if as_json:
            console.print_json({"path": file.path, "sha256": file.sha256})
        elif sys.stdout.isatty():
            print_line(hashing.format_line(file).decode(errors="surrogateescape").removesuffix("\n"))
        else:
            sys.stdout.buffer.write(hashing.format_line(file))
