"""A byte-level BPE tokenizer as GGUF's keys, so that llama.cpp cuts every text as transformers does."""

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
# How a tokenizer splits a text before its merges, and llama.cpp's name for it.
_SPLITS = {
    (_BYTES,): "gpt-2",
    ("Digits", _BYTES): "smollm",
    (_HEAD + r"\p{N}| ?" + _TAIL,): "qwen2",
    (_HEAD + r"\p{N}{1,3}| ?" + _TAIL,): "llama-bpe",
}


def add(writer: "GGUFWriter", folder: Path, rows: int) -> None:
    """Put the tokenizer of a model's folder among the keys: ``rows`` tokens, merges, special tokens, chat template.

    The split before the merges is read off the tokenizer itself: two models of one family may differ in it.
    Raises :class:`UserError` for a tokenizer that llama.cpp would imitate in another way than token for token.
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
    # Rows that no token has are there for the speed of some accelerators.
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
    # llama.cpp takes a text as it is: decomposed letters, which few people type, it cuts as they stand.
    as_it_is = normalizer.get("type", "NFC") == "NFC"
    whole_words = bool(model.get("ignore_merges"))
    if model["type"] != "BPE" or model.get("byte_fallback") or not as_it_is or whole_words != (split == "llama-bpe"):
        split = None
    if split is None:
        raise UserError(folder, "has a tokenizer that llama.cpp does not know", "deploy it as 'merged'")
    return split


def _step(step: dict[str, Any]) -> str | None:
    """Return a split's pattern, or its name where it is a kind of its own; None where it splits nothing."""
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
    """Return the text and the kind of every token, by its id; an id that nothing has is unused."""
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
    """Return whether the tokenizer puts a special token before and after every text."""
    ids = tokenizer.encode("a").ids
    return {"bos": ids[0] == special.get("bos"), "eos": ids[-1] == special.get("eos")}
