"""A GGUF file is read as the model and the tokenizer that it was written from."""

import pytest
import torch
from gguf import GGUFWriter

from weakspot.deployment.gguf import writer
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
