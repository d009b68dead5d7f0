"""The target `ollama`: writes a Modelfile next to the GGUF file, and creates the model in a running Ollama."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.openai_client import OpenAIClient, ServerError
from weakspot.deployment.targets import gguf
from weakspot.deployment.types import Candidate, Deployment, Destination
from weakspot.models import adapters, loading
from weakspot.storage import atomic
from weakspot.workspace import Workspace
from zddc.addresses import hide_password
from zddc.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TURN = "<|im_start|>{role}\n{text}<|im_end|>\n"
_ANSWER = "<|im_start|>assistant\n"
# Go's text/template (https://docs.ollama.com/template) for ChatML, the format of SmolLM2's and Qwen's chat templates.
_CHATML = "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}" + _ANSWER
_UPLOAD_SECONDS = 600.0


@dataclass(frozen=True)
class PromptFormat:
    """The prompt format for Ollama; if ``template`` is None, Ollama uses the one in the GGUF file."""

    template: str | None
    system: str = ""
    stop: tuple[str, ...] = ()


def place(workspace: Workspace, config: Config, candidate: Candidate, destination: Destination) -> Deployment:
    """Write and prove the GGUF file, write the Modelfile, and if a server is given create the model and prove it there.

    Without a server the location is the Modelfile, and the name is the one for `ollama create`.
    """
    placed = gguf.place(workspace, config, candidate, destination)
    weights = gguf.model_file(workspace, config, candidate)
    name = f"{candidate.name}:{config.deploy.quantisation}"
    how = choose_prompt_format(loading.load_tokenizer(adapters.require_base(workspace, config, candidate.manifest)))
    file = weights.with_name("Modelfile")
    atomic.write_atomically(file, format_modelfile(weights.name, how).encode())
    if not destination.server:
        return Deployment(str(file), name, placed.proof)
    address = destination.server.rstrip("/").removesuffix("/v1")
    _create(address, name, weights, how)
    server = OpenAIClient(f"{address}/v1")
    try:
        proved = parity_check.prove(
            parity_check.ensure_reference_answers(workspace, config, candidate),
            parity_check.ask_server(server, name),
            f"{name} at {server.url.removesuffix('/v1')}",
            gguf.limit(config, candidate),
        )
    except UserError:
        _call(address, "DELETE", "/api/delete", {"model": name})
        raise
    return Deployment(hide_password(address), name, proved)


def format_modelfile(weights: str, how: PromptFormat) -> str:
    """Return the Modelfile for a GGUF file in the same folder: https://docs.ollama.com/modelfile."""
    lines = [f"FROM ./{weights}", "PARAMETER temperature 0"]
    if how.template is not None:
        lines.append(f'TEMPLATE """{how.template}"""')
    lines += [f'PARAMETER stop "{one}"' for one in how.stop]
    if how.system:
        lines.append(f'SYSTEM """{how.system}"""')
    return "\n".join(lines) + "\n"


def choose_prompt_format(tokenizer: "PreTrainedTokenizerBase") -> PromptFormat:
    """Return ChatML and the template's default system turn, if the model's chat template writes ChatML; else none."""
    options: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
    turns = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user")]
    written = "".join(_TURN.format(role=one["role"], text=one["content"]) for one in turns)
    if tokenizer.apply_chat_template(turns, **options) != written + _ANSWER:
        return PromptFormat(None)
    alone = str(tokenizer.apply_chat_template(turns[1:2], **options))
    first = alone.removesuffix(_TURN.format(role="user", text="user") + _ANSWER)
    system = first.removeprefix("<|im_start|>system\n").removesuffix("<|im_end|>\n")
    if first not in ("", _TURN.format(role="system", text=system)):
        return PromptFormat(None)
    return PromptFormat(_CHATML, system, ("<|im_end|>",))


def _create(address: str, name: str, weights: Path, how: PromptFormat) -> None:
    """Create a model in a running Ollama: https://docs.ollama.com/api/create."""
    digest = f"sha256:{atomic.sha256(weights)}"
    _upload(address, weights, digest)
    body = {
        "model": name,
        "files": {weights.name: digest},
        "parameters": {"temperature": 0, **({"stop": list(how.stop)} if how.stop else {})},
        "stream": False,
        **({"template": how.template} if how.template is not None else {}),
        **({"system": how.system} if how.system else {}),
    }
    _call(address, "POST", "/api/create", body)


def _upload(address: str, file: Path, digest: str) -> None:
    import httpx2

    try:
        with file.open("rb") as stream:
            answer = httpx2.post(f"{address}/api/blobs/{digest}", content=stream, timeout=_UPLOAD_SECONDS)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise UserError(
            hide_password(address), f"cannot be reached ({type(error).__name__})", "run 'ollama serve' there"
        ) from None
    if answer.status_code not in (200, 201):
        raise UserError(
            hide_password(address), f"refused the file: HTTP {answer.status_code}", "give the address of an Ollama"
        )


def _call(address: str, method: str, path: str, body: dict[str, Any]) -> None:
    server = OpenAIClient(address)
    try:
        server.call(method, path, body)
    except ServerError as error:
        raise server.to_user_error(error) from None
