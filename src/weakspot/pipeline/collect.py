"""Captures interactions: one from its three texts, or many from files of our own or of other programs' formats."""

from weakspot.capture.entrances import CLI, entrance_metadata
from weakspot.capture.recorder import Collected, conversation, store_interaction
from weakspot.capture.unfitted import Retried, collect_unfitted
from weakspot.config import Config
from weakspot.importers.importer import Examined, Imported, empty_import, examine, import_file, import_interactions
from weakspot.records import parse_domain_name
from weakspot.records.parsing import RecordError
from weakspot.workspace import Workspace
from zddc.errors import UserError

__all__ = [
    "Collected",
    "Examined",
    "Imported",
    "Retried",
    "collect",
    "collect_unfitted",
    "empty_import",
    "examine",
    "import_file",
    "import_interactions",
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
    entrance: str = CLI,
) -> Collected:
    """Append one interaction durably and return it; raise :class:`UserError` for texts that cannot be trained on.

    By the entrance ``cli`` a person says that the answer is the expert's; by any other one it may have to wait.
    """
    if domain is not None:
        try:
            parse_domain_name(domain)
        except ValueError as error:
            raise UserError("domain", str(error), "give another name") from None
    messages = conversation(query, local, expert, escalation or config.collect.escalation)
    try:
        return store_interaction(
            workspace, config, messages, {**entrance_metadata(entrance), **({"domain": domain} if domain else {})}
        )
    except RecordError as error:
        raise UserError("interaction", error.detail, "nothing was stored, give another text") from None
