"""Reads an adapter's manifest and scorecard, and loads the adapter on the base that it was trained on."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from weakspot.config import Config
from weakspot.models import adapter_files, loading
from weakspot.models.loading import Base
from weakspot.progress import bar
from weakspot.records import AdapterManifest, BaseReference, Scorecard
from weakspot.records.parsing import parse_record
from weakspot.settings import Model
from weakspot.storage import atomic
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase


def read_manifest(workspace: Workspace, name: AdapterName, *, verify: bool = True) -> AdapterManifest:
    """Read an adapter's manifest; raise :class:`UserError` where it or the weights are damaged.

    Without ``verify`` the weights are not looked at, which takes a while.
    """
    file = workspace.adapter_manifest(name)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise UserError(file, "is not there", f"restore it, or train again: weakspot train {name.domain}") from None
    manifest = parse_record(AdapterManifest, data, file, f"train again: weakspot train {name.domain}")
    for file in atomic.changed_files(workspace.adapter(name), manifest.files) if verify else ():
        raise UserError(file, "not the file that was trained", f"train again: weakspot train {name.domain}")
    return manifest


def read_scorecard(workspace: Workspace, name: AdapterName) -> Scorecard | None:
    """Read an adapter's scorecard; None if there is none, or if it belongs to other weights."""
    file = workspace.evaluation(name)
    if not file.exists():
        return None
    card = parse_record(Scorecard, file.read_bytes(), file, f"evaluate again: weakspot evaluate {name.domain}")
    weights = workspace.adapter(name) / adapter_files.WEIGHTS
    return card if card.adapter_sha256 == atomic.sha256(weights) else None


def require_base(workspace: Workspace, config: Config, manifest: AdapterManifest, *, download: bool = True) -> Base:
    """Return the base that an adapter was trained on: where it was, or where ``[model] base`` says that it is now.

    It is known by its weights, whatever its name. Without ``download`` it must be on this machine, and no hub is asked.
    Raises :class:`UserError` if it is at neither place, or if its weights have changed.
    """
    known, there = manifest.base, list[Base]()
    for base in _places(workspace, config, manifest.base, download=download):
        try:
            if loading.matches(base, known):
                return base
        except UserError:
            if Path(base.location).is_dir():
                raise
            continue  # the hub does not have it, or cannot be reached
        there.append(base)
    if not there:
        problem = f"its base {known.name} is not at {known.location} any more"
        remedy = "set [model] base to where it is now"
        if not download and not Path(known.location).is_absolute():
            problem, remedy = f"its base {known.name} is not on this machine", f"download it, or {remedy}"
    else:
        problem = f"was trained on other weights or settings than {there[0].name} has now"
        remedy = f"restore that base, set [model] base to where it is, or train again: weakspot train {manifest.domain}"
    raise UserError(manifest.name, problem, remedy)


def require_unchanged_base(workspace: Workspace, config: Config, manifest: AdapterManifest) -> None:
    """Raise :class:`UserError` if the base of an adapter has other weights now; one that is not here is no error."""
    if any(_places(workspace, config, manifest.base, download=False)):
        require_base(workspace, config, manifest)


def _places(workspace: Workspace, config: Config, known: BaseReference, *, download: bool) -> Iterator[Base]:
    """Yield the bases that may be the known one: at its former place, of its name, and that of the settings."""
    find = loading.resolve_base if download else loading.find_local_base
    seen = set()
    named = Model(base=known.name, revision=known.revision or config.model.revision)
    for settings in (Model(base=known.location, revision=named.revision), named, config.model):
        with contextlib.suppress(UserError):
            base = find(settings, workspace.root)
            if base is None or (base.location, base.revision) in seen:
                continue
            seen.add((base.location, base.revision))
            yield replace(base, name=known.name) if base.location == known.location else base


def load(
    workspace: Workspace, config: Config, manifest: AdapterManifest
) -> "tuple[Base, PeftModel, PreTrainedTokenizerBase]":
    """Load an adapter on the base that it was trained on; return base, model and tokenizer."""
    base = require_base(workspace, config, manifest)
    tokenizer = loading.load_tokenizer(base)
    precision = manifest.settings["train"]["precision"]
    four_bit = bool(manifest.settings["train"]["load_in_4bit"])
    with bar(f"loading {base.name}"):
        plain = loading.load_model(base, loading.choose_dtype(precision), four_bit=four_bit)
        model = adapter_files.load(plain, workspace.adapter(AdapterName(manifest.domain, manifest.version)))
    return base, model, tokenizer
