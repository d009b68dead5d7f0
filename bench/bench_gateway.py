"""Claim: the gateway, capture on, adds less to a request than other gateways do, and sheds what is too much.

An open load (requests start on time, whatever the answers do) at fixed rates goes to the same small server in
short turns: directly, through the gateway, through an earlier version of it, through Portkey's gateway (npm, MIT). One
request in fifty through our gateway is a consultation whose record is synced to the disk; it is not timed.
All processes share the machine's cores. LiteLLM's figures are those that it publishes, on other machines.

What a gateway adds is a difference of two times, each with the machine's own delays in it. So a series is five rounds;
in each every way has two turns, in one order and back, and what it adds is its quantile less that of the direct way in
the same round. The median of the five rounds counts: a busy moment of the machine spoils one of them. Two ways are
compared in the same round, too: a ratio is 1 and the median of what ours adds more than the other, in parts of what the
other adds. Each turn begins with requests that are not counted, and each way has at least 2,000 that are. The table and
the figures p50_ms and p99_ms are of all of them together, so what is added is not always their difference.

usage: python bench/bench_gateway.py [--seconds N] [--without-peer] [--before COMMAND]
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import record
from aiohttp import web

from weakspot.storage import append_log
from weakspot.workspace import Workspace
from zddc.console import out, table

RATES = (50, 100, 200)
PEER, PEER_VERSION = "@portkey-ai/gateway", "1.15.2"
PEER_FOLDER = Path(__file__).parents[1] / "build" / "portkey"
ANSWER_SECONDS, PIECES = 0.01, 10
CONSULT_EVERY = 50
# An odd number has a median; with two turns a round, a way is before and behind each other one as often.
ROUNDS = 5
LEAST_REQUESTS = 2000
# At the beginning of a turn: connections that were closed meanwhile are made anew.
UNCOUNTED_SECONDS = 0.25
OUR_NAME, BEFORE_NAME, PEER_NAME = "weakspot gateway", "weakspot gateway before", "Portkey gateway"
LITELLM = {
    "source": "docs.litellm.ai/docs/benchmarks",
    "overhead ms with 4 instances of 4 CPUs at 1170 requests/s": {"p50": 2, "p95": 8, "p99": 13},
    "overhead ms with 2 instances of 4 CPUs at 1036 requests/s": {"p50": 12, "p95": 29, "p99": 43},
}
WORDS = ["the", "naming", "of", "documents", "follows", "a", "convention", "that", "people", "read", "alike"]


@dataclass
class Heard:
    """What a series of requests came to: milliseconds of those that were answered, and the others by status."""

    milliseconds: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)

    def quantile(self, share: float) -> float:
        """Return the milliseconds that ``share`` of the answers stayed below."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@dataclass
class Series:
    """What one way came to in each round, and the CPU milliseconds of its server for each request."""

    rounds: list[Heard] = field(default_factory=lambda: [Heard() for _ in range(ROUNDS)])
    cpu_milliseconds: float = 0.0
    requests: int = 0

    def all(self) -> Heard:
        """Return all rounds as one."""
        refused: Counter[str] = Counter()
        for one in self.rounds:
            refused.update(one.refused)
        return Heard([value for one in self.rounds for value in one.milliseconds], dict(refused))

    def added(self, direct: "Series", share: float) -> list[float]:
        """Return for each round by how much this way's quantile is above that of the direct way."""
        pairs = zip(self.rounds, direct.rounds, strict=True)
        return [one.quantile(share) - other.quantile(share) for one, other in pairs]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="of each series")
    parser.add_argument("--without-peer", action="store_true", help="where npm is not at hand")
    parser.add_argument("--before", default="", help="the weakspot command of an earlier version, to compare with")
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        web.run_app(upstream(), host="127.0.0.1", port=given.upstream, print=None, access_log=None)
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), given.seconds, given.before, peer=not given.without_peer))


