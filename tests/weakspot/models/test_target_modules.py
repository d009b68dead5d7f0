"""Targets are told from the architecture, and what they cover is counted."""

import json
import warnings

import pytest
import torch
from tests.weakspot.random_adapter import ALPHA, RANK, adapter, names_of

from weakspot.config import Config
from weakspot.models import loading, target_modules
from weakspot.models.loading import Base
from weakspot.settings import Lora
from zddc.errors import UserError

pytestmark = pytest.mark.slow

_SMALL = {"hidden_size": 32, "intermediate_size": 48, "vocab_size": 128, "num_attention_heads": 2}
_SMALL |= {"num_key_value_heads": 1, "head_dim": 16, "num_hidden_layers": 4, "max_position_embeddings": 128}
_ROUTED = {"num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
_HYBRID = {"shared_expert_intermediate_size": 24, "linear_num_value_heads": 4, "linear_num_key_heads": 2}
_HYBRID |= {"linear_key_head_dim": 8, "linear_value_head_dim": 8}
CONFIGS = {
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **_SMALL},
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **_SMALL},
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **_SMALL},
    "qwen3_moe": {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "mlp_only_layers": [3],  # the last layer is a dense one
        **_SMALL,
        **_ROUTED,
    },
    "qwen3_next": {
        "architectures": ["Qwen3NextForCausalLM"],
        "model_type": "qwen3_next",
        **_SMALL,
        **_ROUTED,
        **_HYBRID,
    },
}
QKVO = ["k_proj", "o_proj", "q_proj", "v_proj"]
GDN = ["in_proj_ba", "in_proj_qkvz", "out_proj"]
GATED = ["down_proj", "gate_proj", "up_proj"]


@pytest.fixture
def base(tmp_path):
    """Make a base of a configuration and no weights."""

    def made(kind, **changed):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(CONFIGS[kind] | changed))
        return Base(kind, str(folder), None)

    return made


def shape(base, wanted, rank=RANK):
    config = Config(lora=Lora(target_modules=wanted, rank=rank))
    return target_modules.inspect_model(loading.build_meta_model(base), config, base.name)


