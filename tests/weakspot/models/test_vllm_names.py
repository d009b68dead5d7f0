"""The names that an adapter has in vLLM: what is said of each architecture, vLLM itself says, too."""

import json
import os
from pathlib import Path

import pytest
from tests.processes import output_of
from tests.weakspot.architectures import ARCHITECTURES
from tests.weakspot.random_adapter import ALPHA, RANK, adapter, names_of

from weakspot.models import vllm_names

VLLM = Path(__file__).parents[3] / "build" / "vllm" / "bin" / "python"
LAYER = "base_model.model.model.layers.{}.lora_A.weight"


def test_what_vllm_refuses_is_told_by_its_name():
    served = vllm_names.vllm_support(
        {"architectures": ["Qwen3NextForCausalLM"], "num_experts": 3},
        [
            LAYER.format("0.linear_attn.in_proj_qkvz"),
            LAYER.format("0.linear_attn.query"),
            "base_model.model.model.blocks.0.self_attn.q_proj.lora_A.weight",
            LAYER.format("0.mlp.experts.base_layer"),
            LAYER.format("1.mlp.experts"),
            LAYER.format("2.mlp.experts.0.up_proj"),
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


def test_a_wrapped_model_has_the_names_of_its_class_and_no_others():
    base = {"architectures": ["Qwen3_5ForConditionalGeneration"]}
    wrapped = LAYER.replace("model.layers", "model.language_model.layers").format("3.self_attn.q_proj")
    served = vllm_names.vllm_support(base, [wrapped, LAYER.format("3.mlp.up_proj")])
    assert served.layers == {
        "model.language_model.layers.3.self_attn.q_proj": "language_model.model.layers.3.self_attn.qkv_proj"
    }
    assert served.refused == {"model.layers.3.mlp.up_proj": "vLLM has no such layer"}


def test_what_vllm_would_compute_without_a_part_of_the_adapter_is_refused():
    tensors = [LAYER.format(f"0.self_attn.{one}") for one in ("q_b_proj", "kv_b_proj")]
    latent = vllm_names.vllm_support({"architectures": ["Glm4MoeLiteForCausalLM"]}, tensors)
    assert list(latent.layers) == ["model.layers.0.self_attn.q_b_proj"]
    assert latent.refused["model.layers.0.self_attn.kv_b_proj"].startswith("vLLM folds it into other matrices")
    text = {"attention_k_eq_v": True, "layer_types": ["sliding_attention", "full_attention"]}
    shared = vllm_names.vllm_support(
        {"architectures": ["Gemma4ForConditionalGeneration"], "text_config": text},
        [LAYER.format(f"{n}.self_attn.k_proj").replace("model.layers", "model.language_model.layers") for n in (0, 1)],
    )
    assert list(shared.layers) == ["model.language_model.layers.0.self_attn.k_proj"]
    assert shared.refused == {
        "model.language_model.layers.1.self_attn.k_proj": "makes the values, too, but vLLM adapts only the keys"
    }


def test_of_other_architectures_nothing_is_claimed():
    tensors = ["h.0.attn.c_attn.lora_A.weight"]
    assert vllm_names.vllm_support({"architectures": ["GPT2LMHeadModel"]}, tensors) is None


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
from vllm.model_executor.models import registry
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

# Each class is looked at here, not in a process of its own.
registry._LazyRegisteredModel.inspect_model_cls = lambda self: registry._ModelInfo.from_model_cls(self.load_model_cls())
answers = {}
for base, adapters in json.load(sys.stdin).items():
    # On a CPU, latent attention takes no fp32.
    dtype = "bfloat16" if "kv_lora_rank" in open(base + "/config.json").read() else "float32"
    config = EngineArgs(model=base, skip_tokenizer_init=True, enforce_eager=True, dtype=dtype, max_model_len=64,
                        enable_lora=True, max_lora_rank=8, language_model_only=True).create_engine_config()
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
def test_vllm_itself_loads_what_is_said_and_refuses_the_rest(tmp_path):
    asked, expected = {}, {}
    # vLLM makes room for experts with its first model or never.
    for one in sorted(ARCHITECTURES, key=lambda one: not vllm_names.adapts_moe(one.name)):
        model = one.build()
        model.config.architectures = [one.name]
        base = tmp_path / one.models.replace(" ", "-")
        model.config.save_pretrained(base)
        settings = json.loads((base / "config.json").read_text())
        if vllm_names.vllm_support(settings, []) is None:
            continue
        routed = vllm_names.adapts_moe(one.name)
        names = names_of(model, "experts" if routed else "all-linear")
        if one.name in ("LlamaForCausalLM", "Qwen3ForCausalLM"):
            names |= {"lm_head": (2000, 32)}
        if one.name in ("Qwen3MoeForCausalLM", "Qwen3NextForCausalLM"):
            names |= {"model.layers.0.mlp.gate": (3, 32)}
        # What vLLM would lose a half of is refused, and is no part of an adapter here.
        refused = vllm_names.vllm_support(settings, [f"{name}.lora_A.weight" for name in names]).refused
        assert bool(refused) == bool(settings.get("text_config", {}).get("attention_k_eq_v")), refused
        names = {name: of for name, of in names.items() if name not in refused}
        cases = {
            "sound": names,
            "renamed": {name.replace("o_proj", "w2").replace("out_proj", "w2"): of for name, of in names.items()},
            "elsewhere": {name.replace("layers.", "blocks."): of for name, of in names.items()},
        }
        if routed:
            lost = next(name for name in names if "experts." in name)
            cases["broken"] = {name: of for name, of in names.items() if name != lost}
            block = f"{lost.partition('.experts.')[0]}.experts"
            cases["stacked"] = {f"{block}.base_layer": (32, 32), block: (32, 16)}  # as PEFT saves them
        for case, layers in cases.items():
            folder = tmp_path / f"{base.name}--{case}"
            pairs = adapter(folder, layers, mixture="experts" in str(names))
            asked.setdefault(str(base), []).append(str(folder))
            tensors = [f"base_model.model.{name}.lora_{side}.weight" for name in layers for side in "AB"]
            served = vllm_names.vllm_support(settings, tensors)
            power = dict.fromkeys(served.layers.values(), 0.0)
            for name, into in served.layers.items():
                down, up = pairs[name]
                power[into] += float((ALPHA / RANK * up @ down).square().sum())
            expected[str(folder)] = served, power, json.dumps(settings)
    answers = json.loads(asked_vllm(_ASK_VLLM, given=json.dumps(asked))[-1])
    assert answers.keys() == expected.keys()
    for folder, (served, power, text) in expected.items():
        answer, case = answers[folder], folder.rpartition("--")[2]
        if isinstance(answer, str):
            assert served.refused, f"{folder}: {answer}"
        else:  # what it has no layer for it may also pass over
            assert answer == pytest.approx(power, rel=0.02 if "kv_lora_rank" in text else 1e-4), folder
        assert bool(served.refused) == (case != "sound"), f"{folder}: {served.refused}"


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
