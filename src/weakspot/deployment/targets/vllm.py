"""The target `vllm`: loads an adapter into a running vLLM, proves it there, then serves it under the domain's name.

An adapter is first proved under a name with its version, so that no client is answered by a broken one. Then the
domain's name, which clients ask for and which never changes, is pointed at it in place: running requests finish, and
no later request fails.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weakspot.config import Config
from weakspot.deployment import parity_check, vllm_command
from weakspot.deployment.openai_client import OpenAIClient, ServedModel, ServerError
from weakspot.deployment.releases import live, read_releases
from weakspot.deployment.types import Candidate, Deployment, Destination
from weakspot.models import adapter_files, vllm_names
from weakspot.records import BaseReference, Release
from weakspot.workspace import AdapterName, Workspace
from zddc.errors import UserError

# Configuration keys in which two bases must agree for an adapter to fit both.
_SHAPE = ("model_type", "num_hidden_layers", "hidden_size", "intermediate_size", "num_key_value_heads")
_LOAD, _UNLOAD = "/load_lora_adapter", "/unload_lora_adapter"


def place(workspace: Workspace, config: Config, candidate: Candidate, destination: Destination) -> Deployment:
    """Load an adapter under its domain's name and prove it there.

    Raises :class:`UserError` if it does not answer as trained; then the previous adapter keeps the name.
    """
    server, domain = OpenAIClient.of(config, destination.server), candidate.name.domain
    placed = place_version(workspace, config, candidate, server)
    before = live(read_releases(workspace)).get((domain, "vllm"))
    beside = _served_beside(workspace, server)
    load(server, workspace.adapter(candidate.name), domain, candidate.manifest.base, beside)
    expectation = parity_check.ensure_reference_answers(workspace, config, candidate)
    first = expectation.model_copy(update={"prompts": expectation.prompts[:1]})
    try:  # this also loads what the first client would otherwise wait for
        parity_check.prove(first, parity_check.ask_server(server, domain), f"{domain} at {server.url}")
    except UserError:
        _point_name(server, workspace, domain, before)
        raise
    finally:
        unload(server, str(candidate.name))
    return Deployment(server.url, domain, placed.proof)


def place_version(workspace: Workspace, config: Config, candidate: Candidate, server: OpenAIClient) -> Deployment:
    """Load an adapter under its own name and prove it; if that fails, unload it and raise :class:`UserError`."""
    name = str(candidate.name)
    expectation = parity_check.ensure_reference_answers(workspace, config, candidate)
    parity_check.require_change(expectation, name)
    adapter, base, beside = (
        workspace.adapter(candidate.name),
        candidate.manifest.base,
        _served_beside(workspace, server),
    )
    load(server, adapter, name, base, beside)
    try:
        proved = parity_check.prove(expectation, parity_check.ask_server(server, name), f"{name} at {server.url}")
    except UserError as error:
        unload(server, name)
        raise _with_serve_command(error, server, [adapter, *beside], base) from None
    return Deployment(server.url, name, proved)


def restore(workspace: Workspace, config: Config, current: Release, earlier: Release | None) -> None:
    """Point the name of ``current`` at the adapter of ``earlier`` again, or unload it if that was the base."""
    _point_name(OpenAIClient.of(config, current.location), workspace, current.domain, earlier)


def _point_name(server: OpenAIClient, workspace: Workspace, domain: str, release: Release | None) -> None:
    if release is None or release.adapter is None:
        unload(server, domain)
    else:
        load(server, workspace.adapter(AdapterName.parse(release.adapter)), domain, None)


def load(
    server: OpenAIClient, adapter: Path, name: str, base: BaseReference | None, beside: Sequence[Path] = ()
) -> None:
    """Load an adapter under a name, in place of the one that has it; the server must see the adapter's folder, too.

    Raises :class:`UserError`. If this server cannot load the adapter, the error names the command that starts one that
    can, with those ``beside`` it. It is raised before anything is loaded if no vLLM would load the adapter, if vLLM
    would ignore a part of it, or if the server's base has another shape, since vLLM would load the adapter even then.
    """
    _require_loadable(adapter, name, base)
    together = [adapter, *beside]
    try:
        listed = server.models()
    except UserError as error:
        raise UserError(
            error.thing, error.problem, f"start it as: {serve_command(together, [], base, sleeps=server.sleeps)}"
        ) from None
    if base is not None:
        _require_base(server, listed, together, name, base)
    if any(one.name == name and one.parent is None for one in listed):
        raise UserError(f"{server.url} {name}", "is the base's own name there", "serve the base by another name")
    live = any(one.name == name for one in listed)
    body = {"lora_name": name, "lora_path": str(adapter.resolve()), "load_inplace": live}
    try:
        server.call("POST", _LOAD, body)
    except ServerError as error:
        raise UserError(
            f"{server.url} {name}",
            f"was not loaded: {_load_failure(error, adapter)}",
            f"start it as: {serve_command(together, listed, base, sleeps=server.sleeps)}",
        ) from None


def unload(server: OpenAIClient, name: str) -> None:
    """Unload an adapter from the server; it is no error if it is not loaded."""
    try:
        server.call("POST", _UNLOAD, {"lora_name": name})
    except ServerError as error:
        if error.status != 404:
            raise server.to_user_error(error) from None


def serve_command(
    adapters: Sequence[Path], listed: list[ServedModel], base: BaseReference | None, *, sleeps: bool = False
) -> str:
    """Return the command that starts a vLLM which can serve adapters, with the base that the server lists, if any.

    One that ``sleeps`` can be put to sleep, and leaves room on its GPU.
    """
    served = _find_base(listed)
    settings: dict[str, Any] = json.loads((adapters[0] / adapter_files.SETTINGS).read_text())
    model = (served.root if served else None) or (base.location if base else settings["base_model_name_or_path"])
    name = served.name if served and served.root not in (None, served.name) else None
    known = base if base and _load_base_config(base) else None
    return vllm_command.serve_command(adapters, model, name, known, sleeps=sleeps)


def _served_beside(workspace: Workspace, server: OpenAIClient) -> list[Path]:
    """Return the adapters that are in service at the same server."""
    names = {
        one.adapter for one in live(read_releases(workspace)).values() if one.location == server.url and one.adapter
    }
    return [folder for one in sorted(names) if (folder := workspace.adapter(AdapterName.parse(one))).is_dir()]


def _require_loadable(adapter: Path, name: str, base: BaseReference | None) -> None:
    rank = json.loads((adapter / adapter_files.SETTINGS).read_text())["r"]
    highest = vllm_command.RANKS[-1]
    if rank > highest:
        raise UserError(name, f"is of rank {rank}, and vLLM takes {highest} at most", "train with a lower [lora] rank")
    described = _load_base_config(base) if base else None
    if described is None:
        return
    from safetensors import safe_open

    with safe_open(adapter / adapter_files.WEIGHTS, "pt") as tensors:
        served = vllm_names.vllm_support(described, tensors.keys())
    if served and served.refused:
        layer, reason = next(iter(served.refused.items()))
        more = f", and {len(served.refused) - 1} more" if len(served.refused) > 1 else ""
        raise UserError(name, f"was not loaded: {layer}: {reason}{more}", "train again for this base")


def _require_base(
    server: OpenAIClient, listed: list[ServedModel], adapters: Sequence[Path], name: str, base: BaseReference
) -> None:
    """Raise :class:`UserError` if the server's base cannot be the adapter's; checked only if both files are local."""
    served = _find_base(listed)
    if served is None or served.root is None or served.root == base.location:
        return
    theirs, ours = (
        _load_base_config(base.model_copy(update={"location": served.root, "revision": None})),
        _load_base_config(base),
    )
    if theirs is None or ours is None:
        return
    other = [f"{key} {theirs.get(key)} for {ours.get(key)}" for key in _SHAPE if theirs.get(key) != ours.get(key)]
    if other:
        raise UserError(
            f"{server.url} {name}",
            f"was not loaded: {served.root} is another base than {base.name}: {', '.join(other)}",
            f"start it as: {serve_command(adapters, [], base, sleeps=server.sleeps)}",
        )


def _with_serve_command(
    error: UserError, server: OpenAIClient, adapters: Sequence[Path], base: BaseReference
) -> UserError:
    """Return the error of a failed proof; if another base is served, with the command that serves the right one."""
    served = _find_base(server.models())
    if served is None or served.root in (None, base.location):
        return error
    return UserError(
        error.thing,
        error.problem,
        f"nothing changed; start it as: {serve_command(adapters, [], base, sleeps=server.sleeps)}",
    )


def _find_base(listed: list[ServedModel]) -> ServedModel | None:
    return next((one for one in listed if one.parent is None), None)


def _load_base_config(base: BaseReference) -> dict[str, Any] | None:
    """Return the base's configuration if it is on this machine, else None; nothing is downloaded for a check."""
    from huggingface_hub import try_to_load_from_cache

    file: object = Path(base.location) / "config.json"
    if not Path(base.location).is_dir():
        try:
            file = try_to_load_from_cache(base.location, "config.json", revision=base.revision)
        except ValueError:  # a folder on the server's machine
            return None
    return json.loads(Path(file).read_text()) if isinstance(file, str | Path) and Path(file).is_file() else None


def _privacy(adapter: Path) -> str:
    """Return a hint for a server of another account, which may not read what is its owner's only."""
    private = adapter.is_dir() and not adapter.stat().st_mode & 0o004
    return f" (only this account may read {adapter}: else set [workspace] group_readable)" if private else ""


def _load_failure(error: ServerError, adapter: Path) -> str:
    if error.status in (404, 405) and "lora" not in error.text.lower():
        return "the server takes no adapters while it runs"
    return f"HTTP {error.status}: {error.text}{_privacy(adapter)}"
