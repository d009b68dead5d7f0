"""Targets are told from the architecture, what they cover is counted, and vLLM itself says what it would load."""

import json
import os
import re
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.processes import output_of

from weakspot.config import Config
from weakspot.models import target_modules, vllm_names
from weakspot.models.loading import Base
from weakspot.settings import Lora
from zddc.errors import UserError

pytestmark = pytest.mark.slow

VLLM = Path(__file__).parents[3] / "build" / "vllm" / "bin" / "python"
RANK, ALPHA = 4, 8
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
    return target_modules.inspect_model(base, Config(lora=Lora(target_modules=wanted, rank=rank)))


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


def names_of(model, preset):
    """Return the names of the layers that a preset touches, each expert's own, with their shapes ``[out, in]``."""
    found = {}
    for layer in target_modules.select_layers(
        preset, target_modules.find_adaptable_layers(model), type(model).__name__, "it"
    ):
        if layer.kind == "experts":
            parts = ("gate_proj", "up_proj", "down_proj")
            for number in range(layer.count):
                found |= {f"{layer.name}.{number}.{part}": of for part, of in zip(parts, layer.matrices, strict=True)}
        else:
            (found[layer.name],) = layer.matrices
    return found


def adapter(folder, names, *, mixture, base=""):
    """Save an adapter of random pairs for these layers; return its tensors by layer."""
    torch.manual_seed(2)
    pairs = {name: (torch.randn(RANK, of[1]) * 0.2, torch.randn(of[0], RANK) * 0.2) for name, of in names.items()}
    tensors = {
        f"base_model.model.{name}.lora_{side}.weight": one
        for name, pair in pairs.items()
        for side, one in zip("AB", pair, strict=True)
    }
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0}
    settings |= {"base_model_name_or_path": base, **target_modules.peft_layer_settings(names, mixture=mixture)}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return pairs


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
        target_modules.inspect_model(hybrid, Config())
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


def test_what_vllm_refuses_is_told_by_its_name():
    served = vllm_names.vllm_support(
        CONFIGS["qwen3_next"],
        [
            "base_model.model.model.layers.0.linear_attn.in_proj_qkvz.lora_A.weight",
            "base_model.model.model.layers.0.linear_attn.query.lora_A.weight",
            "base_model.model.model.blocks.0.self_attn.q_proj.lora_A.weight",
            "base_model.model.model.layers.0.mlp.experts.base_layer.lora_A.weight",
            "base_model.model.model.layers.1.mlp.experts.lora_A.weight",
            "base_model.model.model.layers.2.mlp.experts.0.up_proj.lora_A.weight",
        ],
    )
    assert served.layers["model.layers.0.linear_attn.in_proj_qkvz"] == "model.layers.0.linear_attn.in_proj_qkvz"
    assert served.one_rank == ["model.layers.0.linear_attn.in_proj_qkvz"]
    stacked = "the routed experts are in one tensor, but vLLM needs one for each"
    missing = "is missing, but vLLM needs all of model.layers.2.mlp.experts or none"
    assert served.refused == {
        "model.layers.0.linear_attn.query": "vLLM has no such layer",
        "model.blocks.0.self_attn.q_proj": "vLLM has no such layer",
        "model.layers.0.mlp.experts.base_layer": stacked,
        "model.layers.1.mlp.experts": stacked,
        "model.layers.2.mlp.experts.0.down_proj": missing,
    }


def test_of_other_architectures_nothing_is_claimed():
    assert vllm_names.vllm_support({"architectures": ["GPT2LMHeadModel"]}, ["h.0.attn.c_attn.lora_A.weight"]) is None


