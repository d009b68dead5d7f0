"""The GPU of this process, where several were started on a machine, and whether memory ran out."""

import os
from typing import TYPE_CHECKING

from zddc.errors import UserError

if TYPE_CHECKING:
    pass


def local_gpu() -> int:
    """Return the GPU of this process: 0, or its own number if several processes run on this machine.

    Raises :class:`UserError` if there are more processes than GPUs.
    """
    if process_count() == 1:
        return 0
    import torch

    wanted, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if wanted >= there:
        gpus = "1 GPU" if there == 1 else f"{there} GPUs"
        raise UserError(f"LOCAL_RANK={wanted}", f"this machine has {gpus}", "start one process per GPU")
    return wanted


def process_count() -> int:
    """Return how many processes train together, as their launcher says."""
    text = os.environ.get("WORLD_SIZE", "1")
    if not text.isdecimal() or int(text) == 0:
        raise UserError(f"WORLD_SIZE={text}", "is not a number of processes", "start them with torchrun, or unset it")
    return int(text)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error of torch, on GPU or CPU, says that there is no memory left."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)
