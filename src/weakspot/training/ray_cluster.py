"""Runs tasks on a Ray cluster, each on a GPU or machine of its own, and restarts a task whose worker died.

All machines must see the same folders under the same names, and have the same packages.
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
"""Memory for the tasks' results, which are a few kilobytes."""
_SETTINGS = {"worker_niceness": 0, "task_oom_retries": _TRIES - 1}
"""Settings of a Ray that we start. By default its workers run at low priority and retry forever when out of memory."""
_SHUTDOWN_SECONDS = 10.0
_ADDRESS = "RAY_ADDRESS"


@dataclass(frozen=True)
class _Failure:
    """A user's mistake or a system error, to be raised again in the main process."""

    kind: type[UserError] | type[OSError]
    arguments: tuple[Any, ...]


def run_on_cluster(function: Callable[..., Iterator[Item]], tasks: Mapping[str, tuple[Any, ...]]) -> Iterator[Item]:
    """Run ``function`` on the arguments of each of ``tasks``, and yield what the calls yield, as it arrives.

    A task whose worker died is started again. It must find out itself how far it came, and yield the same values as
    before up to there. If tasks fail, the others are completed, and then the first error is raised. Raises
    :class:`UserError` if Ray is not installed, or no cluster can be reached.
    """
    ray = _import_ray()
    failed: list[Exception] = []
    with _open_cluster(ray), bar("training on the cluster", len(tasks)) as advance:
        begin = ray.remote(max_calls=1, max_retries=_TRIES - 1, num_returns="streaming", **_task_resources(ray))(
            _run_task
        )
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
                failed.append(UserError(name, f"its worker died {_TRIES} times: {text}", "run it again to resume"))
                del streams[stream]
            else:
                if isinstance(item, _Failure):
                    failed.append(item.kind(*item.arguments))
                else:
                    yield item
    if failed:
        raise failed[0]


def _import_ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise UserError("--engine ray", "Ray is not installed", "run: pip install 'zddc[ray]'")
    if _ADDRESS not in os.environ:
        # Settings of the Ray that we start, before it is imported: nobody can use it without the token.
        for name, value in (("USAGE_STATS_ENABLED", "0"), ("AUTH_MODE", "token"), ("AUTH_TOKEN", token_hex(32))):
            os.environ.setdefault(f"RAY_{name}", value)
    import ray
    from ray._private import worker

    # Ray reports dead workers on standard output, which is for our own output.
    if say := getattr(worker, "print_to_stdstream", None):
        worker.print_to_stdstream = lambda data, ignore_prefix: say({**data, "is_err": True}, ignore_prefix)
    return ray


@contextlib.contextmanager
def _open_cluster(ray: Any) -> Iterator[None]:
    """Connect to the cluster of ``RAY_ADDRESS``, or to a Ray on this machine that ends with the block."""
    address = os.environ.get(_ADDRESS)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with contextlib.ExitStack() as stack:
        if address is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            options |= {"include_dashboard": False, "object_store_memory": _OBJECTS_BYTES}
            options |= {"_temp_dir": folder, "_system_config": _SETTINGS}
        elif address.startswith("ray://"):
            raise UserError(
                f"{_ADDRESS}={address}", "is the address of a Ray client", "run this on a machine of the cluster"
            )
        stack.enter_context(_shut_down_after(ray))
        _connect(ray, address, options)
        yield


@contextlib.contextmanager
def _shut_down_after(ray: Any) -> Iterator[None]:
    """Shut Ray down after the block, and wait for its processes, which write into its folder until they end."""
    import psutil

    before = set(psutil.Process().children(recursive=True))
    try:
        yield
    finally:
        started = set(psutil.Process().children(recursive=True)) - before
        ray.shutdown()
        psutil.wait_procs(started, _SHUTDOWN_SECONDS)


def _connect(ray: Any, address: str | None, options: dict[str, Any]) -> None:
    """Connect to Ray; start it again if it is not up within half a minute, as can happen on a busy machine."""
    for tries_left in reversed(range(1 if address else _TRIES)):
        try:
            if address and (place := re.fullmatch(r"(.+):(\d+)", address)):
                socket.create_connection((place[1], int(place[2])), 5).close()  # fails at once; Ray retries for minutes
            ray.init(address or "local", **options)
        except Exception as error:  # Ray raises many types of errors here
            if not tries_left:
                thing = f"{_ADDRESS}={address}" if address else "--engine ray"
                text = str(error).partition("\n")[0].rstrip(".")
                raise UserError(thing, f"no cluster: {text}", f"check {_ADDRESS} and the cluster") from None
        else:
            return


def _task_resources(ray: Any) -> dict[str, float]:
    """Return the resources of a task: a GPU if there are any, else as many CPUs as the smallest machine has."""
    if ray.cluster_resources().get("GPU"):
        return {"num_gpus": 1}
    counts = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    return {"num_cpus": min((count for count in counts if count), default=1)}


def _run_task(function: Callable[..., Iterator[Any]], folder: Path, arguments: tuple[Any, ...]) -> Iterator[Any]:
    """Run in a worker: yield what ``function`` yields, and an expected error as a :class:`_Failure`."""
    try:
        with contextlib.chdir(folder):
            for item in function(*arguments):  # noqa: UP028 (Ray calls send(), which not every iterator has)
                yield item
    except UserError as error:
        yield _Failure(UserError, (error.thing, error.problem, error.remedy))
    except OSError as error:
        yield _Failure(OSError, (error.errno, error.strerror, error.filename))
