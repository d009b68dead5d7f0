"""A base of few words, for tests in which it does not matter what becomes of a text."""

import json
from pathlib import Path

from weakspot.models.loading import Base

VOCABULARY = 2000
"""The fewer words there are, the sooner a loss is computed."""


def make(embedded: Base, folder: Path) -> None:
    """Make a Llama of two thin layers with random weights, and the start of SmolLM2's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings = LlamaConfig(
        vocab_size=VOCABULARY,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
        initializer_range=0.05,  # else there is little that an adapter could change
        **shape,
    )
    LlamaForCausalLM(settings).save_pretrained(folder)
    whole = Path(embedded.location)
    for file in ("tokenizer_config.json", "chat_template.jinja"):
        (folder / file).write_bytes((whole / file).read_bytes())
    tokenizer = json.loads((whole / "tokenizer.json").read_text(encoding="utf-8"))
    # A token's number is its rank among the merges, so that the first ones are a whole vocabulary.
    known = {text: number for text, number in tokenizer["model"]["vocab"].items() if number < VOCABULARY}
    merges = [pair for pair in tokenizer["model"]["merges"] if "".join(pair) in known]
    tokenizer["model"].update(vocab=known, merges=merges)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
