"""Tiny models of the architectures that people run, from transformers' own classes, with random weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.progress import silence_libraries

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SMALL = {"vocab_size": 2000, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "head_dim": 16}
_SMALL |= {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512}
_SMALL |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
_ROUTED = {"num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_DELTA = {"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
_SHARED = {"shared_expert_intermediate_size": 24}
_GLM = {"n_routed_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "first_k_dense_replace": 1}
_GLM |= {"n_shared_experts": 1, "n_group": 1, "topk_group": 1}
_LATENT = {"q_lora_rank": 16, "kv_lora_rank": 32, "qk_nope_head_dim": 32, "qk_rope_head_dim": 32, "v_head_dim": 32}
_VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_VISION_QWEN = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}
_VISION_QWEN |= {"num_position_embeddings": 16, "patch_size": 2}
_PIXTRAL = _VISION | {"model_type": "pixtral", "image_size": 28, "patch_size": 14, "head_dim": 8}
_SIGLIP = _VISION | {"image_size": 28, "patch_size": 14}
_VISION_GEMMA4 = _VISION | {"num_key_value_heads": 2, "head_dim": 8, "patch_size": 4}
_CONVOLUTION = {"conv_dim": 32, "block_dim": 32, "block_multiple_of": 8, "block_auto_adjust_ff_dim": False}
_WINDOW = {"sliding_window": 64}
_CHOSEN = {"num_experts_per_tok": 2}
_PER_LAYER = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 2000}
_PER_LAYER |= {"layer_types": ["sliding_attention", "full_attention"] * 2}
_MIXED = {"enable_moe_block": True, "num_experts": 3, "top_k_experts": 2, "moe_intermediate_size": 16}
_MIXED |= {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0, "num_global_key_value_heads": 1}
_GEMMA4 = {"vision_config": _VISION_GEMMA4, "audio_config": None}


@dataclass(frozen=True)
class Architecture:
    """A class of transformers with a tiny configuration, and the models of it that people run."""

    name: str
    models: str
    kind: str
    settings: dict

    def build(self) -> "PreTrainedModel":
        """Return a model with random weights: those of experts too, which transformers leaves as they were."""
        import torch
        import transformers

        torch.manual_seed(1)
        model = getattr(transformers, self.name)(transformers.AutoConfig.for_model(self.kind, **self.settings)).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() > 1 and "conv" not in name:
                    parameter.normal_(std=0.1)
        return model

    def save(self, folder: Path) -> None:
        """Write the model into a folder, as transformers stores it."""
        silence_libraries()
        self.build().save_pretrained(folder)


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
        "Gemma 4 E2B, E4B",
        "gemma4",
        _GEMMA4 | {"text_config": _SMALL | _WINDOW | _PER_LAYER | {"global_head_dim": 16, "num_kv_shared_layers": 2}},
    ),
    Architecture(
        "Gemma4ForConditionalGeneration",
        "Gemma 4 26B-A4B, 31B",
        "gemma4",
        _GEMMA4 | {"text_config": _SMALL | _WINDOW | _MIXED | {"global_head_dim": 16, "attention_k_eq_v": True}},
    ),
    Architecture(
        "Llama4ForCausalLM",
        "Llama 4, its language model",
        "llama4_text",
        _SMALL | {"num_local_experts": 2, "num_experts_per_tok": 1, "intermediate_size_mlp": 48},
    ),
    Architecture(
        "Lfm2ForCausalLM",
        "LFM2",
        "lfm2",
        _SMALL | {"layer_types": ["conv", "conv", "full_attention", "conv"]} | _CONVOLUTION,
    ),
]