# What vLLM's own classes make of adapters: models of its own without weights, its manager of adapters, and the sum of
# the squares of B A in each layer afterwards. A graphics card is needed to compute with a mixture, not to load one.
_ASK_VLLM = r"""
import json, sys, tempfile
import torch
from vllm.config import set_current_vllm_config
from vllm.distributed import init_distributed_environment, initialize_model_parallel
from vllm.engine.arg_utils import EngineArgs
from vllm.lora.layers import FusedMoEWithLoRA
from vllm.lora.lora_model import LoRAModel
from vllm.lora.model_manager import LoRAModelManager
from vllm.lora.peft_helper import PEFTHelper
from vllm.lora.request import LoRARequest
from vllm.lora.worker_manager import WorkerLoRAManager
from vllm.model_executor.model_loader.utils import initialize_model, process_weights_after_loading

def power(pairs):
    return sum(float((b.float() @ a.float()).square().sum()) for a, b in pairs)

def applied(module, slot):
    if isinstance(module, FusedMoEWithLoRA):
        sides = zip((*module.w13_lora_a_stacked, *module.w2_lora_a_stacked),
                    (*module.w13_lora_b_stacked, *module.w2_lora_b_stacked))
        return power((a[slot][e], b[slot][e]) for a, b in sides for e in range(a.shape[1]))
    sides = module.lora_a_stacked, module.lora_b_stacked
    sides = [(side,) if torch.is_tensor(side) else side for side in sides]
    return power((a[slot][0], b[slot][0]) for a, b in zip(*sides))

answers = {}
for base, adapters in json.load(sys.stdin).items():
    config = EngineArgs(model=base, skip_tokenizer_init=True, enforce_eager=True, dtype="float32", max_model_len=64,
                        enable_lora=True, max_lora_rank=8).create_engine_config()
    with set_current_vllm_config(config):
        if not answers:
            place = "file://" + tempfile.mkdtemp() + "/rendezvous"
            init_distributed_environment(1, 0, place, 0, "gloo")
            initialize_model_parallel(1)
        model = initialize_model(config)
        process_weights_after_loading(model, config.model_config, torch.device("cpu"))
        manager = LoRAModelManager(model, 4, 64, 128, config.lora_config, torch.device("cpu"), config)
        worker = WorkerLoRAManager(config, torch.device("cpu"), getattr(model, "embedding_modules", {}))
        worker._adapter_manager = manager
        for number, folder in enumerate(adapters, 1):
            try:
                manager.add_adapter(worker._load_adapter(LoRARequest(str(number), number, folder)))
                manager.activate_adapter(number)
                slot = manager.lora_index_to_id.index(number)
                loaded = {name: applied(module, slot) for name, module in manager.modules.items()}
                answers[folder] = {name: value for name, value in loaded.items() if value}
                manager.remove_adapter(number)
            except (ValueError, AssertionError) as error:
                answers[folder] = str(error) or type(error).__name__
print("\n" + json.dumps(answers))
"""
_ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}


def asked_vllm(code, *arguments, given=None):
    """Return the lines that a program says, run by vLLM's own Python."""
    if not VLLM.exists():
        pytest.fail("no vLLM in build/vllm: make test-serving")
    return output_of([VLLM, "-c", code, *arguments], given, env=os.environ | _ENVIRONMENT).splitlines()


