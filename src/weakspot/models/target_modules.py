"""Which layers of a base an adapter touches, told from the architecture itself, and what vLLM makes of their names."""

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
# model.layers.7.mlp.shared_expert.up_proj: the number of the decoder layer, and the block in it.
_IN_A_LAYER = re.compile(r".*?\.(\d+)\.(\w+)(?:\.[\w.]+)?")
# What mixes tokens goes by many names; everything else in a decoder layer is its feed-forward part.
_TOKEN_MIXER = re.compile(r"attn|attention|mamba|mixer|conv|ssm|temporal|recurrent|delta")
# They decide which expert is asked, and are no layer of knowledge; of one output, rank 1 would be all there is.
_GATE = re.compile(r"gate|router|shared_experts?_gate")
_OF_AN_EXPERT = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Layer:
    """A layer that can be adapted: one linear layer, or the routed experts of a block, all of them together.

    ``matrices`` are the shapes ``[out, in]`` of what gets a low-rank pair, ``count`` times: once for each expert.
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
    def listed_as(self) -> set[str]:
        """What a list in ``[lora] target_modules`` may call the layer."""
        return {self.last, EXPERTS} if self.kind == EXPERTS else {self.last}

    def trainable(self, rank: int) -> int:
        """Return the parameters of its low-rank pairs."""
        return self.count * rank * sum(sum(matrix) for matrix in self.matrices)


@dataclass(frozen=True)
class Kind:
    """How many of the decoder layers that have a kind of layer are touched there, and the parameters trained."""

    name: str
    layers: int
    touched: int
    trainable: int


@dataclass(frozen=True)
class Coverage:
    """What of a model an adapter touches, kind by kind, those that the model has: attention first, experts last."""

    kinds: tuple[Kind, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{one.name} {one.touched} of {one.layers}" for one in self.kinds)

    @property
    def trainable(self) -> int:
        """The parameters trained, of all kinds together."""
        return sum(one.trainable for one in self.kinds)


@dataclass(frozen=True)
class Shape:
    """What can be told of a model without its weights, and of an adapter on it.

    ``modules`` are the last parts of the names of the layers touched; ``experts`` are a block's routed experts.
    ``mixture`` tells whether the model has routed experts at all.
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


