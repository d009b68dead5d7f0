"""Runs a function in a process of its own and kills it at one of its system calls, before the call is made."""

import ctypes
import itertools
import os
import signal
import warnings
from collections.abc import Callable

import pytest

_TRACEME, _SYSCALL, _SETOPTIONS = 0, 24, 0x4200
_KILL_WITH_TRACER, _MARK_SYSCALLS = 0x100000, 1
_UNTRACED = 77

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def killed_at(number: int, function: Callable[[], object]) -> bool:
    """Call the function in a fork; kill that at its system call of that number, from 0. False if it ended before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the fork does nothing with other threads
        process = os.fork()
    if not process:
        try:
            if _libc.ptrace(_TRACEME, 0, None, None):
                os._exit(_UNTRACED)
            os.kill(os.getpid(), signal.SIGSTOP)
            function()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    if os.WIFEXITED(status):
        pytest.skip("a process cannot be traced here")
    _libc.ptrace(_SETOPTIONS, process, None, _KILL_WITH_TRACER | _MARK_SYSCALLS)
    stops = 0
    while True:
        _libc.ptrace(_SYSCALL, process, None, None)
        _, status = os.waitpid(process, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the function failed"
            return False
        if os.WSTOPSIG(status) == signal.SIGTRAP | 0x80:
            if stops == 2 * number:  # each call stops twice: before it is made, and after
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                return True
            stops += 1


def count(function: Callable[[], object]) -> int:
    """Return how many system calls a function makes; each kill is tried on what ``function`` makes afresh."""
    return next(number for number in itertools.count() if not killed_at(number, function))
