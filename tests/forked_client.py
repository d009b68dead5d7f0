"""Have a server of tests/forked_commands.py run a command: forked_client.py SOCKET INSTALLED [ARGUMENT ...].

It is started very often, so it imports little.
"""

import json
import os
import signal
import socket
import struct
import sys

# In place of an exit status: run the installed command.
REFUSED = 1 << 16
PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def main(place: str, *line: str) -> int:
    """Return the exit status of the command; where a signal ended that, end by the same."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(place)
    mask = os.umask(0)
    os.umask(mask)
    ignored = [number for number in PASSED_ON if signal.getsignal(number) == signal.SIG_IGN]
    asked = json.dumps([line, dict(os.environ), mask, ignored]).encode()
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until the server has all of the question
    for number in set(PASSED_ON).difference(ignored):
        signal.signal(number, lambda caught, _frame: connection.sendall(bytes([caught])))
    folder = os.open(".", os.O_RDONLY)
    socket.send_fds(connection, [struct.pack("I", len(asked))], [0, 1, 2, folder])
    connection.sendall(asked)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    (status,) = struct.unpack("i", connection.recv(4, socket.MSG_WAITALL))
    if status == REFUSED:
        os.execv(line[0], line)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
