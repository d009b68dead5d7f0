"""Writes GGUF files, for llama.cpp and programs built on it: of a merged model, or of an adapter alone."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.deployment.gguf import tokenizer
from weakspot.deployment.gguf.architecture import Architecture, read_architecture
from weakspot.models import adapter_files, merge
from weakspot.settings import Quantisation
from weakspot.storage import atomic
from zddc.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter

_PREFIX = "base_model.model."  # PEFT's, before the names of the model's own modules
_COARSE = ("q5_1", "q5_0", "q4_1", "q4_0")


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the file; ``load`` returns its values when they are written."""

    name: str
    shape: tuple[int, ...]
    kind: "GGMLQuantizationType"
    load: "Callable[[], np.ndarray[Any, Any]]"


def write_model(source: Path, target: Path, quantisation: Quantisation) -> None:
    """Write the model of a folder (``config.json``, tokenizer, safetensors) as one GGUF file.

    Only one tensor at a time is in memory. Vectors stay f32. A matrix whose row length is not a multiple of the
    quantisation's block size becomes f16. With 5 bits or fewer, embedding and output layer become q8_0, since they
    tolerate less. Raises :class:`UserError` for a model that llama.cpp would not compute as transformers does.
    """
    import gguf

    architecture = read_architecture(source)
    with _open_writer(target, architecture) as writer:
        writer.add_type(gguf.GGUFType.MODEL)
        writer.add_name(source.name)
        writer.add_file_type(_file_type(quantisation))
        if quantisation.startswith("q"):
            writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        architecture.add_keys(writer)
        tokenizer.add_tokenizer(writer, source, architecture.vocabulary)
        _write_tensors(writer, _model_tensors(source, architecture, quantisation))


def write_adapter(adapter: Path, base: Path, target: Path) -> None:
    """Write a LoRA adapter in f32 as a GGUF file, to be loaded together with the GGUF file of its ``base`` (a folder).

    Raises :class:`UserError` for an adapter that is not plain LoRA, or that belongs to another base.
    """
    import gguf

    architecture = read_architecture(base)
    settings = json.loads((adapter / adapter_files.SETTINGS).read_text(encoding="utf-8"))
    merge.require_plain_lora(adapter, settings)
    with _open_writer(target, architecture) as writer:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_name(adapter.name)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        # llama.cpp multiplies by alpha / rank; PEFT, with use_rslora, by alpha / square root of rank.
        more = settings["r"] ** 0.5 if settings.get("use_rslora") else 1.0
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, settings["lora_alpha"] * more)
        _write_tensors(writer, _adapter_tensors(adapter, base, architecture))


@contextlib.contextmanager
def _open_writer(target: Path, architecture: Architecture) -> "Iterator[GGUFWriter]":
    """Context manager: give a writer; ``target`` is replaced if the block ends without an error, else unchanged."""
    import gguf

    atomic.make_folder(target.parent)
    temporary = target.with_name(f".{target.name}.tmp")
    writer = gguf.GGUFWriter(temporary, architecture.name)
    try:
        yield writer
        writer.close()
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as error:
        raise atomic.error_with_file(error, target) from None
    finally:
        writer.close()
        temporary.unlink(missing_ok=True)
    atomic.sync_folder(target.parent)


def _write_tensors(writer: "GGUFWriter", tensors: list[_Tensor]) -> None:
    import gguf
    import numpy as np

    for one in tensors:
        size = int(np.prod(gguf.quant_shape_to_byte_shape(one.shape, one.kind)))
        writer.add_tensor_info(one.name, one.shape, np.dtype(np.float32), size, one.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for one in tensors:
        writer.write_tensor_data(gguf.quantize(one.load(), one.kind))


def _model_tensors(source: Path, architecture: Architecture, quantisation: Quantisation) -> list[_Tensor]:
    names = architecture.names()
    found = []
    for name, (file, shape) in _list_tensors(source).items():
        if architecture.tied and name == "lm_head.weight":
            continue
        renamed = names.get_name(name, (".weight", ".bias"))
        if renamed is None:
            raise UserError(source, f"has a tensor that llama.cpp does not know, {name}", "deploy it as 'merged'")

        def load(file: Path = file, name: str = name) -> "np.ndarray[Any, Any]":
            return architecture.ordered(name, _load_tensor(file, name))

        found.append(_Tensor(renamed, shape, _tensor_type(renamed, shape, quantisation), load))
    return found


def _adapter_tensors(adapter: Path, base: Path, architecture: Architecture) -> list[_Tensor]:
    import gguf

    names, of_base = architecture.names(), _list_tensors(base)
    found = []
    for key, (file, shape) in _list_tensors(adapter).items():
        module, part, _ = key.removeprefix(_PREFIX).rsplit(".", 2)
        weight, is_up = f"{module}.weight", part == "lora_B"
        renamed = names.get_name(weight, (".weight",))
        if renamed is None or weight not in of_base or of_base[weight][1][0 if is_up else 1] != shape[not is_up]:
            raise UserError(adapter, f"changes {weight}, which does not fit {base.name}", "give its own base")

        def load(
            file: Path = file, key: str = key, up: str | None = weight if is_up else None
        ) -> "np.ndarray[Any, Any]":
            tensor = _load_tensor(file, key)
            return architecture.ordered(up, tensor) if up else tensor

        found.append(_Tensor(f"{renamed}.{part.lower()}", shape, gguf.GGMLQuantizationType.F32, load))
    return found


def _list_tensors(folder: Path) -> dict[str, tuple[Path, tuple[int, ...]]]:
    """Return file and shape of every tensor in a folder's safetensors files, by name."""
    from safetensors import safe_open

    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as stored:
            for name in stored.keys():  # noqa: SIM118 (not a mapping)
                found[name] = (file, tuple(stored.get_slice(name).get_shape()))
    return found


def _load_tensor(file: Path, name: str) -> "np.ndarray[Any, Any]":
    from safetensors import safe_open

    # Loaded with torch, since numpy has no bf16.
    with safe_open(file, "pt") as stored:
        return stored.get_tensor(name).float().numpy()  # type: ignore[no-any-return]


def _tensor_type(name: str, shape: tuple[int, ...], quantisation: Quantisation) -> "GGMLQuantizationType":
    import gguf

    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    if quantisation in _COARSE and name.startswith(("token_embd.", "output.")):
        quantisation = "q8_0"
    kind = gguf.GGMLQuantizationType[quantisation.upper()]
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return gguf.GGMLQuantizationType.F16 if shape[-1] % block else kind


def _file_type(quantisation: Quantisation) -> int:
    import gguf

    prefix = "ALL" if quantisation == "f32" else "MOSTLY"
    return gguf.LlamaFileType[f"{prefix}_{quantisation.upper()}"].value
