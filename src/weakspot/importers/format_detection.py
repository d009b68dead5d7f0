"""Detects the format of a file or a folder to import, by its content and never by its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from weakspot.config import Config
from weakspot.importers import (
    chat_logs,
    chatgpt,
    claude_code,
    cline,
    codex,
    native,
    open_webui,
    opencode,
    preferences,
    sharegpt,
    sqlite,
)
from weakspot.importers.conversation_tree import Conversation
from weakspot.importers.json_stream import BadLine, LeftOut, entries
from weakspot.records.parsing import RecordError
from zddc.errors import UserError

_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".db", ".sqlite", ".sqlite3", ".log", ".zip", ".zst", ".gz"})
_PACKED = (b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\x1f\x8b")  # how files of ZIP, Zstandard and gzip begin
# A session may begin with many lines that no format recognises.
_LOOKED_AT = 1000
_UNDERSTOOD = (
    "our own format, query/local/expert lines, sessions of Claude Code, Codex and opencode, tasks of Cline, exports or "
    "the database of Open WebUI, exports of ChatGPT, ShareGPT, preference files, and chat logs of LiteLLM or in "
    "OpenAI's or Anthropic's format; see docs/importing.md"
)
Read = Callable[[Path], Iterator[Conversation | BadLine | LeftOut]]
# The last accepts whatever has messages, so it must be tried last.
_FORMATS: tuple[tuple[str, str, Callable[[dict[str, Any]], bool], Read], ...] = (
    ("Claude Code session", "claude-code", claude_code.claims, claude_code.conversations),
    ("Open WebUI export", "open-webui", open_webui.claims, open_webui.conversations),
    ("opencode export", "opencode", opencode.claims, opencode.conversations),
    ("Codex session", "codex", codex.claims, codex.conversations),
    ("ChatGPT export", "chatgpt", chatgpt.claims, chatgpt.conversations),
    ("ShareGPT file", "sharegpt", sharegpt.claims, sharegpt.conversations),
    ("preference file", "preferences", preferences.claims, preferences.conversations),
    ("Cline file", "cline", cline.claims, cline.conversations),
    ("chat log", "chat-log", chat_logs.claims, chat_logs.conversations),
)


@dataclass(frozen=True)
class ImportSource:
    """One file, or opencode's folder of them; ``read`` is None for our own formats, which hold no conversations.

    ``name`` is the format's name in the source of a record.
    """

    path: Path
    format: str
    name: str
    read: Read | None = None

    @property
    def own(self) -> bool:
        """Whether its entries are interactions already."""
        return self.read is None


def find_sources(config: Config, path: Path) -> tuple[list[ImportSource], list[Path]]:
    """Return the sources in ``path``, and the files of a folder that are not understood.

    Raises :class:`UserError` where there is no source.
    """
    if not path.exists():
        raise UserError(path, "no such file", "give a file or a folder of conversations")
    if path.is_symlink() and path.is_dir():
        raise UserError(path, "a link to a folder", f"give the folder itself: {path.resolve()}")
    if not path.is_dir():
        found = {path: _detect_source(config, path)}
    else:
        found = {file: _detect_source_or_none(config, file) for file in _files(path)}
    understood = [source for source in found.values() if source is not None]
    if not understood and (packed := next(filter(_is_packed, found), None)):
        raise UserError(packed, "is packed", "unpack it, and give what was in it")
    if not understood:
        raise UserError(path, "nothing in it is understood", f"what can be imported: {_UNDERSTOOD}")
    return understood, [file for file, source in found.items() if source is None]


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below ``folder`` that may hold conversations, and folders that are one source."""
    if opencode.claims_folder(folder):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.suffix in _SUFFIXES and path.is_file():
            yield path


def _detect_source(config: Config, path: Path) -> ImportSource | None:
    if path.is_dir():
        return ImportSource(path, "opencode storage", "opencode", opencode.conversations_of_folder)
    return _database_source(path) if sqlite.is_database(path) else _json_source(config, path)


def _is_packed(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(4).startswith(_PACKED)


def _detect_source_or_none(config: Config, path: Path) -> ImportSource | None:
    try:
        return _detect_source(config, path)
    except (OSError, UserError):
        return None  # one file of many: it counts as not understood


def _database_source(file: Path) -> ImportSource | None:
    tables = sqlite.tables(file)
    if opencode.claims_tables(tables):
        return ImportSource(file, "opencode database", "opencode", opencode.conversations_of_database)
    if open_webui.claims_tables(tables):
        return ImportSource(file, "Open WebUI database", "open-webui", open_webui.conversations_of_database)
    return None


def _json_source(config: Config, file: Path) -> ImportSource | None:
    empty = True
    for entry in islice(entries(file), _LOOKED_AT):
        empty = False
        try:
            value = entry.value()
        except RecordError:
            continue
        if native.claims_raw(config, value):
            return ImportSource(file, "raw-format file", "raw")
        if native.claims_flat(value):
            return ImportSource(file, "query/local/expert file", "texts")
        for format_, name, claims, read in _FORMATS:
            if claims(value):
                return ImportSource(file, format_, name, read)
    return ImportSource(file, "empty file", "raw") if empty else None
