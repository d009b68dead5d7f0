"""Real clients, each of which has the conversation with a gateway as its user would."""

import asyncio
import base64
import json
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tests.clients.conversation import FILE, NOTES, PHRASE, PICTURE, PICTURE_MARK, QUESTION, Call
from tests.processes import started

INSTALLED = Path(__file__).parents[2] / "build" / "clients"
PROGRAMS = INSTALLED / "npm" / "node_modules" / ".bin"
MODEL = "local-model"
WITH_PICTURE = f"{QUESTION}\n{PICTURE_MARK}"
_ENDS_WITHIN_SECONDS = 240


@dataclass(frozen=True)
class Place:
    """Where a client runs: a gateway's address, a home of its own, and a folder with a file and a picture."""

    address: str
    home: Path
    project: Path

    @classmethod
    def made(cls, address: str, folder: Path) -> "Place":
        home, project = folder / "home", folder / "project"
        home.mkdir()
        project.mkdir()
        (project / FILE).write_text(NOTES)
        (project / "picture.png").write_bytes(PICTURE)
        return cls(address, home, project)

    def started(self, command: Sequence[object], **environment: str) -> AbstractContextManager[subprocess.Popen]:
        """Start a program of the client here; it is ended after the block."""
        paths = f"{INSTALLED / 'bin'}:/usr/bin:/bin"
        surroundings = {"PATH": paths, "HOME": str(self.home), **environment}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return started(command, **pipes, text=True, env=surroundings, cwd=self.project)

    async def run(self, *command: object, given: str | None = None, **environment: str) -> str:
        """Run a program of the client here; return what it says when it has ended."""
        with self.started(command, **environment) as process:
            said, _ = await asyncio.to_thread(process.communicate, given, _ENDS_WITHIN_SECONDS)
        return said


@dataclass(frozen=True)
class Client:
    """A client; ``converse`` has the conversation and returns what the user sees last."""

    version: Callable[[], str]
    reads: Callable[[Path], Call]
    """The call of the client's own tool that reads the file of a folder."""
    converse: Callable[[Place], Awaitable[str]]
    query: str = WITH_PICTURE
    """The question as a record should have it."""
    names_answers: bool = False
    """Whether it sends names of what it was answered in place of that, so that a recording could not be sent again."""


def _installed(package: str) -> Callable[[], str]:
    """Return what tells the version of an installed package."""
    description = INSTALLED / "npm" / "node_modules" / package / "package.json"
    return lambda: f"{package} {json.loads(description.read_text())['version']}"


# Claude Code


async def claude_code(place: Place) -> str:
    switches = (
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_AUTOUPDATER",
    )
    environment = {"ANTHROPIC_BASE_URL": place.address, "ANTHROPIC_API_KEY": "sk-none", **dict.fromkeys(switches, "1")}
    command = [PROGRAMS / "claude", "--print", "--model", MODEL, "--verbose", "--allowedTools", "Read"]
    command += ["--input-format", "stream-json", "--output-format", "stream-json"]
    picture = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PICTURE).decode()}
    first = [{"type": "text", "text": QUESTION}, {"type": "image", "source": picture}]

    async def say(content: object, *more: str) -> str:
        line = json.dumps({"type": "user", "message": {"role": "user", "content": content}})
        said = await place.run(*command, *more, given=f"{line}\n", **environment)
        return json.loads(said.splitlines()[-1])["result"]

    await say(first)
    return await say(PHRASE, "--continue")


# opencode


async def opencode(place: Place) -> str:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{place.address}/v1", "apiKey": "none"},
        "models": {MODEL: {"attachment": True, "modalities": {"input": ["text", "image"], "output": ["text"]}}},
    }
    settings = {"autoupdate": False, "share": "disabled", "provider": {"ours": provider}}
    switches = (
        "OPENCODE_DISABLE_AUTOUPDATE",
        "OPENCODE_DISABLE_MODELS_FETCH",
        "OPENCODE_DISABLE_LSP_DOWNLOAD",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS",
    )
    environment = {"OPENCODE_CONFIG_CONTENT": json.dumps(settings), **dict.fromkeys(switches, "1")}
    command = [PROGRAMS / "opencode", "run", "--model", f"ours/{MODEL}"]
    await place.run(*command, QUESTION, "--file", "picture.png", **environment)
    return await place.run(*command, "--continue", PHRASE, **environment)


# Codex


