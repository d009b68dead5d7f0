"""Each architecture that people run, as a tiny model: planned, trained, merged, named for vLLM, or refused in a line.

What comes of each is a table in docs/models.md. ``WRITE_DOCS=1 pytest`` on this file writes it anew.
"""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from tests.weakspot.architectures import ARCHITECTURES, Architecture
from tests.weakspot.models import tiny_tokenizers
from transformers import GenerationConfig

from weakspot.config import Config
from weakspot.deployment.gguf.architecture import read_architecture
from weakspot.deployment.targets import merged as merging
from weakspot.deployment.types import Candidate
from weakspot.models import (
    adapter_files,
    adapters,
    generation,
    loading,
    merge,
    target_modules,
    vllm_names,
    weight_files,
)
from weakspot.models.loading import Base
from weakspot.models.tokenization import Tokens
from weakspot.pipeline.evaluate import evaluate
from weakspot.pipeline.process import process
from weakspot.pipeline.train import train
from weakspot.settings import Evaluate, Lora, Model, Train
from weakspot.training import logprobs
from weakspot.training.preparation import preflight
from weakspot.workspace import AdapterName
from zddc.errors import UserError

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
BEGIN, END = "<!-- architectures: written by a test -->", "<!-- end of architectures -->"
NAME = AdapterName("spam", 1)


@pytest.fixture(scope="module")
def make_base(tiny_base, tmp_path_factory):
    """Make a model of an architecture, with the tokenizer of the tiny base."""

    def made(one: Architecture) -> Path:
        folder = tmp_path_factory.mktemp(one.kind) / "base"
        one.save(folder)
        for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copyfile(tiny_base / file, folder / file)
        return folder

    return made


@pytest.fixture
def spam(workspace, example, capture):
    """A workspace of one domain, short of words."""
    capture(workspace, [example(number) for number in range(12)])
    process(workspace, Config())
    return workspace


def settings(base: Path, preset: str) -> Config:
    return Config(
        model=Model(base=str(base)),
        train=Train(max_steps=2, learning_rate=0.02, precision="fp32", max_length=256),
        lora=Lora(rank=4, alpha=8, dropout=0, target_modules=preset),
        evaluate=Evaluate(retrieval=False),
    )


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 60)[None]).logits


def require_own_packing(model) -> None:
    """Compare what packed rows give with what the model itself gives to one sequence after the other."""
    draw = torch.Generator().manual_seed(3)
    ids = [torch.randint(3, 2000, (length,), generator=draw).tolist() for length in (9, 90)]
    losses = logprobs.negative_log_likelihoods(model, [Tokens(str(n), tuple(one), 4) for n, one in enumerate(ids)])
    with torch.no_grad():
        for one, loss in zip(ids, losses, strict=True):
            likely = model(input_ids=torch.tensor([one])).logits[0].log_softmax(-1)
            wanted = -likely[3:-1].gather(1, torch.tensor(one[4:])[:, None]).sum()
            torch.testing.assert_close(loss, wanted, rtol=1e-4, atol=1e-3)
    written = generation.generate_token_ids(model, SimpleNamespace(eos_token_id=2), ids, 4, 2)
    for one, answer in zip(ids, written, strict=True):
        whole = model.generate(
            input_ids=torch.tensor([one]), attention_mask=torch.ones(1, len(one), dtype=torch.long), max_new_tokens=4,
            do_sample=False, eos_token_id=2, pad_token_id=2,
        )  # fmt: skip
        assert answer == whole[0, len(one) :].tolist()[: len(answer)]


