"""Bases: the embedded one, folders, hub ids; what is missing is said in one line."""

import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch

from weakspot.models import loading, packed_attention
from weakspot.models.loading import Base
from weakspot.settings import Model
from zddc.errors import UserError

pytestmark = pytest.mark.slow


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"config\.json is missing"):
        loading.resolve_base(Model(base=str(tmp_path)))


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "smollm", "a/b/c"])
def test_a_name_that_is_neither_folder_nor_hub_id_is_refused(name):
    with pytest.raises(UserError, match="no such folder"):
        loading.resolve_base(Model(base=name))


def test_a_hub_id_that_cannot_be_had_is_one_line(monkeypatch, capfd):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as caught:
        loading.load_tokenizer(loading.resolve_base(Model(base="nobody/nothing")))
    assert str(caught.value).startswith("[model] base = 'nobody/nothing': cannot be loaded")
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def test_a_tokenizer_without_a_chat_template_is_refused(tiny_base, tmp_path):
    folder = shutil.copytree(tiny_base, tmp_path / "base")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="has no chat template"):
        loading.load_tokenizer(Base("x", str(folder), None))


def test_a_cpu_computes_in_fp32_unless_told_otherwise():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert loading.choose_dtype("auto") is torch.float32
    assert loading.choose_dtype("bf16") is torch.bfloat16


def test_four_bits_need_bitsandbytes(tiny_base, monkeypatch):
    known = loading.importlib.util.find_spec
    monkeypatch.setattr(
        loading.importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else known(name)
    )
    with pytest.raises(UserError, match="load_in_4bit: needs bitsandbytes"):
        loading.load_model(Base("tiny", str(tiny_base), None), torch.float32, four_bit=True)


def test_too_little_memory_is_one_line():
    with (
        pytest.raises(UserError, match=r"x-lora-v1: out of memory: .*; lower the batch"),
        loading.explain_out_of_memory("x-lora-v1", "lower the batch"),
    ):
        torch.empty(1 << 46)


def test_other_errors_are_not_taken_for_it():
    with pytest.raises(RuntimeError, match="something else"), loading.explain_out_of_memory("x", "y"):
        raise RuntimeError("something else")


def test_a_model_without_its_weights_has_the_shape_of_the_one_with_them(tiny_base):
    base = Base("tiny", str(tiny_base), None)
    empty, full = loading.build_meta_model(base), loading.load_model(base, torch.float32)
    assert {name: value.shape for name, value in empty.named_parameters()} == {
        name: value.shape for name, value in full.named_parameters()
    }
    assert all(value.is_meta for value in empty.parameters())


def test_a_model_that_is_loaded_keeps_sequences_of_a_row_apart(tiny_base):
    model = loading.load_model(Base("tiny", str(tiny_base), None), torch.float32)
    assert packed_attention.is_installed(model)
    assert not model.training


@pytest.fixture
def changed(tiny_base, tmp_path):
    """Make a base like the tiny one, with other values in its configuration, or other weights."""
    numbers = itertools.count(1)

    def made(*, weights: bytes = b"", **settings) -> Base:
        folder = shutil.copytree(tiny_base, tmp_path / f"base-{next(numbers)}")
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
        if weights:
            file = folder / "model.safetensors"
            file.write_bytes(file.read_bytes()[: -len(weights)] + weights)
        return Base("x", str(folder), None)

    return made


def test_a_base_is_known_by_its_weights_wherever_it_lies_and_whatever_its_name(tiny_base, changed):
    known = loading.reference(Base("x", str(tiny_base), None))
    assert loading.matches(changed(), known)
    assert loading.matches(Base("y", str(tiny_base), None), known)
    assert not loading.matches(changed(rms_norm_eps=0.5), known)
    assert not loading.matches(changed(weights=b"1234"), known)


def test_of_a_record_without_weights_name_revision_and_configuration_are_compared(tiny_base, changed):
    here = Base("x", str(tiny_base), None)
    known = loading.reference(here).model_copy(update={"weights": None})
    assert loading.matches(changed(weights=b"1234"), known)
    assert not loading.matches(changed(rms_norm_eps=0.5), known)
    assert not loading.matches(here, known.model_copy(update={"name": "y"}))
    assert not loading.matches(here, known.model_copy(update={"revision": "main"}))


