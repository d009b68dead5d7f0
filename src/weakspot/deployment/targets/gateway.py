"""The target `gateway`: points the alias that clients ask for at an adapter, for all questions or for a share.

The gateway reads the list of releases, so it needs no notice. If its server is a vLLM, the adapter is loaded there
under its own name; any other server must already serve the adapter, or its merged model, under that name.
"""

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.openai_client import OpenAIClient
from weakspot.deployment.targets import vllm
from weakspot.deployment.types import Candidate, Deployment, Destination
from weakspot.records import Release
from weakspot.workspace import AdapterName, Workspace


def place(workspace: Workspace, config: Config, candidate: Candidate, destination: Destination) -> Deployment:
    """Make sure that the server serves the adapter under its own name, and prove it."""
    server, name = OpenAIClient.of(config, destination.server), str(candidate.name)
    served = next((one for one in server.models() if one.name == name), None)
    if served is None or served.parent is not None:
        return vllm.place_version(workspace, config, candidate, server)
    proved = parity_check.prove(
        parity_check.ensure_reference_answers(workspace, config, candidate),
        parity_check.ask_server(server, name),
        f"{name} at {server.url}",
    )
    return Deployment(server.url, name, proved)


def restore(workspace: Workspace, config: Config, earlier: Release | None) -> None:
    """Make sure that the server has the adapter of ``earlier``, which will answer again; do nothing for the base."""
    if earlier is None or earlier.adapter is None:
        return
    server = OpenAIClient.of(config, earlier.location)
    if all(one.name != earlier.served_name for one in server.models()):
        vllm.load(server, workspace.adapter(AdapterName.parse(earlier.adapter)), earlier.adapter, None)
