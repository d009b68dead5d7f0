"""The process group of distributed training, started by torchrun or accelerate: each process takes some batches."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from weakspot.models.device import local_gpu, process_count
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch.distributed.distributed_c10d import Store

    from weakspot.training.packing import PackedBatch

Value = TypeVar("Value")

_ENVIRONMENT = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_TIMEOUT = timedelta(hours=1)
"""Time to wait for the other processes; meanwhile one may be reading a large base."""
_ERROR_REPORT_SECONDS = 5.0
"""Time for the failed process to report its error, before the launcher sees another one end and stops it."""


@dataclass(frozen=True)
class Ranks:
    """This process, number ``number`` of ``count``, of which ``here`` are on this machine.

    ``sharded`` is true if the base is sharded over the processes, so that all must make the same number of passes.
    """

    number: int = 0
    count: int = 1
    here: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """True for the process that writes files and prints."""
        return self.number == 0

    def with_sharding(self, sharded: bool) -> "Ranks":
        """Return the same process with ``sharded`` set; a single process is never sharded."""
        return replace(self, sharded=sharded and self.count > 1)

    def share(self, rows: "Sequence[PackedBatch]") -> "list[tuple[PackedBatch, bool]]":
        """Return this process's batches, and for each whether it counts; the largest batches are dealt out first.

        With a sharded base, every process must make as many passes as the others. A process with fewer batches runs
        the smallest batch once more, which then does not count.
        """
        if self.count == 1:
            return [(row, True) for row in rows]
        dealt = sorted(rows, key=lambda row: -len(row.ids))
        mine = [(row, True) for row in dealt[self.number :: self.count]]
        rounds = -(-len(dealt) // self.count)
        return mine + [(dealt[-1], False)] * (rounds - len(mine) if self.sharded else 0)

    def batch_budget(self, budget: int, tokens: int) -> int:
        """Return the token budget of a batch: ``budget``, or less so that each process gets some of ``tokens``."""
        return min(budget, -(-tokens // self.count))

    def all_reduce_sum(self, values: "torch.Tensor") -> "torch.Tensor":
        """Sum ``values`` over all processes in place, and return them."""
        if self.count > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def sum_gradients(self, parameters: "Iterable[torch.nn.Parameter]") -> None:
        """Replace the gradients in every process by their sum over all processes."""
        if self.count == 1:
            return
        import torch

        parameters = list(parameters)
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.reshape(-1) for parameter in parameters if parameter.grad is not None])
        self.all_reduce_sum(flat)
        place = 0
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.copy_(flat[place : place + parameter.numel()].view_as(parameter))
                place += parameter.numel()

    def wait(self) -> None:
        """Block until every process has called this."""
        self.all_gather(None)

    def all_gather(self, value: Value) -> list[Value]:
        """Return in every process the ``value`` of each process, in the order of their numbers."""
        if self.count == 1:
            return [value]
        from torch import distributed

        values: list[Value] = [value] * self.count
        distributed.all_gather_object(values, value)
        return values

    def require_same(self, value: object, what: str) -> None:
        """Raise :class:`UserError` if another process has a different ``value``."""
        if any(other != value for other in self.all_gather(value)):
            raise UserError("torchrun", f"its processes differ in {what}", "give all machines the same folder")

    def broadcast_from_first(self, make: Callable[[], Value]) -> Value:
        """Call ``make`` in the first process, and return its result in all of them; the others wait."""
        if self.count == 1:
            return make()
        from torch import distributed

        made = [make() if self.first else None]
        distributed.broadcast_object_list(made)
        return made[0]  # type: ignore[return-value]


ALONE = Ranks()


@contextlib.contextmanager
def join_process_group() -> Iterator[Ranks]:
    """Join the process group that torchrun's environment variables describe, and leave it at the end of the block.

    Without such variables, yield :data:`ALONE`. Only the first process prints. If one process fails, all end: the
    first to fail raises its error, and the others end silently with status 1. Raises :class:`UserError` if the
    processes cannot connect.
    """
    if process_count() == 1:
        yield ALONE
        return
    import torch
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore

    store, ranks = _open_rendezvous()
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(local_gpu())
        # Python objects and CPU tensors go through gloo even if other tensors are on GPUs.
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            store=PrefixStore("ranks", store),
            rank=ranks.number,
            world_size=ranks.count,
            timeout=_TIMEOUT,
        )
        with _mute_unless(ranks.first):
            yield ranks
            ranks.wait()
    except BaseException:
        # Do not leave the group in an orderly way: other processes may be waiting inside a collective call.
        if _claim_first_failure(store):
            raise
        time.sleep(_ERROR_REPORT_SECONDS)
        os._exit(1)
    distributed.destroy_process_group()


def _open_rendezvous() -> "tuple[Store, Ranks]":
    """Connect to the other processes; return the store that all share, and this process's place among them."""
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    if missing := [name for name in _ENVIRONMENT if name not in os.environ]:
        thing = f"WORLD_SIZE={process_count()}"
        raise UserError(thing, f"{', '.join(missing)} not set", "start the processes with torchrun, or unset it")
    try:
        store, number, count = next(rendezvous("env://", timeout=_TIMEOUT))
    except (ValueError, distributed.DistError) as error:
        text = str(error).splitlines()[0]
        problem = f"cannot connect to the other processes: {text}"
        raise UserError(f"RANK={os.environ['RANK']}", problem, "use torchrun") from None
    return store, Ranks(number, count, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _claim_first_failure(store: "Store") -> bool:
    """Report a failure in the store; return true if this process is the first to fail."""
    try:
        return bool(store.add("failed", 1) == 1)
    except RuntimeError:  # the process that holds the store has ended
        return False


@contextlib.contextmanager
def _mute_unless(speaks: bool) -> Iterator[None]:
    """Mute standard output and standard error unless ``speaks``; an error is raised outside the muted block."""
    with contextlib.ExitStack() as silence:
        if not speaks:
            nothing = silence.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123 (no file)
            silence.enter_context(contextlib.redirect_stdout(nothing))
            silence.enter_context(contextlib.redirect_stderr(nothing))
        yield
