"""The target `gateway`: the alias that clients ask for is pointed at an adapter, for all questions or for a share.

The gateway reads the list of releases, so nothing has to be told to it. Where its server is a vLLM, the adapter is
loaded there under its own name; any other server must serve it, or the model made of it, by that name already.
"""

from weakspot.config import Config
from weakspot.deployment import parity_check
from weakspot.deployment.openai_client import Server
from weakspot.deployment.targets import vllm
from weakspot.deployment.types import Candidate, Destination, Placed
from weakspot.records import Release
from weakspot.workspace import AdapterName, Workspace


def place(workspace: Workspace, config: Config, candidate: Candidate, destination: Destination) -> Placed:
    """See to it that the server answers by the adapter's name, and prove it."""
    server, name = Server.of(config, destination.server), str(candidate.name)
    served = next((one for one in server.models() if one.name == name), None)
    if served is None or served.parent is not None:
        return vllm.place_version(workspace, config, candidate, server)
    proved = parity_check.prove(
        parity_check.expectation(workspace, config, candidate),
        parity_check.ask_server(server, name),
        f"{name} at {server.url}",
    )
    return Placed(server.url, name, proved)


def restore(workspace: Workspace, config: Config, earlier: Release | None) -> None:
    """See to it that the server has the adapter of ``earlier``, which is to answer again; nothing for the base."""
    if earlier is None or earlier.adapter is None:
        return
    server = Server.of(config, earlier.location)
    if all(one.name != earlier.served_name for one in server.models()):
        vllm.load(server, workspace.adapter(AdapterName.parsed(earlier.adapter)), earlier.adapter, None)
