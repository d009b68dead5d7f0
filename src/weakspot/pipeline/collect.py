"""Capture interactions: one from its three texts, or those that files of ours and of other programs hold."""

from weakspot.capture.recorder import Collected, conversation, keep
from weakspot.config import Config
from weakspot.importers.importer import Examined, Imported, examine, import_examined, import_file, nothing_imported
from weakspot.records import domain_name
from weakspot.records.parsing import RecordError
from weakspot.workspace import Workspace
from zddc.errors import UserError

MANUAL = "manual-expert-consultation"
__all__ = [
    "MANUAL",
    "Collected",
    "Examined",
    "Imported",
    "collect",
    "examine",
    "import_examined",
    "import_file",
    "nothing_imported",
]


def collect(
    workspace: Workspace,
    config: Config,
    *,
    query: str,
    local: str,
    expert: str,
    domain: str | None = None,
    escalation: str | None = None,
) -> Collected:
    """Append one interaction durably and return it; raise :class:`UserError` for texts that teach nothing."""
    if domain is not None:
        try:
            domain_name(domain)
        except ValueError as error:
            raise UserError("domain", str(error), "give another name") from None
    messages = conversation(query, local, expert, escalation or config.collect.escalation)
    try:
        return keep(workspace, config, messages, {"source": MANUAL, **({"domain": domain} if domain else {})})
    except RecordError as error:
        raise UserError("interaction", error.detail, "nothing was stored, give another text") from None
