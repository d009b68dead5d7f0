"""What a file or a folder holds that can be imported: told by what is in it, never by its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from weakspot.capture.escalation import recognised
from weakspot.capture.formats import chat_logs, claude_code, databases, open_webui, opencode
from weakspot.capture.formats.entries import BadLine, entries
from weakspot.capture.formats.messages import words
from weakspot.capture.formats.turns import Conversation
from weakspot.config import Config
from weakspot.parsing import RecordError
from zddc.errors import UserError

RAW, FLAT = "raw format", "query, local, expert"
FLAT_KEYS = frozenset({"query", "local", "expert", "domain"})
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


def sources(config: Config, path: Path) -> list[Source]:
    """Return what ``path`` holds; raise :class:`UserError` where that is nothing we understand."""
    if not path.exists():
        raise UserError(path, "no such file", "give a file or a folder of conversations")
    files = list(_files(path)) if path.is_dir() else [path]
    found = [source for file in files if (source := _source(config, file, alone=file == path)) is not None]
    if not found:
        raise UserError(path, "nothing in it is understood", f"what can be imported: {_UNDERSTOOD}")
    return found


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


def _source(config: Config, path: Path, *, alone: bool) -> Source | None:
    try:
        if path.is_dir():
            return Source(path, "opencode storage", "opencode", opencode.conversations_of_folder)
        return _of_database(path) if databases.is_database(path) else _of_objects(config, path)
    except (OSError, UserError):
        if alone:
            raise
        return None  # one of many files, and no conversation as far as can be seen


def _of_database(file: Path) -> Source | None:
    tables = databases.tables(file)
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
        if found := _own_format(config, value):
            return Source(file, found)
        for format_, name, claims, read in _FORMATS:
            if claims(value):
                return Source(file, format_, name, read)
    return Source(file, RAW) if empty else None


def _own_format(config: Config, value: dict[str, Any]) -> str | None:
    if _is_raw(config, value):
        return RAW
    return FLAT if "messages" not in value and len(FLAT_KEYS & value.keys()) >= 2 else None


def _is_raw(config: Config, value: dict[str, Any]) -> bool:
    """Whether an object is an interaction: with our metadata, or else with nothing but a consultation."""
    turns = value.get("messages")
    if not isinstance(turns, list) or value.keys() - {"messages", "metadata"}:
        return False
    if isinstance(value.get("metadata"), dict):
        return True
    asked = [words(one.get("content")) for one in turns if isinstance(one, dict) and one.get("role") == "user"]
    return bool(asked) and (asked[-1] == config.collect.escalation or recognised(config, asked[-1]) is not None)
