"""A gateway between real clients and scripted servers, all on sockets of this machine."""

import contextlib
import json
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiohttp
from tests.servers import Asked, Reply, Server
from tests.waiting import PATIENCE_SECONDS, happens

from weakspot import config as configuration
from weakspot.config import Config
from weakspot.gateway import app
from weakspot.records import Interaction
from weakspot.records.parsing import parse_interaction
from weakspot.storage import append_log
from weakspot.workspace import Workspace

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
KEYS = {"SONNET_KEY": "sk-ant-sonnet-8Jq2Vx71LmZw45TbNc", "CODER_KEY": "coder-4f9Qz71LmXw82VbNc05RtYhU"}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Look something up.",
            "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
        },
    }
]
ANTHROPIC_TOOLS = [
    {"name": "look", "description": "Look something up.", "input_schema": TOOLS[0]["function"]["parameters"]}
]
# The clients would wait for five seconds for a connection, which this process may need for all that it does at once.
_PATIENT = {"max_retries": 0, "timeout": PATIENCE_SECONDS}


class World:
    """A local model's server, two teachers, the gateway in front of them, and clients."""

    def __init__(self, workspace: Workspace, upstream: Server, sonnet: Server, coder: Server) -> None:
        self.workspace, self.upstream, self.sonnet, self.coder = workspace, upstream, sonnet, coder
        self.config = Config()
        self.address = ""

    @property
    def servers(self) -> list[Server]:
        return [self.upstream, self.sonnet, self.coder]

    def teacher(self, name: str) -> Server:
        return {"sonnet": self.sonnet, "coder": self.coder}[name]

    @property
    def records(self) -> list[Interaction]:
        """What was captured, complete or not."""
        return [Interaction.from_json(line.data) for line in append_log.read_lines(self.workspace.raw)]

    @property
    def record(self) -> Interaction:
        """The one record that there is, which must be a complete one."""
        [line] = append_log.read_lines(self.workspace.raw)
        return parse_interaction(line.data)

    async def counted(self, name: str, expected: float) -> None:
        """Wait until a metric is what it should be."""

        async def is_so() -> bool:
            return await self.metric(name) == expected

        await happens(is_so)

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels, or one line of it where ``name`` has labels."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.address}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.split(" ")[0].split("{")[0] == name or line.startswith(f"{name} ")
        )

    @contextlib.asynccontextmanager
    async def openai(self, **options) -> AsyncIterator["AsyncOpenAI"]:
        """A real client of OpenAI's protocol."""
        from openai import AsyncOpenAI

        options = {"api_key": "client-key-of-openai", **_PATIENT, **options}
        async with AsyncOpenAI(base_url=f"{self.address}/v1", **options) as client:
            yield client

    @contextlib.asynccontextmanager
    async def anthropic(self, **options) -> AsyncIterator["AsyncAnthropic"]:
        """A real client of Anthropic's protocol."""
        from anthropic import AsyncAnthropic

        options = {"api_key": "client-key-of-anthropic", **_PATIENT, **options}
        async with AsyncAnthropic(base_url=self.address, **options) as client:
            yield client


def settings(upstream: str, sonnet: str, coder: str, more: str = "", listen: str = "127.0.0.1:0") -> str:
    """Return a weakspot.toml with a teacher of each protocol."""
    return f"""
[gateway]
upstream = "{upstream}/v1"
listen = "{listen}"
{more}
[teachers.sonnet]
base_url = "{sonnet}"
api_key_env = "SONNET_KEY"
policy = "allow"
terms = "a contract"
[teachers.coder]
kind = "openai"
model = "coder-480b"
base_url = "{coder}/v1"
api_key_env = "CODER_KEY"
policy = "allow"
terms = "Apache-2.0"
names = ["the big coder"]
"""


@contextlib.asynccontextmanager
async def opened(
    workspace: Workspace, more: str = "", upstream: str | None = None, listen: str = "127.0.0.1:0"
) -> AsyncIterator[World]:
    """Open a world; ``more`` are further lines of [gateway], ``upstream`` is a server in place of the scripted one."""
    async with Server() as local, Server() as sonnet, Server() as coder:
        local.script, sonnet.script, coder.script = (
            Reply("No idea."),
            Reply("Sonnet's answer."),
            Reply("Coder's answer."),
        )
        one = World(workspace, local, sonnet, coder)
        workspace.root.mkdir(exist_ok=True)
        workspace.config_file.write_text(settings(upstream or local.url, sonnet.url, coder.url, more, listen))
        one.config = configuration.load(workspace.config_file)
        runner, one.address = await app.start_server(workspace, one.config)
        try:
            yield one
        finally:
            await runner.cleanup()


def said(asked: Asked) -> list[tuple[str, str]]:
    """Return role and words of each message that a server was asked with."""
    return [
        (one["role"], one["content"] if isinstance(one["content"], str) else json.dumps(one["content"]))
        for one in asked.body["messages"]
    ]
