"""Writes a byte-level BPE tokenizer into GGUF keys, so that llama.cpp splits every text into the same tokens."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zddc.errors import UserError

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from tokenizers import Tokenizer

_BYTES = "ByteLevel"
_TAIL = r"[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
# The pre-tokenizer's steps (how a text is split before the merges), and llama.cpp's name for them.
_SPLITS = {
    (_BYTES,): "gpt-2",
    ("Digits", _BYTES): "smollm",
    (_HEAD + r"\p{N}| ?" + _TAIL,): "qwen2",
    (_HEAD + r"\p{N}{1,3}| ?" + _TAIL,): "llama-bpe",
}


def add_tokenizer(writer: "GGUFWriter", folder: Path, rows: int) -> None:
    """Write a tokenizer into the keys: its tokens (padded to ``rows``), merges, special tokens, chat template.

    The pre-tokenizer is taken from the tokenizer itself: two models of one family may have different ones.
    Raises :class:`UserError` for a tokenizer that llama.cpp could not reproduce token for token.
    """
    import gguf
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise UserError(folder, "has no tokenizer.json", "save its tokenizer with a newer transformers")
    stored = json.loads(file.read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(file))
    split = _split(folder, stored)
    texts, kinds = _tokens(tokenizer, stored["added_tokens"])
    if len(texts) > rows:
        raise UserError(folder, f"has {len(texts)} tokens, but its model only {rows}", "use the model's own tokenizer")
    # Some models have more embedding rows than tokens, for the speed of some accelerators.
    spare = range(len(texts), rows)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list([*texts, *(f"[PAD{number}]" for number in spare)])
    writer.add_token_types([*kinds, *(gguf.TokenType.UNUSED for _ in spare)])
    special = gguf.SpecialVocab(folder, load_merges=True, n_vocab=rows)
    special.add_special_token.update(_ends(tokenizer, special.special_token_ids))
    special.add_to_gguf(writer, quiet=True)


def _split(folder: Path, stored: dict[str, Any]) -> str:
    model, before, normalizer = stored["model"], stored["pre_tokenizer"] or {}, stored["normalizer"] or {}
    steps = before.get("pretokenizers", [before])
    split = _SPLITS.get(tuple(name for step in steps if (name := _step(step))))
    # llama.cpp does not normalise: decomposed letters, which are rarely typed, it splits as they are.
    as_it_is = normalizer.get("type", "NFC") == "NFC"
    whole_words = bool(model.get("ignore_merges"))
    if model["type"] != "BPE" or model.get("byte_fallback") or not as_it_is or whole_words != (split == "llama-bpe"):
        split = None
    if split is None:
        raise UserError(folder, "has a tokenizer that llama.cpp does not know", "deploy it as 'merged'")
    return split


def _step(step: dict[str, Any]) -> str | None:
    """Return the pattern of a pre-tokenizer step, or its name if it has no pattern; None if it does not split."""
    match step:
        case {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}:
            return str(pattern)
        case {"type": "Digits", "individual_digits": True}:
            return "Digits"
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": use_regex}:
            return _BYTES if use_regex else None
        case _:
            return f"unknown: {step}"


def _tokens(tokenizer: "Tokenizer", added: list[dict[str, Any]]) -> tuple[list[str], list[int]]:
    """Return text and type of every token, by id; an id without a token has the type UNUSED."""
    import gguf

    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    size = max(vocabulary.values()) + 1
    texts = [f"[PAD{number}]" for number in range(size)]
    kinds: list[int] = [gguf.TokenType.UNUSED] * size
    for text, number in vocabulary.items():
        texts[number], kinds[number] = text, gguf.TokenType.NORMAL
    for one in added:
        kinds[one["id"]] = gguf.TokenType.CONTROL if one["special"] else gguf.TokenType.USER_DEFINED
    return texts, kinds


def _ends(tokenizer: "Tokenizer", special: dict[str, int]) -> dict[str, bool]:
    """Return whether the tokenizer adds a special token before ("bos") and after ("eos") every text."""
    ids = tokenizer.encode("a").ids
    return {"bos": ids[0] == special.get("bos"), "eos": ids[-1] == special.get("eos")}
