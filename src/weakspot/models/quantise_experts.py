"""Writes a copy of a base whose routed experts are in NVFP4; all that an adapter may touch keeps its precision.

It needs no data and no GPU: weights are rounded, one matrix after the other, and inputs stay as they are. vLLM reads
the copy as compressed-tensors.
"""

import itertools
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.models import quantised_weights, weight_files
from weakspot.models.weight_files import StoredTensor
from weakspot.storage import atomic
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch

_SINGLE = re.compile(r"(.+\.experts)\.(\d+)\.(gate_proj|up_proj|down_proj)\.weight")
_STACKED = re.compile(r"(.+\.experts)\.(gate_up_proj|down_proj)(?:\.weight)?")
# There while a copy is being written: what it is a copy of.
_UNFINISHED = "quantize.unfinished.json"
# As compressed-tensors describes it. Whatever is no routed expert is ignored.
CONFIGURATION = {
    "quant_method": "compressed-tensors",
    "format": "nvfp4-pack-quantized",
    "quantization_status": "compressed",
    "ignore": [r"re:^(?!.*\.experts\.\d+\.).*$"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {
                **{"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": quantised_weights.GROUP},
                **{"symmetric": True, "dynamic": False, "scale_dtype": "torch.float8_e4m3fn"},
            },
            "input_activations": None,
            "output_activations": None,
        }
    },
}


@dataclass(frozen=True)
class _Matrix:
    """One matrix of an expert: where it is stored, which part of that tensor it is, and the name that it gets."""

    tensor: str
    layer: str
    place: tuple[int | slice, ...] = ()

    @property
    def pair(self) -> str:
        """The matrices of one such name have one global scale: vLLM wants that of gate and up."""
        return re.sub(r"\.(gate|up)_proj$", ".gate_up", self.layer)


def quantise_experts(
    base: Path, target: Path, advance: Callable[[int, str], None] = lambda count, note: None
) -> dict[str, int]:
    """Write the copy of the folder ``base`` into ``target``; return the bytes of experts and of all else in it.

    Each weight file is written whole, and ``config.json`` last: a folder without one is no model. If it is cut short,
    the next call goes on with the file that was not finished. Raises :class:`UserError` for a base without routed
    experts or with such as cannot be quantised, and for a folder that holds something else.
    """
    from safetensors import safe_open

    tensors = weight_files.read_tensors(base)
    matrices = _find_matrices(base, tensors)
    files = weight_files.weight_files(base)
    _begin(base, target)
    with ExitStack() as held:
        held.enter_context(atomic.hold_lock(target / f"{_UNFINISHED}.lock", "quantize"))
        readers = {file: held.enter_context(safe_open(file, "pt")) for file in files}
        pairs: dict[str, list[_Matrix]] = defaultdict(list)
        for matrix in itertools.chain.from_iterable(matrices.values()):
            pairs[matrix.pair].append(matrix)

        def load(matrix: _Matrix) -> "torch.Tensor":
            whole: torch.Tensor = readers[tensors[matrix.tensor].file].get_tensor(matrix.tensor)
            return whole[matrix.place] if matrix.place else whole

        def scale(matrix: _Matrix) -> "torch.Tensor":
            return quantised_weights.global_scale(max(load(one).abs().max() for one in pairs[matrix.pair]))

        written: dict[str, str] = {}
        for file in files:
            names = [name for name, one in tensors.items() if one.file == file]
            if not (target / file.name).is_file():
                found: dict[str, torch.Tensor] = {}
                for name in names:
                    if name not in matrices:
                        found[name] = readers[file].get_tensor(name)
                    for matrix in matrices.get(name, ()):
                        parts = quantised_weights.quantise(load(matrix), scale(matrix))
                        found |= {f"{matrix.layer}.{part}": value for part, value in parts.items()}
                        advance(1, matrix.layer)
                _write(found, target / file.name)
            else:
                advance(sum(len(matrices.get(name, ())) for name in names), file.name)
            written |= {name: file.name for name, _ in weight_files.read_header(target / file.name)}
    return _finish(base, target, written)


