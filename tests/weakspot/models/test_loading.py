"""Bases: the embedded one, folders, hub ids; what is missing is said in one line."""

import json
import shutil

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


def test_four_bits_need_a_gpu(tiny_base):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="needs a CUDA GPU"):
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


def test_a_base_is_known_by_name_revision_and_settings_wherever_it_lies(tiny_base, tmp_path):
    here, moved = Base("x", str(tiny_base), None), Base("x", str(shutil.copytree(tiny_base, tmp_path / "moved")), None)
    other = Base("x", str(shutil.copytree(tiny_base, tmp_path / "other")), None)
    settings = tmp_path / "other" / "config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "rms_norm_eps": 0.5}))
    known = loading.identity(here)
    assert loading.identity(moved) == known
    others = [other, Base("y", here.location, None), Base("x", here.location, "main")]
    assert known not in {loading.identity(one) for one in others}
