"""A folder that is delivered: its rows for a new transmittal, and what differs from the one that came with it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zddc.errors import UserError
from zddc.hashing import Finding, HashedFile, Root, find_files, has_list, hash_file, open_file, verify
from zddc.naming import parse_filename
from zddc.transmittal.block import BLOCK_ID, NO_BLOCK
from zddc.transmittal.checks import ACKNOWLEDGEMENT
from zddc.transmittal.data import ListedFile, Transmittal, read_page, text_of
from zddc.transmittal.known_keys import Judgement, KnownKey, judge
from zddc.transmittal.signatures import Check, check_signatures
from zddc.zipped import ZipFolder

# Systems leave them in every folder that somebody looks at; nobody delivers them.
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_PAGES = (".html", ".htm")


@dataclass(frozen=True)
class Page:
    """The HTML of a transmittal in a folder, by its name, and what it says."""

    name: str
    transmittal: Transmittal

    @property
    def is_acknowledgement(self) -> bool:
        """Whether it only says that a transmittal came."""
        return self.transmittal["type"] == ACKNOWLEDGEMENT


@dataclass(frozen=True)
class JudgedPage:
    """A transmittal and what its bytes and its signatures are worth."""

    page: Page
    check: Check
    judgements: tuple[Judgement, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether it was changed, or one of its signatures is not valid."""
        return self.check.intact is False or any(one.verdict == "invalid" for one in self.judgements)


