"""A base small enough to train in a second, and random sequences to train it on."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import torch
from tests.weakspot import small

from weakspot.models import loading
from weakspot.models.loading import Base
from weakspot.models.tokenization import Tokens
from weakspot.settings import Lora, Train
from weakspot.training import loop, lora_layers
from weakspot.training.adapter_trainer import StepMetrics, TrainingRun, TrainingState

ALL = ["q_proj", "k_proj", "v_proj", "o_proj"]
# That there are no others can be learned.
USED = range(20, 120)


def sequences(count: int, seed: int = 0, shortest: int = 8, longest: int = 40, *, paired: bool = False) -> list[Tokens]:
    """Make sequences of random tokens, with a second answer where they are to be pairs."""
    choose = random.Random(seed)

    def drawn(length: int) -> tuple[int, ...]:
        return tuple(choose.choice(USED) for _ in range(length))

    found = []
    for number in range(count):
        length = choose.randint(shortest, longest)
        ids, start = drawn(length), choose.randrange(2, length - 1)
        rejected = drawn(choose.randint(3, max(3, longest - start))) if paired and number % 5 else ()
        found.append(Tokens(f"{seed}-{number}", ids, start, rejected=rejected))
    return found


@dataclass
class Trained:
    """What came of a pass: each adapter's tensors, its state, and all that was told of its steps."""

    tensors: list[dict[str, torch.Tensor]]
    states: list[TrainingState]
    steps: list[list[StepMetrics]]
    gradients: list[list[dict[str, torch.Tensor]]] = field(default_factory=list)


@pytest.fixture(name="sequences", scope="session")
def sequences_fixture() -> Callable[..., list[Tokens]]:
    return sequences


@pytest.fixture(scope="session")
def small_base(embedded, made_once) -> Path:
    """A Llama of two thin layers and few words, with a tokenizer."""
    return made_once("small-base", partial(small.make, embedded))


@pytest.fixture(scope="session")
def tiny_base(small_base) -> Path:
    """Train workspaces, too, on few words."""
    return small_base


@pytest.fixture(scope="session")
def load(small_base) -> Callable[[], torch.nn.Module]:
    """Load the small base anew, on the CPU also where there is a GPU: its sums are the same every time."""
    return lambda: loading.load_model(Base("small", str(small_base), None), torch.float32, on_cpu=True)


@pytest.fixture
def adapted(load):
    """A small base with one adapter that changes something: a fresh one, whose B is zero, would not."""
    model = load()
    adapters = lora_layers.attach(model, ["q_proj", "v_proj"])
    adapters.add(0, Lora(rank=4, alpha=4), 7)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in adapters.parameters(0).items():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return model, adapters


@pytest.fixture
def train(load, tmp_path, monkeypatch) -> Callable[..., Trained]:
    """Train adapters on the small base, in one pass."""

    def trained(
        *given: tuple[list[Tokens], list[Tokens], Train],
        folder: Path = tmp_path,
        rank: int = 4,
        dropout: float = 0.05,
        budget: int = 256,
        targets: list[str] = ALL,
        stop_after: int | None = None,
        grouped: bool | None = None,
        names: list[str] | None = None,
        watch_gradients: bool = False,
        **options,
    ) -> Trained:
        model = load()
        adapters = lora_layers.attach(model, targets)
        adapters.layout.grouped = grouped
        steps = [[] for _ in given]
        told = iter(range(10**9))

        def tell(number: int) -> Callable[[StepMetrics], None]:
            def on_step(progress: StepMetrics) -> None:
                steps[number].append(progress)
                if stop_after is not None and next(told) + 1 == stop_after:
                    raise KeyboardInterrupt

            return on_step

        runs = [
            TrainingRun(
                name,
                data,
                val,
                settings,
                Lora(rank=rank, alpha=rank, dropout=dropout),
                folder / name,
                "same",
                tell(number),
            )
            for number, (name, (data, val, settings)) in enumerate(
                zip(names or [f"run-{n}" for n in range(len(given))], given, strict=True)
            )
        ]
        gradients = [[] for _ in given]
        if watch_gradients:
            _watch(adapters, gradients, monkeypatch)
        states = loop.train(model, adapters, runs, budget=budget, **options)
        tensors = [
            {name: value.detach().clone() for name, value in adapters.parameters(slot).items()}
            for slot in range(len(runs))
        ]
        return Trained(tensors, states, steps, gradients)

    return trained


def _watch(adapters, gradients, monkeypatch) -> None:
    """Keep the gradients of every step of every adapter, as they are before they are clipped."""
    clip = torch.nn.utils.clip_grad_norm_

    def watched(parameters, limit):
        own = list(parameters)
        for slot in adapters.slots():
            named = adapters.parameters(slot)
            if next(iter(named.values())) is own[0]:
                gradients[slot].append({name: value.grad.clone() for name, value in named.items()})
        return clip(own, limit)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
