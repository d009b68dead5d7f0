"""The garbage collector waits where many objects are made which all stay: it would go through them again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pause() -> Iterator[None]:
    """Context manager, and decorator: objects that are unreachable wait, as in the import of a large library."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
