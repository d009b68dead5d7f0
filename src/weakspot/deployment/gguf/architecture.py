"""A model's architecture in GGUF: the keys for its shape, the tensor names, and the row order that llama.cpp needs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zddc.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter, TensorNameMap

_ARCHITECTURES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3"}


@dataclass(frozen=True)
class Architecture:
    """A dense decoder, described by its ``config.json``; ``name`` is GGUF's name of the architecture."""

    name: str
    layers: int
    context: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    head_size: int
    epsilon: float
    rope_base: float
    vocabulary: int
    tied: bool

    def add_keys(self, writer: "GGUFWriter") -> None:
        """Write the shape into the keys of a model's file."""
        writer.add_block_count(self.layers)
        writer.add_context_length(self.context)
        writer.add_embedding_length(self.hidden)
        writer.add_feed_forward_length(self.intermediate)
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.key_value_heads)
        writer.add_key_length(self.head_size)
        writer.add_value_length(self.head_size)
        writer.add_rope_dimension_count(self.head_size)
        writer.add_rope_freq_base(self.rope_base)
        writer.add_layer_norm_rms_eps(self.epsilon)
        writer.add_vocab_size(self.vocabulary)

    def names(self) -> "TensorNameMap":
        """Return the map from transformers' names of tensors to llama.cpp's."""
        import gguf

        kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == self.name)
        return gguf.get_tensor_name_map(kind, self.layers)

    def shape_for_transformers(self) -> dict[str, int]:
        """Return the keys of a configuration that transformers does not read from a GGUF file, but guesses."""
        return {"head_dim": self.head_size} if self.name in ("llama", "qwen3") else {}

    def ordered(self, name: str, tensor: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Return the rows of a tensor, or of its LoRA matrix B, in the order of llama.cpp; ``name`` is transformers'.

        For the queries and keys of a Llama, llama.cpp rotates neighbouring rows together (the order of the paper),
        while transformers rotates row i with row i + half; therefore the two halves of each head are interleaved.
        """
        heads = {"q_proj": self.heads, "k_proj": self.key_value_heads}.get(name.split(".")[-2])
        if self.name != "llama" or heads is None:
            return tensor
        halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
        return halves.swapaxes(1, 2).reshape(tensor.shape)


def read_architecture(folder: Path) -> Architecture:
    """Read a model's shape from its ``config.json``.

    Raises :class:`UserError` for a model that is not a Llama, Qwen2 or Qwen3, or that uses an unsupported variant.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kinds = config.get("architectures") or ["a model without architectures"]
    if kinds[0] not in _ARCHITECTURES:
        raise _refusal(folder, kinds[0])
    # Since transformers 5 this table also has the RoPE base; before, it existed only if RoPE was not the plain kind.
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if (kind := rope.get("rope_type", rope.get("type", "default"))) != "default":
        raise _refusal(folder, f"{kinds[0]} with RoPE of the kind {kind}")
    if config.get("use_sliding_window"):
        raise _refusal(folder, f"{kinds[0]} with a sliding window")
    if config.get("hidden_act", "silu") != "silu":
        raise _refusal(folder, f"{kinds[0]} with {config['hidden_act']}")
    heads = config["num_attention_heads"]
    return Architecture(
        name=_ARCHITECTURES[kinds[0]],
        layers=config["num_hidden_layers"],
        context=config["max_position_embeddings"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        heads=heads,
        key_value_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or config["hidden_size"] // heads,
        epsilon=config["rms_norm_eps"],
        rope_base=rope.get("rope_theta") or config.get("rope_theta", 10_000.0),
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", False),
    )


def _refusal(folder: Path, what: str) -> UserError:
    known = ", ".join(_ARCHITECTURES)
    return UserError(folder, f"is {what}, which is not written as GGUF here", f"deploy it as 'merged' (known: {known})")
