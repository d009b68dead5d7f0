"""The target `gguf`: files for llama.cpp and programs built on it, proved by reading them back with other code.

The folder contains the merged model, quantised as the settings say, and the adapter alone, for a server that already
has the base as GGUF.
"""

from datetime import UTC, datetime
from pathlib import Path

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.gguf import writer
from weakspot.deployment.gguf.architecture import read_architecture
from weakspot.deployment.targets import merged
from weakspot.deployment.types import Candidate, Deployment, Destination
from weakspot.models import adapter_files, adapters, demo_model, loading
from weakspot.progress import bar
from weakspot.records import MergedManifest
from weakspot.settings import Quantisation
from weakspot.storage import atomic
from weakspot.workspace import Workspace

# Mean nats per token that a quantisation may cost: ten times the measured loss, see docs/serving.md.
_LIMITS: dict[Quantisation, float] = {
    **dict.fromkeys(("f32", "f16", "bf16"), 0.01),
    "q8_0": 0.02,
    **dict.fromkeys(("q5_1", "q5_0"), 0.06),
    **dict.fromkeys(("q4_1", "q4_0"), 0.15),
}


def place(workspace: Workspace, config: Config, candidate: Candidate, _: Destination) -> Deployment:
    """Write the files and prove the model; it has no name on a server, only a file."""
    done = write(workspace, config, candidate)
    return Deployment(str(model_file(workspace, config, candidate)), None, done.proof)


def model_file(workspace: Workspace, config: Config, candidate: Candidate) -> Path:
    """Return the path of the merged model's file."""
    return workspace.gguf(candidate.name) / f"{candidate.name}-{config.deploy.quantisation}.gguf"


def limit(config: Config, candidate: Candidate) -> float:
    """Return the largest mean distance (nats per token) allowed between the quantised model and the trained adapter."""
    import torch

    precision = loading.choose_dtype(candidate.manifest.settings["train"]["precision"])
    return _LIMITS[config.deploy.quantisation] + (0.0 if precision == torch.float32 else parity_check.LOSSY)


def write(workspace: Workspace, config: Config, candidate: Candidate) -> MergedManifest:
    """Write the folder with merged model and adapter, and return its manifest; a complete one is not written again.

    Raises :class:`UserError` if the model that is read back does not answer as the adapter does: then no file is left.
    """
    target, quantisation = model_file(workspace, config, candidate), config.deploy.quantisation
    manifest = workspace.gguf_manifest(candidate.name)
    sha256 = candidate.manifest.files[adapter_files.WEIGHTS]
    done = merged.load_manifest_file(manifest)
    complete = not merged.missing_files(manifest)
    if complete and done is not None and done.adapter_sha256 == sha256 and target.name in done.files:
        return done
    base = adapters.require_base(workspace, config, candidate.manifest)
    architecture = read_architecture(loading.fetch_folder(base))
    whole = merged.write(workspace, config, candidate)
    expectation = parity_check.ensure_reference_answers(workspace, config, candidate)
    with atomic.write_folder_atomically(manifest.parent) as folder:
        with bar(f"writing {target.name}"):
            writer.write_model(workspace.merged(candidate.name), folder / target.name, quantisation)
            writer.write_adapter(
                workspace.adapter(candidate.name),
                loading.fetch_folder(base),
                folder / f"{candidate.name}-adapter.gguf",
            )
            model, tokenizer = demo_model.load(folder / target.name, **architecture.shape_for_transformers())
        proved = parity_check.prove(
            expectation, parity_check.ask_in_process(model, tokenizer), target.name, limit(config, candidate)
        )
        done = whole.model_copy(
            update={
                "name": target.name,
                "proof": proved,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "files": {file.name: atomic.sha256(file) for file in sorted(folder.iterdir())},
            }
        )
        atomic.write_atomically(folder / manifest.name, done.to_document())
    return done
