"""Writes the command that starts a vLLM for given adapters, and computes the memory that it reserves for each.

vLLM reserves room for the largest adapter in every slot, in each layer that an adapter may touch. Unless the layers are
named, those are all of them: the routed experts of a mixture too, whatever the adapters hold. A layer that is not named
is silently left out of an adapter that has it, so the names are taken from the adapters' own tensors.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from weakspot.models import adapter_files, loading, target_modules
from weakspot.models.loading import Base
from weakspot.models.target_modules import EXPERTS
from weakspot.records import BaseReference
from zddc.errors import UserError

# https://docs.vllm.ai/en/stable/features/lora: the values that --max-lora-rank accepts.
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# Layers that vLLM computes as one: if an adapter touches one of them, there is room for all.
_COMPUTED_AS_ONE = (
    {"q_proj", "k_proj", "v_proj"},
    {"gate_proj", "up_proj"},
    {"in_proj_qkv", "in_proj_z"},
    {"in_proj_a", "in_proj_b"},
    {"q_a_proj", "kv_a_proj_with_mqa"},
)
# vLLM 0.32 adapts gate_proj and up_proj of these models' routed experts by one pair of matrices.
_EXPERTS_IN_PAIRS = frozenset({"gpt_oss", "qwen3_5_moe_text", "qwen3_vl_moe_text", "qwen3_omni_moe_text"})
# Beside a sleeping vLLM, its context and what it does not move stay on the GPU.
_SLEEPS = " --enable-sleep-mode --gpu-memory-utilization 0.85"
_BYTES = 2  # adapters are served in 16 bits, as their base


def serve_command(
    adapters: Sequence[Path],
    model: str,
    served_name: str | None = None,
    base: BaseReference | None = None,
    *,
    sleeps: bool = False,
) -> str:
    """Return the command that starts a vLLM for all ``adapters`` at once, and for the next version of one of them.

    One that ``sleeps`` has sleep mode, and leaves a part of the GPU's memory to others that need it meanwhile.

    ``model`` is the base's place on the server's machine. Behind the command stands what each slot takes, if the
    configuration of ``base`` is known here.
    """
    rank, modules = fit_rank(adapters), lora_modules(adapters)
    slots = max(2, len(adapters) + 1)
    name = f" --served-model-name {served_name}" if served_name else ""
    start = f"{'VLLM_SERVER_DEV_MODE=1 ' if sleeps else ''}VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve"
    command = (
        f"{start} {model}{name} --enable-lora --max-lora-rank {rank} "
        f"--max-loras {slots} --lora-target-modules {' '.join(modules)}{_SLEEPS if sleeps else ''}"
    )
    return f"{command}{_memory(base, rank, modules, slots) if base else ''}"


def fit_rank(adapters: Iterable[Path]) -> int:
    """Return the smallest value of ``--max-lora-rank`` that all adapters fit into; raise StopIteration beyond 512."""
    highest = max(int(json.loads((one / adapter_files.SETTINGS).read_text())["r"]) for one in adapters)
    return next(rank for rank in RANKS if rank >= highest)


def lora_modules(adapters: Iterable[Path]) -> list[str]:
    """Return the names for ``--lora-target-modules``: of each layer that has a tensor in one of the adapters.

    All routed experts of a block are one layer of vLLM, ``experts``. Layers that vLLM computes as one are named as the
    adapters name them, which vLLM understands.
    """
    from safetensors import safe_open

    found = set()
    for adapter in adapters:
        with safe_open(adapter / adapter_files.WEIGHTS, "pt") as tensors:
            layers = {name.partition(".lora_")[0] for name in tensors.keys()}  # noqa: SIM118 (no mapping)
        found |= {EXPERTS if re.search(r"\.experts(\.|$)", one) else one.rpartition(".")[2] for one in layers}
    return sorted(found)


def slot_bytes(base: Base, rank: int, modules: Collection[str] | None) -> int:
    """Return the bytes that vLLM reserves on one GPU for each slot, at this ``--max-lora-rank``.

    ``modules`` are those of ``--lora-target-modules``; None is without that option. Embeddings are not counted.
    """
    model = loading.build_meta_model(base)
    wanted = None
    if modules is not None:
        wanted = set(modules).union(*(one for one in _COMPUTED_AS_ONE if one & set(modules)))
    text = model.config.get_text_config()
    parameters, blocks = 0, set[int]()
    for layer in target_modules.find_adaptable_layers(model):
        name = EXPERTS if layer.kind == EXPERTS else layer.last
        if wanted is None or name in wanted:
            parameters += 0 if name == EXPERTS else layer.trainable(rank)
            blocks |= {layer.number} if name == EXPERTS else set()
    if blocks:
        hidden, inner = text.hidden_size, getattr(text, "moe_intermediate_size", None) or text.intermediate_size
        inputs = 2 if text.model_type in _EXPERTS_IN_PAIRS else 3
        experts = int(getattr(text, "num_experts", None) or text.num_local_experts)
        parameters += len(blocks) * experts * rank * (inputs * hidden + 3 * inner)
    return _BYTES * parameters


def _memory(base: BaseReference, rank: int, modules: list[str], slots: int) -> str:
    place = Base(base.name, base.location, base.revision)
    try:
        each, everywhere = (slot_bytes(place, rank, one) for one in (modules, None))
    except (UserError, ValueError, AttributeError):
        return ""
    return (
        f" (that reserves {slots} x {_format_bytes(each)} for adapters; without --lora-target-modules "
        f"{slots} x {_format_bytes(everywhere)})"
    )


def _format_bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