async def codex(place: Place) -> str:
    provider = {"name": "ours", "base_url": f"{place.address}/v1", "wire_api": "responses"}
    settings = {f"model_providers.ours.{key}": value for key, value in provider.items()}
    settings |= {"model_provider": "ours", "model": MODEL}
    command = [PROGRAMS / "codex", "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access"]
    command += [word for key, value in settings.items() for word in ("-c", f"{key}={json.dumps(value)}")]
    command += ["-c", "check_for_update_on_startup=false", "-c", "analytics.enabled=false"]
    await place.run(*command, "--image", "picture.png", "--", QUESTION)
    return await place.run(*command, "resume", "--last", PHRASE)


# Cline


async def cline(place: Place) -> str:
    data = place.home / "cline"
    settings = data / "global-settings.json"
    data.mkdir()
    settings.write_text(json.dumps({"telemetryOptOut": True, "autoUpdateEnabled": False}))
    environment = {
        "CLINE_DATA_DIR": str(data),
        "CLINE_GLOBAL_SETTINGS_PATH": str(settings),
        "CLINE_NO_AUTO_UPDATE": "1",
        "CLINE_SESSION_BACKEND_MODE": "local",
    }
    signed_in = ["--provider", "openai-compatible", "--apikey", "none", "--modelid", MODEL]
    await place.run(PROGRAMS / "cline", "auth", *signed_in, "--baseurl", f"{place.address}/v1", **environment)
    command = [PROGRAMS / "cline", "--acp", "--auto-approve", "true"]
    environment |= {"CLINE_PROVIDER": "openai-compatible", "CLINE_MODEL": MODEL, "CLINE_API_KEY": "none"}
    with place.started(command, **environment) as agent:
        return await asyncio.to_thread(_talk_to_agent, agent, place)


def _talk_to_agent(agent: subprocess.Popen, place: Place) -> str:
    """Ask and consult an agent as editors do, by the Agent Client Protocol; return what it says last."""

    def ask(method: str, **params: object) -> tuple[dict, str]:
        request = {"jsonrpc": "2.0", "id": method, "method": method, "params": params}
        agent.stdin.write(json.dumps(request) + "\n")
        agent.stdin.flush()
        said = ""
        for line in agent.stdout:
            message = json.loads(line)
            if message.get("id") == method:
                assert "error" not in message, message
                return message["result"], said
            update = message["params"].get("update", {})
            if update.get("sessionUpdate") == "agent_message_chunk":
                said += update["content"].get("text", "")
        raise AssertionError(f"the agent ended before it answered {method}")

    ask("initialize", protocolVersion=1, clientCapabilities={})
    session = ask("session/new", cwd=str(place.project), mcpServers=[])[0]["sessionId"]
    for words in (QUESTION, PHRASE):
        _, said = ask("session/prompt", sessionId=session, prompt=[{"type": "text", "text": words}])
    agent.stdin.close()
    agent.wait(_ENDS_WITHIN_SECONDS)
    return said


# The official SDKs of Python

_PICTURE_URL = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
_READ_FILE = {"name": "read_file", "description": "Read a file."}


def reads_by_our_tool(_project: Path) -> Call:
    return Call("read_file", {"path": FILE})


async def openai_python(place: Place) -> str:
    content = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": _PICTURE_URL}}]
    tools = [{"type": "function", "function": {**_READ_FILE, "parameters": _SCHEMA}}]
    return await talk_openai(place, content, tools=tools)


async def talk_openai(place: Place, content: object, **options) -> str:
    """Ask, and consult; run the tool where the model calls it."""
    import openai

    messages: list[dict] = []
    async with openai.AsyncOpenAI(base_url=f"{place.address}/v1", api_key="none") as client:
        for words in (content, PHRASE):
            messages.append({"role": "user", "content": words})
            while True:
                asked = {"model": MODEL, "messages": messages, **options}
                async with client.chat.completions.stream(**asked) as events:
                    answer = (await events.get_final_completion()).choices[0].message
                messages.append(answer.model_dump(exclude_none=True, exclude={"parsed"}))
                if not answer.tool_calls:
                    break
                for call in answer.tool_calls:
                    path = json.loads(call.function.arguments)["path"]
                    said = (place.project / path).read_text()
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": said})
    return messages[-1]["content"]


