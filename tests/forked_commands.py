"""Commands for the PATH of a shell, which begin as forks of a process that has loaded all that they need.

A server (see :func:`served`) is such a fork itself, see tests/forked.py. A command that is put into its folder hands
arguments, working directory, environment, umask, ignored signals and standard streams over to it, passes signals on,
and ends as the fork ends. What has another environment than the server runs the installed command.
"""

import atexit
import contextlib
import importlib
import io
import json
import os
import select
import shlex
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from tests import forked
from tests.forked_client import PASSED_ON, REFUSED

from zddc import console

COMMANDS = ("weakspot", "zddc")
CLIENT = Path(__file__).with_name("forked_client.py")
# What a shell, readline or a test sets by itself, and no module reads while it is loaded without a terminal.
_SET_ANEW = frozenset(
    {
        *("_", "COLUMNS", "LC_ALL", "LINES", "OLDPWD", "PATH", "PWD", "PYTEST_CURRENT_TEST", "PYTHONUNBUFFERED"),
        *("SHLVL", "WEAKSPOT_WORKSPACE"),
    }
)
# The environment in which the process began of which all here are forks, before a module put anything into it.
_BEGUN_WITH = Path("/proc/self/environ")


def reader() -> dict[str, str]:
    """Return the environment of a reader of the documents, who has everything installed."""
    unset = ("WEAKSPOT_WORKSPACE", "FORCE_COLOR", "COLUMNS", "PYTEST_CURRENT_TEST")
    known = {key: value for key, value in os.environ.items() if key not in unset}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Two threads stall each other where others use the machine too. On a terminal, output and errors come as written.
    return {"OMP_NUM_THREADS": "1", **known, "PATH": path, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Path]:
    """Return a folder for the front of the PATH, whose commands work within the block."""
    place, scripts = folder / "socket", folder / "bin"
    scripts.mkdir()
    for name in COMMANDS:
        installed = Path(sys.executable).with_name(name)
        client = shlex.join(map(str, [sys.executable, "-IS", CLIENT, place, installed]))
        (scripts / name).write_text(f'#!/bin/sh\nexec {client} "$@"\n', encoding="utf-8")
        (scripts / name).chmod(0o755)
    with forked.begun(folder / "server", serve, place) as server:
        server.until(place.exists)
        yield scripts


def serve(place: Path) -> None:
    """Fork for each client that comes to this socket, until this process is ended."""
    forked.end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to wait for a fork that has ended
    listener = socket.socket(socket.AF_UNIX)
    new = place.with_name("new")
    listener.bind(str(new))
    listener.listen()
    new.rename(place)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            forked.end_with_parent()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _supervise(connection)
        connection.close()


def _supervise(connection: socket.socket) -> NoReturn:
    """Run what a client asks for in a fork, hand signals on to that, and tell the client how it ended."""
    size, descriptors, _, _ = socket.recv_fds(connection, 4, 4)
    asked = connection.recv(*struct.unpack("I", size), socket.MSG_WAITALL)
    line, environment, mask, ignored = json.loads(asked)
    if not _would_load_the_same(environment) or os.isatty(descriptors[1]) or os.isatty(descriptors[2]):
        connection.sendall(struct.pack("i", REFUSED))
        os._exit(0)
    command = os.fork()
    if command == 0:
        forked.end_with_parent()
        connection.close()
        _take_streams(descriptors[:3])
        os.fchdir(descriptors[3])
        for descriptor in descriptors:
            os.close(descriptor)
        os.umask(mask)
        for number in PASSED_ON:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, signal.SIG_IGN if number in ignored else usual)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = line
        folder, name = os.path.split(line[0])
        sys.path[0] = folder
        _leave(_status_of(name))
    for descriptor in descriptors:
        os.close(descriptor)
    ended = os.pidfd_open(command)
    while ended not in select.select([ended, connection], [], [])[0]:
        # A client that has gone, which may have left something unread, takes its command with it.
        with contextlib.suppress(ConnectionResetError):
            if told := connection.recv(1):
                os.kill(command, told[0])
                continue
        os.kill(command, signal.SIGKILL)
        os.waitpid(command, 0)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(struct.pack("i", status))
    os._exit(0)


def _would_load_the_same(environment: Mapping[str, str]) -> bool:
    """Tell whether modules loaded in this environment, without a terminal, would be as those loaded here."""
    begun_with = dict(entry.split("=", 1) for entry in os.fsdecode(_BEGUN_WITH.read_bytes()).split("\0") if entry)
    changed = {name for name, _ in begun_with.items() ^ environment.items()}
    return changed <= _SET_ANEW and console.out._width is not None and console.err.color_system is None


def _take_streams(descriptors: Sequence[int]) -> None:
    """Make these the standard streams, as they are in an interpreter that begins unbuffered and where all is UTF-8."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    errors = "surrogateescape"
    sys.stdin = os.fdopen(0, encoding="utf-8", errors=errors, closefd=False)
    raw = os.fdopen(1, "wb", buffering=0, closefd=False)
    sys.stdout = io.TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)


def _status_of(command: str) -> int:
    """Run a command, as its installed script does, and return its exit status."""
    try:
        importlib.import_module(f"{command}.cli").main()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    else:
        return 0
    return 1


def _leave(status: int) -> NoReturn:
    """End as an interpreter does, without taking its modules apart."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)
