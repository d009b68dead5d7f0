"""Finds and loads the base model, its tokenizer and its configuration."""

import contextlib
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.models import demo_model, garbage_collector, packed_attention, quantised_weights, weight_files
from weakspot.models.device import is_out_of_memory, local_gpu
from weakspot.progress import silence_libraries
from weakspot.records import BaseReference
from weakspot.settings import Model as ModelSettings
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from weakspot.models.packed_attention import LanguageModel
    from weakspot.models.quantised_weights import QuantisedLayer

_LIBRARIES = ("torch", "transformers", "peft", "safetensors", "scipy", "matplotlib")


_HERE = Path()


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


def resolve_base(settings: ModelSettings, root: Path = _HERE) -> Base:
    """Return the base that the settings name; download, verify and convert the demo base the first time.

    A relative folder is one of the workspace ``root``, or else of the working directory. Raises :class:`UserError`
    for a folder without a model. A hub id is not looked up here.
    """
    require_libraries()
    if settings.base == demo_model.NAME:
        return Base(demo_model.NAME, str(demo_model.download_demo_model()), None)
    folder = _find_folder(settings, root)
    if folder is not None:
        if not (folder / "config.json").is_file():
            raise UserError(folder, "holds no model: config.json is missing", "give a folder saved by transformers")
        return Base(settings.base, str(folder.resolve()), None)
    if settings.base.startswith((".", "/", "~")) or settings.base.count("/") != 1:
        raise UserError(
            f"[model] base = {settings.base!r}",
            f"no such folder in {root} or {Path.cwd()}" if settings.base[0] not in "/~" else "no such folder",
            f"give a folder, a hub id or {demo_model.NAME}",
        )
    return Base(settings.base, settings.base, settings.revision)


def _find_folder(settings: ModelSettings, root: Path) -> Path | None:
    given = Path(settings.base).expanduser()
    return next((place for place in (root / given, given) if place.is_dir()), None)


def fetch_folder(base: Base) -> Path:
    """Return the folder of the base's files: the local one, or the hub's snapshot, which is downloaded if needed.

    Weights that a repository stores a second time are not downloaded. Raises :class:`UserError` if it cannot be had.
    """
    if Path(base.location).is_dir():
        return Path(base.location)
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError

    silence_libraries()
    with _explain_loading(base):
        try:
            index = hf_hub_download(base.location, weight_files.INDEX, revision=base.revision)
            weights = sorted(set(json.loads(Path(index).read_bytes())["weight_map"].values()))
        except EntryNotFoundError:
            weights = [weight_files.SINGLE]
        patterns = ["*.json", "*.jinja", "*.txt", "*.model", *weights]
        return Path(snapshot_download(base.location, revision=base.revision, allow_patterns=patterns))


def find_local_folder(base: Base) -> Path | None:
    """Return the folder of the base's files if its weights are on this machine, else None; nothing is downloaded."""
    if Path(base.location).is_dir():
        return Path(base.location)
    from huggingface_hub import try_to_load_from_cache

    for name in (weight_files.SINGLE, weight_files.INDEX):
        found = try_to_load_from_cache(base.location, name, revision=base.revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def find_local_base(settings: ModelSettings, root: Path = _HERE) -> Base | None:
    """Return the folder of the base that the settings name, None where it is not here; nothing is downloaded."""
    folder = demo_model.folder() if settings.base == demo_model.NAME else _find_folder(settings, root)
    if folder is None and settings.base.count("/") == 1 and settings.base[0] not in "./~":
        folder = find_local_folder(Base(settings.base, settings.base, settings.revision))
    if folder is None or not (folder / "config.json").is_file():
        return None
    return Base(settings.base, str(folder.resolve()), None)


@garbage_collector.pause()
def load_tokenizer(base: Base) -> "PreTrainedTokenizerBase":
    """Load the tokenizer; raise :class:`UserError` if it is missing or has no chat template."""
    from transformers import AutoTokenizer, GenerationConfig

    silence_libraries()
    tokenizer = _load_with_transformers(AutoTokenizer, base)
    if not tokenizer.chat_template:
        raise UserError(base.name, "its tokenizer has no chat template", "use an instruct model")
    # The ids that end a turn are in the generation settings, which few bases lack: see ``chat_template``.
    tokenizer.revision = base.revision
    if not Path(base.location).is_dir():
        with contextlib.suppress(OSError, ValueError):
            GenerationConfig.from_pretrained(base.location, revision=base.revision or "main")
    return tokenizer  # type: ignore[no-any-return]


@garbage_collector.pause()
def find_local_tokenizer(settings: ModelSettings, root: Path) -> "PreTrainedTokenizerBase | None":
    """Return the base's tokenizer if it is on this machine, None otherwise; nothing is downloaded."""
    if importlib.util.find_spec("transformers") is None:
        return None
    from transformers import AutoTokenizer

    silence_libraries()
    place = demo_model.folder() if settings.base == demo_model.NAME else _find_folder(settings, root) or settings.base
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(place), revision=settings.revision, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError):
        return None
    return tokenizer if tokenizer.chat_template else None


