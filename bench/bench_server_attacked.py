"""Claim: while 500 slow connections hold on to the server, the p99 of other people's requests is at most doubled.

slowhttptest attacks with 500 connections in each of its four ways: headers that never end (-H), bodies that never end
(-B), answers that are hardly read (-X), and many overlapping ranges (-R). Before and during each attack files of 4 KiB
are asked for from another address at a steady rate, each over a connection of its own, and each answer must be the
file. An attack begins three seconds before the requests that count, and what others wait for meanwhile is told apart;
one that the server ends by closing its connections begins anew at once, until after the last request.

usage: python bench/bench_server_attacked.py [--seconds N]
"""

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record
from bench_gateway import free_port

from zddc.console import out, table

CONNECTIONS, RATE, SECONDS_TO_BEGIN = 500, 50, 3
SMALL, LARGE = 4096, 64 * 1024**2  # bytes
ATTACKS = {
    "slow headers": ["-H", "-i", "1"],
    "slow bodies": ["-B", "-i", "1"],
    "slow reading": ["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3"],
    "ranges": ["-R", "-a", "5", "-b", "3000"],
}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20, help="before each attack, and during it")
    given = parser.parse_args()
    if not (program := shutil.which("slowhttptest")):
        raise SystemExit("slowhttptest: not installed; install the package slowhttptest")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        (root / "small.bin").write_bytes(b"s" * SMALL)
        (root / "large.bin").write_bytes(b"l" * LARGE)
        port = free_port()
        address = f"127.0.0.1:{port}"
        command = [sys.executable, "-m", "zddc", "serve", str(root), "--listen", address, "--tls", "none", "--public"]
        server = subprocess.Popen([*command, "--audit-log", f"{folder}/audit.jsonl"], stderr=subprocess.DEVNULL)
        try:
            figures = asyncio.run(measure(program, port, given.seconds))
        finally:
            server.terminate()
            server.wait()
    shown = table("attack", *next(iter(figures.values())))
    for name, one in figures.items():
        shown.add_row(name, *map(str, one.values()))
    out.print(shown)
    ratios = {
        f"p99 under {name} / before": one["p99_ms_during"] / one["p99_ms_before"] for name, one in figures.items()
    }
    ratios["requests not answered"] = sum(one["failed"] for one in figures.values())
    out.print(f"{record.write('server-attacked', __doc__.splitlines()[0], ratios, figures)}: {ratios}", markup=False)


async def measure(program: str, port: int, seconds: float) -> dict[str, dict[str, float]]:
    while await milliseconds_of_answer(port) is None:
        await asyncio.sleep(0.1)
    figures = {}
    for name, options in ATTACKS.items():
        before = await series(port, seconds)
        target = f"http://127.0.0.1:{port}/{'large' if '-X' in options or '-R' in options else 'small'}.bin"
        own = ["-c", str(CONNECTIONS), "-r", str(CONNECTIONS // 2), "-l", str(int(seconds) + 60), "-u", target]
        attack = asyncio.create_task(attack_again_and_again([program, *options, *own]))
        beginning = await series(port, SECONDS_TO_BEGIN)
        during = await series(port, seconds)
        attack.cancel()
        begun = await attack
        figures[name] = {
            "p50_ms_before": quantile(before, 50),
            "p50_ms_during": quantile(during, 50),
            "p99_ms_before": quantile(before, 99),
            "p99_ms_during": quantile(during, 99),
            "p99_ms_beginning": quantile(beginning, 99),
            "answered": sum(one is not None for one in during),
            "failed": sum(one is None for one in before + beginning + during),
            "attacks": begun,
        }
        await asyncio.sleep(2)
    return figures


async def attack_again_and_again(command: list[str]) -> int:
    """Attack until this is cancelled; return how often the attack was begun."""
    begun = 0
    while True:
        attack = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begun += 1
        try:
            await attack.wait()
        except asyncio.CancelledError:
            attack.terminate()
            await attack.wait()
            return begun


def quantile(measured: list[float | None], percent: int) -> float:
    return round(statistics.quantiles([one for one in measured if one is not None], n=100)[percent - 1], 2)


async def series(port: int, seconds: float) -> list[float | None]:
    """Ask at a steady rate, whatever the answers take."""
    asked = []
    began = time.perf_counter()
    for number in range(int(seconds * RATE)):
        await asyncio.sleep(max(0, began + number / RATE - time.perf_counter()))
        asked.append(asyncio.create_task(milliseconds_of_answer(port)))
    return await asyncio.gather(*asked)


async def milliseconds_of_answer(port: int) -> float | None:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            writer.write(b"GET /small.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return None
    is_whole = answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"s" * SMALL)
    return (time.perf_counter() - began) * 1000 if is_whole else None


if __name__ == "__main__":
    main()
