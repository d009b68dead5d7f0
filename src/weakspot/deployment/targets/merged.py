"""The target `merged`: writes base and adapter as one standalone model, and proves that it answers the same."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.types import Candidate, Deployment, Destination
from weakspot.models import adapter_files, adapters, loading, merge
from weakspot.models.loading import Base
from weakspot.progress import bar
from weakspot.records import MergedManifest, Proof
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace

# Mean nats per token. In fp32 a merged model differs by 1e-4; bf16 rounds each weight to three digits.
EXACT = 1e-2


def place(workspace: Workspace, config: Config, candidate: Candidate, _: Destination) -> Deployment:
    """Write the merged model with :func:`write`; it has no name on a server, only a folder."""
    return Deployment(str(workspace.merged(candidate.name)), None, write(workspace, config, candidate).proof)


def write(workspace: Workspace, config: Config, candidate: Candidate) -> MergedManifest:
    """Merge an adapter into its base, load and prove the result, and return its manifest.

    A complete merged model of the same weights is not written again. Raises :class:`UserError` if the merged model
    does not answer as base and adapter do, or if adapter and base do not differ: then no file is left.
    """
    import torch

    name, manifest = candidate.name, candidate.manifest
    done = load_manifest(workspace, name)
    complete = not missing_files(workspace.merged_manifest(name))
    if complete and done is not None and done.adapter_sha256 == manifest.files[adapter_files.WEIGHTS]:
        return done
    expectation = parity_check.ensure_reference_answers(workspace, config, candidate)
    parity_check.require_change(expectation, str(name))
    base = adapters.require_base(workspace, config, manifest)
    tokenizer = loading.load_tokenizer(base)
    with atomic.write_folder_atomically(workspace.merged(name)) as folder:
        with bar(f"merging {name}") as advance:
            merge.merge(loading.fetch_folder(base), workspace.adapter(name), folder, advance)
        tokenizer.save_pretrained(folder)
        merged = loading.load_model(
            Base(str(name), str(folder), None), loading.choose_dtype(manifest.settings["train"]["precision"])
        )
        limit = EXACT if merged.dtype == torch.float32 else parity_check.LOSSY
        proved = parity_check.prove(
            expectation, parity_check.ask_in_process(merged, tokenizer), f"{name}, merged", limit
        )
        _write_manifest(workspace, candidate, folder, proved)
    written = load_manifest(workspace, name)
    if written is None:
        raise RuntimeError(f"{workspace.merged(name)} has no manifest after it was written")
    return written


def load_manifest(workspace: Workspace, name: AdapterName) -> MergedManifest | None:
    """Return the manifest of a merged model; None if the model is incomplete or its manifest has an old form."""
    return load_manifest_file(workspace.merged_manifest(name))


def load_manifest_file(file: Path) -> MergedManifest | None:
    """Return the manifest in a file; None if there is no such file, or it has another form."""
    try:
        return MergedManifest.from_json(file.read_bytes()) if file.exists() else None
    except ValidationError:
        return None


def missing_files(file: Path) -> list[Path]:
    """Return the files that a manifest names and that are gone; the manifest itself if it is gone or cannot be read."""
    known = load_manifest_file(file)
    return [file] if known is None else [one for one in map(file.with_name, known.files) if not one.is_file()]


def _write_manifest(workspace: Workspace, candidate: Candidate, folder: Path, proved: Proof) -> None:
    merged = MergedManifest(
        name=workspace.merged(candidate.name).name,
        adapter=str(candidate.name),
        adapter_sha256=candidate.manifest.files[adapter_files.WEIGHTS],
        base=candidate.manifest.base,
        verdict=candidate.verdict,
        proof=proved,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files={file.name: atomic.sha256(file) for file in sorted(folder.iterdir())},
    )
    atomic.write_atomically(folder / workspace.merged_manifest(candidate.name).name, merged.to_document())
