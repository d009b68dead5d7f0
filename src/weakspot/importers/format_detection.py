"""What a file or a folder holds that can be imported: told by what is in it, never by its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from weakspot.config import Config
from weakspot.importers import chat_logs, claude_code, native, open_webui, opencode, sqlite
from weakspot.importers.conversation_tree import Conversation
from weakspot.importers.json_stream import BadLine, entries
from weakspot.records.parsing import RecordError
from zddc.errors import UserError

_RAW = "raw format"
_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".db", ".sqlite", ".sqlite3", ".log"})
# A session may begin with lines that tell nothing.
_LOOKED_AT = 1000
_UNDERSTOOD = (
    "our own format, query/local/expert lines, Claude Code's sessions, opencode's database, exports or storage, "
    "Open WebUI's exports or database, and chat logs of LiteLLM or in OpenAI's or Anthropic's format"
)
Read = Callable[[Path], Iterator[Conversation | BadLine]]
# The last takes whatever has messages: it must be asked last.
_FORMATS: tuple[tuple[str, str, Callable[[dict[str, Any]], bool], Read], ...] = (
    ("Claude Code session", "claude-code", claude_code.claims, claude_code.conversations),
    ("Open WebUI export", "open-webui", open_webui.claims, open_webui.conversations),
    ("opencode export", "opencode", opencode.claims, opencode.conversations),
    ("chat log", "chat-log", chat_logs.claims, chat_logs.conversations),
)


@dataclass(frozen=True)
class Source:
    """One file, or opencode's folder of them; ``read`` is None for our own formats, which hold no conversations."""

    path: Path
    format: str
    name: str = ""
    read: Read | None = None

    @property
    def own(self) -> bool:
        """Whether its entries are interactions already."""
        return self.read is None


def sources(config: Config, path: Path) -> tuple[list[Source], list[Path]]:
    """Return what ``path`` holds, and the files of a folder that are not understood.

    Raises :class:`UserError` where there is nothing else.
    """
    if not path.exists():
        raise UserError(path, "no such file", "give a file or a folder of conversations")
    if not path.is_dir():
        found = {path: _source(config, path)}
    else:
        found = {file: _source_or_none(config, file) for file in _files(path)}
    understood = [source for source in found.values() if source is not None]
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


def _source(config: Config, path: Path) -> Source | None:
    if path.is_dir():
        return Source(path, "opencode storage", "opencode", opencode.conversations_of_folder)
    return _of_database(path) if sqlite.is_database(path) else _of_objects(config, path)


def _source_or_none(config: Config, path: Path) -> Source | None:
    try:
        return _source(config, path)
    except (OSError, UserError):
        return None  # one of many, and no conversation as far as can be seen


def _of_database(file: Path) -> Source | None:
    tables = sqlite.tables(file)
    if opencode.claims_tables(tables):
        return Source(file, "opencode database", "opencode", opencode.conversations_of_database)
    if open_webui.claims_tables(tables):
        return Source(file, "Open WebUI database", "open-webui", open_webui.conversations_of_database)
    return None


def _of_objects(config: Config, file: Path) -> Source | None:
    empty = True
    for entry in islice(entries(file), _LOOKED_AT):
        empty = False
        try:
            value = entry.value()
        except RecordError:
            continue
        if native.claims_raw(config, value):
            return Source(file, _RAW)
        if native.claims_flat(value):
            return Source(file, "query, local, expert")
        for format_, name, claims, read in _FORMATS:
            if claims(value):
                return Source(file, format_, name, read)
    return Source(file, _RAW) if empty else None
