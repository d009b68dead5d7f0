"""A GGUF file is read as the model and the tokenizer that it was written from."""

import shutil
from dataclasses import replace

import pytest
import torch
from gguf import GGUFWriter
from tests.weakspot.architectures import ARCHITECTURES
from transformers.utils import logging

from weakspot.deployment.gguf import writer
from weakspot.deployment.gguf.architecture import read_architecture
from weakspot.models import demo_model, loading
from weakspot.models.loading import Base
from zddc.errors import UserError

pytestmark = pytest.mark.slow


def test_what_was_written_is_read_in_silence(tiny_base, tmp_path, capfd):
    writer.write_model(tiny_base, tmp_path / "model.gguf", "f32")
    base = Base("tiny", str(tiny_base), None)
    wanted, cut = loading.load_model(base, torch.float32), loading.load_tokenizer(base)
    model, tokenizer = demo_model.load(tmp_path / "model.gguf")
    assert capfd.readouterr().err == ""
    text = "Which colour?\n<|im_end|> 12é"
    assert tokenizer(text)["input_ids"] == cut(text)["input_ids"]
    assert tokenizer.chat_template == cut.chat_template
    ids = torch.tensor([cut(text)["input_ids"]])
    torch.testing.assert_close(model(input_ids=ids).logits, wanted(input_ids=ids).logits)


def test_a_file_of_another_kind_of_model_is_an_error(tmp_path):
    writer = GGUFWriter(tmp_path / "odd.gguf", "mamba-of-tomorrow")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(UserError, match=r"odd\.gguf: transformers cannot read it: .*mamba-of-tomorrow.*; deploy it as"):
        demo_model.load(tmp_path / "odd.gguf")


def test_a_base_is_converted_in_silence(tiny_base, tmp_path, capfd):
    logging.enable_progress_bar()
    writer.write_model(tiny_base, tmp_path / "model.gguf", "f32")
    demo_model._convert_gguf(tmp_path / "model.gguf", tmp_path / "base")
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "base" / "config.json").is_file()


@pytest.mark.parametrize("name", ["Qwen3ForCausalLM", "LlamaForCausalLM"])
def test_heads_of_any_size_are_read(tiny_base, tmp_path, name):
    """Their size is neither 128 nor that which the other numbers would give."""
    one = next(one for one in ARCHITECTURES if one.name == name)
    replace(one, settings=one.settings | {"head_dim": 24}).save(tmp_path / "base")
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(tiny_base / file, tmp_path / "base" / file)
    writer.write_model(tmp_path / "base", tmp_path / "model.gguf", "f32")
    shape = read_architecture(tmp_path / "base").shape_for_transformers()
    model, _ = demo_model.load(tmp_path / "model.gguf", **shape)
    wanted = loading.load_model(Base("it", str(tmp_path / "base"), None), torch.float32)
    ids = torch.arange(3, 50)[None]
    torch.testing.assert_close(model(input_ids=ids).logits, wanted(input_ids=ids).logits)
