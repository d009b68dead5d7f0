"""The weight files of a model's folder: its tensors by their stored names, and the digest by which a base is known."""

import contextlib
import functools
import hashlib
import json
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zddc.errors import UserError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
# A model's weights in other formats, and the description of one of them. Some servers prefer these to safetensors.
_OTHER_FORMATS = frozenset({".safetensors", ".bin", ".gguf", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx"})
_OTHER_DESCRIPTION = "params.json"
_AGAIN = "download the base again"
_LARGEST_HEADER = 100_000_000  # the limit of safetensors itself
# Keys of a config.json that say nothing about the model.
_VOLATILE = ("_name_or_path", "_commit_hash", "transformers_version")
# Of a larger tensor, blocks of this size are read, one for each stride.
_WHOLE_BYTES, _BLOCK_BYTES, _STRIDE_BYTES, _CHUNK_BYTES = 65_536, 4_096, 1 << 22, 1 << 24
# Where a checkpoint keeps the decoder, before ``layers.0``: wrapped models have been stored in several ways.
_DECODERS = ("model.language_model.", "language_model.model.", "language_model.", "model.", "")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file: its type by safetensors' name, its shape, and the bytes from ``start`` on, ``size`` many."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a model's weights, as transformers chooses them; others may hold them once more.

    Raises :class:`UserError` if there are none, or if one that the index names is missing.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not (folder / INDEX).is_file():
        raise UserError(folder, f"holds no weights: neither {SINGLE} nor {INDEX} is there", _AGAIN)
    files = [folder / name for name in sorted({*_index(folder / INDEX).values()})]
    missing = [file for file in files if not file.is_file()]
    if missing:
        more = f", and {len(missing) - 1} more of {len(files)}" if len(missing) > 1 else ""
        raise UserError(missing[0], f"is missing{more}: {INDEX} names it", _AGAIN)
    return files


def _index(file: Path) -> dict[str, str]:
    try:
        names = json.loads(file.read_bytes())["weight_map"]
        if not names or not all(isinstance(one, str) and Path(one).name == one for one in {*names.values()}):
            raise ValueError("names no files")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(file, f"is no index of weights: {error}", _AGAIN) from None
    return dict(names)


def read_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a model by their stored names; only the headers of the files are read.

    Raises :class:`UserError` for a file that is missing, cut short or damaged, and for a tensor that only the index
    has.
    """
    looked_at = [file for file in folder.iterdir() if file.name == INDEX or file.suffix == ".safetensors"]
    states = [(file.name, (state := file.stat()).st_size, state.st_mtime_ns) for file in looked_at]
    return dict(_read_tensors(folder, tuple(sorted(states))))


@functools.lru_cache(maxsize=4)  # a mixture of 80 billion parameters has 200,000 tensors, and is asked several times
def _read_tensors(folder: Path, _states: tuple[object, ...]) -> dict[str, StoredTensor]:
    found = {name: one for file in weight_files(folder) for name, one in read_header(file)}
    if not (folder / SINGLE).is_file():
        for name, file in _index(folder / INDEX).items():
            if name not in found:
                raise UserError(folder / file, f"does not hold {name}, which {INDEX} says it does", _AGAIN)
    return found


def read_header(file: Path) -> Iterator[tuple[str, StoredTensor]]:
    """Yield name and place of each tensor of a safetensors file; raise :class:`UserError` if it is not whole."""
    there = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        if start == b"version ":
            raise UserError(file, "is a pointer of Git LFS, not the weights", "run 'git lfs pull' in that folder")
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _LARGEST_HEADER + 1
        text = stream.read(length) if length <= _LARGEST_HEADER else b""
    if length > _LARGEST_HEADER or len(text) < length:
        raise UserError(file, f"is cut short or no safetensors file: {there:,} bytes", _AGAIN)
    try:
        entries = {name: one for name, one in json.loads(text).items() if name != "__metadata__"}
        tensors = [
            (name, StoredTensor(file, str(one["dtype"]), tuple(map(int, one["shape"])), *_place(one, 8 + length)))
            for name, one in entries.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(file, "has a damaged header", _AGAIN) from None
    needed = max((one.start + one.size for _, one in tensors), default=8 + length)
    if there != needed:
        what = "is cut short" if there < needed else "has more in it than its header says"
        raise UserError(file, f"{what}: {there:,} bytes of {needed:,}", _AGAIN)
    yield from tensors


def _place(entry: Mapping[str, Any], data: int) -> tuple[int, int]:
    begin, end = map(int, entry["data_offsets"])
    if not 0 <= begin <= end:
        raise ValueError("offsets run backwards")
    return data + begin, end - begin


def digest(folder: Path, *, whole: bool = False) -> str:
    """Return a digest of a model's configuration and weights, the same wherever they lie and however they are split.

    Names, types and shapes of all tensors are in it, tensors of up to 64 KiB, and of each larger one a block of 4 KiB
    for every 4 MiB. With ``whole`` it covers every byte, and takes as long as reading them.
    """
    found = hashlib.sha256(json.dumps(configuration(folder), sort_keys=True).encode())
    with contextlib.ExitStack() as stack:
        streams = {file: stack.enter_context(file.open("rb")) for file in weight_files(folder)}
        for name, one in sorted(read_tensors(folder).items()):
            found.update(f"{name} {one.dtype} {one.shape}\n".encode())
            for offset, size in _blocks(one.size, whole=whole):
                streams[one.file].seek(one.start + offset)
                found.update(streams[one.file].read(size))
    return found.hexdigest()


def configuration(folder: Path) -> dict[str, Any]:
    """Return a model's ``config.json`` without what changes as it is copied; raise :class:`UserError` if damaged."""
    file = folder / "config.json"
    try:
        settings = json.loads(file.read_bytes())
        return {key: value for key, value in settings.items() if key not in _VOLATILE}
    except (ValueError, AttributeError):
        raise UserError(file, "is no JSON object", _AGAIN) from None


def _blocks(size: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    if whole or size <= _WHOLE_BYTES:
        yield from ((start, min(_CHUNK_BYTES, size - start)) for start in range(0, size, _CHUNK_BYTES))
        return
    count = 1 + size // _STRIDE_BYTES
    stride = size // count
    yield from ((number * stride + (stride - _BLOCK_BYTES) // 2, _BLOCK_BYTES) for number in range(count))


def holds_other_weights(file: Path, weights: Collection[Path]) -> bool:
    """Return whether a file of a model's folder holds or describes weights other than the files ``weights``."""
    if file.name.endswith(".index.json"):
        return file.name != INDEX or file.with_name(SINGLE) in weights
    return file not in weights and (file.suffix in _OTHER_FORMATS or file.name == _OTHER_DESCRIPTION)


def stored_names(tensors: Collection[str], layers: Iterable[str]) -> dict[str, str]:
    """Return the name under which a checkpoint stores the weight of each layer, by the layer's name in the model.

    The checkpoint of a wrapped model has another prefix before ``layers.0`` than the model in memory, and none of
    the two can be told from the other: the prefix is the one under which all layers are stored. A layer that is not
    stored at all is left out.
    """
    names = list(layers)
    parts = {name: "layers." + name.partition("layers.")[2] for name in names}
    own = {name: f"{name}.weight" for name in names}
    found = {name: weight for name, weight in own.items() if weight in tensors}
    for prefix in _DECODERS:
        other = {name: f"{prefix}{parts[name]}.weight" for name in names}
        stored = {name: weight for name, weight in other.items() if weight in tensors}
        if len(stored) > len(found):
            found = stored
    return found
