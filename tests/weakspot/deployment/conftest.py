"""What is served: thin models of the kinds that are written as GGUF, and a real adapter for the demo's task."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from weakspot.config import load
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.workspace import Workspace

DEMO = Path(__file__).parents[3] / "examples" / "first-adapter"
DEMO_DOMAIN = "zddc-naming"
# Of the demo's names that are taught, so many teach here: it is enough, and takes a minute.
_TAUGHT = 60
_TOKENS = 8000
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


@pytest.fixture(scope="session")
def demo(embedded, interaction, capture, tmp_path_factory):
    """A workspace with an adapter for the demo's task, its settings, and the 30 questions that the demo tests with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMO)
        run = runpy.run_path(str(DEMO / "run.py"))
    names = list(run["file_names"](run["TAUGHT"] + run["UNSEEN"], seed=7))
    workspace = Workspace(tmp_path_factory.mktemp("demo") / "training-data")
    capture(
        workspace,
        [interaction(run["question"](name), run["expert"](name), domain=DEMO_DOMAIN) for name in names[:_TAUGHT]],
    )
    settings = ["train.max_steps=12", "deploy.quantisation=f16", "deploy.proof_prompts=4", "lora.rank=16"]
    config = load(DEMO / "weakspot.toml", settings)
    process(workspace, config)
    train(workspace, config, DEMO_DOMAIN)
    return workspace, config, [run["question"](name) for name in names[run["TAUGHT"] :]]


@pytest.fixture(scope="session")
def thin(embedded, tmp_path_factory) -> Callable[[str], Path]:
    """Make a model of a kind, ``llama``, ``qwen2`` or ``qwen3``: random weights, the start of SmolLM2's vocabulary."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = _made(kind, Path(embedded.location), tmp_path_factory.mktemp("thin") / kind)
        return made[kind]

    return make


def _made(kind: str, tokenizer: Path, folder: Path) -> Path:
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
    return folder