@dataclass(frozen=True)
class Report:
    """What differs between a folder and its transmittal.

    ``listed`` are the findings against a SHA256SUMS that lies there too, ``acknowledgements`` what confirms it.
    """

    judged: JudgedPage
    findings: tuple[Finding, ...]
    listed: tuple[Finding, ...] = ()
    acknowledgements: tuple[JudgedPage, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything is not as it was sent."""
        wrong = any(one.is_wrong for one in (self.judged, *self.acknowledgements))
        return wrong or any(finding.kind != "verified" for finding in (*self.findings, *self.listed))


def list_files(root: Path, number: str = "") -> list[ListedFile]:
    """Return a row for every file that a folder delivers: not its list of hashes, nor hidden files.

    Its own pages, those of transmittal ``number``, are no such files; one of another transmittal is sent along.
    Raises :class:`UserError` for what can have no row, such as a link.
    """
    pages = {page.name for page in find_pages(root) if page.transmittal["trackingNumber"] == number}
    files = (file for file in find_files(root) if file.path not in pages and not is_hidden(file.path))
    return [row_of(root, file) for file in files]


def row_of(root: Path, file: HashedFile, read: Callable[[Root, str], HashedFile] = hash_file) -> ListedFile:
    """Return the row of a file of :func:`find_files`; raise :class:`UserError` for what can have none."""
    folder, _, name = file.path.rpartition("/")
    hashed = file if file.reason else read(root, file.path)
    if hashed.reason:
        raise UserError(root / file.path, hashed.reason, "take it away, or mend it")
    parsed = parse_filename(name)
    parts = (parsed.tracking_number, parsed.revision, parsed.status) if parsed.valid else ("", "", "")
    size = (root / file.path).stat().st_size
    return ListedFile(*parts, parsed.title, folder, name, hashed.sha256, size)


def is_litter(path: str) -> bool:
    """Return whether a system has left a file beside what people put there; macOS begins such names with ``._``."""
    name = path.rpartition("/")[2]
    return name in LITTER or name.startswith("._")


def is_hidden(path: str) -> bool:
    """Return whether a file is none that anybody delivers: hidden, or left by the system."""
    return any(part.startswith(".") for part in path.split("/")) or is_litter(path)


def find_pages(root: Root) -> list[Page]:
    """Return the transmittals in a folder itself, in the order of their names.

    Raises :class:`UserError` for one that is damaged. A page that is listed in another one is a file like any other.
    """
    place = root.file if isinstance(root, ZipFolder) else root
    pages = []
    for name in sorted(_names_of_pages(root)):
        if _may_be_page(root, name):
            try:
                with open_file(root, name) as stream:
                    pages.append(Page(name, read_page(place / name, stream)))
            except UserError as error:
                if error.problem != NO_BLOCK:  # it only speaks of one
                    raise
    lists = {page.name: {row.place for row in page.transmittal.files} for page in pages if not page.is_acknowledgement}
    # One that lists itself, or two that list each other, cannot make themselves unseen.
    return [
        page
        for page in pages
        if not any(page.name in places and name not in lists.get(page.name, set()) for name, places in lists.items())
    ]


def _names_of_pages(root: Root) -> list[str]:
    if isinstance(root, ZipFolder):
        return [path for path in root.paths if "/" not in path and Path(path).suffix.lower() in _PAGES]
    files = (file for file in root.iterdir() if file.suffix.lower() in _PAGES)
    return [file.name for file in files if file.is_file() and not file.is_symlink()]


def _may_be_page(root: Root, name: str) -> bool:
    with open_file(root, name) as stream:
        before = b""
        while block := stream.read(1 << 20):
            if BLOCK_ID.encode() in before + block:
                return True
            before = block[-len(BLOCK_ID) :]
    return False


def find_page(root: Root, name: str = "") -> tuple[Page, list[Page]] | None:
    """Return the transmittal of a folder and its acknowledgements; None if there is no transmittal.

    ``name`` says which one where there are several. A draft does not count beside one that was published. Raises
    :class:`UserError` where it is not clear which one it is.
    """
    pages = find_pages(root)
    found = [page for page in pages if (page.name == name if name else not page.is_acknowledgement)]
    if len(found) > 1:
        found = [page for page in found if page.transmittal.state != "draft"] or found
    if len(found) > 1:
        place = root.file if isinstance(root, ZipFolder) else root
        raise UserError(place, f"{len(found)} transmittals in one folder", "give the HTML of the one that you mean")
    if not found:
        return None
    number = found[0].transmittal["trackingNumber"]
    others = [one for one in pages if one is not found[0] and one.is_acknowledgement]
    return found[0], [one for one in others if one.transmittal["trackingNumber"] == number]


def hash_list(transmittal: Transmittal) -> list[HashedFile]:
    """Return what a transmittal lists, as the list of a folder; a row without a hash has a reason."""
    reason = "the transmittal has no SHA-256 of it"
    return [
        HashedFile(row.place or f"{row.tracking_number}_{row.revision}", row.sha256, "" if row.sha256 else reason)
        for row in transmittal.files
    ]


def check_delivery(
    root: Root,
    page: Page,
    acknowledgements: Sequence[Page],
    known: Iterable[KnownKey],
    read: Callable[[Root, str], HashedFile] | None = None,
) -> Report:
    """Read every file of a folder and compare it with its transmittal, and with its SHA256SUMS if it has one."""
    known = [*known]
    read = read or cache(hash_file)  # both lists name the same files
    ignored = {page.name, *(one.name for one in acknowledgements)}
    if page.is_acknowledgement:  # what it confirms lies beside it, and is in no list
        number = page.transmittal["trackingNumber"]
        ignored |= {one.name for one in find_pages(root) if one.transmittal["trackingNumber"] == number}
    ignored |= {file.path for file in find_files(root) if is_litter(file.path)}
    findings = verify(root, hash_list(page.transmittal), ignored, read)
    listed: Iterable[Finding] = ()
    if has_list(root):
        listed = verify(root, None, ignored, read)
    judged = tuple(judge_page(one, known) for one in acknowledgements)
    return Report(judge_page(page, known), tuple(findings), tuple(listed), judged)


def judge_page(page: Page, known: Iterable[KnownKey]) -> JudgedPage:
    """Return what a transmittal is worth, without a look at its files."""
    check = check_signatures(page.transmittal)
    digested_at = text_of(page.transmittal.envelope, "digestedAt")
    return JudgedPage(page, check, tuple(judge(one, known, digested_at) for one in check.signatures))


def count_findings(findings: Iterable[Finding]) -> Counter[str]:
    """Return how many findings of each kind there are."""
    return Counter(finding.kind for finding in findings)