async def openai_python_responses(place: Place) -> str:
    """Ask, and consult, each time with what is new alone."""
    import openai

    image = {"type": "input_image", "image_url": _PICTURE_URL, "detail": "auto"}
    content = [{"type": "input_text", "text": QUESTION}, image]
    tools = [{"type": "function", **_READ_FILE, "parameters": _SCHEMA, "strict": False}]
    previous = openai.omit
    async with openai.AsyncOpenAI(base_url=f"{place.address}/v1", api_key="none") as client:
        for words in (content, PHRASE):
            new: list = [{"role": "user", "content": words}]
            while new:
                asked = {"model": MODEL, "input": new, "tools": tools, "previous_response_id": previous}
                async with client.responses.stream(**asked) as events:
                    answer = await events.get_final_response()
                previous = answer.id
                new = [
                    {
                        "type": "function_call_output",
                        "call_id": item.call_id,
                        "output": (place.project / json.loads(item.arguments)["path"]).read_text(),
                    }
                    for item in answer.output
                    if item.type == "function_call"
                ]
    return answer.output_text


async def anthropic_python(place: Place) -> str:
    import anthropic

    picture = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PICTURE).decode()}
    messages: list[dict] = []
    async with anthropic.AsyncAnthropic(base_url=place.address, api_key="none") as client:
        for content in ([{"type": "text", "text": QUESTION}, {"type": "image", "source": picture}], PHRASE):
            messages.append({"role": "user", "content": content})
            while True:
                asked = {"model": MODEL, "max_tokens": 100, "messages": messages}
                tools = [{**_READ_FILE, "input_schema": _SCHEMA}]
                async with client.messages.stream(**asked, tools=tools) as events:
                    answer = await events.get_final_message()
                messages.append({"role": "assistant", "content": answer.content})
                if answer.stop_reason != "tool_use":
                    break
                results = [
                    {
                        "type": "tool_result",
                        "tool_use_id": block.id,
                        "content": (place.project / block.input["path"]).read_text(),
                    }
                    for block in answer.content
                    if block.type == "tool_use"
                ]
                messages.append({"role": "user", "content": results})
    return answer.content[-1].text


# The SDKs of JavaScript: the whole conversation is in conversation.mjs


def javascript(kind: str) -> Callable[[Place], Awaitable[str]]:
    async def converse(place: Place) -> str:
        # Node looks for packages beside the module.
        script = INSTALLED / "npm" / "conversation.mjs"
        script.write_bytes((Path(__file__).parent / script.name).read_bytes())
        return await place.run("node", script, kind, place.address, MODEL, QUESTION, PHRASE)

    return converse


def _python_package(name: str) -> Callable[[], str]:
    return lambda: f"{name} {metadata.version(name)} of Python"


CLIENTS = {
    "claude-code": Client(
        _installed("@anthropic-ai/claude-code"),
        lambda project: Call("Read", {"file_path": str(project / FILE)}),
        claude_code,
    ),
    "opencode": Client(
        _installed("opencode-ai"),
        lambda project: Call("read", {"filePath": str(project / FILE)}),
        opencode,
        f"{PICTURE_MARK}\n{QUESTION}",
    ),
    "codex": Client(
        _installed("@openai/codex"),
        lambda _project: Call("exec_command", {"cmd": f"cat {FILE}"}),
        codex,
        f"{PICTURE_MARK}\n{QUESTION}",
    ),
    "cline": Client(
        _installed("cline"),
        lambda project: Call("read_files", {"files": [{"path": str(project / FILE)}]}),
        cline,
        QUESTION,
    ),
    "openai-python": Client(_python_package("openai"), reads_by_our_tool, openai_python),
    "openai-python-responses": Client(
        _python_package("openai"), reads_by_our_tool, openai_python_responses, names_answers=True
    ),
    "anthropic-python": Client(_python_package("anthropic"), reads_by_our_tool, anthropic_python),
    "openai-javascript": Client(_installed("openai"), reads_by_our_tool, javascript("openai")),
    "openai-javascript-responses": Client(_installed("openai"), reads_by_our_tool, javascript("responses")),
    "anthropic-javascript": Client(_installed("@anthropic-ai/sdk"), reads_by_our_tool, javascript("anthropic")),
    "ai-sdk-openai": Client(_installed("@ai-sdk/openai-compatible"), reads_by_our_tool, javascript("ai-openai")),
    "ai-sdk-openai-responses": Client(
        _installed("@ai-sdk/openai"), reads_by_our_tool, javascript("ai-responses"), names_answers=True
    ),
    "ai-sdk-anthropic": Client(_installed("@ai-sdk/anthropic"), reads_by_our_tool, javascript("ai-anthropic")),
}