def shape(base: Base, config: Config) -> Shape:
    """Build the model without weights and find the layers that ``[lora] target_modules`` stands for.

    Raises :class:`UserError` for a target that names nothing, and for a cover of fewer than half of the
    model's layers, as q/k/v/o_proj on a model whose layers are mostly of another kind of attention.
    """
    import torch
    from transformers import AutoModelForCausalLM

    settings = loading.load_config(base)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(settings, trust_remote_code=False)
    found = adaptable(model)
    touched = chosen(config.lora.target_modules, found, type(model).__name__, base.name)
    text = settings.get_text_config()
    layers, covered = int(text.num_hidden_layers), _numbers(touched)
    if 2 * len(covered) < layers:
        presets = {preset: _numbers(_preset(preset, found)) for preset in ("attention", "all-linear")}
        helps = next((preset for preset, numbers in presets.items() if 2 * len(numbers) >= layers), "all-linear")
        raise UserError(_SETTING, f"touches only {len(covered)} of {layers} layers of {base.name}", f"use {helps}")
    cover = coverage(found, touched, config.lora.rank)
    return Shape(
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


def adaptable(model: "PreTrainedModel") -> list[Layer]:
    """Return the layers of a model's decoder that can be adapted, in their order; the output embedding is none."""
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
            found.append(Layer(name, number, kind, ((module.out_features, module.in_features),)))
        elif kind == EXPERTS and (stacked := _stacked(module)):
            experts = next(iter(module.parameters(recurse=False))).shape[0]
            found.append(Layer(name, number, kind, stacked, experts))
    return found


def _kind_of_mixer(layer_type: str) -> str:
    """Return what a configuration's word for a layer is here: linear_attention, mamba and conv stay what they are."""
    if layer_type in ("mlp", "moe"):  # where a layer is nothing but that
        return MLP
    softmax = layer_type.endswith("attention") and not layer_type.startswith("linear")
    return ATTENTION if softmax else layer_type.replace("_", " ")


def _stacked(module: "torch.nn.Module") -> tuple[tuple[int, int], ...]:
    """Return the matrices ``[out, in]`` of one expert, where the experts of a block are parameters of three dimensions.

    gate_proj and up_proj are two, though they lie in one parameter: each has its own low-rank pair.
    """
    found: list[tuple[int, int]] = []
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.dim() == 3:
            _, rows, columns = parameter.shape
            found += [(rows // 2, columns)] * 2 if "gate_up" in name else [(rows, columns)]
    return tuple(found)


def chosen(targets: Sequence[str] | str, layers: Sequence[Layer], architecture: str, name: str) -> list[Layer]:
    """Return those of ``layers`` that ``targets`` stands for: a preset, or a list of the last parts of their names.

    ``attention`` is every layer that mixes tokens, ``all-linear`` also every feed-forward one, shared experts
    included, and ``experts`` also the routed experts. Gates are touched only where a list names them.
    Raises :class:`UserError` for what names nothing, and for routed experts that no server would load.
    """
    if isinstance(targets, str):
        found, unknown = _preset(targets, layers), []
        if targets == EXPERTS and all(one.kind != EXPERTS for one in layers):
            raise UserError(_SETTING, f"{name} has no routed experts", "use all-linear")
    else:
        found = [one for one in layers if one.listed_as & set(targets)]
        unknown = sorted(set(targets).difference(*(one.listed_as for one in layers)))
    if unknown or not found:
        choice = ", ".join(sorted({one.last for one in layers})) or "another base: this one has no linear layers"
        raise UserError(_SETTING, f"{name} has no {', '.join(unknown) or 'such layers'}", f"choose from {choice}")
    if any(one.kind == EXPERTS for one in found) and not _experts_of(architecture):
        raise UserError(_SETTING, f"no server loads adapters of the routed experts of {name}", "use all-linear")
    return found


def _preset(preset: str, layers: Sequence[Layer]) -> list[Layer]:
    left_out = {"attention": {MLP, EXPERTS}, "all-linear": {EXPERTS}, "experts": set[str]()}[preset]
    return [one for one in layers if one.kind not in left_out and not _GATE.fullmatch(one.last)]


def _numbers(layers: Iterable[Layer]) -> set[int]:
    return {one.number for one in layers}


def coverage(layers: Sequence[Layer], touched: Sequence[Layer], rank: int) -> Coverage:
    """Return what ``touched`` is of ``layers``, kind by kind."""
    order = sorted({one.kind for one in layers}, key=lambda kind: (kind in (MLP, EXPERTS), kind == EXPERTS, kind))
    kinds = []
    for kind in order:
        there = _numbers(one for one in layers if one.kind == kind and not _GATE.fullmatch(one.last))
        ours = [one for one in touched if one.kind == kind]
        if there or ours:
            trainable = sum(one.trainable(rank) for one in ours)
            kinds.append(Kind(kind, len(there | _numbers(ours)), len(_numbers(ours)), trainable))
    return Coverage(tuple(kinds))


def peft_targets(names: Iterable[str], *, mixture: bool) -> dict[str, list[str]]:
    """Return what names an adapter's layers in PEFT's settings: ``target_modules`` and ``target_parameters``.

    ``names`` are the layers' names in the model, a routed expert's as ``model.layers.0.mlp.experts.3.up_proj``.
    In a ``mixture`` PEFT 0.21 takes gate_proj, up_proj and down_proj for the routed experts, whatever stands before
    them; so shared experts and dense layers are named there as parameters, which changes neither tensors nor their
    names. PEFT adapts parameters without dropout only: beside them ``lora_dropout`` must be 0.
    """
    modules, parameters = set(), set()
    for name in names:
        last = name.rpartition(".")[2]
        if mixture and last in _OF_AN_EXPERT and ".experts." not in name:
            parameters.add(re.sub(r".*?\.\d+\.", "", name, count=1) + ".weight")
        else:
            modules.add(last)
    return {"target_modules": sorted(modules), "target_parameters": sorted(parameters)}


# What vLLM 0.32 adapts, as its models' supported layers and packed_modules_mapping give it: the names in an adapter,
# and the layer that each becomes a part of. tests/weakspot/models/test_target_modules.py asks vLLM itself.
_QKVO = {f"self_attn.{one}_proj": "self_attn.qkv_proj" for one in "qkv"} | {"self_attn.o_proj": "self_attn.o_proj"}


def _gated(block: str) -> dict[str, str]:
    both = dict.fromkeys((f"{block}.gate_proj", f"{block}.up_proj"), f"{block}.gate_up_proj")
    return both | {f"{block}.down_proj": f"{block}.down_proj"}


_DENSE = _QKVO | _gated("mlp")
# Each expert by its own two-dimensional names, and each has to be there.
_ROUTED = {f"mlp.experts.{{}}.{one}": "mlp.experts" for one in _OF_AN_EXPERT} | {"mlp.gate": "mlp.gate"}
# B of these two is halved among tensor-parallel ranks, where the base's rows are cut in one piece: vLLM 0.32 adds the
# wrong rows on two GPUs or more, and tells nobody.
_ONE_RANK = {f"linear_attn.{one}": f"linear_attn.{one}" for one in ("in_proj_qkvz", "in_proj_ba")}
_HYBRID = _ONE_RANK | {
    "linear_attn.out_proj": "linear_attn.out_proj",
    "mlp.shared_expert_gate": "mlp.shared_expert_gate",
}
_EMBEDDINGS = {one: one for one in ("lm_head", "model.embed_tokens")}
_SERVED: dict[str, dict[str, str]] = {
    "LlamaForCausalLM": _DENSE | _EMBEDDINGS,
    "Qwen2ForCausalLM": _DENSE,
    "Qwen3ForCausalLM": _DENSE | _EMBEDDINGS,
    "Qwen3MoeForCausalLM": _DENSE | _ROUTED | _EMBEDDINGS,
    "Qwen3NextForCausalLM": _DENSE | _ROUTED | _HYBRID | _gated("mlp.shared_expert"),
}
_TENSOR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(?:[AB]\.weight|embedding_[AB])")
_SERVED_LAYER = re.compile(r"(model\.layers\.\d+\.|)(.+)")


def _experts_of(architecture: str) -> bool:
    return _ROUTED.keys() <= _SERVED.get(architecture, {}).keys()


@dataclass(frozen=True)
class Served:
    """What vLLM makes of an adapter: ``layers`` is which of its own each goes into, ``refused`` why one does not.

    One layer refused and vLLM loads none, or passes it over. ``one_rank`` is what is right on a single GPU only.
    """

    layers: dict[str, str]
    refused: dict[str, str]
    one_rank: list[str]


def served_names(base: Mapping[str, Any], tensors: Iterable[str]) -> Served | None:
    """Return what vLLM makes of the tensors of an adapter by their names; None for a base whose rules are not known.

    ``base`` is what its ``config.json`` holds.
    """
    known = _SERVED.get((base.get("architectures") or [""])[0])
    if known is None:
        return None
    layers, refused, one_rank = dict[str, str](), dict[str, str](), set[str]()
    for tensor in tensors:
        match = _TENSOR.fullmatch(tensor)
        name = match[1] if match else tensor
        prefix, place = _SERVED_LAYER.fullmatch(name).groups()  # type: ignore[union-attr]
        general = re.sub(r"\.experts\.\d+\.", ".experts.{}.", place)
        if match and general in known:
            layers[name] = prefix + known[general]
            one_rank |= {name} if general in _ONE_RANK else set()
        elif re.search(r"\.experts(\.base_layer)*$", name):
            refused[name] = "the experts are in one tensor, and vLLM wants each on its own"
        else:
            refused[name] = "vLLM has no such layer"
    count = int(base.get("num_experts") or 0)
    for block in {place for place in layers.values() if place.endswith(".experts")}:
        if missing := {f"{block}.{n}.{one}" for n in range(count) for one in _OF_AN_EXPERT} - layers.keys():
            refused[min(missing)] = f"is missing, and vLLM wants all of {block} or none"
    return Served(layers, refused, sorted(one_rank))
