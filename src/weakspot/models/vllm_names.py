"""Maps the names of an adapter's layers to vLLM's, and tells what vLLM would refuse or lose."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ROUTED_EXPERT_MATRICES = ("gate_proj", "up_proj", "down_proj")


# What vLLM 0.32 adapts, as its models' supported layers and packed_modules_mapping give it: the names in an adapter,
# and the layer that each becomes a part of. tests/weakspot/models/test_vllm_names.py asks vLLM itself.
def _packed(block: str, parts: Iterable[str], whole: str) -> dict[str, str]:
    return {f"{block}.{part}": f"{block}.{whole}" for part in parts}


def _alone(*layers: str) -> dict[str, str]:
    return {layer: layer for layer in layers}


def _feed_forward_names(block: str) -> dict[str, str]:
    return _packed(block, ("gate_proj", "up_proj"), "gate_up_proj") | _alone(f"{block}.down_proj")


_QKV = _packed("self_attn", ("q_proj", "k_proj", "v_proj"), "qkv_proj")
_DENSE = _QKV | _alone("self_attn.o_proj") | _feed_forward_names("mlp")
# vLLM needs a two-dimensional tensor for each matrix of each routed expert, and all of them.
_ROUTED = {f"mlp.experts.{{}}.{one}": "mlp.experts" for one in ROUTED_EXPERT_MATRICES}
# On two GPUs or more, vLLM 0.32 splits B of these layers in another way than the base's rows, so it adds wrong rows
# and reports no error.
_ONE_GPU_ONLY = _alone("linear_attn.in_proj_qkvz", "linear_attn.in_proj_ba")
_SPLIT_ONE_GPU_ONLY = _packed("linear_attn", ("in_proj_qkv", "in_proj_z"), "in_proj_qkvz")
_SPLIT_ONE_GPU_ONLY |= _packed("linear_attn", ("in_proj_b", "in_proj_a"), "in_proj_ba")
_SHARED = _feed_forward_names("mlp.shared_expert") | _alone("mlp.shared_expert_gate", "linear_attn.out_proj")
_EMBEDDINGS = _alone("lm_head", "model.embed_tokens")
# kv_b_proj is not here: vLLM folds it into other matrices as it loads the base, and computes answers without its pair.
_LATENT = _packed("self_attn", ("q_a_proj", "kv_a_proj_with_mqa"), "fused_qkv_a_proj")
_LATENT |= _alone("self_attn.q_b_proj", "self_attn.o_proj") | _feed_forward_names("mlp")
_GLM_SHARED = _feed_forward_names("mlp.shared_experts")
_PER_LAYER = _alone("per_layer_input_gate", "per_layer_projection")
_CONVOLUTIONAL = _QKV | _alone("self_attn.out_proj", "feed_forward.w2")
_CONVOLUTIONAL |= _packed("feed_forward", ("w1", "w3"), "w13")
_CONVOLUTIONAL |= {f"conv.{one}": f"short_conv.{one}" for one in ("in_proj", "out_proj")}


@dataclass(frozen=True)
class _VllmNames:
    """The layers of a class that vLLM adapts, and what it makes of the decoder's name in front of them."""

    layers: dict[str, str]
    decoder: tuple[str, str] = ("model.", "model.")


# The decoder of a wrapped model has one name in transformers and another in vLLM, by its hf_to_vllm_mapper.
_WRAPPED = ("model.language_model.", "language_model.model.")
_VLLM_NAMES: dict[str, _VllmNames] = {
    "LlamaForCausalLM": _VllmNames(_DENSE | _EMBEDDINGS),
    "Qwen2ForCausalLM": _VllmNames(_DENSE),
    "Qwen3ForCausalLM": _VllmNames(_DENSE | _EMBEDDINGS),
    "Qwen3MoeForCausalLM": _VllmNames(_DENSE | _ROUTED | _alone("mlp.gate") | _EMBEDDINGS),
    "Qwen3NextForCausalLM": _VllmNames(_DENSE | _ROUTED | _alone("mlp.gate") | _ONE_GPU_ONLY | _SHARED),
    "Qwen3_5ForConditionalGeneration": _VllmNames(
        _DENSE | _SPLIT_ONE_GPU_ONLY | _alone("linear_attn.out_proj"), _WRAPPED
    ),
    "Qwen3_5MoeForConditionalGeneration": _VllmNames(_DENSE | _SPLIT_ONE_GPU_ONLY | _SHARED, _WRAPPED),
    "Gemma3ForCausalLM": _VllmNames(_DENSE),
    "Gemma3ForConditionalGeneration": _VllmNames(_DENSE, _WRAPPED),
    "Gemma4ForCausalLM": _VllmNames(_DENSE | _PER_LAYER),
    "Gemma4ForConditionalGeneration": _VllmNames(_DENSE | _PER_LAYER, _WRAPPED),
    "Mistral3ForConditionalGeneration": _VllmNames(_DENSE, _WRAPPED),
    "GptOssForCausalLM": _VllmNames(
        {name: place.replace("self_attn.", "attn.") for name, place in (_QKV | _alone("self_attn.o_proj")).items()}
    ),
    "Glm4MoeForCausalLM": _VllmNames(_DENSE | _ROUTED | _GLM_SHARED),
    "Glm4MoeLiteForCausalLM": _VllmNames(_LATENT | _ROUTED | _GLM_SHARED),
    "Lfm2ForCausalLM": _VllmNames(_CONVOLUTIONAL),
}
_EXPERT_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts")
_TENSOR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(?:[AB]\.weight|embedding_[AB])")
_LAYER_PREFIX = re.compile(r"((.*\.|)layers\.(\d+)\.|)(.+)")


