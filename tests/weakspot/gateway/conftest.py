"""Tests of the gateway are coroutines, and have a world of servers to ask."""

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Callable

import pytest
from tests.waiting import PATIENCE_SECONDS
from tests.weakspot.gateway.worlds import KEYS, World, opened

from weakspot.gateway import app, consult, write_queue


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def world(workspace, monkeypatch) -> Callable[..., contextlib.AbstractAsyncContextManager[World]]:
    """Open a world on an empty workspace; the keys of its teachers are in the environment, and nobody is in a hurry."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    for module, name in (
        (consult, "ATTEMPT_SECONDS"),
        (consult, "_LAST_SECONDS"),
        (app, "_HEALTH_SECONDS"),
        (write_queue, "RETRY_SECONDS"),
    ):
        monkeypatch.setattr(module, name, PATIENCE_SECONDS)
    return functools.partial(opened, workspace)