@pytest.mark.serving
@pytest.mark.timeout(900)
def test_vllm_itself_loads_what_is_said_and_refuses_the_rest(base, tmp_path):
    asked, expected = {}, {}
    for kind, settings in reversed(CONFIGS.items()):  # vLLM makes room for experts with its first model or never
        place = base(kind)
        model = model_of(kind)
        mixture = "num_experts" in settings
        names = names_of(model, "experts" if mixture else "all-linear")
        names |= {"lm_head": (128, 32)} if kind in ("llama", "qwen3") else {}
        names |= {"model.layers.0.mlp.gate": (3, 32)} if mixture else {}
        names |= {"model.layers.0.mlp.shared_expert_gate": (1, 32)} if kind == "qwen3_next" else {}
        broken = dict(names)
        del broken[next(name for name in names if "experts." in name) if mixture else next(iter(names))]
        adapters = {
            "sound": names,
            "renamed": {name.replace("down_proj", "w2"): of for name, of in names.items()},
            "broken": broken,
            "elsewhere": {name.replace("layers.", "blocks."): of for name, of in names.items()},
        }
        if mixture:  # as PEFT saves them
            block = f"{next(name for name in names if '.experts.' in name).partition('.experts.')[0]}.experts"
            adapters["stacked"] = {f"{block}.base_layer": (16, 32), block: (32, 8)}
        for case, layers in adapters.items():
            folder = tmp_path / f"{kind}-{case}"
            pairs = adapter(folder, layers, mixture=mixture)
            asked.setdefault(place.location, []).append(str(folder))
            tensors = [f"base_model.model.{name}.lora_{side}.weight" for name in layers for side in "AB"]
            served = vllm_names.vllm_support(settings, tensors)
            power = dict.fromkeys(served.layers.values(), 0.0)
            for name, into in served.layers.items():
                power[into] += float(delta(pairs[name]).square().sum())
            expected[str(folder)] = served, power
    answers = json.loads(asked_vllm(_ASK_VLLM, given=json.dumps(asked))[-1])
    assert answers.keys() == expected.keys()
    for folder, (served, power) in expected.items():
        answer = answers[folder]
        if isinstance(answer, str):
            assert served.refused, f"{folder}: {answer}"
        else:  # what it has no layer for it may also pass over
            assert answer == pytest.approx(power, rel=1e-4), folder
    for kind, case in re.findall(r"(\w+)-(\w+)", " ".join(Path(folder).name for folder in expected)):
        served, _ = expected[str(tmp_path / f"{kind}-{case}")]
        assert bool(served.refused) == (case not in ("sound", "broken") or (case == "broken" and "qwen3_" in kind))


# Two processes of one vLLM hold a layer each as its ranks would. Where the processor has AVX-512, they exchange what
# they compute through shared memory under a name that the launcher gives them. Forked, so that vLLM is imported once.
_ASK_RANKS = r"""
import json, os, pathlib, secrets, sys, torch
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.distributed import init_distributed_environment, initialize_model_parallel
from vllm.lora.layers import ColumnParallelLinearWithLoRA
from vllm.model_executor.layers.linear import MergedColumnParallelLinear

def rank(number, place):
    with set_current_vllm_config(VllmConfig()):
        init_distributed_environment(2, number, f"file://{place}", number, "gloo")
        initialize_model_parallel(2)
        layer = MergedColumnParallelLinear(4, [8], bias=False)  # as Qwen3-Next makes in_proj_qkvz
        rows = torch.arange(8.0)[:, None].expand(8, 4).contiguous()
        layer.weight.weight_loader(layer.weight, rows)
        lora = ColumnParallelLinearWithLoRA(layer).slice_lora_b(rows)
        held = [layer.weight[:, 0].int().tolist(), lora[:, 0].int().tolist()]
        pathlib.Path(f"{place}-{number}").write_text(json.dumps(held))

name = os.environ["VLLM_DIST_IDENT"] = f"weakspot-{secrets.token_hex(8)}"
try:
    torch.multiprocessing.start_processes(rank, (sys.argv[1],), nprocs=2, start_method="fork")
finally:
    for memory in pathlib.Path("/dev/shm").glob(f"{name}-*"):
        memory.unlink()
"""


@pytest.mark.serving
@pytest.mark.timeout(300)
def test_vllm_cuts_two_projections_wrongly_on_two_ranks(tmp_path):
    """The reason for ``one_rank``; where this fails, vLLM has mended it."""
    place = tmp_path / "rank"
    asked_vllm(_ASK_RANKS, place)
    assert [json.loads(Path(f"{place}-{number}").read_text()) for number in (0, 1)] == [
        [[0, 1, 2, 3], [0, 1, 4, 5]],
        [[4, 5, 6, 7], [2, 3, 6, 7]],
    ]
