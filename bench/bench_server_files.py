"""Claim: files are served at half the pace of Caddy, with rules and an audit, and slow readers cost little memory.

A file of 4 KiB with 16 connections, and one of 100 MiB with four, asked by wrk on loopback in plain HTTP: of ours,
which judges every request by the rules of two folders and writes an audit line for each, of Caddy and of nginx, which
judge nobody and keep no log. They take turns; the median of the rounds counts. Processor time is that of the server
alone, a request or a MiB. The zip is of 1,000 files of 1 MiB; its peer are the same files, one after another over one
connection. Memory is what the server holds in RAM, idle, and while 500 readers, of ten people, have asked for the large
file and take nothing more.

usage: python bench/bench_server_files.py [--rounds N] [--seconds N] [--folder DIR]
"""

import argparse
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import record

from zddc.console import out, table
from zddc.file_identity import SETTLED_NS

SMALL, LARGE, ZIPPED, READERS, PEOPLE = 4096, 100 << 20, 1000, 500, 10
MEBIBYTE = 1 << 20
GOALS = {"small": 0.5, "large": 0.7, "zip": 0.6, "idle, MB": 60.0, "slow readers, MB": 150.0}
CADDY = "{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n root * {root}\n file_server\n}}\n"
NGINX = """
daemon off; error_log stderr crit; pid {folder}/pid; worker_processes auto;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; client_body_temp_path {folder}; proxy_temp_path {folder};
 fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
 server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


class Server(NamedTuple):
    """A server that runs: its process, and the port that it listens on."""

    process: subprocess.Popen[bytes]
    port: int

    def address(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def processes(self) -> list[int]:
        """Return the ids of its processes."""
        found = [self.process.pid]
        for one in found:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        return found

    def processor_seconds(self) -> float:
        """Return the processor time that it took so far."""
        return sum(
            sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]))
            for one in self.processes()
        ) / os.sysconf("SC_CLK_TCK")

    def megabytes(self, field: str = "VmRSS") -> float:
        """Return the memory that it holds."""
        texts = (Path(f"/proc/{one}/status").read_text() for one in self.processes())
        return sum(int(re.findall(rf"{field}:\s+(\d+) kB", text)[0]) / 1024 for text in texts)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="how long each server is asked in a round")
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed again; a temporary folder")
    given = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk: not found; install it, on Debian with 'apt-get install wrk'")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        root = make_files(folder / "root")
        servers = {"zddc": stack.enter_context(ours(root, folder))}
        idle = servers["zddc"].megabytes()
        servers |= {
            name: stack.enter_context(start(root, folder)) for name, start in PEERS.items() if shutil.which(name)
        }
        figures: dict[str, dict[str, float]] = {}
        for label, path, connections in (("4 KiB", "/files/small.pdf", 16), ("100 MiB", "/files/large.bin", 4)):
            rounds = [
                {name: ask(one, path, connections, given.seconds) for name, one in servers.items()}
                for _ in range(given.rounds)
            ]
            for name in servers:
                figures[f"{label}, {name}"] = {key: median(one[name][key] for one in rounds) for key in rounds[0][name]}
        whole, apart = zip(*(measure_zip(servers["zddc"]) for _ in range(given.rounds)), strict=True)
        figures["1,000 x 1 MiB"] = {"zip, MiB/s": median(whole), "one by one, MiB/s": median(apart)}
        figures["memory"] = {"idle, MB": idle, **measure_slow_readers(servers["zddc"], figures["4 KiB, zddc"])}
    print_and_record(figures, given)


def print_and_record(figures: dict[str, dict[str, float]], given: argparse.Namespace) -> None:
    """Print the figures, and write them with the ratios that the goals are about."""
    shown = table("", *("value", "what"))
    for name, one in figures.items():
        for key, value in one.items():
            shown.add_row(name, f"{value:,.1f}", key)
    out.print(shown)
    ratios = {
        f"{size} / {peer}": figures[f"{size}, zddc"][unit] / figures[f"{size}, {peer}"][unit]
        for size, unit in (("4 KiB", "requests/s"), ("100 MiB", "MiB/s"))
        for peer in PEERS
        if f"{size}, {peer}" in figures
    }
    ratios["zip / one by one"] = figures["1,000 x 1 MiB"]["zip, MiB/s"] / figures["1,000 x 1 MiB"]["one by one, MiB/s"]
    ratios |= {f"{key} vs goal": figures["memory"][key] / GOALS[key] for key in ("idle, MB", "slow readers, MB")}
    settings = {"rounds": given.rounds, "seconds": given.seconds, "goals": GOALS, "load": os.getloadavg()[0]}
    result = record.write("server-files", __doc__ or "", ratios, {**figures, "peers": versions(), "settings": settings})
    out.print(f"{result}: {ratios}", markup=False)


def make_files(root: Path) -> Path:
    """Make the files, and the rules that let everybody read them."""
    (root / "files" / "many").mkdir(parents=True)
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example", anonymous]}\n')
    (root / "files" / ".zddc").write_text('acl: {deny: ["*@rival.example"]}\n')
    (root / "files" / "small.pdf").write_bytes(os.urandom(SMALL))
    (root / "files" / "large.bin").write_bytes(os.urandom(MEBIBYTE) * (LARGE // MEBIBYTE))
    data = os.urandom(MEBIBYTE)
    for number in range(ZIPPED):
        (root / "files" / "many" / f"A-{number:04}_B (IFC) - Pump.pdf").write_bytes(data)
    time.sleep(SETTLED_NS / 1e9)  # a rule file that is younger is read each time
    return root


@contextlib.contextmanager
def ours(root: Path, folder: Path) -> Iterator[Server]:
    """Run our server, with its audit."""
    port = free_port()
    command = [sys.executable, "-m", "zddc", "serve", str(root), "--listen", f"127.0.0.1:{port}", "--tls", "none"]
    command += ["--trusted-proxy", "127.0.0.1", "--audit-log", str(folder / "audit.jsonl")]
    with running(command, port) as server:
        yield server


@contextlib.contextmanager
def caddy(root: Path, folder: Path) -> Iterator[Server]:
    """Run Caddy."""
    port, config = free_port(), folder / "Caddyfile"
    config.write_text(CADDY.format(port=port, root=root))
    command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
    with running(command, port, {**os.environ, "HOME": str(folder)}) as server:
        yield server


@contextlib.contextmanager
def nginx(root: Path, folder: Path) -> Iterator[Server]:
    """Run nginx."""
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(NGINX.format(port=port, root=root, folder=folder))
    for one in (folder, root):  # its worker is another user where this is root
        one.chmod(0o755)
    with running(["nginx", "-c", str(config), "-e", "stderr"], port) as server:
        yield server


PEERS: dict[str, Callable[[Path, Path], contextlib.AbstractContextManager[Server]]] = {"caddy": caddy, "nginx": nginx}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Run a server until the end of the block, from when it listens."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                with socket.socket() as probe:
                    if not probe.connect_ex(("127.0.0.1", port)):
                        break
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]}: it ended; run it alone to see why: {' '.join(command)}")
                time.sleep(0.05)
            yield Server(process, port)
        finally:
            process.terminate()


def ask(server: Server, path: str, connections: int, seconds: int) -> dict[str, float]:
    """Ask for a file as often as can be, for so many seconds."""
    before = server.processor_seconds()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout", "30", server.address(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = server.processor_seconds() - before
    if errors := re.findall(r"(?:Socket errors|Non-2xx).*", said):
        raise SystemExit(f"{path}: {errors}")
    took = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", said)
    if not took:
        raise SystemExit(f"{path}: {said}")
    requests = int(re.findall(r"(\d+) requests in", said)[0])
    sent = requests * SMALL if connections == 16 else LARGE * requests
    per_second = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    figures = {"requests/s": per_second, "processor, us a request": spent / requests * 1e6}
    if connections == 16:
        return figures | {"p99, ms": float(took[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[took[2]]}
    return {"MiB/s": read_rate(said), "processor, us a MiB": spent / (sent / MEBIBYTE) * 1e6}


def read_rate(said: str) -> float:
    """Return the MiB a second that wrk says it read."""
    value, unit = re.findall(r"Transfer/sec:\s+([\d.]+)(KB|MB|GB)", said)[0]
    return float(value) * {"KB": 1 / 1024, "MB": 1.0, "GB": 1024.0}[unit]


def measure_zip(server: Server) -> tuple[float, float]:
    """Return the MiB a second of a folder as a zip, and of its files one by one."""
    started = time.perf_counter()
    run_curl([server.address("/files/many/?zip=1")])
    middle = time.perf_counter()
    run_curl([server.address(f"/files/many/A-{number:04}_B%20(IFC)%20-%20Pump.pdf") for number in range(ZIPPED)])
    end = time.perf_counter()
    return ZIPPED / (middle - started), ZIPPED / (end - middle)


def run_curl(addresses: list[str]) -> None:
    """Fetch addresses over one connection, and throw away what comes."""
    config = "".join(f'url = "{one}"\noutput = "{os.devnull}"\n' for one in addresses)
    subprocess.run(["curl", "-sfgK", "-"], input=config, text=True, check=True)


def measure_slow_readers(server: Server, at_ease: dict[str, float]) -> dict[str, float]:
    """Let many ask for the large file and take nothing; return the server's memory, and how another one fares."""
    with contextlib.ExitStack() as stack:
        for number in range(READERS):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            reader = f"X-Auth-Request-Email: reader-{number % PEOPLE}@acme.example"
            connection.sendall(f"GET /files/large.bin HTTP/1.1\r\nHost: localhost\r\n{reader}\r\n\r\n".encode())
        memories = [server.megabytes()]
        while len(memories) < 6 or max(memories[-4:]) - min(memories[-4:]) > 1:
            time.sleep(2)
            memories.append(server.megabytes())
        took = []
        for _ in range(50):
            started = time.perf_counter()
            with urllib.request.urlopen(server.address("/files/small.pdf")) as answer:
                answer.read()
            took.append(time.perf_counter() - started)
    return {"slow readers, MB": memories[-1], "another's 4 KiB beside them, median ms": median(took) * 1000}


def versions() -> dict[str, str]:
    """Return the versions of the peers."""
    found = {}
    for name, option in (("caddy", "version"), ("nginx", "-v"), ("wrk", "-v")):
        if shutil.which(name):
            done = subprocess.run([name, option], capture_output=True, text=True, check=False)
            found[name] = (done.stdout + done.stderr).splitlines()[0]
    return found


if __name__ == "__main__":
    main()
