"""The MCP server: an agent consults the expert by a tool call, and what was said is kept."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from weakspot.capture.ask_teacher import Consulted, consult, plain_wish, refuse_empty
from weakspot.config import Config
from weakspot.pipeline import status
from weakspot.pipeline.collect import collect
from weakspot.teachers import TeacherError, Teachers
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context
    from mcp.server.transport_security import TransportSecuritySettings

SOURCE = "mcp"
PATH = "/mcp"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# A teacher may take minutes, and opencode, for one, gives up a call after 60 s without a sign of life.
_PROGRESS_SECONDS = 5.0
# An agent may be left alone overnight, and Cline, for one, opens no new session where its own has ended.
_SESSION_SECONDS = 7 * 24 * 3600.0
_LAST_SECONDS = 5
_log = logging.getLogger(__name__)

_INSTRUCTIONS = (
    "You may be wrong more often than you think in some domains. When you are not sure of your answer, when a test, "
    "a tool or the user contradicts it, or when the user asks for the expert, call consult_expert with the user's "
    "question and your own attempt, both whole and word for word, and go on from the expert's answer. "
    "Every consultation is kept, and later trains the local model to answer such questions by itself."
)
_CONSULT = """\
Ask a stronger model, after your own attempt.

Call it when you had to guess at a name, a format or a convention; when a test, a tool or the user says that your \
answer is wrong; when you have tried twice without getting further; and whenever the user asks for the expert \
("consult Sonnet"). Do not call it for what you know, nor twice with the same question.

Answer the question yourself first: that answer is the attempt. Both texts are kept as training data, so give them \
whole and word for word: no summary, no "as above", no placeholder for code.

It costs money and takes from seconds to minutes. Pass the expert's answer on to the user, or act on it."""
_RECORD = """\
Keep an exchange in which somebody else gave the answer that you could not: the user, a colleague, another model.

Not for answers of consult_expert, which are kept already. All texts are training data: give them whole and word for \
word, and only an answer that turned out to be right."""
_STATUS = "Show how many interactions are captured, and where each domain's adapter stands. Costs nothing."


class Recorded(BaseModel):
    """The record that an exchange became."""

    interaction_id: str
    domain: str = Field(description="the domain that was given, or else detected")
    adapter: str = Field(description="the adapter that will learn from it")


class DomainStanding(BaseModel):
    """One domain's examples, and its newest adapter."""

    model_config = ConfigDict(from_attributes=True)

    domain: str
    examples: int
    new: int = Field(description="examples since the adapter was trained")
    adapter: str | None = Field(description="null where none is trained yet")
    verdict: str | None = Field(description="accept, reject, not enough evidence; null where it was not evaluated")
    deployed: bool
    due: str = Field(description="why retraining is due; empty where it is not")


class PipelineStatus(BaseModel):
    """Where the pipeline stands."""

    model_config = ConfigDict(from_attributes=True)

    raw_lines: int = Field(description="interactions captured")
    unprocessed: int = Field(description="those of them that 'weakspot process' has not seen")
    waiting: int = Field(description="those of them that a person must allow first: 'weakspot allow'")
    snapshot: str | None = Field(description="the newest immutable copy of the dataset")
    domains: list[DomainStanding]


