"""Deploys an accepted adapter to a target, proves that the served model answers as the trained one, and rolls back."""

from weakspot.config import Config
from weakspot.deployment import releases
from weakspot.deployment.control import Control, run_control
from weakspot.deployment.openai_client import OpenAIClient
from weakspot.deployment.targets import gateway, gguf, merged, mlx, ollama, vllm
from weakspot.deployment.types import MERGED, Candidate, Deployment, Destination
from weakspot.models import adapter_files, adapters
from weakspot.records import Release, Target
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

# Two releases with the same values of these fields answer in the same way.
_WHAT_ANSWERS = ("adapter", "adapter_sha256", "location", "served_name", "share")


def deploy(
    workspace: Workspace,
    config: Config,
    domain: str,
    destination: Destination = MERGED,
    *,
    allow_unproven: bool = False,
) -> Release:
    """Deploy the domain's newest adapter and return the release; if it is live already, return that release.

    Raises :class:`UserError` for a rejected adapter, for an adapter without the verdict "accept" unless
    ``allow_unproven``, and if the served model does not answer as the trained adapter does: then the previous release
    stays.
    """
    name = workspace.require_adapter(domain)
    candidate = _read_candidate(workspace, name)
    _require_proof(workspace, candidate, allow_unproven=allow_unproven)
    adapters.require_unchanged_base(workspace, config, candidate.manifest)
    with atomic.hold_lock(workspace.lock, "process, train or deploy"):
        placed = _place(workspace, config, candidate, destination)
    draft = Release(
        action="deploy",
        domain=domain,
        target=destination.target,
        adapter=str(name),
        adapter_sha256=candidate.manifest.files[adapter_files.WEIGHTS],
        snapshot=candidate.manifest.snapshot,
        verdict=candidate.verdict,
        location=placed.location,
        served_name=placed.served_name,
        share=destination.share,
        proof=placed.proof,
    )
    current = releases.live(releases.read_releases(workspace)).get((domain, destination.target))
    if current is not None and all(getattr(current, key) == getattr(draft, key) for key in _WHAT_ANSWERS):
        return current
    return releases.publish(workspace, config, draft)


def control(workspace: Workspace, config: Config, domain: str) -> Control:
    """Merge an adapter of zeros in the shape of the domain's newest one, compare it with the base, and deploy nothing.

    Raises :class:`UserError` if the result does not answer as the base.
    """
    return run_control(workspace, config, _read_candidate(workspace, workspace.require_adapter(domain)))


def _read_candidate(workspace: Workspace, name: AdapterName) -> Candidate:
    return Candidate(name, adapters.read_manifest(workspace, name), adapters.read_scorecard(workspace, name))


def _place(workspace: Workspace, config: Config, candidate: Candidate, destination: Destination) -> Deployment:
    match destination.target:
        case "merged":
            return merged.place(workspace, config, candidate, destination)
        case "vllm":
            return vllm.place(workspace, config, candidate, destination)
        case "gguf":
            return gguf.place(workspace, config, candidate, destination)
        case "ollama":
            return ollama.place(workspace, config, candidate, destination)
        case "mlx":
            return mlx.place(workspace, config, candidate, destination)
        case "gateway":
            return gateway.place(workspace, config, candidate, destination)


def rollback(workspace: Workspace, config: Config, domain: str, target: Target | None = None) -> list[Release]:
    """Go back to what answered before the live adapter of a domain, at one target or at all; return what is live.

    It takes seconds: nothing is trained, and it waits for no other command. Only if the earlier model's files are gone,
    they are made again and proved, which takes as long as its deployment; :class:`UserError` if they cannot be. If the
    domain was rolled back already, nothing changes.
    """
    known = releases.read_releases(workspace)
    chosen = [one for (of, at), one in releases.live(known).items() if of == domain and target in (None, at)]
    if not chosen:
        at = f" at {target}" if target else ""
        raise UserError(domain, f"has no release{at}", "see 'weakspot releases'")
    return [
        _with_its_files(workspace, config, one)
        if one.action == "rollback"
        else _roll_back(workspace, config, known, one)
        for one in chosen
    ]


def _roll_back(workspace: Workspace, config: Config, known: list[Release], current: Release) -> Release:
    earlier = releases.previous_release(known, current)
    if earlier is not None and earlier.adapter is not None:
        # This raises for an adapter that is gone or damaged, before anything is changed.
        adapters.read_manifest(workspace, AdapterName.parse(earlier.adapter))
    if current.target == "vllm":
        vllm.restore(workspace, config, current, earlier)
    elif current.target == "gateway":
        gateway.restore(workspace, config, earlier)
    back = Release(action="rollback", domain=current.domain, target=current.target, location="")
    if earlier is not None:
        earlier = _with_its_files(workspace, config, earlier)
        kept = {key: getattr(earlier, key) for key in ("snapshot", "verdict", "proof", *_WHAT_ANSWERS)}
        back = back.model_copy(update={**kept, "share": 1.0})
    return releases.publish(workspace, config, back)


def _with_its_files(workspace: Workspace, config: Config, release: Release) -> Release:
    """Return a release whose model is there: if it is gone, it is made again and proved, like a deployment.

    Raises :class:`UserError` if that fails. What vLLM and the gateway answer with is no file of ours but the adapter's.
    """
    made = release.target in ("merged", "gguf", "ollama", "mlx") and release.adapter is not None
    if not made or (not releases.missing_files(workspace, release) and _is_listed(release)):
        return release
    name = AdapterName.parse(str(release.adapter))
    candidate = _read_candidate(workspace, name)
    server = release.location if release.location.startswith("http") else ""
    with atomic.hold_lock(workspace.lock, "process, train or deploy"):
        placed = _place(workspace, config, candidate, Destination(release.target, server))
    return release.model_copy(update=vars(placed))


def _is_listed(release: Release) -> bool:
    """Return whether the server of a release still has its model; True for a release that has no server."""
    if not release.location.startswith("http"):
        return True
    return any(one.name == release.served_name for one in OpenAIClient(f"{release.location}/v1").models())


def _require_proof(workspace: Workspace, candidate: Candidate, *, allow_unproven: bool) -> None:
    name, card = candidate.name, candidate.card
    if card is not None and card.verdict == "reject":
        raise UserError(
            str(name), f"was rejected: {card.reasons[0]}", f"see {workspace.evaluation_page(name)}, then train again"
        )
    if allow_unproven:
        return
    if card is None:
        raise UserError(
            str(name), "was never evaluated", f"run 'weakspot evaluate {name.domain}', or pass --allow-unproven"
        )
    if card.verdict != "accept":
        raise UserError(
            str(name), f"is not proved: {'; '.join(card.reasons)}", "capture more, or pass --allow-unproven"
        )
