"""Makes a copy of a base with its routed experts in NVFP4, to train, serve and merge on the same bits."""

from dataclasses import dataclass
from pathlib import Path

from weakspot.models import loading, quantise_experts
from weakspot.progress import bar
from weakspot.settings import Model
from zddc.errors import UserError


@dataclass(frozen=True)
class QuantisedBase:
    """The folder of a copy, and the bytes in it: of the routed experts, and of everything else."""

    folder: Path
    experts_bytes: int
    rest_bytes: int


def quantize(base: str, out: Path | None = None) -> QuantisedBase:
    """Quantise the routed experts of ``base``, a folder or a hub id, into the folder ``out``.

    The default is a folder in the working directory with the base's name and ``-nvfp4``. Raises :class:`UserError` for
    a base whose experts cannot be quantised or loaded again, and for a folder that holds something else.
    """
    found = loading.resolve_base(Model(base=base))
    _require_usual_experts(found)
    folder = loading.fetch_folder(found)
    target = out or Path(f"{Path(found.name).name}-nvfp4")
    with bar(f"quantising {found.name}", quantise_experts.count_matrices(folder)) as advance:
        sizes = quantise_experts.quantise_experts(folder, target, advance)
    return QuantisedBase(target, sizes["experts"], sizes["rest"])


def _require_usual_experts(base: loading.Base) -> None:
    """Raise :class:`UserError` for experts that the frozen layers could not compute."""
    from weakspot.models import frozen_layers

    blocks = [one for one in loading.build_meta_model(base).modules() if frozen_layers.is_stacked_experts(one)]
    if any(not frozen_layers.is_usual(one) for one in blocks):
        raise UserError(
            base.name, "its routed experts are of a kind that is not supported", "train on the base as it is"
        )
