"""The list of releases: reads it, finds what is live and what was before, and publishes a new release."""

import getpass
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from weakspot.config import Config
from weakspot.deployment.targets import merged
from weakspot.records import Release, Target
from weakspot.records.parsing import parse_record
from weakspot.storage import append_log, atomic
from weakspot.workspace import AdapterName, Workspace


def read_releases(workspace: Workspace) -> list[Release]:
    """Return every release, oldest first; raise :class:`UserError` for a line that is not a release."""
    found = []
    for line in append_log.read_lines(workspace.releases):
        found.append(parse_record(Release, line.data, f"{workspace.releases}:{line.number}", "mend that line"))
    return found


def live(releases: Sequence[Release]) -> dict[tuple[str, Target], Release]:
    """Return the newest release of each domain and target, which is the one that answers now."""
    return {(one.domain, one.target): one for one in releases}


def is_live(releases: Sequence[Release], adapter: str) -> bool:
    """Return whether an adapter is live at any target."""
    return any(one.adapter == adapter for one in live(releases).values())


def was_live(releases: Sequence[Release], adapter: str, target: Target) -> bool:
    """Return whether an adapter was ever live at a target, even if it was rolled back."""
    return any(one.adapter == adapter and one.target == target for one in releases)


def previous_release(releases: Sequence[Release], current: Release) -> Release | None:
    """Return the release that was live before the adapter of ``current`` was deployed; None if that was the base.

    Releases that were rolled back are skipped, so that none comes back by accident.
    """
    stack: list[Release] = []
    for one in releases:
        if (one.domain, one.target) != (current.domain, current.target) or one.number > current.number:
            continue
        if one.action == "rollback":
            while stack and stack[-1].adapter != one.adapter:
                stack.pop()
        elif stack and stack[-1].adapter == one.adapter:
            stack[-1] = one
        else:
            stack.append(one)
    return stack[-2] if len(stack) > 1 else None


def missing_files(workspace: Workspace, release: Release) -> list[Path]:
    """Return the files of the workspace that a release answers with and that are gone; a server is not asked."""
    if release.adapter is None:
        return []
    name = AdapterName.parse(release.adapter)
    made = {
        "merged": workspace.merged_manifest,
        "gguf": workspace.gguf_manifest,
        "ollama": workspace.gguf_manifest,
        "mlx": workspace.mlx_manifest,
    }
    needed = [workspace.adapter_manifest(name)]
    if release.target in made and not release.location.startswith("http"):
        needed += [*merged.missing_files(made[release.target](name)), Path(release.location)]
    return [one for one in needed if not one.exists()]


def publish(workspace: Workspace, config: Config, draft: Release) -> Release:
    """Append a release, which is live from then on; return it with its number, its user and its time."""
    with atomic.hold_lock(workspace.releases_lock, "release"):
        known = read_releases(workspace)
        filled = {
            "number": known[-1].number + 1 if known else 1,
            "who": _user_name(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        release = draft.model_copy(update=filled)
        allow_network = config.collect.allow_network_filesystem
        append_log.append(workspace.releases, [release.to_json()], allow_network=allow_network)
    return release


def _user_name() -> str:
    """Return the name of the user of this process, or the user's number if the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
