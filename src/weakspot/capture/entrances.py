"""The entrances by which records come in: the entrance names the source of a record, never the caller."""

from typing import Any

from weakspot.records import Policy

CLI = "cli"
GATEWAY = "gateway"
MCP_CONSULT = "mcp:consult"
MCP_RECORD = "mcp:record"
_IMPORT = "import"
# Whoever reaches the server can say that an answer is an expert's: a person has to confirm it.
_POLICIES: dict[str, Policy] = {MCP_RECORD: "ask"}


def entrance_metadata(entrance: str) -> dict[str, Any]:
    """Return the metadata that a record has from its entrance: its source, and its policy where there is one."""
    policy = _POLICIES.get(entrance)
    return {"source": entrance, **({"policy": policy} if policy else {})}


def import_entrance(format_: str) -> str:
    """Return the entrance of an imported format, ``import:claude-code``."""
    return f"{_IMPORT}:{format_}"
