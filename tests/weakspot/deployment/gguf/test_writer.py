"""A GGUF file computes what the model in the folder does, in llama.cpp and in transformers."""

import json
import shutil

import gguf
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.weakspot.deployment.llama import served

from weakspot.deployment import parity_check
from weakspot.deployment.gguf import writer
from weakspot.models import adapter_files, demo_model, loading, merge
from weakspot.models.loading import Base
from zddc.errors import UserError

pytestmark = pytest.mark.slow

ASKED = [{"role": "user", "content": "Which colour has item 7 of the shelf?"}]
KINDS = ("llama", "qwen2", "qwen3")
QUANTISATIONS = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")


def loaded(folder):
    base = Base("thin", str(folder), None)
    return loading.load_model(base, torch.float32), loading.load_tokenizer(base)


@pytest.fixture(scope="module")
def adapter(thin, tmp_path_factory):
    """Make an adapter on a thin model that changes what it says."""

    def make(kind):
        torch.manual_seed(5)
        model, _ = loaded(thin(kind))
        settings = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"])
        model = get_peft_model(model, settings)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, 0.0, 0.1)
        folder = tmp_path_factory.mktemp("adapter")
        model.save_pretrained(str(folder))
        return folder

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_llama_cpp_answers_as_transformers_does(thin, tmp_path, kind):
    writer.write_model(thin(kind), tmp_path / "model.gguf", "f32")
    wanted = parity_check.generate_in_process(*loaded(thin(kind)), [(ASKED, 8)])[0]
    with served(tmp_path / "model.gguf") as server:
        answer = server.chat("any", ASKED, 8)
        assert answer.prompt_tokens == wanted.prompt_tokens
    assert answer.ids == wanted.ids
    assert answer.logprobs == pytest.approx(wanted.logprobs, abs=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_on_its_base_answers_as_the_two_merged(thin, adapter, tmp_path, kind):
    folder, merged = adapter(kind), tmp_path / "merged"
    merged.mkdir()
    merge.merge(thin(kind), folder, merged)
    writer.write_model(thin(kind), tmp_path / "base.gguf", "f32")
    writer.write_adapter(folder, thin(kind), tmp_path / "adapter.gguf")
    wanted = parity_check.generate_in_process(*loaded(merged), [(ASKED, 8)])[0]
    with served(tmp_path / "base.gguf", tmp_path / "adapter.gguf") as server:
        answer = server.chat("any", ASKED, 8)
    assert answer.ids == wanted.ids
    assert answer.logprobs == pytest.approx(wanted.logprobs, abs=1e-2)
    with served(tmp_path / "base.gguf") as server:
        assert server.chat("any", ASKED, 8).ids != wanted.ids


@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_transformers_reads_back_what_was_written(thin, tmp_path, quantisation):
    file = tmp_path / "model.gguf"
    writer.write_model(thin("llama"), file, quantisation)
    (read, _), (model, _) = demo_model.load(file), loaded(thin("llama"))
    weights = model.state_dict()
    for name, tensor in read.state_dict().items():
        step = {"f": 2e-3, "b": 1e-2, "q8": 2e-2, "q5": 0.1, "q4": 0.2}
        share = next(share for start, share in step.items() if quantisation.startswith(start))
        torch.testing.assert_close(tensor, weights[name], rtol=0, atol=share * float(weights[name].abs().max()))
    assert list(tmp_path.iterdir()) == [file]


def test_a_smaller_kind_makes_a_smaller_file(thin, tmp_path):
    sizes = []
    for quantisation in ("f32", "f16", "q8_0", "q4_0"):
        writer.write_model(thin("qwen2"), tmp_path / "model.gguf", quantisation)
        sizes.append((tmp_path / "model.gguf").stat().st_size)
    assert sizes == sorted(sizes, reverse=True)


def test_rows_that_blocks_do_not_fill_are_written_in_16_bits(thin, tmp_path):
    writer.write_model(thin("llama"), tmp_path / "model.gguf", "q4_0")
    kinds = {one.name: one.tensor_type.name for one in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    assert kinds["blk.0.ffn_down.weight"] == "Q4_0"
    assert kinds["token_embd.weight"] == "Q8_0"
    assert kinds["output_norm.weight"] == "F32"
    assert writer._tensor_type("blk.0.ffn_down.weight", (64, 40), "q8_0").name == "F16"


def test_a_rank_stabilised_adapter_counts_as_peft_counts_it(thin, adapter, tmp_path):
    folder = adapter("llama")
    settings = json.loads((folder / adapter_files.SETTINGS).read_text())
    (folder / adapter_files.SETTINGS).write_text(json.dumps({**settings, "use_rslora": True}))
    writer.write_adapter(folder, thin("llama"), tmp_path / "adapter.gguf")
    fields = gguf.GGUFReader(tmp_path / "adapter.gguf").fields
    alpha = fields["adapter.lora.alpha"].contents()
    assert alpha / 4 == pytest.approx(8 / 4**0.5)


def test_another_bases_adapter_is_refused(thin, adapter, tmp_path):
    folder, target = adapter("llama"), tmp_path / "adapter.gguf"
    with pytest.raises(UserError, match=r"which does not fit .*qwen3"):
        writer.write_adapter(folder, thin("qwen3"), target)
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_that_llama_cpp_does_not_know_is_refused(thin, tmp_path):
    folder = tmp_path / "odd"
    shutil.copytree(thin("llama"), folder)
    save_file({**load_file(folder / "model.safetensors"), "model.extra": torch.ones(2)}, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"a tensor that llama\.cpp does not know, model\.extra"):
        writer.write_model(folder, tmp_path / "model.gguf", "f32")
    assert list(tmp_path.iterdir()) == [folder]
