"""A model's shape is read from its settings, and what llama.cpp would compute otherwise is refused."""

import json

import numpy as np
import pytest

from weakspot.deployment.gguf.architecture import read_architecture
from zddc.errors import UserError

# What https://huggingface.co/Qwen/Qwen2.5-7B-Instruct has.
QWEN = {
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "max_position_embeddings": 32768,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 131072,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "vocab_size": 152064,
}


@pytest.fixture
def read(tmp_path):
    """Read the settings of Qwen2.5-7B with some of them changed."""

    def changed(**changes):
        (tmp_path / "config.json").write_text(json.dumps({**QWEN, **changes}))
        return read_architecture(tmp_path)

    return changed


def test_the_default_base_is_known(read):
    found = read()
    assert (found.name, found.layers, found.heads, found.key_value_heads) == ("qwen2", 28, 28, 4)
    assert (found.head_size, found.rope_base, found.tied) == (128, 1e6, False)


def test_the_base_of_the_rotation_is_found_where_newer_settings_have_it(read):
    found = read(rope_theta=None, rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    assert found.rope_base == 5e5


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"architectures": ["Gemma3ForCausalLM"]}, "is Gemma3ForCausalLM"),
        ({"architectures": None}, "a model without architectures"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "RoPE of the kind yarn"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "RoPE of the kind llama3"),
        ({"use_sliding_window": True}, "a sliding window"),
        ({"hidden_act": "gelu"}, "with gelu"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(read, changes, what):
    with pytest.raises(UserError, match=f"{what}.*which is not written as GGUF here; deploy it as 'merged'"):
        read(**changes)


def test_a_llamas_queries_and_keys_change_the_order_of_their_rows(read):
    shape = {"num_attention_heads": 2, "num_key_value_heads": 1, "hidden_size": 8}
    llama, qwen = read(architectures=["LlamaForCausalLM"], **shape), read(**shape)
    rows = np.arange(8)[:, None]
    query, key = "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight"
    assert llama.ordered(query, rows).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert llama.ordered(key, rows[:4]).ravel().tolist() == [0, 2, 1, 3]
    for same in (qwen.ordered(query, rows), llama.ordered("model.layers.0.self_attn.v_proj.weight", rows)):
        assert same.ravel().tolist() == list(range(8))
