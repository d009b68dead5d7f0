"""The target `vllm`: an adapter loaded into a running vLLM, proved there, and only then what the domain's name is.

An adapter is proved under a name of its own version first, so that no client is answered by what turns out to be
broken. Then the name that clients ask for, which is the domain's and stays the same, is pointed at it in place:
requests under way are finished, no later one fails.
"""

import json
from pathlib import Path
from typing import Any

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.openai_client import ServedModel, Server, ServerError
from weakspot.deployment.releases import live, read_releases
from weakspot.deployment.types import Candidate, Destination, Placed
from weakspot.models import adapter_files, target_modules
from weakspot.records import BaseReference, Release
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

# https://docs.vllm.ai/en/stable/features/lora: the ranks that --max-lora-rank can be.
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# What two bases must have in common for an adapter to fit both.
_SHAPE = ("model_type", "num_hidden_layers", "hidden_size", "intermediate_size", "num_key_value_heads")
_LOAD, _UNLOAD = "/load_lora_adapter", "/unload_lora_adapter"


def place(workspace: Workspace, config: Config, candidate: Candidate, destination: Destination) -> Placed:
    """Load an adapter as what its domain's name answers; raise :class:`UserError` where it does not answer as trained.

    Then what the name stood for goes on answering.
    """
    server, domain = Server.of(config, destination.server), candidate.name.domain
    placed = place_version(workspace, config, candidate, server)
    before = live(read_releases(workspace)).get((domain, "vllm"))
    load(server, workspace.adapter(candidate.name), domain, candidate.manifest.base)
    expectation = parity_check.expectation(workspace, config, candidate)
    first = expectation.model_copy(update={"prompts": expectation.prompts[:1]})
    try:  # also what the first client would wait for
        parity_check.prove(first, parity_check.ask_server(server, domain), f"{domain} at {server.url}")
    except UserError:
        _point(server, workspace, domain, before)
        raise
    finally:
        unload(server, str(candidate.name))
    return Placed(server.url, domain, placed.proof)


def place_version(workspace: Workspace, config: Config, candidate: Candidate, server: Server) -> Placed:
    """Load an adapter under its own name and prove it; raise :class:`UserError`, and leave nothing, where it fails."""
    name = str(candidate.name)
    expectation = parity_check.expectation(workspace, config, candidate)
    parity_check.require_change(expectation, name)
    load(server, workspace.adapter(candidate.name), name, candidate.manifest.base)
    try:
        proved = parity_check.prove(expectation, parity_check.ask_server(server, name), f"{name} at {server.url}")
    except UserError as error:
        unload(server, name)
        raise _with_serve_line(error, server, workspace.adapter(candidate.name), candidate.manifest.base) from None
    return Placed(server.url, name, proved)


def restore(workspace: Workspace, config: Config, current: Release, earlier: Release | None) -> None:
    """Point the name of ``current`` at the adapter of ``earlier`` again, or take it off where that was the base."""
    _point(Server.of(config, current.location), workspace, current.domain, earlier)


def _point(server: Server, workspace: Workspace, domain: str, release: Release | None) -> None:
    if release is None or release.adapter is None:
        unload(server, domain)
    else:
        load(server, workspace.adapter(AdapterName.parsed(release.adapter)), domain, None)


def load(server: Server, adapter: Path, name: str, base: BaseReference | None) -> None:
    """Load an adapter under a name, in place of what goes by it; the folder must be where the server sees it, too.

    Raises :class:`UserError` with the command that starts a server that can take it, where this one cannot, and
    before anything is loaded where no vLLM would load it, or would pass over a part of it, and where the server has a
    base of another shape: it would load an adapter for that, too.
    """
    _require_loadable(adapter, name, base)
    listed = server.models()
    if base is not None:
        _require_base(server, listed, adapter, name, base)
    if any(one.name == name and one.parent is None for one in listed):
        raise UserError(f"{server.url} {name}", "is the base's own name there", "serve the base by another name")
    live = any(one.name == name for one in listed)
    body = {"lora_name": name, "lora_path": str(adapter.resolve()), "load_inplace": live}
    try:
        server.call("POST", _LOAD, body)
    except ServerError as error:
        raise UserError(
            f"{server.url} {name}",
            f"was not loaded: {_why(error)}",
            f"start it as: {serve_line(adapter, listed, base)}",
        ) from None


