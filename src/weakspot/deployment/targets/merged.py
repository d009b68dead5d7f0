"""The target `merged`: a standalone model in a folder, proved to answer as base and adapter do."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from weakspot.config import Config
from weakspot.dataset import reading
from weakspot.deployment import parity_check
from weakspot.deployment.types import Candidate, Destination, Placed
from weakspot.evaluation import scoring
from weakspot.models import adapter_files, adapters, generation, loading, merge
from weakspot.models.loading import Base
from weakspot.progress import bar
from weakspot.records import Interaction, MergedManifest, Proof
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Nats a token, on the mean. In fp32 a merge differs by 1e-4; in bf16 it rounds each weight to three digits.
_EXACT = 1e-2


def place(workspace: Workspace, config: Config, candidate: Candidate, _: Destination) -> Placed:
    """Write the merged model, as :func:`write` does; there is no name to ask for, only the folder."""
    return Placed(str(workspace.merged(candidate.name)), None, write(workspace, config, candidate).proof)


def write(workspace: Workspace, config: Config, candidate: Candidate) -> MergedManifest:
    """Merge an adapter into its base, load the result, and prove it; one that is there and whole is returned.

    Raises :class:`UserError` where the merged model does not answer as base and adapter do, and where these do
    not differ at all: then nothing is left.
    """
    import torch

    name, manifest = candidate.name, candidate.manifest
    done = read_merged(workspace, name)
    if done is not None and done.adapter_sha256 == manifest.files[adapter_files.WEIGHTS]:
        return done
    expectation = parity_check.expectation(workspace, config, candidate)
    parity_check.require_change(expectation, str(name))
    base = adapters.base_of(manifest)
    tokenizer = loading.load_tokenizer(base)
    with atomic.folder_written_whole(workspace.merged(name)) as folder:
        with bar(f"merging {name}") as advance:
            merge.merge(merge.base_folder(base.location, base.revision), workspace.adapter(name), folder, advance)
        tokenizer.save_pretrained(folder)
        merged = loading.load_model(
            Base(str(name), str(folder), None), loading.dtype_for(manifest.settings["train"]["precision"])
        )
        limit = _EXACT if merged.dtype == torch.float32 else parity_check.LOSSY
        proved = parity_check.prove(
            expectation, parity_check.ask_in_process(merged, tokenizer), f"{name}, merged", limit
        )
        sample = _sample(workspace, config, name.domain, merged, tokenizer)
        _write_manifest(workspace, candidate, folder, proved, sample)
    written = read_merged(workspace, name)
    if written is None:
        raise RuntimeError(f"{workspace.merged(name)} has no manifest after it was written")
    return written


def read_merged(workspace: Workspace, name: AdapterName) -> MergedManifest | None:
    """Read what a merged model was made of, None where it is not complete, or older than its proof."""
    return read_manifest(workspace.merged_manifest(name))


def read_manifest(file: Path) -> MergedManifest | None:
    """Read what a model was made of, None where there is no such manifest, or one of another form."""
    try:
        return MergedManifest.from_json(file.read_bytes()) if file.exists() else None
    except ValidationError:
        return None


def _sample(
    workspace: Workspace, config: Config, domain: str, merged: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, str]:
    examples = reading.split_examples(workspace, "test", domain) or reading.split_examples(workspace, "test")
    example: Interaction = min(examples, key=lambda one: len(one.query.text))
    text = scoring.prompt(tokenizer, example)
    (answer,) = generation.answers(merged, tokenizer, [text], min(config.evaluate.max_new_tokens, 128), 1)
    return {"query": example.query.text, "answer": answer, "expert": example.expert.text}


def _write_manifest(
    workspace: Workspace, candidate: Candidate, folder: Path, proved: Proof, sample: dict[str, str]
) -> None:
    merged = MergedManifest(
        name=workspace.merged(candidate.name).name,
        adapter=str(candidate.name),
        adapter_sha256=candidate.manifest.files[adapter_files.WEIGHTS],
        base=candidate.manifest.base,
        verdict=candidate.verdict,
        proof=proved,
        sample=sample,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files={file.name: atomic.sha256(file) for file in sorted(folder.iterdir())},
    )
    atomic.write_atomically(folder / workspace.merged_manifest(candidate.name).name, merged.to_document())
