"""MCP server: an agent consults the expert by a tool call, and the consultation is stored."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from weakspot.access.adapters import AsgiGuard, client_of_scope
from weakspot.access.client_keys import Client, Clients
from weakspot.access.connections import Connections
from weakspot.access.request_guard import Rules
from weakspot.access.token import describe_exposure, find_or_make_token, keep_token
from weakspot.capture.ask_teacher import Consulted, build_consultation_request, consult, refuse_empty
from weakspot.capture.entrances import MCP_CONSULT, MCP_RECORD
from weakspot.config import Config
from weakspot.pipeline import status
from weakspot.pipeline.collect import collect
from weakspot.storage.ledger import Ledger
from weakspot.teachers import TeacherError, Teachers
from weakspot.workspace import Workspace
from zddc.errors import UserError

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context

PATH = "/mcp"
# A teacher may take minutes, and opencode, for example, gives up a call after 60 s without a progress message.
_PROGRESS_SECONDS = 5.0
# An agent may be left alone overnight, and Cline, for example, opens no new session after its own has ended.
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
word, and only an answer that turned out to be right. A person confirms each exchange before anything learns from it."""
_STATUS = "Show how many interactions are captured, and where each domain's adapter stands. Costs nothing."

# Models write an argument's name as they would have called it. The published name is the first that counts.
_OTHER_NAMES = {
    "query": ("question", "userQuery", "user_query", "userQuestion", "user_question", "prompt"),
    "attempt": ("answer", "localAnswer", "local_answer", "localAttempt", "local_attempt", "local", "draft"),
    "context": ("conversation", "background"),
    "teacher": ("expert", "model", "teacherName", "teacher_name"),
    "local": ("localAnswer", "local_answer", "localAttempt", "local_attempt", "attempt"),
    "expert": ("expertAnswer", "expert_answer", "rightAnswer", "right_answer", "correctAnswer", "correct_answer"),
    "domain": ("domainName", "domain_name"),
    "escalation": ("trigger", "triggerPhrase", "trigger_phrase"),
}
# Many clients send null for what is left out. The type stays a plain string: one that may be null is parsed as JSON by
# the library where it looks like JSON.
_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


def _argument(name: str, description: str) -> Any:
    """Return the description of a tool's argument, which goes by several names."""
    return Field(description=description, validation_alias=AliasChoices(name, *_OTHER_NAMES[name]))


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
    """Return the server with its three tools; it connects to a teacher when one is asked."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context
    from mcp_types import ToolAnnotations

    teachers = Teachers(config, Ledger(workspace.spending))
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
        query: Annotated[_Text, _argument("query", "the user's question, whole and word for word")],
        attempt: Annotated[
            _Text, _argument("attempt", "your own answer to it, whole and word for word, right or wrong")
        ],
        context: Annotated[
            _Text,
            _argument(
                "context",
                "what the question refers to and does not hold, word for word: earlier turns, the file, "
                "the error; empty where it stands alone",
            ),
        ] = "",
        teacher: Annotated[_Text, _argument("teacher", f"one of {known}; empty is {default}")] = "",
    ) -> Consulted:
        with _tool_errors():
            one = build_consultation_request(config, query, attempt, context, teacher)
            beat = asyncio.create_task(_report_progress(call, one.teacher))
            try:
                return await consult(workspace, config, teachers, one, MCP_CONSULT, _client_of(call))
            finally:
                beat.cancel()

    # Functions that are not async run in a thread: both of these wait for the disk.
    @mcp.tool(
        title="Keep an exchange",
        description=_RECORD,
        annotations=ToolAnnotations(destructive_hint=False, open_world_hint=False),
    )
    def record_interaction(
        query: Annotated[_Text, _argument("query", "the user's question")],
        local: Annotated[_Text, _argument("local", "your own answer to it, before you knew better")],
        expert: Annotated[_Text, _argument("expert", "the right answer")],
        domain: Annotated[_Text, _argument("domain", f"one of {domains}, or a new one; empty is found out")] = "",
        escalation: Annotated[
            _Text,
            _argument("escalation", 'what the user said to get the better answer, as "consult Opus"; may be empty'),
        ] = "",
    ) -> Recorded:
        with _tool_errors():
            refuse_empty(query=query, local=local, expert=expert)
            kept = collect(
                workspace,
                config,
                query=query,
                local=local,
                expert=expert,
                domain=domain or None,
                escalation=escalation or None,
                entrance=MCP_RECORD,
            )
        record = kept.interaction
        return Recorded(interaction_id=record.id, domain=record.domain, adapter=kept.adapter)

    @mcp.tool(
        title="Show the pipeline's status",
        description=_STATUS,
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )
    def pipeline_status() -> PipelineStatus:
        with _tool_errors():
            return PipelineStatus.model_validate(status.status(workspace, config))

    return mcp


@contextlib.contextmanager
def _tool_errors() -> Iterator[None]:
    """Turn an expected error into the tool's error, one line for the agent to read; a bug of ours passes."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except (UserError, TeacherError, OSError, UnicodeError) as error:
        raise ToolError(" ".join(str(error).split())) from None


def _client_of(call: "Context") -> Client | None:
    """Return the named client of a call over HTTP; over stdio there is no request, and no key."""
    request = call.request_context.request
    return None if request is None else client_of_scope(request.scope)


async def _report_progress(call: "Context", teacher: str) -> None:
    """Tell the client every few seconds that the call is alive, if it asked to be told."""
    started = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        await call.report_progress(round(time.monotonic() - started), message=f"{teacher} is answering")


def serve_stdio(workspace: Workspace, config: Config) -> None:
    """Serve one client on standard input and output until it disconnects; all other output goes to stderr."""
    server(workspace, config).run("stdio")


def serve_http(workspace: Workspace, config: Config, listen: str) -> None:
    """Serve streamable HTTP on ``listen``, HOST:PORT, until told to stop.

    Raises :class:`UserError` for an address that cannot be listened on, or a token that cannot be had.
    """
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    token = find_or_make_token(config.gateway, listen)
    host, _, port = listen.rpartition(":")
    listening = _bind_socket(listen, host.strip("[]"), port)
    keep_token(token)
    # Clients of the protocol before 2026 need a session to cancel a call, which takes a second request.
    app = server(workspace, config).streamable_http_app(
        streamable_http_path=PATH,
        session_idle_timeout=_SESSION_SECONDS,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the guard has it
    )
    connections = Connections(config.gateway.max_connections)
    rules = Rules.of(config.gateway, listen, token.value if token else "", clients=Clients(workspace.clients))
    guarded = AsgiGuard(app, rules, connections)
    _log.info("listening on http://%s:%s%s", host, listening.getsockname()[1], PATH)
    for line in describe_exposure(listen, token):
        _log.warning("%s", line)
    settings = uvicorn.Config(guarded, ws="none", log_config=None, access_log=False, proxy_headers=False)
    settings.timeout_graceful_shutdown = _LAST_SECONDS
    settings.load()
    make = settings.http_protocol_class
    settings.http_protocol_class = cast(Any, lambda **options: connections.watch(make(**options)))
    uvicorn.Server(settings).run(sockets=[listening])


def _bind_socket(listen: str, host: str, port: str) -> socket.socket:
    remedy = "give HOST:PORT, as 127.0.0.1:8788"
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UserError(listen, "not an address", remedy)
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UserError(listen, str(error.strerror).lower(), remedy) from None
