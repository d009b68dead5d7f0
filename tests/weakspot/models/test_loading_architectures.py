"""Each architecture that people run, as a tiny model: planned, trained, merged and named for vLLM, or refused in a line.

What comes of each is a table in docs/models.md. ``WRITE_DOCS=1 pytest`` on this file writes it anew.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from weakspot.config import Config
from weakspot.deployment.gguf.architecture import read_architecture
from weakspot.models import adapter_files, adapters, loading, merge, target_modules, vllm_names, weight_files
from weakspot.models.loading import Base
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.settings import Evaluate, Lora, Model, Train
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
BEGIN, END = "<!-- architectures: written by a test -->", "<!-- end of architectures -->"
NAME = AdapterName("spam", 1)

_SMALL = {"vocab_size": 2000, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "head_dim": 16}
_SMALL |= {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512}
_SMALL |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
_ROUTED = {"num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_DELTA = {"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
_SHARED = {"shared_expert_intermediate_size": 24}
_GLM = {"n_routed_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "first_k_dense_replace": 1}
_GLM |= {"n_shared_experts": 1, "n_group": 1, "topk_group": 1}
_LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 16}
_VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_VISION_QWEN = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}
_VISION_QWEN |= {"num_position_embeddings": 16, "patch_size": 2}
_PIXTRAL = _VISION | {"model_type": "pixtral", "image_size": 28, "patch_size": 14, "head_dim": 8}
_SIGLIP = _VISION | {"image_size": 28, "patch_size": 14}
_VISION_GEMMA4 = _VISION | {"num_key_value_heads": 2, "head_dim": 8, "patch_size": 4}
_WINDOW = {"sliding_window": 64}
_CHOSEN = {"num_experts_per_tok": 2}
_PER_LAYER = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 2000, "num_kv_shared_layers": 0}


@dataclass(frozen=True)
class Architecture:
    """A class of transformers with a tiny configuration, and models that people run of it."""

    name: str
    models: str
    kind: str
    settings: dict

    def save(self, folder: Path) -> None:
        """Write a model with random weights: those of experts too, which transformers leaves as they were."""
        import transformers

        torch.manual_seed(1)
        kind = getattr(transformers, self.name)
        model = kind(transformers.AutoConfig.for_model(self.kind, **self.settings))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() > 1 and "conv" not in name:
                    parameter.normal_(std=0.1)
        loading.silence_libraries()
        model.save_pretrained(folder)


ARCHITECTURES = [
    Architecture("LlamaForCausalLM", "Llama 3", "llama", _SMALL),
    Architecture("Qwen2ForCausalLM", "Qwen2.5, Qwen2.5-Coder", "qwen2", _SMALL),
    Architecture("Qwen3ForCausalLM", "Qwen3", "qwen3", _SMALL),
    Architecture("Qwen3MoeForCausalLM", "Qwen3-30B-A3B, Qwen3-Coder-30B-A3B", "qwen3_moe", _SMALL | _ROUTED),
    Architecture("Qwen3NextForCausalLM", "Qwen3-Coder-Next", "qwen3_next", _SMALL | _ROUTED | _DELTA | _SHARED),
    Architecture(
        "Qwen3_5ForConditionalGeneration",
        "Qwen3.5, Qwen3.6-27B, Qwen3.8-27B",
        "qwen3_5",
        {"text_config": _SMALL | _DELTA, "vision_config": _VISION_QWEN},
    ),
    Architecture(
        "Qwen3_5MoeForConditionalGeneration",
        "Qwen3.6-35B-A3B",
        "qwen3_5_moe",
        {"text_config": _SMALL | _DELTA | _ROUTED | _SHARED, "vision_config": _VISION_QWEN},
    ),
    Architecture(
        "Mistral3ForConditionalGeneration",
        "Devstral Small 2, Mistral Small",
        "mistral3",
        {"text_config": _SMALL | {"model_type": "mistral"}, "vision_config": _PIXTRAL},
    ),
    Architecture(
        "GptOssForCausalLM",
        "gpt-oss-20b, gpt-oss-120b",
        "gpt_oss",
        _SMALL | _WINDOW | _CHOSEN | {"num_local_experts": 3},
    ),
    Architecture("Glm4MoeForCausalLM", "GLM-4.5-Air", "glm4_moe", _SMALL | _GLM),
    Architecture(
        "Glm4MoeLiteForCausalLM",
        "GLM-4.7-Flash",
        "glm4_moe_lite",
        {key: value for key, value in _SMALL.items() if key != "head_dim"}
        | _GLM
        | _LATENT
        | {"num_key_value_heads": 2},
    ),
    Architecture("Gemma3ForCausalLM", "Gemma 3 1B", "gemma3_text", _SMALL | _WINDOW),
    Architecture(
        "Gemma3ForConditionalGeneration",
        "Gemma 3 4B, 12B, 27B",
        "gemma3",
        {"text_config": _SMALL | _WINDOW, "vision_config": _SIGLIP, "mm_tokens_per_image": 4},
    ),
    Architecture(
        "Gemma4ForConditionalGeneration",
        "Gemma 4",
        "gemma4",
        {
            "text_config": _SMALL | _WINDOW | _PER_LAYER | {"global_head_dim": 16},
            "vision_config": _VISION_GEMMA4,
            "audio_config": None,
        },
    ),
    Architecture(
        "Llama4ForCausalLM",
        "Llama 4, its language model",
        "llama4_text",
        _SMALL | {"num_local_experts": 2, "num_experts_per_tok": 1, "intermediate_size_mlp": 48},
    ),
    Architecture(
        "Lfm2ForCausalLM", "LFM2", "lfm2", _SMALL | {"layer_types": ["conv", "conv", "full_attention", "conv"]}
    ),
]


@pytest.fixture(scope="module")
def make_base(tiny_base, tmp_path_factory):
    """Make a model of an architecture, with the tokenizer of the tiny base."""

    def made(one: Architecture) -> Path:
        folder = tmp_path_factory.mktemp(one.kind) / "base"
        one.save(folder)
        for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copyfile(tiny_base / file, folder / file)
        return folder

    return made


@pytest.fixture
def spam(workspace, example, capture):
    """A workspace of one domain, short of words."""
    capture(workspace, [example(number) for number in range(12)])
    process(workspace, Config())
    return workspace


def settings(base: Path, preset: str) -> Config:
    return Config(
        model=Model(base=str(base)),
        train=Train(max_steps=2, learning_rate=0.02, precision="fp32", max_length=256),
        lora=Lora(rank=4, alpha=8, dropout=0, target_modules=preset),
        evaluate=Evaluate(retrieval=False),
    )


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 60)[None]).logits


def outcome(spam, one: Architecture, base: Path, merged: Path) -> list[str]:
    """Train two steps and merge; return the cells of the table."""
    try:
        train(spam, settings(base, "experts"), "spam")
        preset = "experts"
    except UserError as error:
        assert re.search("has no routed experts|no server loads adapters of the routed experts", str(error)), one.name
        preset = "all-linear"
        train(spam, settings(base, preset), "spam")
    folder, config = spam.adapter(NAME), settings(base, preset)
    found, model, _ = adapters.load(spam, config, adapters.read_manifest(spam, NAME))
    shape = target_modules.inspect_model(found, config)
    with torch.no_grad(), model.disable_adapter():
        without = logits(model)
    adapted = logits(model)
    assert not torch.allclose(without, adapted, atol=1e-3)
    try:
        merged.mkdir()
        merge.merge(base, folder, merged)
        again = loading.load_model(Base("merged", str(merged), None), torch.float32, on_cpu=True)
        torch.testing.assert_close(logits(again), adapted, rtol=0, atol=2e-4)
        assert weight_files.read_tensors(merged).keys() == weight_files.read_tensors(base).keys()
        whole = "yes"
    except UserError as error:
        whole = f"no: {error.problem}"
    try:
        read_architecture(base)
        gguf = "yes"
    except UserError:
        gguf = "no"
    with safe_open(folder / adapter_files.WEIGHTS, "pt") as stored:
        names = vllm_names.vllm_support(loading.load_config(found).to_dict(), stored.keys())
    return [str(shape.coverage), "yes" if preset == "experts" else "no", whole, gguf, vllm(names)]


def vllm(found: vllm_names.VllmSupport | None) -> str:
    if found is None:
        return "not tried"
    if found.refused:
        name, reason = next(iter(found.refused.items()))
        return f"no: {name.rpartition('.')[2]}: {reason}"
    return "yes, on one GPU" if found.one_rank else "yes"


@pytest.fixture(scope="module")
def rows():
    """The rows of the table by the class, as they are made."""
    return {}


@pytest.mark.parametrize("one", ARCHITECTURES, ids=lambda one: one.kind)
def test_a_model_of_each_architecture_is_trained_and_merged_or_refused(spam, make_base, tmp_path, one, rows):
    cells = outcome(spam, one, make_base(one), tmp_path / "merged")
    rows[one.name] = f"| {' | '.join([one.models, f'`{one.name}`', *cells])} |"


def test_the_page_says_what_came_of_each(rows):
    if len(rows) < len(ARCHITECTURES):
        pytest.skip("only with the tests of all architectures")
    head = ["models", "class", "layers that all-linear adapts", "experts", "merged", "GGUF, Ollama", "vLLM"]
    table = ["|".join(["", *(f" {cell} " for cell in head), ""]), "|" + "---|" * len(head)]
    table += [rows[one.name] for one in ARCHITECTURES]
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    new = f"{before}{BEGIN}\n" + "\n".join(table) + f"\n{END}{after}"
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(new, encoding="utf-8")
    assert text == new or os.environ.get("WRITE_DOCS")
