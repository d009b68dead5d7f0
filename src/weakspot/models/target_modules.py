"""Chooses the layers that LoRA adapts, from the architecture of the base, and maps their names to vLLM's."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.models import loading
from weakspot.models.loading import Base
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

EXPERTS, MLP, ATTENTION = "experts", "mlp", "attention"
_SETTING = "[lora] target_modules"
# Matches model.layers.7.mlp.shared_expert.up_proj: the number of the decoder layer, and the block in it.
_IN_A_LAYER = re.compile(r".*?\.(\d+)\.(\w+)(?:\.[\w.]+)?")
# Blocks that mix tokens have many names; every other block of a decoder layer is its feed-forward part.
_TOKEN_MIXER = re.compile(r"attn|attention|mamba|mixer|conv|ssm|temporal|recurrent|delta")
# Routers choose the routed experts and hold little knowledge. A gate with one output has at most rank 1.
_ROUTER = re.compile(r"gate|router|shared_experts?_gate")
_ROUTED_EXPERT_MATRICES = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class AdaptableLayer:
    """A layer that can be adapted: one linear layer, or all routed experts of a block together.

    ``matrices`` are the shapes ``[out, in]`` that get a low-rank pair each, ``count`` times: once for each routed
    expert.
    """

    name: str
    number: int
    kind: str
    matrices: tuple[tuple[int, int], ...]
    count: int = 1

    @property
    def last(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    @property
    def names_in_settings(self) -> set[str]:
        """The names by which a list in ``[lora] target_modules`` can name the layer."""
        return {self.last, EXPERTS} if self.kind == EXPERTS else {self.last}

    def trainable(self, rank: int) -> int:
        """Return the number of parameters in its low-rank pairs."""
        return self.count * rank * sum(sum(matrix) for matrix in self.matrices)


@dataclass(frozen=True)
class KindCoverage:
    """One kind of layer: how many decoder layers have it, in how many it is adapted, and the trained parameters."""

    name: str
    layers: int
    touched: int
    trainable: int


@dataclass(frozen=True)
class Coverage:
    """How much of a model an adapter touches, for each kind of layer that the model has: attention first, MoE last."""

    kinds: tuple[KindCoverage, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{one.name} {one.touched} of {one.layers}" for one in self.kinds)

    @property
    def trainable(self) -> int:
        """The trained parameters of all kinds together."""
        return sum(one.trainable for one in self.kinds)


@dataclass(frozen=True)
class ModelShape:
    """Facts about a model and an adapter on it that need no weights.

    ``modules`` are the last parts of the names of the adapted layers; ``experts`` stands for the routed experts of a
    block. ``mixture`` is true if the model has routed experts at all.
    """

    parameters: int
    trainable: int
    layers: int
    layers_touched: int
    modules: list[str]
    hidden: int
    intermediate: int
    vocabulary: int
    coverage: Coverage = field(default_factory=Coverage)
    mixture: bool = False


def inspect_model(base: Base, config: Config) -> ModelShape:
    """Build the model without weights and find the layers that ``[lora] target_modules`` names.

    Raises :class:`UserError` for a name that matches nothing, and if fewer than half of the model's layers would be
    adapted: for example q/k/v/o_proj on a model whose layers mostly have another kind of attention.
    """
    import torch
    from transformers import AutoModelForCausalLM

    settings = loading.load_config(base)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(settings, trust_remote_code=False)
    found = find_adaptable_layers(model)
    touched = select_layers(config.lora.target_modules, found, type(model).__name__, base.name)
    text = settings.get_text_config()
    layers, covered = int(text.num_hidden_layers), _layer_numbers(touched)
    if 2 * len(covered) < layers:
        presets = {preset: _layer_numbers(_layers_of_preset(preset, found)) for preset in ("attention", "all-linear")}
        helps = next((preset for preset, numbers in presets.items() if 2 * len(numbers) >= layers), "all-linear")
        raise UserError(_SETTING, f"touches only {len(covered)} of {layers} layers of {base.name}", f"use {helps}")
    cover = coverage(found, touched, config.lora.rank)
    return ModelShape(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        trainable=cover.trainable,
        layers=layers,
        layers_touched=len(covered),
        modules=sorted({EXPERTS if one.kind == EXPERTS else one.last for one in touched}),
        hidden=int(text.hidden_size),
        intermediate=int(getattr(text, "intermediate_size", None) or 4 * text.hidden_size),
        vocabulary=int(text.vocab_size),
        coverage=cover,
        mixture=any(one.kind == EXPERTS for one in found),
    )


def find_adaptable_layers(model: "PreTrainedModel") -> list[AdaptableLayer]:
    """Return the layers of the decoder that can be adapted, in order; the output embedding is not one of them."""
    import torch

    text = model.config.get_text_config()
    types = getattr(text, "layer_types", None) or getattr(text, "layers_block_type", None) or []
    mixers = [_kind_of_mixer(one) for one in types]
    decoder = {id(module) for module in model.get_decoder().modules()}
    found = []
    for name, module in model.named_modules():
        match = _IN_A_LAYER.fullmatch(name)
        if not match or id(module) not in decoder:
            continue
        number = int(match[1])
        mixer = mixers[number] if number < len(mixers) else ATTENTION
        kind = EXPERTS if ".experts." in f"{name}." else mixer if _TOKEN_MIXER.search(match[2]) else MLP
        if isinstance(module, torch.nn.Linear):
            found.append(AdaptableLayer(name, number, kind, ((module.out_features, module.in_features),)))
        elif kind == EXPERTS and (stacked := _moe_matrix_shapes(module)):
            experts = next(iter(module.parameters(recurse=False))).shape[0]
            found.append(AdaptableLayer(name, number, kind, stacked, experts))
    return found


def _kind_of_mixer(layer_type: str) -> str:
    """Return our name for a layer type of a configuration; linear_attention, mamba and conv keep their names."""
    if layer_type in ("mlp", "moe"):  # models that count each block as a layer
        return MLP
    softmax = layer_type.endswith("attention") and not layer_type.startswith("linear")
    return ATTENTION if softmax else layer_type.replace("_", " ")


def _moe_matrix_shapes(module: "torch.nn.Module") -> tuple[tuple[int, int], ...]:
    """Return the shapes ``[out, in]`` of one routed expert's matrices, if the module stacks them in 3-D parameters.

    gate_proj and up_proj count as two, although one parameter holds both: each gets its own low-rank pair.
    """
    found: list[tuple[int, int]] = []
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.dim() == 3:
            _, rows, columns = parameter.shape
            found += [(rows // 2, columns)] * 2 if "gate_up" in name else [(rows, columns)]
    return tuple(found)


def select_layers(
    targets: Sequence[str] | str, layers: Sequence[AdaptableLayer], architecture: str, name: str
) -> list[AdaptableLayer]:
    """Return the ``layers`` that ``targets`` names: a preset, or a list of the last parts of their names.

    ``attention`` is every layer that mixes tokens; ``all-linear`` adds the feed-forward layers, shared experts
    included; ``experts`` adds the routed experts. Routers and gates are adapted only if a list names them. Raises
    :class:`UserError` for a name that matches nothing, and for routed experts that no server could load.
    """
    if isinstance(targets, str):
        found, unknown = _layers_of_preset(targets, layers), []
        if targets == EXPERTS and all(one.kind != EXPERTS for one in layers):
            raise UserError(_SETTING, f"{name} has no routed experts", "use all-linear")
    else:
        found = [one for one in layers if one.names_in_settings & set(targets)]
        unknown = sorted(set(targets).difference(*(one.names_in_settings for one in layers)))
    if unknown or not found:
        choice = ", ".join(sorted({one.last for one in layers})) or "another base: this one has no linear layers"
        raise UserError(_SETTING, f"{name} has no {', '.join(unknown) or 'such layers'}", f"choose from {choice}")
    if any(one.kind == EXPERTS for one in found) and not _vllm_adapts_moe(architecture):
        raise UserError(_SETTING, f"no server loads adapters of the routed experts of {name}", "use all-linear")
    return found


def _layers_of_preset(preset: str, layers: Sequence[AdaptableLayer]) -> list[AdaptableLayer]:
    left_out = {"attention": {MLP, EXPERTS}, "all-linear": {EXPERTS}, "experts": set[str]()}[preset]
    return [one for one in layers if one.kind not in left_out and not _ROUTER.fullmatch(one.last)]


def _layer_numbers(layers: Iterable[AdaptableLayer]) -> set[int]:
    return {one.number for one in layers}


def coverage(layers: Sequence[AdaptableLayer], touched: Sequence[AdaptableLayer], rank: int) -> Coverage:
    """Compare ``touched`` with all ``layers``, kind by kind."""
    order = sorted({one.kind for one in layers}, key=lambda kind: (kind in (MLP, EXPERTS), kind == EXPERTS, kind))
    kinds = []
    for kind in order:
        there = _layer_numbers(one for one in layers if one.kind == kind and not _ROUTER.fullmatch(one.last))
        ours = [one for one in touched if one.kind == kind]
        if there or ours:
            trainable = sum(one.trainable(rank) for one in ours)
            kinds.append(KindCoverage(kind, len(there | _layer_numbers(ours)), len(_layer_numbers(ours)), trainable))
    return Coverage(tuple(kinds))


def peft_layer_settings(names: Iterable[str], *, mixture: bool) -> dict[str, list[str]]:
    """Return PEFT's settings that name the adapted layers: ``target_modules`` and ``target_parameters``.

    ``names`` are the layers' names in the model; a routed expert's is like ``model.layers.0.mlp.experts.3.up_proj``.
    In a ``mixture``, PEFT 0.21 takes every gate_proj, up_proj and down_proj for routed experts, whatever comes before
    them. So shared experts and dense layers are listed as parameters there, which changes neither tensors nor their
    names. PEFT refuses dropout on parameters: with them ``lora_dropout`` must be 0.
    """
    modules, parameters = set(), set()
    for name in names:
        last = name.rpartition(".")[2]
        if mixture and last in _ROUTED_EXPERT_MATRICES and ".experts." not in name:
            parameters.add(re.sub(r".*?\.\d+\.", "", name, count=1) + ".weight")
        else:
            modules.add(last)
    return {"target_modules": sorted(modules), "target_parameters": sorted(parameters)}


# What vLLM 0.32 adapts, as its models' supported layers and packed_modules_mapping give it: the names in an adapter,
# and the layer that each becomes a part of. tests/weakspot/models/test_target_modules.py asks vLLM itself.
_QKVO = {f"self_attn.{one}_proj": "self_attn.qkv_proj" for one in "qkv"} | {"self_attn.o_proj": "self_attn.o_proj"}


def _feed_forward_names(block: str) -> dict[str, str]:
    both = dict.fromkeys((f"{block}.gate_proj", f"{block}.up_proj"), f"{block}.gate_up_proj")
    return both | {f"{block}.down_proj": f"{block}.down_proj"}


_DENSE = _QKVO | _feed_forward_names("mlp")
# vLLM needs a two-dimensional tensor for each matrix of each routed expert, and all of them.
_ROUTED = {f"mlp.experts.{{}}.{one}": "mlp.experts" for one in _ROUTED_EXPERT_MATRICES} | {"mlp.gate": "mlp.gate"}
# On two GPUs or more, vLLM 0.32 splits B of these two layers in another way than the base's rows, so it adds wrong rows
# and reports no error.
_ONE_GPU_ONLY = {f"linear_attn.{one}": f"linear_attn.{one}" for one in ("in_proj_qkvz", "in_proj_ba")}
_HYBRID = _ONE_GPU_ONLY | {
    "linear_attn.out_proj": "linear_attn.out_proj",
    "mlp.shared_expert_gate": "mlp.shared_expert_gate",
}
_EMBEDDINGS = {one: one for one in ("lm_head", "model.embed_tokens")}
_VLLM_NAMES: dict[str, dict[str, str]] = {
    "LlamaForCausalLM": _DENSE | _EMBEDDINGS,
    "Qwen2ForCausalLM": _DENSE,
    "Qwen3ForCausalLM": _DENSE | _EMBEDDINGS,
    "Qwen3MoeForCausalLM": _DENSE | _ROUTED | _EMBEDDINGS,
    "Qwen3NextForCausalLM": _DENSE | _ROUTED | _HYBRID | _feed_forward_names("mlp.shared_expert"),
}
_TENSOR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(?:[AB]\.weight|embedding_[AB])")
_LAYER_PREFIX = re.compile(r"(model\.layers\.\d+\.|)(.+)")


def _vllm_adapts_moe(architecture: str) -> bool:
    return _ROUTED.keys() <= _VLLM_NAMES.get(architecture, {}).keys()


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
    layers, refused, one_rank = dict[str, str](), dict[str, str](), set[str]()
    for tensor in tensors:
        match = _TENSOR.fullmatch(tensor)
        name = match[1] if match else tensor
        prefix, place = _LAYER_PREFIX.fullmatch(name).groups()  # type: ignore[union-attr]
        general = re.sub(r"\.experts\.\d+\.", ".experts.{}.", place)
        if match and general in known:
            layers[name] = prefix + known[general]
            one_rank |= {name} if general in _ONE_GPU_ONLY else set()
        elif re.search(r"\.experts(\.base_layer)*$", name):
            refused[name] = "the routed experts are in one tensor, but vLLM needs one for each"
        else:
            refused[name] = "vLLM has no such layer"
    count = int(base.get("num_experts") or 0)
    for block in {place for place in layers.values() if place.endswith(".experts")}:
        if missing := {f"{block}.{n}.{one}" for n in range(count) for one in _ROUTED_EXPERT_MATRICES} - layers.keys():
            refused[min(missing)] = f"is missing, but vLLM needs all of {block} or none"
    return VllmSupport(layers, refused, sorted(one_rank))
