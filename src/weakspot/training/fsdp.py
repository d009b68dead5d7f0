"""Shards the base model with FSDP2, one decoder layer per unit.

Only the frozen layers are sharded. Adapters are added later, are small, and are whole in every process. So are the
embedding and the output matrix, which are read outside of the layers' calls.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from weakspot.models import loading, packed_attention
from weakspot.models.device import local_gpu
from weakspot.models.loading import Base
from weakspot.training import activation_memory
from weakspot.training.distributed import Ranks
from zddc.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel


def shard_model(
    model: "PreTrainedModel", whole: "PreTrainedModel | None", ranks: Ranks, device: "torch.device"
) -> "PreTrainedModel":
    """Load the weights of ``whole`` into ``model`` on the meta device, sharded over the ``device`` of every process.

    Only the first process has ``whole``, in CPU memory; it broadcasts one tensor after the other.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    layers = activation_memory.checkpointable_layers(model)
    if not layers:
        raise UserError("[train] shard", "the base has no layers that can be sharded", "set it to false")
    mesh = init_device_mesh(device.type, (ranks.count,))
    source = dict(_tensors(whole)) if whole else {}
    dtypes = ranks.broadcast_from_first(lambda: {name: tensor.dtype for name, tensor in source.items()})
    names = {module: name for name, module in model.named_modules()}
    inside = {module for layer in layers for module in layer.modules()}

    def fill(module: "nn.Module") -> None:
        import torch
        from torch import distributed, nn

        for name, tensor in _own_tensors(module):
            key = f"{names[module]}.{name}".lstrip(".")
            here = torch.empty(tensor.shape, dtype=dtypes[key], device=device)
            if ranks.first:
                here.copy_(source[key])
            distributed.broadcast(here, 0)
            frozen = isinstance(tensor, nn.Parameter)
            setattr(module, name, nn.Parameter(here, requires_grad=False) if frozen else here)

    for layer in layers:
        for module in layer.modules():
            fill(module)
        fully_shard(layer, mesh=mesh)
    for module in names:
        if module not in inside:
            fill(module)
    model.tie_weights()
    decoder = loading.decoder(model)
    left = {parameter for module in decoder.modules() if module not in inside for parameter in module.parameters(False)}
    fully_shard(decoder, mesh=mesh, ignored_params=left)
    return model


def _tensors(model: "nn.Module") -> "Iterator[tuple[str, torch.Tensor]]":
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def _own_tensors(module: "nn.Module") -> "list[tuple[str, torch.Tensor]]":
    return [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]


def load_with_fsdp(base: Base, dtype: "torch.dtype", ranks: Ranks) -> "PreTrainedModel":
    """Load the weights in ``dtype``, sharded over ``ranks``: the first process reads all of them into CPU memory."""
    import torch

    whole = loading.load_model(base, dtype, on_cpu=True) if ranks.first else None
    device = torch.device("cuda", local_gpu()) if torch.cuda.is_available() else torch.device("cpu")
    model = shard_model(loading.build_meta_model(base), whole, ranks, device)
    packed_attention.install(model)
    model.eval()
    return model