@garbage_collector.pause()
def load_config(base: Base) -> Any:
    """Load only the model's configuration."""
    from transformers import AutoConfig

    silence_libraries()
    return _load_with_transformers(AutoConfig, base)


def require_loadable(base: Base, *, four_bit: bool = False) -> None:
    """Raise :class:`UserError` for a base that cannot be loaded as it is stored; no weights are loaded for that.

    Such are classes that transformers does not know, weights quantised in a way that is not supported, and weight
    files that are missing or cut short; with ``four_bit`` also those that are quantised already.
    """
    _, config = choose_class(base)
    if four_bit and quantised_weights.method_of(config) is not None:
        raise UserError("[train] load_in_4bit", f"{base.name} is quantised already", "set it to false")
    if four_bit and importlib.util.find_spec("bitsandbytes") is None:
        raise UserError("[train] load_in_4bit", "needs bitsandbytes", "run: pip install 'zddc[qlora]'")
    if Path(base.location).is_dir():
        weight_files.read_tensors(Path(base.location))


@garbage_collector.pause()
def choose_class(base: Base) -> "tuple[type[PreTrainedModel], Any]":
    """Return the class of transformers that the base's configuration names, and the configuration.

    It is the class that servers load, too, wrapped around a language model or not: then a layer has one name in
    training, in the adapter and in the server. Raises :class:`UserError` for a class that transformers does not know
    or that writes no text, and for weights that are quantised in a way that is not supported.
    """
    import transformers
    from transformers.models.auto import modeling_auto as auto

    config = load_config(base)
    _require_known_quantisation(base, config)
    text, wrapped = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    name = (config.architectures or [text.get(config.model_type)])[0]
    if name not in {*text.values(), *wrapped.values()}:
        raise UserError(
            base.name,
            f"is a {name}, which transformers {transformers.__version__} does not know as a language model",
            "update transformers, or choose another base",
        )
    return getattr(transformers, name), config


def _require_known_quantisation(base: Base, config: Any) -> None:
    """Raise :class:`UserError` for weights that are quantised in a way that is not supported.

    Those of MXFP4 are dequantised as they are loaded. Other kinds are read without their scales, or not at all.
    """
    settings = quantised_weights.settings_of(config)
    if settings is None or quantised_weights.method_of(config) == "mxfp4" or quantised_weights.is_known(settings):
        return
    raise UserError(
        base.name,
        f"its weights are quantised ({quantised_weights.method_of(config)}), which is not supported",
        "train on the full-precision base",
    )


def read_quantised_layers(base: Base) -> "dict[str, QuantisedLayer]":
    """Return the layers of a base whose bits are kept as they are stored, by their stored names; MXFP4 is not kept.

    Raises :class:`UserError` for tensors in an unknown format. The base's weight files are downloaded if needed.
    """
    settings = quantised_weights.settings_of(load_config(base))
    if settings is None or not quantised_weights.is_known(settings):
        return {}
    tensors = weight_files.read_tensors(fetch_folder(base))
    found, unknown = quantised_weights.read_quantised_layers(tensors, settings)
    if unknown is not None:
        problem = f"{unknown} is quantised in a way that is not supported ({tensors[unknown].dtype})"
        raise UserError(base.name, problem, "train on the full-precision base")
    return found


def build_meta_model(base: Base) -> "PreTrainedModel":
    """Build the model on the meta device, without weights; quantised layers have the shape of their bits."""
    import torch

    kind, config = choose_class(base)
    layers = read_quantised_layers(base)
    if layers:
        quantised_weights.forget_settings(config)
    with torch.device("meta"), _explain_loading(base):
        model: PreTrainedModel = kind._from_config(config)
    if layers:
        from weakspot.models import frozen_layers

        frozen_layers.install(model, layers, base.name)
    return model