def test_a_relative_folder_is_one_of_the_workspace_first(tiny_base, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    inside = shutil.copytree(tiny_base, tmp_path / "workspace" / "bases" / "tiny")
    outside = shutil.copytree(tiny_base, tmp_path / "here" / "only-here")
    monkeypatch.chdir(tmp_path / "here")
    assert loading.resolve_base(Model(base="bases/tiny"), tmp_path / "workspace").location == str(inside)
    assert loading.resolve_base(Model(base="only-here"), tmp_path / "workspace").location == str(outside)
    assert loading.find_local_tokenizer(Model(base="bases/tiny"), tmp_path / "workspace") is not None


@pytest.mark.parametrize(
    "kind", ["fbgemm_fp8", "compressed-tensors", "awq", "gptq", "bitsandbytes", "nvfp4", "of-tomorrow", None]
)
def test_weights_that_are_quantised_are_refused_before_they_are_loaded(changed, kind):
    settings = {"bits": 4} if kind is None else {"quant_method": kind}
    base = changed(quantization_config=settings)
    (Path(base.location) / "model.safetensors").unlink()
    with pytest.raises(
        UserError, match=f"quantised \\({kind or 'unknown method'}\\), which is not supported; train on the"
    ):
        loading.require_loadable(base)


@pytest.mark.parametrize("settings", [{"architectures": ["LlamaOfTomorrow"]}, {"architectures": ["LlamaModel"]}])
def test_a_class_that_writes_no_text_or_is_not_known_is_refused(changed, settings):
    (name,) = settings["architectures"]
    with pytest.raises(UserError, match=f"is a {name}, which transformers .* does not know as a language model"):
        loading.require_loadable(changed(**settings))


@pytest.mark.parametrize(
    "settings", [{"model_type": "of-tomorrow"}, {"num_attention_heads": 7}, {"hidden_size": "many"}]
)
def test_whatever_a_library_raises_for_a_configuration_is_one_line(changed, settings):
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        loading.build_meta_model(changed(**settings))
    assert len(str(caught.value).splitlines()) == 1


def test_weights_that_are_not_there_are_not_made_up(changed):
    with pytest.raises(UserError, match=r"its weight files do not hold model\.layers\.2\..*, nor \d+ more"):
        loading.load_model(changed(num_hidden_layers=3), torch.float32)


def test_a_download_that_was_cut_short_is_told_before_it_is_loaded(changed):
    base = changed()
    file = Path(base.location) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"model\.safetensors: is cut short: [\d,]+ bytes of [\d,]+; download the base"):
        loading.require_loadable(base)


def test_a_token_without_a_row_is_named(tiny_base):
    base = Base("tiny", str(tiny_base), None)
    tokenizer = loading.load_tokenizer(base)
    tokenizer.add_tokens(["<part>"])
    ids = tokenizer("It is <part> of it.")["input_ids"]
    with pytest.raises(UserError, match=r"has the token '<part>' \(number 2000\), but its embedding only 2000 rows"):
        loading.require_embedded_tokens(base, tokenizer, 2000, ids)
    loading.require_embedded_tokens(base, tokenizer, 2001, ids)


def test_a_base_of_the_hub_is_noted_with_its_commit(hub, tiny_base):
    base = loading.resolve_base(Model(base="somebody/tiny"))
    assert loading.find_local_folder(base) == loading.fetch_folder(base) == hub
    known = loading.reference(base)
    assert known.revision == hub.name
    assert loading.matches(Base("moved", str(tiny_base), None), known)
    assert loading.fetch_folder(Base("somebody/tiny", "somebody/tiny", known.revision)) == hub
    assert loading.find_local_folder(Base("nobody/nothing", "nobody/nothing", "main")) is None


@pytest.mark.parametrize("sharded", [False, True])
def test_weights_that_are_stored_twice_are_not_downloaded(hub, sharded, monkeypatch):
    from huggingface_hub.utils import filter_repo_objects

    weights = ["model.safetensors"]
    if sharded:
        weights = ["model-1-of-2.safetensors", "model-2-of-2.safetensors"]
        (hub / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": dict(zip("ab", weights, strict=True))})
        )
    others = ["consolidated.safetensors", "original/model.safetensors", "pytorch_model.bin", "model.gguf"]
    asked = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **options: asked.append(options) or str(hub))
    loading.fetch_folder(Base("somebody/tiny", "somebody/tiny", "main"))
    wanted = filter_repo_objects([*others, *weights, "config.json"], allow_patterns=asked[0]["allow_patterns"])
    assert list(wanted) == [*weights, "config.json"]


def test_a_base_that_is_quantised_already_is_not_loaded_in_four_bits(changed):
    base = changed(quantization_config={"quant_method": "fp8"})
    with pytest.raises(UserError, match="load_in_4bit: x is quantised already; set it to false"):
        loading.load_model(base, torch.float32, four_bit=True)


def test_four_bits_compute_on_a_cpu_what_their_numbers_do(tiny_base):
    pytest.importorskip("bitsandbytes")
    from bitsandbytes.functional import dequantize_4bit

    base = Base("tiny", str(tiny_base), None)
    model = loading.load_model(base, torch.float32, four_bit=True, on_cpu=True)
    dense = loading.load_model(base, torch.float32, on_cpu=True)
    ids, plain = torch.arange(20)[None], dense(torch.arange(20)[None]).logits
    for name, module in model.named_modules():
        if (state := getattr(getattr(module, "weight", None), "quant_state", None)) is not None:
            dense.get_submodule(name).weight.data = dequantize_4bit(module.weight.data, state)
    with torch.inference_mode():
        assert torch.allclose(model(ids).logits, dense(ids).logits, atol=1e-4)
        assert not torch.allclose(model(ids).logits, plain, atol=1e-4)
