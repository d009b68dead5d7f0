"""Tasks on a Ray cluster: each has a GPU or a machine to itself, and is begun again where its worker dies.

The machines see the same folders under the same names, and have the same packages.
"""

import contextlib
import importlib.util
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from weakspot.progress import bar
from zddc.errors import UserError

Item = TypeVar("Item")

_TRIES = 4
_OBJECTS_BYTES = 100_000_000
"""For what tasks return; theirs are a few kilobytes."""
_SETTINGS = {"worker_niceness": 0, "task_oom_retries": _TRIES - 1}
"""Of a Ray that is started: by default its workers give way to everything else, and run out of memory for ever."""
_FAREWELL_SECONDS = 10.0
_ADDRESS = "RAY_ADDRESS"


@dataclass(frozen=True)
class _Failure:
    """An error of the user's, or of the system's, on its way to the user."""

    kind: type[UserError] | type[OSError]
    arguments: tuple[Any, ...]


def spread(function: Callable[..., Iterator[Item]], tasks: Mapping[str, tuple[Any, ...]]) -> Iterator[Item]:
    """Yield what ``function`` yields for the arguments of each of ``tasks``, as it comes.

    A task is begun again where its worker died, and has to find by itself how far it came; what it yields must be as
    before up to there. Where tasks fail the others are waited for, then the error of the first one is raised. Raises
    :class:`UserError` where there is no Ray, or no cluster.
    """
    ray = _ray()
    failed: list[Exception] = []
    with _cluster(ray), bar("training on the cluster", len(tasks)) as advance:
        begin = ray.remote(max_calls=1, max_retries=_TRIES - 1, num_returns="streaming", **_share(ray))(_guarded)
        streams = {begin.remote(function, Path.cwd(), arguments): name for name, arguments in tasks.items()}
        while streams:
            (stream,), _ = ray.wait(list(streams), num_returns=1)
            name = streams[stream]
            try:
                item = ray.get(next(stream))
            except StopIteration:
                del streams[stream]
                advance(1, name)
            except ray.exceptions.RayTaskError:
                raise
            except ray.exceptions.RayError as error:
                text = str(error).partition("\n")[0].rstrip(".")
                failed.append(UserError(name, f"its worker died {_TRIES} times: {text}", "run it again to go on"))
                del streams[stream]
            else:
                if isinstance(item, _Failure):
                    failed.append(item.kind(*item.arguments))
                else:
                    yield item
    if failed:
        raise failed[0]


def _ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise UserError("--engine ray", "Ray is not installed", "run: pip install 'zddc[ray]'")
    if _ADDRESS not in os.environ:
        # Of the Ray that we start, before it is imported: who has not its token gets nothing from it.
        for name, value in (("USAGE_STATS_ENABLED", "0"), ("AUTH_MODE", "token"), ("AUTH_TOKEN", token_hex(32))):
            os.environ.setdefault(f"RAY_{name}", value)
    import ray
    from ray._private import worker

    # That a worker died it says on standard output, which is ours.
    if say := getattr(worker, "print_to_stdstream", None):
        worker.print_to_stdstream = lambda data, ignore_prefix: say({**data, "is_err": True}, ignore_prefix)
    return ray


@contextlib.contextmanager
def _cluster(ray: Any) -> Iterator[None]:
    """Be connected to the cluster of ``RAY_ADDRESS``, else to one of this machine alone that ends with the block."""
    address = os.environ.get(_ADDRESS)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with contextlib.ExitStack() as stack:
        if address is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            options |= {"include_dashboard": False, "object_store_memory": _OBJECTS_BYTES}
            options |= {"_temp_dir": folder, "_system_config": _SETTINGS}
        elif address.startswith("ray://"):
            raise UserError(f"{_ADDRESS}={address}", "is a Ray client's", "run this on a machine of the cluster")
        stack.enter_context(_shut_down(ray))
        _connect(ray, address, options)
        yield


@contextlib.contextmanager
def _shut_down(ray: Any) -> Iterator[None]:
    """Leave Ray after the block, and wait for what it started: until they have ended they write into its folder."""
    import psutil

    before = set(psutil.Process().children(recursive=True))
    try:
        yield
    finally:
        started = set(psutil.Process().children(recursive=True)) - before
        ray.shutdown()
        psutil.wait_procs(started, _FAREWELL_SECONDS)


def _connect(ray: Any, address: str | None, options: dict[str, Any]) -> None:
    """Connect; a Ray that is started has half a minute for it, which on a busy machine is not always enough."""
    for tries_left in reversed(range(1 if address else _TRIES)):
        try:
            if address and (place := re.fullmatch(r"(.+):(\d+)", address)):
                socket.create_connection((place[1], int(place[2])), 5).close()  # Ray itself would try for minutes
            ray.init(address or "local", **options)
        except Exception as error:  # Ray's own are of no kind
            if not tries_left:
                thing = f"{_ADDRESS}={address}" if address else "--engine ray"
                text = str(error).partition("\n")[0].rstrip(".")
                raise UserError(thing, f"no cluster: {text}", f"check {_ADDRESS} and the cluster") from None
        else:
            return


def _share(ray: Any) -> dict[str, float]:
    """Return what a task takes of the cluster: a GPU where it has any, else as much as its smallest machine has."""
    if ray.cluster_resources().get("GPU"):
        return {"num_gpus": 1}
    counts = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return {"num_cpus": min((count for count in counts if count), default=1)}


def _guarded(function: Callable[..., Iterator[Any]], folder: Path, arguments: tuple[Any, ...]) -> Iterator[Any]:
    """Run in a worker: yield what ``function`` yields, and an error as a value."""
    try:
        with contextlib.chdir(folder):
            for item in function(*arguments):  # noqa: UP028 (Ray sends values, which not every iterator takes)
                yield item
    except UserError as error:
        yield _Failure(UserError, (error.thing, error.problem, error.remedy))
    except OSError as error:
        yield _Failure(OSError, (error.errno, error.strerror, error.filename))