def load_model(base: Base, dtype: "torch.dtype", *, four_bit: bool = False, on_cpu: bool = False) -> "PreTrainedModel":
    """Load the weights in ``dtype`` (or NF4) onto the GPU if there is one, else the CPU; in evaluation mode."""
    import torch
    from transformers import BitsAndBytesConfig
    from transformers.utils.quantization_config import Mxfp4Config

    silence_libraries()
    require_loadable(base, four_bit=four_bit)
    kind, config = choose_class(base)
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "output_loading_info": True}
    if quantised_weights.method_of(config) == "mxfp4":
        options["quantization_config"] = Mxfp4Config(dequantize=True)
    if layers := read_quantised_layers(base):
        from weakspot.models.quantised_loading import FrozenConfig

        quantised_weights.forget_settings(config)
        options |= {"config": config, "quantization_config": FrozenConfig(layers, base.name)}
    if four_bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    if torch.cuda.is_available() and not on_cpu:
        options["device_map"] = {"": local_gpu()}
    model: PreTrainedModel
    model, report = _load_with_transformers(kind, base, **options)
    if missing := sorted(report["missing_keys"]):  # transformers would go on with random numbers
        more = f", nor {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(base.name, f"its weight files do not hold {missing[0]}{more}", "download the base again")
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # bitsandbytes would pack the bits anew in its first call, and then they are dequantised wrongly.
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
    packed_attention.install(model)
    model.eval()
    return model


def _load_with_transformers(auto: Any, base: Base, **options: Any) -> Any:
    with _explain_loading(base):
        return auto.from_pretrained(base.location, revision=base.revision or "main", trust_remote_code=False, **options)


@contextlib.contextmanager
def _explain_loading(base: Base) -> Iterator[None]:
    """Turn whatever a library raises for a base's files into a :class:`UserError`, but for a lack of memory."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"[model] base = {base.name!r}",
            f"cannot be loaded: {text[:300]}",
            "check the name, the network and HF_HUB_OFFLINE",
        ) from None


@contextlib.contextmanager
def explain_out_of_memory(thing: str, remedy: str) -> Iterator[None]:
    """Turn out-of-memory errors of torch, on GPU or CPU, into a :class:`UserError` about ``thing``."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
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


def require_embedded_tokens(base: Base, tokenizer: "PreTrainedTokenizerBase", rows: int, ids: Iterable[int]) -> None:
    """Raise :class:`UserError` if one of the token ids is beyond the ``rows`` of the base's embedding."""
    highest = max(ids, default=0)
    if highest >= rows:
        token = tokenizer.convert_ids_to_tokens(highest)
        raise UserError(
            base.name,
            f"its tokenizer has the token {token!r} (number {highest}), but its embedding only {rows} rows",
            "take the tokenizer that belongs to the model, or resize the embedding",
        )


def reference(base: Base, *, whole: bool = False) -> BaseReference:
    """Return what an adapter's manifest says of its base, by which the base is found again; ``whole`` reads all of it.

    A hub's branch moves on, so the revision is the commit that the files are of.
    """
    folder = fetch_folder(base)
    return BaseReference(
        name=base.name,
        location=base.location,
        revision=base.revision and folder.name,
        identity=_configuration_hash(base.name, base.revision, base),
        weights=weight_files.digest(folder),
        weights_whole=weight_files.digest(folder, whole=True) if whole else None,
    )


def matches(base: Base, known: BaseReference) -> bool:
    """Return whether a base has the weights and the configuration of ``known``, wherever it lies.

    Earlier manifests know no weights: for these only name, revision and configuration are compared.
    """
    if known.weights is not None:
        return weight_files.digest(fetch_folder(base)) == known.weights
    return _configuration_hash(known.name, known.revision, base) == known.identity


def _configuration_hash(name: str, revision: str | None, base: Base) -> str:
    settings = load_config(base).to_dict()
    for volatile in ("_name_or_path", "transformers_version", "_commit_hash"):
        settings.pop(volatile, None)
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(f"{name}@{revision}:{text}".encode()).hexdigest()[:16]


def decoder(model: "LanguageModel") -> "torch.nn.Module":
    """Return the model without its output head, adapters included."""
    found = without_adapters(model).get_decoder()
    while hasattr(found, "lm_head"):  # of a Llama 4, transformers returns the whole language model
        found = found.model
    return found  # type: ignore[no-any-return]


def without_adapters(model: "LanguageModel") -> Any:
    """Return the base of a model that has adapters; their layers stay in it."""
    return getattr(model, "get_base_model", lambda: model)()