def model_of(kind, **changed):
    """Make a model with random weights: those of experts too, which transformers leaves as they were."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(1)
    settings = {key: value for key, value in (CONFIGS[kind] | changed).items() if key != "architectures"}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "conv1d" not in name:
                parameter.normal_(std=0.15)
    return model


def delta(pair):
    return ALPHA / RANK * pair[1] @ pair[0]


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_a_dense_model_has_attention_and_mlp_in_every_layer(base, kind):
    dense = base(kind)
    attention = shape(dense, "attention")
    assert (attention.modules, attention.layers_touched, attention.mixture) == (QKVO, 4, False)
    assert str(attention.coverage) == "attention 4 of 4, mlp 0 of 4"
    # q and o are 32 x 32, k and v 16 x 32, gate, up and down 48 x 32
    assert attention.trainable == 4 * RANK * (64 + 64 + 48 + 48)
    everything = shape(dense, "all-linear")
    assert everything.modules == sorted(QKVO + GATED)
    assert everything.trainable == attention.trainable + 4 * RANK * 3 * 80
    assert str(everything.coverage) == "attention 4 of 4, mlp 4 of 4"


def test_attention_of_a_hybrid_is_that_of_all_its_layers(base):
    found = shape(base("qwen3_next"), "attention")
    assert found.modules == sorted(QKVO + GDN)
    assert (found.layers_touched, found.layers) == (4, 4)
    assert str(found.coverage) == "attention 1 of 1, linear attention 3 of 3, mlp 0 of 4, experts 0 of 4"
    assert found.trainable == sum(kind.trainable for kind in found.coverage.kinds)


def test_all_linear_of_a_mixture_has_shared_experts_and_no_gate(base):
    found = shape(base("qwen3_next"), "all-linear")
    assert found.modules == sorted(QKVO + GDN + GATED)
    assert str(found.coverage) == "attention 1 of 1, linear attention 3 of 3, mlp 4 of 4, experts 0 of 4"
    assert found.mixture


def test_experts_are_on_top_of_all_linear(base):
    hybrid = base("qwen3_next")
    below, found = shape(hybrid, "all-linear"), shape(hybrid, "experts")
    assert found.modules == sorted([*below.modules, "experts"])
    assert str(found.coverage) == "attention 1 of 1, linear attention 3 of 3, mlp 4 of 4, experts 4 of 4"
    # gate and up are 8 x 32, down 32 x 8, in each of 3 experts in 4 layers
    assert found.trainable == below.trainable + 4 * 3 * RANK * 3 * (8 + 32)


def test_a_mixture_may_have_dense_layers_and_no_shared_expert(base):
    found = shape(base("qwen3_moe"), "experts")
    assert str(found.coverage) == "attention 4 of 4, mlp 1 of 1, experts 3 of 3"
    assert found.modules == sorted([*QKVO, *GATED, "experts"])


def test_the_experts_alone_are_a_list(base):
    found = shape(base("qwen3_next"), ["experts"])
    assert str(found.coverage) == "attention 0 of 1, linear attention 0 of 3, mlp 0 of 4, experts 4 of 4"


def test_a_gate_is_touched_where_it_is_listed(base):
    found = shape(base("qwen3_next"), ["shared_expert_gate", "experts"])
    assert found.modules == ["experts", "shared_expert_gate"]


def test_a_target_that_the_model_does_not_have_is_named(base):
    with pytest.raises(UserError, match="qwen2 has no query_key_value; choose from down_proj, gate_proj"):
        shape(base("qwen2"), ["q_proj", "query_key_value"])


def test_a_dense_model_has_no_experts(base):
    with pytest.raises(UserError, match="qwen2 has no routed experts; use all-linear"):
        shape(base("qwen2"), "experts")


def test_experts_that_no_server_loads_are_refused(base):
    with pytest.raises(UserError, match="no server loads adapters of the routed experts of it; use all-linear"):
        target_modules.select_layers(
            "experts", target_modules.find_adaptable_layers(model_of("qwen3_moe")), "OlmoeForCausalLM", "it"
        )


def test_thin_cover_is_refused_with_the_preset_that_helps(base):
    hybrid = base("qwen3_next", num_hidden_layers=8)
    with pytest.raises(UserError, match="touches only 2 of 8 layers of qwen3_next; use attention"):
        shape(hybrid, Config().lora.target_modules)
    with pytest.raises(UserError, match="touches only 1 of 4 layers of qwen3_moe; use attention"):
        shape(base("qwen3_moe"), GATED)


def test_layers_of_other_kinds_keep_the_name_that_their_configuration_gives_them():
    from transformers import AutoModelForCausalLM, Lfm2Config

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            Lfm2Config(**_SMALL, layer_types=["conv", "conv", "full_attention", "conv"])
        )
    layers = target_modules.find_adaptable_layers(model)
    assert str(target_modules.coverage(layers, layers, RANK)) == "attention 1 of 1, conv 3 of 3, mlp 4 of 4"


@pytest.mark.parametrize("kind", ["qwen3_moe", "qwen3_next"])
def test_plain_peft_loads_adapters_of_experts_by_their_own_names(kind, tmp_path):
    """Compare with a base whose weights are changed by hand; twelve experts, so that 10 comes after 9, not after 1."""
    from peft import PeftModel

    base, changed = model_of(kind, num_experts=12), model_of(kind, num_experts=12)
    names = names_of(base, "experts")
    pairs = adapter(tmp_path / "adapter", names, mixture=True)
    with torch.no_grad():
        for name, pair in pairs.items():
            block, experts, number, part = *name.partition(".experts.")[:2], *name.split(".")[-2:]
            if not experts:
                changed.get_submodule(name).weight += delta(pair)
                continue
            experts = changed.get_submodule(f"{block}.experts")
            weight = experts.down_proj if part == "down_proj" else experts.gate_up_proj
            half = {"gate_proj": slice(None, 8), "up_proj": slice(8, None), "down_proj": slice(None)}[part]
            weight[int(number), half] += delta(pair)
    with warnings.catch_warnings():
        # PEFT looks for the names of parameters among those of modules.
        warnings.filterwarnings("ignore", message="The following (rank|alpha)_pattern keys did not match")
        loaded = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    ids = torch.arange(3, 40)[None]
    with torch.no_grad(), loaded.disable_adapter():
        without = loaded(input_ids=ids).logits
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids).logits, changed(input_ids=ids).logits, rtol=0, atol=1e-4)
    assert not torch.allclose(without, changed(input_ids=ids).logits, atol=0.1)
