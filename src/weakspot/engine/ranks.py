"""The processes that train together, started by torchrun or accelerate: each takes its share of a round's rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from weakspot.engine.rows import Row


@dataclass(frozen=True)
class Ranks:
    """This process among ``count``; ``sharded`` where the base is spread over them, so that all must keep step."""

    number: int = 0
    count: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.number == 0

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


ALONE = Ranks()