def adapts_moe(architecture: str) -> bool:
    """Return whether vLLM loads adapters of the routed experts of this class of transformers."""
    known = _VLLM_NAMES.get(architecture)
    return known is not None and _ROUTED.keys() <= known.layers.keys()


@dataclass(frozen=True)
class VllmSupport:
    """What vLLM does with an adapter.

    ``layers`` maps each of its layers to the layer of vLLM that holds it; ``refused`` maps a layer to the reason why
    vLLM does not take it. With one refused layer, vLLM loads no adapter at all, or ignores the layer. ``one_rank``
    are layers that vLLM computes correctly on a single GPU only.
    """

    layers: dict[str, str]
    refused: dict[str, str]
    one_rank: list[str]


def vllm_support(base: Mapping[str, Any], tensors: Iterable[str]) -> VllmSupport | None:
    """Return what vLLM does with the tensors of an adapter, by their names; None if the base's rules are unknown.

    ``base`` is the content of its ``config.json``.
    """
    known = _VLLM_NAMES.get((base.get("architectures") or [""])[0])
    if known is None:
        return None
    text = {**base, **(base.get("text_config") or {})}
    layers, refused, one_rank = dict[str, str](), dict[str, str](), set[str]()
    for tensor in tensors:
        match = _TENSOR.fullmatch(tensor)
        name = match[1] if match else tensor
        _, decoder, number, place = _LAYER_PREFIX.fullmatch(name).groups()  # type: ignore[union-attr]
        general = re.sub(r"\.experts\.\d+\.", ".experts.{}.", place)
        if not match or general not in known.layers or decoder not in (None, known.decoder[0]):
            refused[name] = _why_refused(name)
        elif decoder is None:
            layers[name] = known.layers[general]
        elif general == "self_attn.k_proj" and _keys_are_values(text, int(number)):
            refused[name] = "makes the values, too, but vLLM adapts only the keys"
        else:
            alone = general == "self_attn.q_proj" and _shares_keys(text, int(number))
            layers[name] = f"{known.decoder[1]}layers.{number}.{general if alone else known.layers[general]}"
            one_rank |= {name} if general in _ONE_GPU_ONLY | _SPLIT_ONE_GPU_ONLY else set()
    count = next((int(text[key]) for key in _EXPERT_COUNTS if text.get(key)), 0)
    for block in {place for place in layers.values() if place.endswith(".experts")}:
        routed = {name for name, place in layers.items() if place == block}
        prefix = next(iter(routed)).rpartition(".experts.")[0]
        if missing := {f"{prefix}.experts.{n}.{one}" for n in range(count) for one in ROUTED_EXPERT_MATRICES} - routed:
            refused[min(missing)] = f"is missing, but vLLM needs all of {prefix}.experts or none"
    return VllmSupport(layers, refused, sorted(one_rank))


def _why_refused(name: str) -> str:
    if re.search(r"\.experts(\.base_layer)*$", name):
        return "the routed experts are in one tensor, but vLLM needs one for each"
    if name.endswith(".self_attn.kv_b_proj"):
        return "vLLM folds it into other matrices, and answers without the adapter's part of it"
    return "vLLM has no such layer"


def _keys_are_values(text: Mapping[str, Any], number: int) -> bool:
    """Return whether a layer of a Gemma 4 takes the values from k_proj, too, as full attention may."""
    kinds = text.get("layer_types") or []
    return bool(text.get("attention_k_eq_v")) and number < len(kinds) and kinds[number] == "full_attention"


def _shares_keys(text: Mapping[str, Any], number: int) -> bool:
    """Return whether a layer of a Gemma 4 has queries only, and the keys of an earlier layer."""
    shared = int(text.get("num_kv_shared_layers") or 0)
    return shared > 0 and number >= int(text["num_hidden_layers"]) - shared