def outcome(spam, one: Architecture, base: Path, merged: Path) -> list[str]:
    """Train two steps and merge; return the cells of the table."""
    preset = "experts" if vllm_names.adapts_moe(one.name) else "all-linear"
    if preset == "all-linear":
        with pytest.raises(UserError, match=r"has no routed experts|no server loads adapters of the routed experts"):
            preflight(spam, settings(base, "experts"), ["spam"])
    train(spam, settings(base, preset), "spam")
    folder, config = spam.adapter(NAME), settings(base, preset)
    found, model, _ = adapters.load(spam, config, adapters.read_manifest(spam, NAME))
    shape = target_modules.inspect_model(loading.build_meta_model(found), config, found.name)
    with torch.no_grad(), model.disable_adapter():
        without = logits(model)
    adapted = logits(model)
    assert not torch.allclose(without, adapted, atol=1e-3)
    require_own_packing(model)
    try:
        merged.mkdir()
        merge.merge(base, folder, merged)
        again = loading.load_model(Base("merged", str(merged), None), torch.float32, on_cpu=True)
        torch.testing.assert_close(logits(again), adapted, rtol=0, atol=2e-4)
        assert weight_files.read_tensors(merged).keys() == weight_files.read_tensors(base).keys()
        whole = "yes"
    except UserError as error:
        whole = f"no: {error.problem}"
    try:
        read_architecture(base)
        gguf = "yes"
    except UserError:
        gguf = "no"
    with safe_open(folder / adapter_files.WEIGHTS, "pt") as stored:
        names = vllm_names.vllm_support(loading.load_config(found).to_dict(), stored.keys())
    return [str(shape.coverage), "yes" if preset == "experts" else "no", whole, gguf, vllm(names)]


def vllm(found: vllm_names.VllmSupport | None) -> str:
    if found is None:
        return "not tried"
    if found.refused:
        name, reason = next(iter(found.refused.items()))
        return f"no: {name.rpartition('.')[2]}: {reason}"
    return "yes, on one GPU" if found.one_rank else "yes"


@pytest.fixture(scope="module")
def rows():
    """The rows of the table by the class, as they are made."""
    return {}


@pytest.mark.parametrize("one", ARCHITECTURES, ids=lambda one: one.models)
def test_a_model_of_each_architecture_is_trained_and_merged_or_refused(spam, make_base, tmp_path, one, rows):
    cells = outcome(spam, one, make_base(one), tmp_path / "merged")
    rows[one.models] = f"| {' | '.join([one.models, f'`{one.name}`', *cells])} |"


def test_the_page_says_what_came_of_each(rows):
    if len(rows) < len(ARCHITECTURES):
        pytest.skip("only with the tests of all architectures")
    head = ["models", "class", "layers that all-linear adapts", "experts", "merged", "GGUF, Ollama", "vLLM"]
    table = ["|".join(["", *(f" {cell} " for cell in head), ""]), "|" + "---|" * len(head)]
    table += [rows[one.models] for one in ARCHITECTURES]
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    new = f"{before}{BEGIN}\n" + "\n".join(table) + f"\n{END}{after}"
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(new, encoding="utf-8")
    assert text == new or os.environ.get("WRITE_DOCS")


@pytest.mark.parametrize(
    ("name", "template", "bos", "ends"),
    [
        ("Gemma3ForCausalLM", "gemma3", "<bos>", ["<eos>", "<end_of_turn>"]),
        ("Glm4MoeForCausalLM", "glm4moe", None, ["<|endoftext|>", "<|user|>", "<|observation|>"]),
    ],
)
def test_a_family_with_its_own_template_is_taken_to_a_proved_model(
    spam, tmp_path, chat_template, name, template, bos, ends
):
    base = tmp_path / "base"
    next(one for one in ARCHITECTURES if one.name == name).save(base)
    tokenizer = tiny_tokenizers.make(chat_template(template), ends[0], bos, pad="<pad>")
    tokenizer.save_pretrained(base)
    GenerationConfig(eos_token_id=tokenizer.convert_tokens_to_ids(ends)).save_pretrained(base)
    config = settings(base, "all-linear")
    train(spam, config, "spam")
    card = evaluate(spam, config, "spam")
    assert not card.left_out
    proof = merging.write(spam, config, Candidate(NAME, adapters.read_manifest(spam, NAME), card)).proof
    assert proof.same_answers == proof.prompts > 0
