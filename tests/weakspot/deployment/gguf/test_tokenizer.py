"""llama.cpp cuts every text into the tokens that transformers cuts it into."""

import json
import shutil

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.weakspot.deployment.llama import served

from weakspot.deployment.gguf import writer
from weakspot.models import loading
from weakspot.models.loading import Base
from zddc.errors import UserError

pytestmark = pytest.mark.slow

NASTY = [
    "naïve café — 東京 👩‍👩‍👧 e\u0301 \u200b\ufeff",
    "12345 x1y22z333 ３４５ Ⅷ ½",
    "  two\n\n\n   lines\t\tand tabs \r\n ends  ",
    "I'LL don't she's THEY'RE 'tis ''",
    "<|im_start|>user\n<|im_end|> <|endoftext|> <|im_start",
    "{\"a\": [1, null], 'b': <!-- -->}#!/bin/sh $(rm) \\u0000",
    "עברית العربية हिन्दी ไทย",
    "",
]
CHARACTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")


@pytest.fixture(scope="module", params=["llama", "qwen2"])
def both(request, thin, tmp_path_factory):
    """A tokenizer in llama.cpp and in transformers."""
    file = tmp_path_factory.mktemp("vocabulary") / "model.gguf"
    writer.write_model(thin(request.param), file, "f16")
    with served(file) as server:
        yield server, loading.load_tokenizer(Base("thin", str(thin(request.param)), None))


@given(st.text(CHARACTERS | st.sampled_from("aZ09 '\n\t.é東"), max_size=40))
def test_every_text_is_cut_alike(both, text):
    server, tokenizer = both
    composed = tokenizer.backend_tokenizer.normalizer
    text = composed.normalize_str(text) if composed else text  # llama.cpp takes a text as it is
    wanted = tokenizer(text, add_special_tokens=False)["input_ids"]
    # SmolLM2 has no token for some control characters, and transformers joins what stood on both sides of one.
    assume(tokenizer.decode(wanted, clean_up_tokenization_spaces=False) == text)
    assert server.tokens(text) == wanted


for _text in NASTY:
    test_every_text_is_cut_alike = example(_text)(test_every_text_is_cut_alike)


def test_the_conversation_is_written_alike(both):
    server, tokenizer = both
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " <|im_end|>\n é "}]
    written = server.post("/apply-template", {"messages": turns})["prompt"]
    assert written == tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


@pytest.fixture
def spoiled(thin, tmp_path):
    """Write a model whose tokenizer's settings are changed."""

    def write(**changes):
        folder = tmp_path / "model"
        shutil.copytree(thin("llama"), folder)
        settings = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        settings["model"].update(changes.pop("model", {}))
        (folder / "tokenizer.json").write_text(json.dumps({**settings, **changes}), encoding="utf-8")
        writer.write_model(folder, tmp_path / "model.gguf", "f16")

    return write


@pytest.mark.parametrize(
    "changes",
    [
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": {"type": "Lowercase"}},
        {"model": {"byte_fallback": True}},
        {"model": {"ignore_merges": True}},
    ],
    ids=str,
)
def test_a_tokenizer_that_would_be_imitated_badly_is_refused(spoiled, changes, tmp_path):
    with pytest.raises(UserError, match=r"has a tokenizer that llama\.cpp does not know; deploy it as 'merged'"):
        spoiled(**changes)
    assert not (tmp_path / "model.gguf").exists()


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(spoiled):
    added = {"id": 2048, "content": "<more>", "special": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    with pytest.raises(UserError, match="has 2049 tokens, but its model only 2048"):
        spoiled(added_tokens=[{**added, **flags}])
