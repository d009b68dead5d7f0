"""Tells from a model's id whether it is a teacher's: names are not believed where anything else stands beside them."""

import re

from weakspot.config import Config

_WORD = re.compile(r"[a-z0-9]+")
_VERSION, _SIZE = re.compile(r"v?\d+m?"), re.compile(r"\d+b")
# What providers, gateways and clients write around a model's own name.
_HARMLESS = frozenset(
    re.findall(
        r"\w+",
        "anthropic openai google azure aws amazon bedrock vertex ai us eu apac jp au global converse openrouter "
        "litellm github copilot groq together fireworks databricks expert manifold pipe "
        "function latest preview beta exp experimental thinking reasoning extended fast turbo high medium low max "
        "minimal xhigh it instruct chat free online",
    )
)
# Whatever else stands in the id, such a model runs on the user's machine or was made out of another one.
_LOCAL = frozenset(
    re.findall(
        r"\w+",
        "ollama lmstudio llamacpp vllm sglang mlx gguf ggml hf huggingface local localhost distill distilled "
        "distillation lora qlora merge merged finetune finetuned ft sft dpo abliterated uncensored awq gptq exl2 exl3",
    )
)


def teacher_of(config: Config, model: str | None) -> str | None:
    """Return the teacher whose model an id names, the one with the longest name of several; None for any other model.

    Beside a name, model or other name of the teacher there may be versions, sizes and what providers add. So
    ``qwen3-claude-sonnet-distill`` is no Sonnet.
    """
    if not model:
        return None
    named = teacher_in_name(config, model)
    if named is None or _is_exact(config, named, model):
        return named
    table = config.teachers[named]
    known = _HARMLESS.union(*(_WORD.findall(one.lower()) for one in (named, table.model, *table.names)))
    own = _WORD.findall(model.lower().rpartition("/")[2])
    words = frozenset(_WORD.findall(model.lower()))
    has_sizes = table.kind != "anthropic"  # Anthropic's models have none
    believed = all(word in known or _VERSION.fullmatch(word) or (has_sizes and _SIZE.fullmatch(word)) for word in own)
    return named if believed and not (words & _LOCAL) - known else None


def teacher_in_name(config: Config, model: str | None) -> str | None:
    """Return the teacher whose name, model or other name occurs in a model's id, believed or not."""
    parts = _parts(model or "")
    names = (
        (name, teacher)
        for teacher, table in config.teachers.items()
        for name in (teacher, table.model, *table.names)
        if _parts(name) in parts
    )
    return max(names, key=lambda one: len(one[0]), default=("", None))[1]


def _is_exact(config: Config, teacher: str, model: str) -> bool:
    """Return whether an id is word by word what the settings call the teacher's model, after ``expert/`` too."""
    table = config.teachers[teacher]
    said = _parts(model.removeprefix("expert/"))
    return said in map(_parts, (teacher, table.model, *table.names))


def _parts(name: str) -> str:
    return f"-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-"
