"""Reads an adapter's manifest and scorecard, and loads the adapter on the base that it was trained on."""

from typing import TYPE_CHECKING

from pydantic import ValidationError

from weakspot.models import adapter_files, loading
from weakspot.models.loading import Base
from weakspot.progress import bar
from weakspot.records import AdapterManifest, Scorecard
from weakspot.records.parsing import explain
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
        manifest = AdapterManifest.from_json(file.read_bytes())
    except FileNotFoundError:
        raise UserError(file, "is not there", f"restore it, or train again: weakspot train {name.domain}") from None
    except ValidationError as error:
        raise UserError(file, explain(error), f"train again: weakspot train {name.domain}") from None
    for file in atomic.changed_files(workspace.adapter(name), manifest.files) if verify else ():
        raise UserError(file, "not the file that was trained", f"train again: weakspot train {name.domain}")
    return manifest


def read_scorecard(workspace: Workspace, name: AdapterName) -> Scorecard | None:
    """Read an adapter's scorecard; None if there is none, or if it belongs to other weights."""
    file = workspace.evaluation(name)
    if not file.exists():
        return None
    try:
        card = Scorecard.from_json(file.read_bytes())
    except ValidationError as error:
        raise UserError(file, explain(error), f"evaluate again: weakspot evaluate {name.domain}") from None
    weights = workspace.adapter(name) / adapter_files.WEIGHTS
    return card if card.adapter_sha256 == atomic.sha256(weights) else None


def require_base(manifest: AdapterManifest) -> Base:
    """Return the base that an adapter was trained on; raise :class:`UserError` if that base has changed since."""
    base = loading.resolve_base(Model(base=manifest.base.name, revision=manifest.base.revision or "main"))
    if loading.identity(base) != manifest.base.identity:
        raise UserError(manifest.name, f"was trained on a different {base.name}", "restore that base, or train again")
    return base


def load(workspace: Workspace, manifest: AdapterManifest) -> "tuple[Base, PeftModel, PreTrainedTokenizerBase]":
    """Load an adapter on the base that it was trained on; return base, model and tokenizer."""
    base = require_base(manifest)
    tokenizer = loading.load_tokenizer(base)
    precision = manifest.settings["train"]["precision"]
    four_bit = bool(manifest.settings["train"]["load_in_4bit"])
    with bar(f"loading {base.name}"):
        plain = loading.load_model(base, loading.choose_dtype(precision), four_bit=four_bit)
        model = adapter_files.load(plain, workspace.adapter(AdapterName(manifest.domain, manifest.version)))
    return base, model, tokenizer
