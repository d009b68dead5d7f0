"""A base spread over processes; test_ranks.py trains over one in two processes."""

from dataclasses import replace

import pytest
import torch
from torch import distributed
from torch.distributed.tensor import DTensor

from weakspot.models import loading
from weakspot.models.loading import Base
from weakspot.settings import Lora
from weakspot.training import fsdp, memory_plan
from weakspot.training.distributed import Ranks
from weakspot.training.memory_plan import Machine, Workload
from zddc.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture
def group(tmp_path):
    """A group of this process alone."""
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield Ranks()
    distributed.destroy_process_group()


def test_a_spread_base_says_what_the_whole_one_does(group, load, small_base):
    whole = load()
    spread = fsdp.shard_model(
        loading.build_meta_model(Base("small", str(small_base), None)), load(), group, torch.device("cpu")
    )
    ids = torch.arange(100, 130)[None]
    with torch.no_grad():
        assert torch.equal(spread(input_ids=ids).logits, whole(input_ids=ids).logits)
    assert all(isinstance(parameter, DTensor) for parameter in spread.get_decoder().layers.parameters())
    assert spread.get_output_embeddings().weight is spread.get_input_embeddings().weight
    assert not isinstance(spread.get_output_embeddings().weight, DTensor)
    assert not any(parameter.requires_grad for parameter in spread.parameters())


def test_types_are_those_of_the_whole_base(group, small_base):
    base = Base("small", str(small_base), None)
    whole = loading.load_model(base, torch.bfloat16)
    spread = fsdp.shard_model(loading.build_meta_model(base), whole, group, torch.device("cpu"))
    mine, theirs = (
        {name: tensor.dtype for name, tensor in (*model.named_parameters(), *model.named_buffers())}
        for model in (spread, whole)
    )
    assert mine == theirs
    assert {torch.bfloat16, torch.float32} == set(mine.values())


def test_the_plan_counts_a_part_of_every_layer_and_three_whole_ones(small_base):
    base, machine = Base("small", str(small_base), None), Machine.parse_gpu("24GB")
    work = Workload(["q_proj"], [Lora(rank=4)], tokens=64, longest=32, supervised=0.5)
    whole, spread = (
        memory_plan.plan_memory(
            loading.build_meta_model(base), torch.float32, replace(work, shards=shards), machine
        ).weights
        for shards in (1, 4)
    )
    layer = 4 * sum(
        parameter.numel() for parameter in loading.build_meta_model(base).get_decoder().layers[0].parameters()
    )
    assert spread == whole - 2 * layer * 3 // 4 + 3 * layer


def test_a_model_without_layers_is_refused(group):
    with pytest.raises(UserError, match=r"^\[train\] shard: the base has no layers that can be sharded; set it to"):
        fsdp.shard_model(torch.nn.Linear(2, 2), None, group, torch.device("cpu"))