def count_matrices(base: Path) -> int:
    """Return how many matrices :func:`quantise_experts` quantises."""
    return sum(map(len, _find_matrices(base, weight_files.read_tensors(base)).values()))


def _find_matrices(base: Path, tensors: Mapping[str, StoredTensor]) -> dict[str, list[_Matrix]]:
    """Return the matrices of routed experts by the stored tensor that holds them."""
    if weight_files.configuration(base).get("quantization_config"):
        raise UserError(base, "is quantised already", "take the full-precision base")
    found = {name: list(_matrices(name, tensor)) for name, tensor in tensors.items()}
    found = {name: matrices for name, matrices in found.items() if matrices}
    if not found:
        raise UserError(base, "has no routed experts that could be quantised", "train on the base as it is")
    odd = next((name for name in found if tensors[name].shape[-1] % quantised_weights.GROUP), None)
    if odd:
        problem = f"{odd} has {tensors[odd].shape[-1]} columns, and NVFP4 needs a multiple of {quantised_weights.GROUP}"
        raise UserError(base, problem, "train on the base as it is")
    return found


def _matrices(name: str, tensor: StoredTensor) -> Iterator[_Matrix]:
    if (match := _SINGLE.fullmatch(name)) and len(tensor.shape) == 2:
        yield _Matrix(name, name.removesuffix(".weight"))
    elif (match := _STACKED.fullmatch(name)) and len(tensor.shape) == 3:
        half = tensor.shape[1] // 2
        parts = {"gate_proj": slice(0, half), "up_proj": slice(half, None)}
        for expert in range(tensor.shape[0]):
            if match[2] == "down_proj":
                yield _Matrix(name, f"{match[1]}.{expert}.down_proj", (expert,))
                continue
            for part, rows in parts.items():
                yield _Matrix(name, f"{match[1]}.{expert}.{part}", (expert, rows))


def _begin(base: Path, target: Path) -> None:
    """Mark ``target`` as a copy that is being written; raise :class:`UserError` if it holds something else."""
    mark = target / _UNFINISHED
    source = json.dumps({"base": weight_files.digest(base)})
    if mark.is_file() and mark.read_text() == source:
        return
    if target.is_dir() and any(target.iterdir()):
        what = "is there already" if (target / "config.json").is_file() else "holds something else"
        raise UserError(target, what, "give another --out, or remove it")
    atomic.write_atomically(mark, source.encode())


def _write(tensors: "dict[str, torch.Tensor]", file: Path) -> None:
    from safetensors.torch import save_file

    unfinished = file.with_name(f".{file.name}.tmp")
    with atomic.translate_full_disk_error(file):
        save_file({name: one.contiguous() for name, one in tensors.items()}, unfinished, {"format": "pt"})
        with unfinished.open("rb") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(file)
        atomic.sync_folder(file.parent)


def _finish(base: Path, target: Path, written: Mapping[str, str]) -> dict[str, int]:
    files = weight_files.weight_files(base)
    for file in sorted(base.iterdir()):
        other = weight_files.holds_other_weights(file, files) or file.suffix == ".lock" or file in files
        if file.is_file() and not other and file.name not in ("config.json", weight_files.INDEX):
            atomic.copy_file(file, target / file.name)
    sizes = {"experts": 0, "rest": 0}
    for name in set(written.values()):
        for tensor, one in weight_files.read_header(target / name):
            sizes["experts" if ".experts." in tensor else "rest"] += one.size
    if weight_files.SINGLE not in written.values():
        index: dict[str, Any] = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": dict(written)}
        atomic.write_atomically(target / weight_files.INDEX, json.dumps(index).encode())
    settings = json.loads((base / "config.json").read_bytes()) | {"quantization_config": CONFIGURATION}
    atomic.write_atomically(target / "config.json", json.dumps(settings, indent=2).encode())
    for name in (_UNFINISHED, f"{_UNFINISHED}.lock"):
        (target / name).unlink()
    return sizes