def upstream() -> web.Application:
    """A server that answers after 10 ms, whole or in ten pieces a millisecond apart."""
    whole = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 50}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 50, "total_tokens": 450},
    }
    piece = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m"}

    def chunk(delta: dict, reason: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return b"data: " + json.dumps({**piece, "choices": choices}).encode() + b"\n\n"

    async def chat(request: web.Request) -> web.StreamResponse:
        is_stream = b'"stream": true' in await request.read()
        await asyncio.sleep(ANSWER_SECONDS)
        if not is_stream:
            return web.json_response(whole)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(PIECES):
            await response.write(chunk({"content": "word " * 5}))
            await asyncio.sleep(0.001)
        await response.write(chunk({}, "stop") + b"data: [DONE]\n\n")
        return response

    async def models(_request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    return app


async def measure(folder: Path, seconds: float, before: str, *, peer: bool) -> None:
    """Start the servers, run the series in turns, print and write what was found."""
    ports = [free_port() for _ in range(4)]
    local, ours, earlier, theirs = (f"http://127.0.0.1:{port}" for port in ports)
    workspace = Workspace(folder / "now")
    now = gateway_command([sys.executable, "-m", "weakspot"], workspace, local, ports[1])
    servers = [
        subprocess.Popen([sys.executable, __file__, "--upstream", str(ports[0])]),
        subprocess.Popen(now, stdout=subprocess.DEVNULL, stderr=2),
    ]
    ways: dict[str, tuple[str, dict[str, str]]] = {"direct": (local, {}), OUR_NAME: (ours, {})}
    processes = {OUR_NAME: servers[1]}
    if before:
        command = gateway_command([before], Workspace(folder / "before"), local, ports[2])
        servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=2))
        ways[BEFORE_NAME], processes[BEFORE_NAME] = (earlier, {}), servers[-1]
    if peer:
        servers.append(subprocess.Popen(peer_command(ports[3]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{local}/v1", "Authorization": "Bearer x"}
        ways[PEER_NAME] = (theirs, headers)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            for address, headers in ways.values():
                await until_up(session, address, headers)
            # The sender's own garbage holds up whom it waits for.
            gc.collect()
            gc.freeze()
            await session_of(session, ways, processes, workspace, seconds)
    finally:
        for server in servers:
            server.send_signal(signal.SIGTERM)
        for server in servers:
            server.wait(10)


async def session_of(session, ways, processes, workspace: Workspace, seconds: float) -> None:
    figures: dict[str, dict] = {name: {} for name in ways}
    ratios: dict[str, float] = {}
    shown = table("requests", *(f"{name}, p50 / p99 ms" for name in ways), "added by ours", "added by the peer")
    for stream in (False, True):
        # Under Node 20 the peer answers every stream with an error of its own: it is measured on whole answers.
        taking_part = {name: way for name, way in ways.items() if not (stream and name == PEER_NAME)}
        for rate in RATES:
            what = f"{rate}/s, {'streams' if stream else 'whole'}"
            series = await in_turns(session, taking_part, processes, rate, seconds, stream=stream)
            heard = {name: one.all() for name, one in series.items()}
            rounds = {n: [one.added(series["direct"], share) for share in (0.5, 0.99)] for n, one in series.items()}
            added = {name: [statistics.median(of_rounds) for of_rounds in both] for name, both in rounds.items()}
            for name, one in heard.items():
                figures[name][what] = {
                    "p50_ms": round(one.quantile(0.5), 2),
                    "p99_ms": round(one.quantile(0.99), 2),
                    "added_p50_ms": round(added[name][0], 2),
                    "added_p99_ms": round(added[name][1], 2),
                    "added_p50_ms_by_round": [round(value, 2) for value in rounds[name][0]],
                    "added_p99_ms_by_round": [round(value, 2) for value in rounds[name][1]],
                    "answered": len(one.milliseconds),
                    "refused": one.refused,
                }
                if name in processes:
                    figures[name][what]["cpu_ms"] = round(series[name].cpu_milliseconds / series[name].requests, 2)
            for name, short in ((PEER_NAME, "Portkey"), (BEFORE_NAME, "before")):
                for number, quantile in enumerate(("p50", "p99") if name in heard else ()):
                    # Where the other adds less than the machine's own delays, nothing can be compared.
                    if added[name][number] > 0:
                        pairs = zip(rounds[OUR_NAME][number], rounds[name][number], strict=True)
                        more = statistics.median(ours - theirs for ours, theirs in pairs)
                        ratios[f"added {quantile}, {what}, ours vs {short}"] = 1 + more / added[name][number]
            cells = [
                pair(heard[name].quantile(0.5), heard[name].quantile(0.99)) if name in heard else "" for name in ways
            ]
            shown.add_row(what, *cells, *(pair(*added[n]) if n in added else "" for n in (OUR_NAME, PEER_NAME)))
    out.print(shown)
    figures["overload"] = await overload(session, ways[OUR_NAME][0], seconds)
    figures["records stored"] = sum(1 for _ in append_log.read_lines(workspace.raw))
    figures["LiteLLM, published"] = LITELLM
    out.print(figures["overload"], markup=False)
    out.print(f"{record.write('gateway', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


async def in_turns(session, ways, processes, rate: int, seconds: float, *, stream: bool) -> dict[str, Series]:
    """Measure each way in many short turns, there and back, so that a busy moment of the machine hits all alike."""
    found = {name: Series() for name in ways}
    turn = max(seconds, LEAST_REQUESTS * CONSULT_EVERY / (CONSULT_EVERY - 1) / rate) / (2 * ROUNDS) + 1 / rate
    for number in range(ROUNDS):
        for name in (*ways, *reversed(ways)):
            address, headers = ways[name]
            consults = CONSULT_EVERY if name in processes else 0
            await load(session, address, headers, rate, UNCOUNTED_SECONDS, Heard(), stream=stream)
            spent = cpu_milliseconds(processes[name].pid) if name in processes else 0.0
            await load(session, address, headers, rate, turn, found[name].rounds[number], consults, stream=stream)
            if name in processes:
                found[name].cpu_milliseconds += cpu_milliseconds(processes[name].pid) - spent
            found[name].requests += int(rate * turn)
    return found


def cpu_milliseconds(process: int) -> float:
    """Return the CPU time that a process and its children have had, as Linux counts it; 0 elsewhere."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        own = 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return own + sum(cpu_milliseconds(int(child)) for child in children)
    return 0.0


def pair(p50: float, p99: float) -> str:
    return f"{p50:.1f} / {p99:.1f}"


async def overload(session, address: str, seconds: float) -> dict:
    """Find the knee, go to twice that rate, and come back."""
    knee = RATES[-1]
    for rate in range(300, 3001, 100):
        heard = Heard()
        late = await load(session, address, {}, rate, seconds / 4, heard)
        if heard.refused or heard.quantile(0.99) > 250 or late > 0.1:
            break
        knee = rate
    twice, after = Heard(), Heard()
    await load(session, address, {}, 2 * knee, seconds / 2, twice)
    await asyncio.sleep(2)
    await load(session, address, {}, RATES[0], seconds / 2, after)
    return {
        "knee_requests_per_second": knee,
        "at_twice_the_knee": {"answered": len(twice.milliseconds), "refused": twice.refused},
        "afterwards": {"p99_ms": round(after.quantile(0.99), 2), "refused": after.refused},
    }


async def load(
    session,
    address: str,
    headers: dict[str, str],
    rate: float,
    seconds: float,
    heard: Heard,
    consults: int = 0,
    *,
    stream: bool = False,
) -> float:
    """Send requests at a rate, each at its time; return by how many seconds the sender itself was late at most."""
    chance, tasks, late = random.Random(int(rate)), [], 0.0
    begin = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        late = max(late, time.perf_counter() - due)
        consult = bool(consults) and number % consults == 0
        tasks.append(
            asyncio.create_task(ask(session, address, headers, chance, number, heard, consult=consult, stream=stream))
        )
    await asyncio.gather(*tasks)
    return late


async def ask(
    session,
    address,
    headers,
    chance: random.Random,
    number: int,
    heard: Heard,
    *,
    consult: bool = False,
    stream: bool = False,
) -> None:
    text = " ".join(chance.choices(WORDS, k=300))
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": f"{number} {text}"}]
    if consult:
        messages += [{"role": "assistant", "content": "No idea."}, {"role": "user", "content": "consult the expert"}]
    body = {"model": "m", "messages": messages, "stream": stream}
    started = time.perf_counter()
    try:
        url = f"{address}/v1/chat/completions"
        async with session.post(url, json=body, headers=headers, timeout=aiohttp.ClientTimeout(30)) as answer:
            await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        status = type(error).__name__
    if status != 200:
        heard.refused[str(status)] = heard.refused.get(str(status), 0) + 1
    elif not consult:
        heard.milliseconds.append(1000 * (time.perf_counter() - started))


async def until_up(session, address: str, headers: dict[str, str]) -> None:
    for _ in range(200):
        heard = Heard()
        await ask(session, address, headers, random.Random(0), 1, heard)
        if heard.milliseconds:
            return
        await asyncio.sleep(0.1)
    sys.exit(f"{address}: does not answer ({heard.refused})")


def gateway_command(command: list[str], workspace: Workspace, local: str, port: int) -> list[str]:
    workspace.root.mkdir()
    workspace.config_file.write_text(
        f'[gateway]\nupstream = "{local}/v1"\nlisten = "127.0.0.1:{port}"\n[escalation]\ndefault_teacher = "big"\n'
        f'[teachers.big]\nkind = "openai"\nmodel = "m"\nbase_url = "{local}/v1"\npolicy = "allow"\n'
    )
    return [*command, "gateway", "--workspace", str(workspace.root)]


def peer_command(port: int) -> list[str]:
    server = PEER_FOLDER / "node_modules" / PEER / "build" / "start-server.js"
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        sys.exit("node and npm: not found; install them, or give --without-peer")
    if not server.is_file():
        PEER_FOLDER.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--silent", "--prefix", str(PEER_FOLDER), f"{PEER}@{PEER_VERSION}"]
        subprocess.run(command, check=True)
    os.environ["TRUSTED_CUSTOM_HOSTS"] = "localhost,127.0.0.1"
    return [node, str(server), f"--port={port}", "--headless"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
