"""A model read from a GGUF file by transformers, its weights as good as their quantisation left them."""

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load(file: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return model, in fp32 on the CPU, and tokenizer; raise transformers' own errors for a file that is none."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # The reader draws a bar of its own that knows no switch.
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(
            str(file.parent),
            gguf_file=file.name,
            dtype="float32",
            quantization_config=GgufConfig(gguf_file=file.name, dequantize=True),
        )
    return model, tokenizer
