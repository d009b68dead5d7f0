"""The target `merged`: a standalone model in a folder, proved to answer as base and adapter do."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.config import Config
from weakspot.data import dataset, store
from weakspot.model import bases, generating, lora, merging, view
from weakspot.model.bases import Base
from weakspot.model.view import Tokens, ViewError
from weakspot.progress import bar
from weakspot.records import AdapterManifest, Interaction, MergedManifest, Proof, Scorecard
from weakspot.serving.placement import Candidate, Destination, Placed
from weakspot.stages import evaluate
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.model.packing import LanguageModel

# Less than this between adapter and base is what an adapter does that does nothing: one of zeros, or untrained.
_NOTHING = 1e-6


def place(workspace: Workspace, config: Config, candidate: Candidate, _: Destination) -> Placed:
    """Write the merged model, as :func:`write` does; there is no name to ask for, only the folder."""
    done = write(workspace, config, candidate.name, candidate.manifest, candidate.card)
    return Placed(str(workspace.merged(candidate.name)), None, done.proof)


def write(
    workspace: Workspace, config: Config, name: AdapterName, manifest: AdapterManifest, card: Scorecard | None
) -> MergedManifest:
    """Merge an adapter into its base, load the result, and prove it; one that is there and whole is returned.

    Raises :class:`UserError` where the merged model differs from base and adapter by more than rounding, and
    where base and adapter do not differ at all: then nothing is left.
    """
    done = read_merged(workspace, name)
    if done is not None and done.adapter_sha256 == manifest.files[lora.WEIGHTS]:
        return done
    if manifest.settings["train"]["load_in_4bit"]:
        # The proof below compares with the full-precision base, which is the one merged into.
        train = {**manifest.settings["train"], "load_in_4bit": False}
        manifest = manifest.model_copy(update={"settings": {**manifest.settings, "train": train}})
    base, model, tokenizer = evaluate.load(workspace, manifest)
    prompts = _prompts(workspace, config, name.domain, tokenizer)
    expected = [last_logits(model, one) for one in prompts]
    changed = _difference_from_base(model, prompts, expected)
    if changed < _NOTHING:
        raise UserError(str(name), "changes nothing: it answers as the base does", "train again; nothing was deployed")
    del model
    with store.folder_written_whole(workspace.merged(name)) as folder:
        with bar(f"merging {name}") as advance:
            merging.merge(merging.base_folder(base.location, base.revision), workspace.adapter(name), folder, advance)
        tokenizer.save_pretrained(folder)
        merged = bases.load_model(
            Base(str(name), str(folder), None), bases.dtype_for(manifest.settings["train"]["precision"])
        )
        largest, same = _prove(merged, prompts, expected, str(name))
        proof = Proof(
            prompts=len(prompts), same_answers=same, largest_difference=largest, mean_difference_from_base=changed
        )
        sample = _sample(workspace, config, name.domain, merged, tokenizer)
        _write_manifest(workspace, name, manifest, card, folder, proof, sample)
    proved = read_merged(workspace, name)
    if proved is None:
        raise RuntimeError(f"{workspace.merged(name)} has no manifest after it was written")
    return proved


def read_merged(workspace: Workspace, name: AdapterName) -> MergedManifest | None:
    """Read what a merged model was made of, None where it is not complete."""
    file = workspace.merged_manifest(name)
    return MergedManifest.from_json(file.read_bytes()) if file.exists() else None


def _prompts(workspace: Workspace, config: Config, domain: str, tokenizer: "PreTrainedTokenizerBase") -> list[Tokens]:
    """Held-out conversations with their expert answers, the domain's own first."""
    examples = dataset.split_examples(workspace, "test")
    examples.sort(key=lambda example: example.domain != domain)
    found: list[Tokens] = []
    for example in examples:
        try:
            found.append(view.tokens(tokenizer, example, min(config.train.max_length, 512)))
        except ViewError:
            continue
        if len(found) == config.deploy.proof_prompts:
            break
    if not found:
        raise UserError(
            domain, "no test example to prove the merged model on", "capture more, then run 'weakspot process'"
        )
    return found


def last_logits(model: "LanguageModel", one: Tokens) -> "torch.Tensor":
    """Return the logits, in fp32 on the CPU, of every supervised token: ``[tokens, vocabulary]``."""
    import torch

    with torch.inference_mode():
        ids = torch.tensor([one.ids], device=model.device)
        kept = torch.arange(one.start - 1, len(one.ids) - 1, device=model.device)
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits[0]
        return torch.as_tensor(logits).float().cpu()


def _difference_from_base(model: "PeftModel", prompts: Sequence[Tokens], expected: "Sequence[torch.Tensor]") -> float:
    """Return how far adapter and base are apart on the experts' own tokens, on the mean, in nats a token."""
    total, tokens = 0.0, 0
    with model.disable_adapter():
        for one, adapted in zip(prompts, expected, strict=True):
            ids = one.ids[one.start :]
            plain = last_logits(model, one).log_softmax(-1)[range(len(ids)), ids]
            total += float((adapted.log_softmax(-1)[range(len(ids)), ids] - plain).abs().sum())
            tokens += len(ids)
    return total / tokens


def _prove(
    merged: "PreTrainedModel", prompts: Sequence[Tokens], expected: "Sequence[torch.Tensor]", name: str
) -> tuple[float, int]:
    """Return the largest difference of log-probabilities, and of how many prompts all likeliest tokens agree.

    Raises :class:`UserError` where the difference is more than rounding explains.
    """
    import torch

    largest, same = 0.0, 0
    for one, wanted in zip(prompts, expected, strict=True):
        got = last_logits(merged, one)
        largest = max(largest, float((got.log_softmax(-1) - wanted.log_softmax(-1)).abs().max()))
        same += bool((got.argmax(-1) == wanted.argmax(-1)).all())
    # Measured: 1e-4 nats in fp32; a merge in bf16 rounds each weight to 3 digits.
    limit = 1e-2 if merged.dtype == torch.float32 else 0.5
    if not largest <= limit:
        raise UserError(
            name,
            f"the merged model differs from base and adapter by {largest:.3g} nats",
            "report this, nothing was deployed",
        )
    return largest, same


def _sample(
    workspace: Workspace, config: Config, domain: str, merged: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, str]:
    examples = dataset.split_examples(workspace, "test", domain) or dataset.split_examples(workspace, "test")
    example: Interaction = min(examples, key=lambda one: len(one.query.text))
    text = evaluate.prompt(tokenizer, example)
    (answer,) = generating.answers(merged, tokenizer, [text], min(config.evaluate.max_new_tokens, 128), 1)
    return {"query": example.query.text, "answer": answer, "expert": example.expert.text}


def _write_manifest(
    workspace: Workspace,
    name: AdapterName,
    manifest: AdapterManifest,
    card: Scorecard | None,
    folder: Path,
    proof: Proof,
    sample: dict[str, str],
) -> None:
    merged = MergedManifest(
        name=workspace.merged(name).name,
        adapter=str(name),
        adapter_sha256=manifest.files[lora.WEIGHTS],
        base=manifest.base,
        verdict=card.verdict if card else "not enough evidence",
        proof=proof,
        sample=sample,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files={file.name: store.sha256(file) for file in sorted(folder.iterdir())},
    )
    store.write_atomically(folder / workspace.merged_manifest(name).name, merged.to_document())
