"""Chooses the layers that LoRA adapts, from the architecture of the base."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.models import loading, weight_files
from weakspot.models.loading import Base
from weakspot.models.vllm_names import ROUTED_EXPERT_MATRICES, adapts_moe
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
# Servers fold this layer of a latent attention into other matrices, and would compute without its adapter.
_FOLDED = "kv_b_proj"


@dataclass(frozen=True)
class AdaptableLayer:
    """A layer that can be adapted: one linear layer, or all routed experts of a block together.

    ``matrices`` are the shapes ``[out, in]`` that get a low-rank pair each, ``count`` times: once for each routed
    expert. ``frozen`` are routed experts whose weights are quantised: they cannot be adapted.
    """

    name: str
    number: int
    kind: str
    matrices: tuple[tuple[int, int], ...]
    count: int = 1
    frozen: bool = False

    @property
    def last(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    @property
    def in_presets(self) -> bool:
        """Whether presets adapt it: not routers and gates, nor what servers fold."""
        router = _ROUTER.fullmatch(self.last) or ".router." in self.name
        return not router and self.last != _FOLDED

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


def inspect_model(model: "PreTrainedModel", config: Config, name: str) -> ModelShape:
    """Find the layers of the base ``name``, with or without its weights, that ``[lora] target_modules`` names.

    Raises :class:`UserError` for a name that matches nothing, and if fewer than half of the model's layers would be
    adapted: for example q/k/v/o_proj on a model whose layers mostly have another kind of attention.
    """
    found = find_adaptable_layers(model)
    touched = select_layers(config.lora.target_modules, found, type(model).__name__, name)
    text = model.config.get_text_config()
    layers, covered = int(text.num_hidden_layers), _layer_numbers(touched)
    if 2 * len(covered) < layers:
        presets = {preset: _layer_numbers(_layers_of_preset(preset, found)) for preset in ("attention", "all-linear")}
        helps = next((preset for preset, numbers in presets.items() if 2 * len(numbers) >= layers), "all-linear")
        raise UserError(_SETTING, f"touches only {len(covered)} of {layers} layers of {name}", f"use {helps}")
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

    from weakspot.models.frozen_layers import FrozenExperts

    text = model.config.get_text_config()
    types = getattr(text, "layer_types", None) or getattr(text, "layers_block_type", None) or []
    mixers = [_kind_of_mixer(one) for one in types]
    decoder = {id(module) for module in loading.decoder(model).modules()}
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
        elif isinstance(module, FrozenExperts):
            found.append(AdaptableLayer(name, number, kind, tuple(module.shapes.values()), module.count, frozen=True))
        elif kind == EXPERTS and (stacked := _moe_matrix_shapes(module)):
            experts = next(iter(module.parameters(recurse=False))).shape[0]
            found.append(AdaptableLayer(name, number, kind, stacked, experts))
    return found


def require_stored_layers(base: Base, model: "PreTrainedModel", modules: Collection[str]) -> None:
    """Raise :class:`UserError` if an adapted layer is in no weight file: such an adapter fits no server and no merge.

    transformers makes some layers of several stored tensors as it loads them. ``modules`` are the last parts of the
    names of the adapted layers. A base that is not on this machine is not checked.
    """
    if (folder := loading.find_local_folder(base)) is None:
        return
    adapted = [one.name for one in find_adaptable_layers(model) if one.kind != EXPERTS and one.last in modules]
    found = weight_files.stored_names(weight_files.read_tensors(folder), adapted)
    if lost := next((name for name in adapted if name not in found), None):
        raise UserError(_SETTING, f"{lost} is in no weight file of {base.name}", "choose other layers, or another base")


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
    included; ``experts`` adds the routed experts. Routers, gates and what servers fold are adapted only if a list names
    them. Raises :class:`UserError` for a name that matches nothing, and for routed experts that no server could load.
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
    if any(one.frozen for one in found):
        raise UserError(
            _SETTING, f"the routed experts of {name} are quantised, so they stay as they are", "use all-linear"
        )
    if any(one.kind == EXPERTS for one in found) and not adapts_moe(architecture):
        raise UserError(_SETTING, f"no server loads adapters of the routed experts of {name}", "use all-linear")
    return found


def _layers_of_preset(preset: str, layers: Sequence[AdaptableLayer]) -> list[AdaptableLayer]:
    left_out = {"attention": {MLP, EXPERTS}, "all-linear": {EXPERTS}, "experts": set[str]()}[preset]
    return [one for one in layers if one.kind not in left_out and one.in_presets]


def _layer_numbers(layers: Iterable[AdaptableLayer]) -> set[int]:
    return {one.number for one in layers}


def coverage(layers: Sequence[AdaptableLayer], touched: Sequence[AdaptableLayer], rank: int) -> Coverage:
    """Compare ``touched`` with all ``layers``, kind by kind."""
    order = sorted({one.kind for one in layers}, key=lambda kind: (kind in (MLP, EXPERTS), kind == EXPERTS, kind))
    kinds = []
    for kind in order:
        there = _layer_numbers(one for one in layers if one.kind == kind and one.in_presets)
        ours = [one for one in touched if one.kind == kind]
        if there or ours:
            trainable = sum(one.trainable(rank) for one in ours)
            kinds.append(KindCoverage(kind, len(there | _layer_numbers(ours)), len(_layer_numbers(ours)), trainable))
    return Coverage(tuple(kinds))


def peft_layer_settings(names: Iterable[str], *, mixture: bool) -> dict[str, Any]:
    """Return PEFT's settings that name the adapted layers: ``target_modules``, ``target_parameters``, and for a wrapped
    language model ``exclude_modules``, a pattern of everything outside of it.

    ``names`` are the layers' names in the model; a routed expert's is like ``model.layers.0.mlp.experts.3.up_proj``.
    In a ``mixture``, PEFT 0.21 takes every gate_proj, up_proj and down_proj for routed experts, whatever comes before
    them. So shared experts and dense layers are listed as parameters there, which changes neither tensors nor their
    names. PEFT refuses dropout on parameters: with them ``lora_dropout`` must be 0.
    """
    modules, parameters, prefixes = set(), set(), set()
    for name in names:
        prefixes.add(name.partition("layers.")[0] if "layers." in name else "")
        last = name.rpartition(".")[2]
        if mixture and last in ROUTED_EXPERT_MATRICES and ".experts." not in name:
            parameters.add(re.sub(r".*?\.\d+\.", "", name, count=1) + ".weight")
        else:
            modules.add(last)
    found: dict[str, Any] = {"target_modules": sorted(modules), "target_parameters": sorted(parameters)}
    if prefixes - {"", "model."}:
        found["exclude_modules"] = rf"(?!{'|'.join(re.escape(prefix) for prefix in sorted(prefixes))}).*"
    return found
