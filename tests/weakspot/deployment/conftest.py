"""What is served: thin models of the kinds that are written as GGUF, and a real adapter for the demo's task."""

import json
import runpy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from weakspot.config import Config, load
from weakspot.deployment import parity_check
from weakspot.deployment.types import Candidate
from weakspot.models import adapter_files, adapters
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace

DEMO = Path(__file__).parents[3] / "examples" / "first-adapter"
DEMO_DOMAIN = "zddc-naming"
FIRST, SECOND = AdapterName(DEMO_DOMAIN, 1), AdapterName(DEMO_DOMAIN, 2)
# Of the demo's names that are taught, so many teach here: it is enough, and takes a minute.
_TAUGHT = 60
_TOKENS = 2048
_SHAPE = {
    "vocab_size": _TOKENS,
    "max_position_embeddings": 512,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "eos_token_id": 2,
    "initializer_range": 0.1,  # else attention is so even that it hides a wrong order of rows
}
# How Qwen2's tokenizer.json cuts a text: https://huggingface.co/Qwen/Qwen2.5-7B-Instruct
_QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Demo:
    """A workspace with a proved-to-be adapter for the demo's task; everybody's, so that it is copied."""

    folder: Path
    config: Config
    questions: list[str]
    """The 30 that the demo tests with."""

    def copied(self, folder: Path) -> Workspace:
        """Return a workspace of one's own, with the first adapter."""
        shutil.copytree(self.folder / "training-data", folder)
        return Workspace(folder)

    def save_second(self, workspace: Workspace) -> None:
        """Put the second adapter where the pipeline leaves it: the first one, turned down by half."""
        shutil.copytree(self.folder / "second", workspace.adapter(SECOND))


@pytest.fixture(scope="session")
def demo(embedded, interaction, capture, made_once) -> Demo:
    """Two adapters for the demo's task, with what they must answer, as ``evaluate`` leaves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMO)
        run = runpy.run_path(str(DEMO / "run.py"))
    names = list(run["file_names"](run["TAUGHT"] + run["UNSEEN"], seed=7))
    settings = ["train.max_steps=12", "deploy.quantisation=f16", "deploy.proof_prompts=4", "lora.rank=16"]
    config = load(DEMO / "weakspot.toml", settings)

    def build(folder: Path) -> None:
        workspace = Workspace(folder / "training-data")
        capture(
            workspace,
            [interaction(run["question"](name), run["expert"](name), domain=DEMO_DOMAIN) for name in names[:_TAUGHT]],
        )
        process(workspace, config)
        train(workspace, config, DEMO_DOMAIN)
        expected(workspace, config, FIRST)
        planted(
            workspace, lambda tensors: {name: one * (0.5 if "lora_B" in name else 1) for name, one in tensors.items()}
        )
        expected(workspace, config, SECOND)
        workspace.adapter(SECOND).rename(folder / "second")

    return Demo(made_once("demo", build), config, [run["question"](name) for name in names[run["TAUGHT"] :]])


def expected(workspace: Workspace, config: Config, name: AdapterName) -> None:
    """Have it written down what an adapter must answer."""
    parity_check.ensure_reference_answers(
        workspace, config, Candidate(name, adapters.read_manifest(workspace, name), None)
    )


def planted(workspace: Workspace, change: Callable[[dict], dict]) -> None:
    """Save what ``change`` makes of the first adapter's tensors as the second adapter, whole, as training does."""
    from safetensors.torch import load_file, save_file

    folder = workspace.adapter(SECOND)
    shutil.copytree(workspace.adapter(FIRST), folder)
    weights = folder / adapter_files.WEIGHTS
    save_file({name: one.contiguous() for name, one in change(load_file(weights)).items()}, weights, {"format": "pt"})
    manifest = adapters.read_manifest(workspace, FIRST)
    files = {name: atomic.sha256(folder / name) for name in manifest.files}
    changed = manifest.model_copy(update={"name": str(SECOND), "version": 2, "files": files})
    workspace.adapter_manifest(SECOND).write_bytes(changed.to_document())
    workspace.reference_answers(SECOND).unlink()


@pytest.fixture(scope="session")
def thin(embedded, made_once) -> Callable[[str], Path]:
    """Give a model of a kind, ``llama``, ``qwen2`` or ``qwen3``: random weights, the start of SmolLM2's vocabulary."""
    return lambda kind: made_once(f"thin-{kind}", lambda folder: _make(kind, Path(embedded.location), folder))


def _make(kind: str, tokenizer: Path, folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(3)
    # Llama's is tied, Qwen3's heads are wider than their share, and every matrix fills whole blocks of 32.
    special = {"tie_word_embeddings": kind == "llama", **({"head_dim": 32} if kind == "qwen3" else {})}
    settings = AutoConfig.for_model(kind, **_SHAPE, **special)
    model = AutoModelForCausalLM.from_config(settings)
    for name, parameter in model.named_parameters():  # ones and zeros would hide a tensor that is left out
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, 0.0 if name.endswith("bias") else 1.0, 0.3)
    model.save_pretrained(folder)
    for file in ("tokenizer_config.json", "chat_template.jinja"):
        (folder / file).write_bytes((tokenizer / file).read_bytes())
    settings = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    # A token's number is its rank among the merges, so that the first ones are a whole vocabulary.
    known = {text: number for text, number in settings["model"]["vocab"].items() if number < _TOKENS}
    merges = [pair for pair in settings["model"]["merges"] if "".join(pair) in known]
    settings["model"].update(vocab=known, merges=merges)
    if kind != "llama":
        bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
        split = {"type": "Split", "pattern": {"Regex": _QWEN_SPLIT}, "behavior": "Isolated", "invert": False}
        settings["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, bytes_only]}
        settings["normalizer"] = {"type": "NFC"}
    (folder / "tokenizer.json").write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
