"""The pages of ZDDC: each is one HTML file that needs nothing else, built from ``web`` and part of the package."""

import base64
import functools
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zddc.durable import write_atomically
from zddc.errors import UserError

PAGES = ("archive", "landing", "classifier", "transmittal", "mdedit")
FOLDER = Path(__file__).parent

_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')
_CODE = re.compile(r"script-src 'sha256-([^']+)'")
_WITHOUT_SCRIPT = re.compile(rb"<noscript>.*?</noscript>", re.DOTALL)


@dataclass(frozen=True)
class ToolPage:
    """A page, as it is in the package."""

    name: str
    content: bytes

    @property
    def file_name(self) -> str:
        """The name that the page has as a file, beside the others."""
        return f"{self.name}.html"

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def policy(self) -> str:
        """The content security policy that the page has in its first line."""
        found = _POLICY.search(self.content)
        if not found:
            raise ValueError(f"{self.file_name} has no policy")
        return found[1].decode()

    @cached_property
    def code_sha256(self) -> str:
        """The SHA-256 of the code in the page, to which its policy holds the browser; the page shows it, too."""
        found = _CODE.search(self.policy)
        return base64.b64decode(found[1]).hex() if found else ""

    def with_content(self, markup: str) -> bytes:
        """Return the page with other content for browsers that run no script; ``markup`` is HTML without any."""
        content = f"<noscript>{markup}</noscript>".encode()
        return _WITHOUT_SCRIPT.sub(lambda _: content, self.content, count=1)


@functools.cache
def read_pages() -> dict[str, ToolPage]:
    """Return the pages that are in the package, by name."""
    found = ((name, FOLDER / f"{name}.html") for name in PAGES)
    return {name: ToolPage(name, file.read_bytes()) for name, file in found if file.is_file()}


def copy_pages(folder: Path, *, replace: bool = False) -> dict[str, bool]:
    """Copy the pages into a folder, made if need be; return their file names, and whether each was written now.

    A page that is there already is left alone. Raises UserError, and writes nothing, if a file of such a name is
    another one, unless it may be replaced: a transmittal page may hold what its user has saved in it.
    """
    pages = read_pages().values()
    present = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for page in pages:
            file = folder / page.file_name
            present[page.file_name] = file.exists() and file.read_bytes() == page.content
            if file.exists() and not present[page.file_name] and not replace:
                raise UserError(file, "is another file, perhaps with work in it", "move it away, or add --replace")
        for page in pages:
            if not present[page.file_name]:
                write_atomically(folder / page.file_name, page.content)
    except OSError as error:
        raise UserError(error.filename or folder, error.strerror or str(error), "choose another folder") from None
    return {name: not was for name, was in present.items()}