def unload(server: Server, name: str) -> None:
    """Take an adapter off the server; one that is not there is no error."""
    try:
        server.call("POST", _UNLOAD, {"lora_name": name})
    except ServerError as error:
        if error.status != 404:
            raise server.failed(error) from None


def serve_line(adapter: Path, listed: list[ServedModel], base: BaseReference | None) -> str:
    """Return the command that starts a vLLM which can take an adapter, as far as the server tells what it serves."""
    settings: dict[str, Any] = json.loads((adapter / adapter_files.SETTINGS).read_text())
    rank = next(one for one in _RANKS if one >= settings["r"])
    served = _served_base(listed)
    model = (served.root if served else None) or (base.location if base else settings["base_model_name_or_path"])
    name = f" --served-model-name {served.name}" if served and served.root not in (None, served.name) else ""
    return (
        f"VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve {model}{name} "
        f"--enable-lora --max-lora-rank {rank} --max-loras 2"
    )


def _require_loadable(adapter: Path, name: str, base: BaseReference | None) -> None:
    rank = json.loads((adapter / adapter_files.SETTINGS).read_text())["r"]
    if rank > _RANKS[-1]:
        raise UserError(
            name, f"is of rank {rank}, and vLLM takes {_RANKS[-1]} at most", "train with a lower [lora] rank"
        )
    described = _config_of(base) if base else None
    if described is None:
        return
    from safetensors import safe_open

    with safe_open(adapter / adapter_files.WEIGHTS, "pt") as tensors:
        served = target_modules.served_names(described, tensors.keys())
    if served and served.refused:
        layer, reason = next(iter(served.refused.items()))
        more = f", and so {len(served.refused) - 1} more" if len(served.refused) > 1 else ""
        raise UserError(name, f"was not loaded: {layer}: {reason}{more}", "train again for this base")


def _require_base(server: Server, listed: list[ServedModel], adapter: Path, name: str, base: BaseReference) -> None:
    """Raise :class:`UserError` where a server's base cannot be the adapter's, as far as their files are at hand."""
    served = _served_base(listed)
    if served is None or served.root is None or served.root == base.location:
        return
    theirs, ours = _config_of(base.model_copy(update={"location": served.root, "revision": None})), _config_of(base)
    if theirs is None or ours is None:
        return
    other = [f"{key} {theirs.get(key)} for {ours.get(key)}" for key in _SHAPE if theirs.get(key) != ours.get(key)]
    if other:
        raise UserError(
            f"{server.url} {name}",
            f"was not loaded: {served.root} is another base than {base.name}: {', '.join(other)}",
            f"start it as: {serve_line(adapter, [], base)}",
        )


def _with_serve_line(error: UserError, server: Server, adapter: Path, base: BaseReference) -> UserError:
    """Return the error of a failed proof, with the command that serves the adapter's own base where another one is."""
    served = _served_base(server.models())
    if served is None or served.root in (None, base.location):
        return error
    return UserError(error.thing, error.problem, f"start it as: {serve_line(adapter, [], base)}; nothing changed")


def _served_base(listed: list[ServedModel]) -> ServedModel | None:
    return next((one for one in listed if one.parent is None), None)


def _config_of(base: BaseReference) -> dict[str, Any] | None:
    """Return the base's configuration where it lies on this machine: nothing is downloaded for a check."""
    from huggingface_hub import try_to_load_from_cache

    file: object = Path(base.location) / "config.json"
    if not Path(base.location).is_dir():
        try:
            file = try_to_load_from_cache(base.location, "config.json", revision=base.revision)
        except ValueError:  # a folder of the server's own machine
            return None
    return json.loads(Path(file).read_text()) if isinstance(file, str | Path) and Path(file).is_file() else None


def _why(error: ServerError) -> str:
    if error.status in (404, 405) and "lora" not in error.text.lower():
        return "the server takes no adapters while it runs"
    return f"HTTP {error.status}: {error.text}"
