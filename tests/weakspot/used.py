"""What was asked and released, as the lines of a workspace's logs; days are counted from a Monday."""

from datetime import UTC, datetime, timedelta

from weakspot.capture.recorder import timestamp
from weakspot.records import Release, UsageEvent
from weakspot.storage import append_log
from weakspot.workspace import Workspace

START = datetime(2026, 3, 2, tzinfo=UTC)


def uses(
    days: float, questions: int, consultations: int, domain: str = "d", cost: float | None = 0.01, by: int | None = None
) -> list[str]:
    """Return the lines of so many questions and consultations of one moment."""
    common = {"timestamp": timestamp(START + timedelta(days=days)), "domain": domain, "release": by}
    asked = UsageEvent.model_validate({**common, "model": "local", "consulted": False, "seconds": 1.0})
    paid = UsageEvent.model_validate(
        {**common, "model": "expert/opus", "consulted": True, "seconds": 9.0, "cost_usd": cost}
    )
    return [asked.to_json()] * questions + [paid.to_json()] * consultations


def released(workspace: Workspace, number: int, days: float, domain: str = "d", **values) -> None:
    """Log a release."""
    created = (START + timedelta(days=days)).isoformat(timespec="seconds")
    given = {"action": "deploy", "target": "merged", "location": "l", "adapter": f"{domain}-lora-v{number}"}
    one = Release.model_validate({**given, "domain": domain, "number": number, "created": created, **values})
    append_log.append(workspace.releases, [one.to_json()])
