"""Finds and loads the base model, its tokenizer and its configuration."""

import contextlib
import hashlib
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.models import demo_model, packed_attention
from weakspot.models.device import local_gpu
from weakspot.progress import silence_libraries
from weakspot.settings import Model as ModelSettings
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.models.packed_attention import LanguageModel

_LIBRARIES = ("torch", "transformers", "peft", "safetensors", "scipy", "matplotlib")


@dataclass(frozen=True)
class Base:
    """A base model; ``location`` is a local folder or a hub id."""

    name: str
    location: str
    revision: str | None


def require_libraries() -> None:
    """Raise :class:`UserError` if the training libraries are not installed."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError("weakspot", f"{', '.join(missing)} not installed", "run: pip install 'zddc[train]'")


def resolve_base(settings: ModelSettings) -> Base:
    """Return the base that the settings name; download, verify and convert the demo base the first time.

    Raises :class:`UserError` for a folder without a model. A hub id is not looked up here.
    """
    require_libraries()
    if settings.base == demo_model.NAME:
        return Base(demo_model.NAME, str(demo_model.download_demo_model()), None)
    folder = Path(settings.base).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError(folder, "holds no model: config.json is missing", "give a folder saved by transformers")
        return Base(settings.base, str(folder.resolve()), None)
    if settings.base.startswith((".", "/", "~")) or settings.base.count("/") != 1:
        raise UserError(
            f"[model] base = {settings.base!r}", "no such folder", f"give a folder, a hub id or {demo_model.NAME}"
        )
    return Base(settings.base, settings.base, settings.revision)


def load_tokenizer(base: Base) -> "PreTrainedTokenizerBase":
    """Load the tokenizer; raise :class:`UserError` if it is missing or has no chat template."""
    from transformers import AutoTokenizer

    silence_libraries()
    tokenizer = _load_with_transformers(AutoTokenizer, base)
    if not tokenizer.chat_template:
        raise UserError(base.name, "its tokenizer has no chat template", "use an instruct model")
    return tokenizer  # type: ignore[no-any-return]


def find_local_tokenizer(settings: ModelSettings) -> "PreTrainedTokenizerBase | None":
    """Return the base's tokenizer if it is on this machine, None otherwise; nothing is downloaded."""
    if importlib.util.find_spec("transformers") is None:
        return None
    from transformers import AutoTokenizer

    silence_libraries()
    place = str(demo_model.folder()) if settings.base == demo_model.NAME else str(Path(settings.base).expanduser())
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            place, revision=settings.revision, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError):
        return None
    return tokenizer if tokenizer.chat_template else None


def load_config(base: Base) -> Any:
    """Load only the model's configuration."""
    from transformers import AutoConfig

    silence_libraries()
    return _load_with_transformers(AutoConfig, base)


def build_meta_model(base: Base) -> "PreTrainedModel":
    """Build the model on the meta device, without weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(load_config(base), trust_remote_code=False)
    return model


def load_model(base: Base, dtype: "torch.dtype", *, four_bit: bool = False, on_cpu: bool = False) -> "PreTrainedModel":
    """Load the weights in ``dtype`` (or NF4) onto the GPU if there is one, else the CPU; in evaluation mode."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    silence_libraries()
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True}
    if four_bit:
        if not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None:
            raise UserError(
                "[train] load_in_4bit", "needs a CUDA GPU and bitsandbytes", "run: pip install 'zddc[qlora]'"
            )
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    if torch.cuda.is_available() and not on_cpu:
        options["device_map"] = {"": local_gpu()}
    model: PreTrainedModel = _load_with_transformers(AutoModelForCausalLM, base, **options)
    packed_attention.install(model)
    model.eval()
    return model


def _load_with_transformers(auto: Any, base: Base, **options: Any) -> Any:
    try:
        return auto.from_pretrained(base.location, revision=base.revision or "main", trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        text = " ".join(str(error).split())
        raise UserError(
            f"[model] base = {base.name!r}",
            f"cannot be loaded: {text[:300]}",
            "check the name, the network and HF_HUB_OFFLINE",
        ) from None


@contextlib.contextmanager
def explain_out_of_memory(thing: str, remedy: str) -> Iterator[None]:
    """Turn out-of-memory errors of torch, on GPU or CPU, into a :class:`UserError` about ``thing``."""
    import torch

    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "DefaultCPUAllocator" not in str(error):
            raise
        raise UserError(thing, f"out of memory: {str(error).splitlines()[0]}", remedy) from None


def choose_dtype(precision: str) -> "torch.dtype":
    """Return the torch dtype for ``auto``, ``bf16`` or ``fp32`` on this machine.

    ``auto`` is bf16 on an Ampere GPU or newer. Elsewhere it is fp32: on a CPU, bf16 is about twenty times slower.
    """
    import torch

    if precision == "auto":
        ampere = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
        return torch.bfloat16 if ampere else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def identity(base: Base) -> str:
    """Return a hash of the base's name, revision and configuration, to recognise another base of the same name."""
    settings = load_config(base).to_dict()
    for volatile in ("_name_or_path", "transformers_version", "_commit_hash"):
        settings.pop(volatile, None)
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(f"{base.name}@{base.revision}:{text}".encode()).hexdigest()[:16]


def decoder(model: "LanguageModel") -> "torch.nn.Module":
    """Return the model without its output head, adapters included."""
    found: torch.nn.Module = without_adapters(model).get_decoder()
    return found


def without_adapters(model: "LanguageModel") -> Any:
    """Return the base of a model that has adapters; their layers stay in it."""
    return getattr(model, "get_base_model", lambda: model)()