def server(workspace: Workspace, config: Config) -> "MCPServer":
    """Return the server with its three tools; teachers are connected to when they are asked."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context
    from mcp_types import ToolAnnotations

    teachers = Teachers(config)
    known, default = ", ".join(config.teachers), config.escalation.default_teacher
    domains = ", ".join(config.domains)

    @contextlib.asynccontextmanager
    async def lifespan(_: MCPServer) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await teachers.close()

    mcp = MCPServer(
        "weakspot", instructions=_INSTRUCTIONS, version=version("zddc"), log_level="WARNING", lifespan=lifespan
    )

    @mcp.tool(
        title="Consult the expert",
        description=_CONSULT,
        annotations=ToolAnnotations(destructive_hint=False),
    )
    async def consult_expert(
        call: Context,
        query: Annotated[str, Field(description="the user's question, whole and word for word")],
        attempt: Annotated[str, Field(description="your own answer to it, whole and word for word, right or wrong")],
        # Plain strings: what may also be null is taken for JSON where it looks like it.
        context: Annotated[
            str,
            Field(
                description="what the question refers to and does not hold, word for word: earlier turns, the file, "
                "the error; empty where it stands alone"
            ),
        ] = "",
        teacher: Annotated[str, Field(description=f"one of {known}; empty is {default}")] = "",
    ) -> Consulted:
        with _explained():
            one = plain_wish(config, query, attempt, context, teacher)
            beat = asyncio.create_task(_progress(call, one.teacher))
            try:
                return await consult(workspace, config, teachers, one, SOURCE)
            finally:
                beat.cancel()

    # Functions that are not async are run in a thread of their own: both wait for the disk.
    @mcp.tool(
        title="Keep an exchange",
        description=_RECORD,
        annotations=ToolAnnotations(destructive_hint=False, open_world_hint=False),
    )
    def record_interaction(
        query: Annotated[str, Field(description="the user's question")],
        local: Annotated[str, Field(description="your own answer to it, before you knew better")],
        expert: Annotated[str, Field(description="the right answer")],
        domain: Annotated[str, Field(description=f"one of {domains}, or a new one; empty is found out")] = "",
        escalation: Annotated[
            str, Field(description='what the user said to get the better answer, as "consult Opus"; may be empty')
        ] = "",
    ) -> Recorded:
        with _explained():
            refuse_empty(query=query, local=local, expert=expert)
            kept = collect(
                workspace,
                config,
                query=query,
                local=local,
                expert=expert,
                domain=domain or None,
                escalation=escalation or None,
            )
        record = kept.interaction
        return Recorded(interaction_id=record.id, domain=record.domain, adapter=kept.adapter)

    @mcp.tool(
        title="Show the pipeline's status",
        description=_STATUS,
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )
    def pipeline_status() -> PipelineStatus:
        with _explained():
            return PipelineStatus.model_validate(status.status(workspace, config))

    return mcp


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what went wrong without being our bug into the tool's error: one line for the agent to read."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except (UserError, TeacherError, OSError, UnicodeError) as error:
        raise ToolError(" ".join(str(error).split())) from None


async def _progress(call: "Context", teacher: str) -> None:
    """Tell the client every few seconds that the call is alive, if it asked to be told."""
    started = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        await call.report_progress(round(time.monotonic() - started), message=f"{teacher} is answering")


def serve_stdio(workspace: Workspace, config: Config) -> None:
    """Serve one client on standard input and output, until it leaves; whatever else is printed goes to stderr."""
    server(workspace, config).run("stdio")


def serve_http(workspace: Workspace, config: Config, listen: str) -> None:
    """Serve streamable HTTP on ``listen``, HOST:PORT, until told to stop.

    Raises :class:`UserError` for an address that cannot be listened on.
    """
    import uvicorn

    host, _, port = listen.rpartition(":")
    listening = _listening(listen, host.strip("[]"), port)
    # With sessions, clients of the protocol before 2026 can cancel a call: they do so in a request of its own.
    app = server(workspace, config).streamable_http_app(
        streamable_http_path=PATH, session_idle_timeout=_SESSION_SECONDS, transport_security=_security(host)
    )
    _log.info("listening on http://%s:%s%s", host, listening.getsockname()[1], PATH)
    settings = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=_LAST_SECONDS)
    uvicorn.Server(settings).run(sockets=[listening])


def _listening(listen: str, host: str, port: str) -> socket.socket:
    remedy = "give HOST:PORT, as 127.0.0.1:8788"
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UserError(listen, "not an address", remedy)
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UserError(listen, str(error.strerror).lower(), remedy) from None


def _security(host: str) -> "TransportSecuritySettings":
    """Let in programs that call this machine by its name, and of all web pages only this machine's own."""
    from mcp.server.transport_security import TransportSecuritySettings

    return TransportSecuritySettings(
        allowed_hosts=[form for name in (*_LOOPBACK, host, socket.gethostname()) for form in (name, f"{name}:*")],
        allowed_origins=[form for name in _LOOPBACK for form in (f"http://{name}", f"http://{name}:*")],
    )
