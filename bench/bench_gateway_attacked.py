"""Claim: while connections dribble, idle and send the largest bodies, other requests take at most twice as long.

300 connections that send one byte a second, 300 that send nothing and 20 requests of the largest size come at once,
each kind from an address of its own. Meanwhile ``/health`` is asked ten times a second and must answer within a second,
and chat completions come at a steady rate, as before the attack.

usage: python bench/bench_gateway_attacked.py [--seconds N]
"""

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import record
from bench_gateway import Heard, free_port, gateway_command, load, until_up

from weakspot.workspace import Workspace
from zddc.console import out, table

DRIBBLING, IDLE, LARGE = 300, 300, 20
RATE, BODY_BYTES = 20, 2**26 - 2**16
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 5000\r\n"
)
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * BODY_BYTES}}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20, help="before the attack, and during it")
    parser.add_argument("--attack", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.attack:
        asyncio.run(attack(given.attack))
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), given.seconds))


async def measure(folder: Path, seconds: float) -> None:
    ports = [free_port(), free_port()]
    local, ours = (f"http://127.0.0.1:{port}" for port in ports)
    server = Path(__file__).with_name("bench_gateway.py")
    command = gateway_command([sys.executable, "-m", "weakspot"], Workspace(folder / "now"), local, ports[1])
    servers = [
        subprocess.Popen([sys.executable, str(server), "--upstream", str(ports[0])]),
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
    ]
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await until_up(session, ours, {})
            before, health_before = await series(session, ours, seconds)
            servers.append(subprocess.Popen([sys.executable, __file__, "--attack", str(ports[1])]))
            during, health_during = await series(session, ours, seconds)
    finally:
        for one in reversed(servers):
            one.send_signal(signal.SIGTERM)
        for one in servers:
            one.wait(10)
    figures = {
        name: {
            "p50_ms": round(chats.quantile(0.5), 1),
            "p99_ms": round(chats.quantile(0.99), 1),
            "answered": len(chats.milliseconds),
            "refused": chats.refused,
            "health_longest_ms": round(health.quantile(1), 1),
            "health_refused": health.refused,
        }
        for name, (chats, health) in {
            "alone": (before, health_before),
            "under attack": (during, health_during),
        }.items()
    }
    shown = table("", *figures["alone"])
    for name, one in figures.items():
        shown.add_row(name, *map(str, one.values()))
    out.print(shown)
    ratios = {
        f"{quantile} of a request, under attack / alone": figures["under attack"][f"{quantile}_ms"]
        / figures["alone"][f"{quantile}_ms"]
        for quantile in ("p50", "p99")
    }
    ratios["longest answer of /health, seconds"] = figures["under attack"]["health_longest_ms"] / 1000
    out.print(f"{record.write('gateway-attacked', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


async def series(session: aiohttp.ClientSession, address: str, seconds: float) -> tuple[Heard, Heard]:
    """Send chat completions at a rate, and ask for the state at another, at the same time."""
    chats, health = Heard(), Heard()
    asking = asyncio.create_task(ask_for_health(session, address, health))
    await load(session, address, {}, RATE, seconds, chats)
    asking.cancel()
    return chats, health


async def ask_for_health(session: aiohttp.ClientSession, address: str, heard: Heard) -> None:
    while True:
        begin = time.perf_counter()
        async with session.get(f"{address}/health", timeout=aiohttp.ClientTimeout(30)) as answer:
            await answer.read()
        if answer.status == 200:
            heard.milliseconds.append(1000 * (time.perf_counter() - begin))
        else:
            heard.refused[str(answer.status)] = heard.refused.get(str(answer.status), 0) + 1
        await asyncio.sleep(0.1)


async def attack(port: int) -> None:
    """Attack until the process is ended; a connection that is closed is opened again."""
    text = {"type": "text", "text": "What is on this picture?"}
    large = json.dumps({"model": "m", "messages": [{"role": "user", "content": [text, PICTURE]}]}).encode()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(DRIBBLING):
            tasks.create_task(dribble(port))
        for _ in range(IDLE):
            tasks.create_task(idle(port))
        for _ in range(LARGE):
            tasks.create_task(send_large(port, large))


async def dribble(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            for byte in HEAD + b"\r\n" + b" " * 5000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1 + random.random())
        except OSError:
            await asyncio.sleep(0.5)


async def idle(port: int) -> None:
    while True:
        try:
            reader, _ = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.3", 0))
            await reader.read()
        except OSError:
            await asyncio.sleep(0.5)


async def send_large(port: int, data: bytes) -> None:
    head = HEAD.replace(b"5000", str(len(data)).encode()) + b"\r\n"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.4", 0))
        writer.write(head)
        for start in range(0, len(data), 2**20):
            writer.write(data[start : start + 2**20])
            await writer.drain()
        await reader.read()
    except OSError:
        return


if __name__ == "__main__":
    main()
