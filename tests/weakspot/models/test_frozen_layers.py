"""Models whose frozen layers stay quantised compute what their dense copies do, forwards and backwards."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.weakspot import quantised
from tests.weakspot.architectures import ARCHITECTURES

from weakspot.models import frozen_layers, loading, quantised_weights
from weakspot.models.loading import Base
from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora
from weakspot.training import logprobs, lora_layers
from weakspot.training.packing import PackedBatch, PackedItem
from zddc.errors import UserError

pytestmark = pytest.mark.slow
NEXT = next(one for one in ARCHITECTURES if one.kind == "qwen3_next")
ADAPTED = ["q_proj", "o_proj", "in_proj_qkvz", "out_proj"]


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory):
    """A tiny Qwen3-Coder-Next."""
    folder = tmp_path_factory.mktemp("hybrid")
    NEXT.save(folder)
    return folder


def chosen(layer):
    """Routed experts, and layers that an adapter may touch."""
    return ".experts." in layer or layer.endswith(("q_proj", "out_proj", "up_proj"))


@pytest.fixture(scope="module", params=quantised.CONFIGURATIONS)
def both(request, hybrid, tmp_path_factory):
    """A base in one of the layouts, and its dense copy."""
    return quantised.convert(hybrid, tmp_path_factory.mktemp("both"), request.param, chosen)


def load(folder):
    return loading.load_model(Base("x", str(folder), None), torch.float32, on_cpu=True)


def gradients(model):
    """Return losses and an adapter's gradients on a fixed sequence, and the gradient of the embedding."""
    adapters = lora_layers.attach(model, ADAPTED)
    adapters.add(0, Lora(rank=4, dropout=0.0), 7)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in adapters.parameters(0).items():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    embedding = model.get_input_embeddings().weight.requires_grad_()
    row = PackedBatch.of([PackedItem(Tokens("", tuple(range(5, 45)), 10), 0)], "cpu")
    adapters.layout.set(row, dropout=False)
    (losses,) = logprobs.answer_losses(model, row)
    named = {**adapters.parameters(0), "embedding": embedding}
    found = torch.autograd.grad(losses.sum(), list(named.values()))
    return {"losses": losses.detach(), **dict(zip(named, found, strict=True))}


def test_losses_and_gradients_are_those_of_the_dense_copy(both):
    ours, theirs = (gradients(load(folder)) for folder in both)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.abs().max() > 0, name
        assert float((value - theirs[name]).norm() / theirs[name].norm()) < 1e-4, name


def test_what_is_frozen_is_held_in_its_bits_in_memory_as_on_the_disk(both):
    model = load(both[0])
    frozen = [one for one in model.modules() if isinstance(one, frozen_layers._Quantised)]
    bits = load_file(both[0] / "model.safetensors")
    stored = sum(one.nbytes for name, one in bits.items() if chosen(name.rpartition(".")[0]) and "input" not in name)
    assert sum(one.nbytes for module in frozen for one in module.buffers(recurse=False)) == stored
    empty = loading.build_meta_model(Base("x", str(both[0]), None))
    shapes = {name: (one.shape, one.dtype) for name, one in empty.state_dict().items()}
    assert {name: (one.shape, one.dtype) for name, one in model.state_dict().items()} == shapes


def test_a_change_of_the_type_leaves_the_bits_alone(both):
    model = load(both[0]).to(torch.bfloat16)
    again = load(both[0])
    bits = {name for name, one in again.named_modules() if isinstance(one, frozen_layers._Quantised)}
    before, after = (one.state_dict() for one in (again, model))
    for name, value in before.items():
        if name.rpartition(".")[0] in bits and not name.endswith("bias"):
            assert torch.equal(value.float(), after[name].float()), name
            assert value.dtype == after[name].dtype, name
    assert model(torch.arange(9)[None]).logits.dtype == torch.bfloat16


def test_one_matrix_at_most_is_dense_at_a_time(both, monkeypatch):
    """Of every matrix that is dequantised, the one before is gone already."""
    model, alive, most = load(both[0]), [], []

    def watched(*given, _own=quantised_weights.dequantise, **options):
        import weakref

        most.append(sum(one() is not None for one in alive))
        found = _own(*given, **options)
        alive.append(weakref.ref(found.untyped_storage()))
        return found

    monkeypatch.setattr(quantised_weights, "dequantise", watched)
    gradients(model)
    assert len(most) > 20
    assert max(most) == 0


def test_peft_puts_an_adapter_on_it(both):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(load(both[0]), LoraConfig(r=4, target_modules=["q_proj", "out_proj"]))
    dense = get_peft_model(load(both[1]), LoraConfig(r=4, target_modules=["q_proj", "out_proj"]))
    drawn = {name: torch.randn(one.shape) * 0.1 for name, one in dense.named_parameters() if "lora" in name}
    for one in (model, dense):
        one.load_state_dict(drawn, strict=False)
        assert {value.dtype for name, value in one.named_parameters() if "lora" in name} == {torch.float32}
    ids = torch.arange(20)[None]
    assert torch.allclose(model(ids).logits, dense(ids).logits, atol=1e-5)


def test_quantised_experts_cannot_be_adapted_and_are_counted_all_the_same(both):
    from weakspot.models import target_modules

    found = target_modules.find_adaptable_layers(loading.build_meta_model(Base("x", str(both[0]), None)))
    blocks = [one for one in found if one.kind == "experts"]
    assert [(one.count, one.matrices) for one in blocks] == [(3, ((16, 32), (16, 32), (32, 16)))] * 4
    with pytest.raises(UserError, match=r"routed experts of x are quantised.*use all-linear"):
        target_modules.select_layers("experts", found, NEXT.name, "x")
    assert target_modules.select_layers("all-linear", found, NEXT.name, "x")


def spoil(folder, change):
    bits = load_file(folder / "model.safetensors")
    change(bits)
    save_file(bits, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda bits: bits.pop("model.layers.1.mlp.experts.2.up_proj.weight_packed"), "quantised in part"),
        (lambda bits: bits.pop("model.layers.1.mlp.experts.2.up_proj.weight_scale"), "weight_packed is quantised in a"),
        (lambda bits: bits.update(x=torch.zeros(2, dtype=torch.int32)), "x is quantised in a way that is not"),
        (lambda bits: [bits.pop(name) for name in list(bits) if "layers.0.mlp.experts." in name], "of others not"),
    ],
    ids=["a matrix is missing", "a scale is missing", "integers", "a layer is not quantised"],
)
def test_what_cannot_be_read_is_one_line(hybrid, tmp_path, change, problem):
    folder, _ = quantised.convert(hybrid, tmp_path, "nvfp4-packed", lambda layer: ".experts." in layer)
    spoil(folder, change)
    with pytest.raises(UserError, match=problem):
        load(folder)


def test_an_unknown_method_is_refused_before_any_weight_is_read(hybrid, tmp_path):
    folder, _ = quantised.convert(hybrid, tmp_path, "nvfp4-packed", lambda layer: ".experts." in layer)
    settings = json.loads((folder / "config.json").read_text())
    settings["quantization_config"] = {"quant_method": "compressed-tensors", "format": "pack-quantized"}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"quantised \(compressed-tensors\), which is not supported"):
        loading.require_loadable(Base("x", str(folder), None))
