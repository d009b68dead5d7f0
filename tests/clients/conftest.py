"""Real clients talk to a gateway of this process; what it gets from them is heard."""

from tests.weakspot.gateway.conftest import pytest_pyfunc_call, world

__all__ = ["pytest_pyfunc_call", "world"]
