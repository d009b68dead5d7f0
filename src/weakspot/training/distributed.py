"""The processes that train together, started by torchrun or accelerate: each takes its share of a round's rows."""

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

    from weakspot.training.packing import Row

Value = TypeVar("Value")

_ENVIRONMENT = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(hours=1)
"""Until the others must have come: one may be reading a large base meanwhile."""
_LAST_WORDS_SECONDS = 5.0
"""For the process that failed to say why, before its launcher sees another one end and stops it."""


@dataclass(frozen=True)
class Ranks:
    """This process among ``count``, of which ``here`` are on this machine.

    ``sharded`` is where the base is spread over them, so that all must keep step.
    """

    number: int = 0
    count: int = 1
    here: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.number == 0

    def keeping_step(self, sharded: bool) -> "Ranks":
        """Return the same processes, with the base ``sharded`` over them or whole in each."""
        return replace(self, sharded=sharded and self.count > 1)

    def share(self, rows: "Sequence[Row]") -> "list[tuple[Row, bool]]":
        """Return this process' rows, the heaviest dealt first, and of each whether it counts.

        Where the base is sharded every process must make as many passes as the others: the last row is then done once
        more, and does not count.
        """
        if self.count == 1:
            return [(row, True) for row in rows]
        dealt = sorted(rows, key=lambda row: -len(row.ids))
        mine = [(row, True) for row in dealt[self.number :: self.count]]
        rounds = -(-len(dealt) // self.count)
        return mine + [(dealt[-1], False)] * (rounds - len(mine) if self.sharded else 0)

    def even(self, budget: int, tokens: int) -> int:
        """Return how many of ``tokens`` a row may have so that there is one for every process; ``budget`` at most."""
        return min(budget, -(-tokens // self.count))

    def summed(self, values: "torch.Tensor") -> "torch.Tensor":
        """Return the sum of ``values`` over all processes."""
        if self.count > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def sum_gradients(self, parameters: "Iterable[torch.nn.Parameter]") -> None:
        """Make every process' gradients the sum over all of them."""
        if self.count == 1:
            return
        import torch

        parameters = list(parameters)
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.reshape(-1) for parameter in parameters if parameter.grad is not None])
        self.summed(flat)
        place = 0
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.copy_(flat[place : place + parameter.numel()].view_as(parameter))
                place += parameter.numel()

    def wait(self) -> None:
        """Go on when every process has come here."""
        self.gathered(None)

    def gathered(self, value: Value) -> list[Value]:
        """Return the ``value`` of every process, in their order, in all of them."""
        if self.count == 1:
            return [value]
        from torch import distributed

        values: list[Value] = [value] * self.count
        distributed.all_gather_object(values, value)
        return values

    def require_same(self, value: object, what: str) -> None:
        """Raise :class:`UserError` where another process has another ``value``."""
        if any(other != value for other in self.gathered(value)):
            raise UserError("torchrun", f"its processes differ in {what}", "give all machines the same folder")

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Return in all processes what ``make`` gives in the first; the others do not call it, and wait."""
        if self.count == 1:
            return make()
        from torch import distributed

        made = [make() if self.first else None]
        distributed.broadcast_object_list(made)
        return made[0]  # type: ignore[return-value]


ALONE = Ranks()


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that the environment names, as torchrun sets it, and leave them at the end; else be alone.

    Only the first writes to the terminal. Whatever ends one of them ends all: who fails first raises it, and the others
    end without a word, with status 1. Raises :class:`UserError` where they cannot meet.
    """
    if process_count() == 1:
        yield ALONE
        return
    import torch
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore

    store, ranks = _met()
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(local_gpu())
        # Decisions, and what the CPU counts, go by gloo also where tensors are on GPUs.
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            store=PrefixStore("ranks", store),
            rank=ranks.number,
            world_size=ranks.count,
            timeout=_PATIENCE,
        )
        with _voice(ranks.first):
            yield ranks
            ranks.wait()
    except BaseException:
        # No farewell: some of the others wait in the middle of something.
        if _told_first(store):
            raise
        time.sleep(_LAST_WORDS_SECONDS)
        os._exit(1)
    distributed.destroy_process_group()


def _met() -> "tuple[Store, Ranks]":
    """Return where the processes can leave word for each other, and which one this is."""
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    if missing := [name for name in _ENVIRONMENT if name not in os.environ]:
        thing = f"WORLD_SIZE={process_count()}"
        raise UserError(thing, f"{', '.join(missing)} not set", "start the processes by torchrun, or unset it")
    try:
        store, number, count = next(rendezvous("env://", timeout=_PATIENCE))
    except (ValueError, distributed.DistError) as error:
        text = str(error).splitlines()[0]
        raise UserError(f"RANK={os.environ['RANK']}", f"cannot meet the others: {text}", "use torchrun") from None
    return store, Ranks(number, count, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _told_first(store: "Store") -> bool:
    """Whether no other process has failed before this one."""
    try:
        return bool(store.add("failed", 1) == 1)
    except RuntimeError:  # who kept the store is gone already
        return False


@contextlib.contextmanager
def _voice(speaks: bool) -> Iterator[None]:
    """Let only who ``speaks`` write to the terminal; an error is raised outside, where it can be read."""
    with contextlib.ExitStack() as silence:
        if not speaks:
            nothing = silence.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123 (no file)
            silence.enter_context(contextlib.redirect_stdout(nothing))
            silence.enter_context(contextlib.redirect_stderr(nothing))
        yield
