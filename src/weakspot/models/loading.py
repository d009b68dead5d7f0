"""The local model: where it comes from, and how it is loaded."""

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
from weakspot.settings import Model as ModelSettings
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.models.packed_attention import LanguageModel

_LIBRARIES = ("torch", "transformers", "peft", "safetensors", "scipy", "matplotlib")


@dataclass(frozen=True)
class Base:
    """A base model that is at hand or that the hub has: ``location`` is a folder or a hub id."""

    name: str
    location: str
    revision: str | None


def require_libraries() -> None:
    """Raise :class:`UserError` where the training libraries are not installed."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError("weakspot", f"{', '.join(missing)} not installed", "run: pip install 'zddc[train]'")


def resolve(settings: ModelSettings) -> Base:
    """Return where the base lies; the embedded one is fetched, checked and converted the first time.

    Raises :class:`UserError` for a folder that holds no model. A hub id is not looked up here.
    """
    require_libraries()
    if settings.base == demo_model.NAME:
        return Base(demo_model.NAME, str(demo_model.fetched()), None)
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


def quiet() -> None:
    """Keep the libraries' own progress bars, notes and retries off the terminal: what fails is said once."""
    from huggingface_hub.utils import logging as hub
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    hub.set_verbosity_error()


def load_tokenizer(base: Base) -> "PreTrainedTokenizerBase":
    """Load the tokenizer; raise :class:`UserError` where it is missing or has no chat template."""
    from transformers import AutoTokenizer

    quiet()
    tokenizer = _from_pretrained(AutoTokenizer, base)
    if not tokenizer.chat_template:
        raise UserError(base.name, "its tokenizer has no chat template", "use an instruct model")
    return tokenizer  # type: ignore[no-any-return]


def tokenizer_at_hand(settings: ModelSettings) -> "PreTrainedTokenizerBase | None":
    """Return the base's tokenizer where it lies on this machine already, else None: nothing is downloaded."""
    if importlib.util.find_spec("transformers") is None:
        return None
    from transformers import AutoTokenizer

    quiet()
    place = str(demo_model.folder()) if settings.base == demo_model.NAME else str(Path(settings.base).expanduser())
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            place, revision=settings.revision, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError):
        return None
    return tokenizer if tokenizer.chat_template else None


def load_config(base: Base) -> Any:
    """Load the model's configuration only."""
    from transformers import AutoConfig

    quiet()
    return _from_pretrained(AutoConfig, base)


def meta_model(base: Base) -> "PreTrainedModel":
    """Build the model without its weights, on the meta device."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(load_config(base), trust_remote_code=False)
    return model


def load_model(base: Base, dtype: "torch.dtype", *, four_bit: bool = False, on_cpu: bool = False) -> "PreTrainedModel":
    """Load the weights in ``dtype`` (or NF4) on the accelerator, else the CPU; in evaluation mode."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quiet()
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
    model: PreTrainedModel = _from_pretrained(AutoModelForCausalLM, base, **options)
    packed_attention.install(model)
    model.eval()
    return model


def _from_pretrained(auto: Any, base: Base, **options: Any) -> Any:
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
def enough_memory(thing: str, remedy: str) -> Iterator[None]:
    """Turn torch's out-of-memory errors, of a GPU or of the CPU, into one line about ``thing``."""
    import torch

    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "DefaultCPUAllocator" not in str(error):
            raise
        raise UserError(thing, f"out of memory: {str(error).splitlines()[0]}", remedy) from None


def dtype_for(precision: str) -> "torch.dtype":
    """Return the dtype of ``auto``, ``bf16`` or ``fp32`` on this machine.

    On a CPU bf16 is about twenty times slower than fp32, so auto takes it on Ampere or newer only.
    """
    import torch

    if precision == "auto":
        ampere = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
        return torch.bfloat16 if ampere else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def identity(base: Base) -> str:
    """Return what tells a base from another of the same name: the hash of its configuration and revision."""
    settings = load_config(base).to_dict()
    for volatile in ("_name_or_path", "transformers_version", "_commit_hash"):
        settings.pop(volatile, None)
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(f"{base.name}@{base.revision}:{text}".encode()).hexdigest()[:16]


def decoder(model: "LanguageModel") -> "torch.nn.Module":
    """Return a model without its head, with the adapters that it has."""
    found: torch.nn.Module = without_adapters(model).get_decoder()
    return found


def without_adapters(model: "LanguageModel") -> Any:
    """Return the base of a model that has adapters; their layers stay in it."""
    return getattr(model, "get_base_model", lambda: model)()
