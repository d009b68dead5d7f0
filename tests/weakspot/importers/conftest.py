"""What real programs wrote, and short ways to look at what was read from it.

``recorded/`` holds what Claude Code 2.1.197 and opencode 1.18.33 stored when they were run against a server
that plays both models, less some of their own fields; the folder they worked in has another name.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from weakspot.importers.conversation_tree import Conversation
from weakspot.importers.json_stream import BadLine

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="session")
def recorded() -> Path:
    return RECORDED


@pytest.fixture
def opencode_database(tmp_path) -> Path:
    """The database of five sessions: four of them consulted, one answer cut, one question sent again."""
    file = tmp_path / "opencode.db"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.executescript((RECORDED / "opencode-1.18.33.sql").read_text(encoding="utf-8"))
    database.close()
    return file


@pytest.fixture
def lines(tmp_path) -> Callable[..., Path]:
    """Write objects, or bytes, as the lines of a file."""

    def write(*entries: object, name: str = "log.jsonl") -> Path:
        file = tmp_path / name
        data = [entry if isinstance(entry, bytes) else json.dumps(entry).encode() for entry in entries]
        file.write_bytes(b"\n".join(data) + b"\n")
        return file

    return write


@pytest.fixture(scope="session")
def said() -> Callable[[Conversation], list[tuple[str, str | None]]]:
    """Give role and words of each message, in order."""
    return lambda one: [(message.role, message.content) for turn in one.turns for message in turn.messages]


@pytest.fixture(scope="session")
def only() -> Callable[[Iterable[Conversation | BadLine]], Conversation]:
    """Give the one conversation that was read."""

    def only(found: Iterable[Conversation | BadLine]) -> Conversation:
        (one,) = found
        assert isinstance(one, Conversation)
        return one

    return only
