"""What tests of several modules need: interactions, workspaces, and real records where they are at hand."""

import gc
import itertools
import os
import random
import re
import shutil
import string
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

# Two threads on two busy cores wait for each other most of the time; small models need one. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests import forked_commands
from tests.chromium import chromium, driver, whole_chromium
from tests.weakspot import small

from weakspot.config import Config, load
from weakspot.models import demo_model, garbage_collector, loading
from weakspot.models.loading import Base
from weakspot.pipeline.process import process
from weakspot.records import AdapterManifest, BaseReference, Interaction
from weakspot.records.parsing import parse_interaction_object
from weakspot.settings import Model
from weakspot.storage import append_log, atomic
from weakspot.workspace import AdapterName, Workspace

__all__ = ["chromium", "driver", "whole_chromium"]

# A busy machine is slow at times: that is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("patient"), max_examples=10)
settings.load_profile("patient")

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
REAL_INTERACTIONS = Path(__file__).parents[2] / "shared" / "data" / "real-interactions.jsonl"

_numbers = itertools.count(1)


def make_interaction(
    query: str = "How do I sort a list?",
    expert: str = "Call sorted on it.",
    *,
    local: str = "I do not know.",
    domain: str | None = None,
    context: Iterable[dict] = (),
    **metadata,
) -> Interaction:
    """Make an interaction of these texts; its id counts up where none is given."""
    turns = [("user", query), ("assistant", local), ("user", "consult Sonnet"), ("assistant", expert)]
    return parse_interaction_object(
        {
            "messages": [*context, *({"role": role, "content": text} for role, text in turns)],
            "metadata": {
                **({"domain": domain} if domain else {}),
                "timestamp": "2025-10-31T14:30:00.000Z",
                "interaction_id": f"int_{next(_numbers):06}",
                **metadata,
            },
        }
    )


def make_example(number: int, note: str = "", *, domain: str | None = "spam", **more) -> Interaction:
    """Make an interaction that is near no other, but for those of the same number, which differ by a note."""
    chance = random.Random(number)
    words = ["".join(chance.choices(string.ascii_lowercase, k=6)) for _ in range(24)]
    return make_interaction(f"{' '.join(words[:8])} {note}", " ".join(words[8:]), domain=domain, **more)


def append_raw(workspace: Workspace, interactions: Iterable[Interaction]) -> None:
    """Append interactions to the raw file as they are."""
    append_log.append(workspace.raw, [one.to_json() for one in interactions])


@pytest.fixture(scope="session")
def reader_with_forks(tmp_path_factory):
    """The environment of a reader whose commands begin as forks: what they need takes seconds to load."""
    environment = forked_commands.reader()
    with forked_commands.served(tmp_path_factory.mktemp("forks")) as folder:
        yield {**environment, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}


@pytest.fixture(scope="session", autouse=True)
def _nobody_waits_for_the_disk(tmp_path_factory) -> Iterator[None]:
    """What is written outlives the tests' processes, not the machine: a third of the time was waiting for the disk.

    A disk that a test makes, to cut its power or to fill it, is synced as ever. So is any by a process that a test
    starts, and by all with WEAKSPOT_SOAK=1.
    """
    usual = tmp_path_factory.getbasetemp().stat().st_dev

    def unless_usual(sync: Callable[[int], None]) -> Callable[[int | IO[bytes]], None]:
        def synced(file: int | IO[bytes]) -> None:
            descriptor = file if isinstance(file, int) else file.fileno()
            if os.fstat(descriptor).st_dev != usual:
                sync(descriptor)

        return synced

    with pytest.MonkeyPatch.context() as patch:
        for name in () if SOAK else ("fsync", "fdatasync"):
            patch.setattr(os, name, unless_usual(getattr(os, name)))
        yield


# Whatever is built on these loads a model.
MODELS = frozenset({"embedded", "tiny_base", "small_base", "thin"})


# What all tests of a module are marked with stands at the start of a line, or in the lines of a list.
_MARKS = re.compile(r"^pytestmark = (.*|\[\n(?:    .*\n)*)", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a module whose tests are all left out: what it imports takes seconds."""
    if collection_path.suffix != ".py":
        return None
    left_out = re.findall(r"\bnot (\w+)", config.option.markexpr)
    marks = _MARKS.search(collection_path.read_text(encoding="utf-8"))
    return True if marks and any(f".mark.{name}" in marks[1] for name in left_out) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: looking through it again and again took a third of the time."""
    with garbage_collector.pause():
        collected = yield
        gc.freeze()
    return collected


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what loads a model as slow, by its fixtures, and put first what takes longest."""
    for item in items:
        if MODELS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Name what failed in the last lines too: of a long log often only the end is kept."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for kind in ("failed", "error"):
        for report in reporter.stats.get(kind, ()) if reporter else ():
            reporter.write_line(f"{kind}: {report.nodeid}")


@pytest.fixture(name="interaction", scope="session")
def interaction_fixture() -> Callable[..., Interaction]:
    return make_interaction


@pytest.fixture(name="example", scope="session")
def example_fixture() -> Callable[..., Interaction]:
    return make_example


@pytest.fixture(scope="session")
def capture() -> Callable[[Workspace, Iterable[Interaction]], None]:
    return append_raw


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A workspace that has no file yet."""
    return Workspace(tmp_path / "training-data")


@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory) -> Callable[[], Workspace]:
    """Give a fresh workspace at each call: for tests that try many examples in one run."""
    return lambda: Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def healthy(tmp_path) -> Config:
    """Settings under which ten examples are enough, and with a base that is not on this machine."""
    return load(tmp_path / "none.toml", ["validate.low_examples=10", "model.base=nobody/no-such-model"])


@pytest.fixture
def processed(workspace, made_once) -> Workspace:
    """A sound workspace: twenty examples in each of two domains."""

    def build(folder: Path) -> None:
        made = Workspace(folder / "training-data")
        domains = ("eggs", "spam")
        append_raw(made, [make_example(n, domain=domains[n % 2], interaction_id=f"int_p{n:05}") for n in range(40)])
        process(made, Config())

    shutil.copytree(made_once("processed", build) / "training-data", workspace.root)
    return workspace


@pytest.fixture(scope="session")
def config() -> Config:
    return Config()


@pytest.fixture(scope="session")
def save_manifest() -> Callable[..., Path]:
    """Make an adapter that was never trained: something for its weights, and a manifest; give its folder."""

    def saved(workspace: Workspace, name: AdapterName, /, **base) -> Path:
        folder = workspace.adapter(name)
        folder.mkdir(parents=True)
        weights = folder / "adapter_model.safetensors"
        weights.write_bytes(b"weights")
        manifest = AdapterManifest(
            name=str(name), domain=name.domain, version=name.version,
            base=BaseReference(**{"name": "b", "location": "b", "revision": None, "identity": "0", **base}),
            snapshot=workspace.snapshot_names()[-1], examples=16, domain_examples=20, settings={}, seed=42, steps=1,
            best_step=1, train_loss=1.0, val_loss=None, seconds=1.0, created="2025-10-31T14:30:00+00:00", versions={},
            files={weights.name: atomic.sha256(weights)},
        )  # fmt: skip
        workspace.adapter_manifest(name).write_bytes(manifest.to_document())
        return folder

    return saved


@pytest.fixture(scope="session")
def real_interactions() -> Path:
    """605 real records in the raw format; they are not part of the repository."""
    if not REAL_INTERACTIONS.is_file():
        pytest.skip("the real interactions are not at hand: shared/data beside the repository")
    return REAL_INTERACTIONS


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(name="embedded", scope="session")
def embedded_base() -> Base:
    """The embedded base, SmolLM2-135M-Instruct, fetched and converted where it is not in the cache."""
    return loading.resolve_base(Model(base=demo_model.NAME))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder once a run, whichever process needs it first; tests read it, or copy it, and never write to it."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "made-once"
    root.mkdir(exist_ok=True)

    def make(name: str, build: Callable[[Path], None]) -> Path:
        folder = root / name
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                unfinished = root / f"{name}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                build(unfinished)
                unfinished.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_base(embedded, made_once) -> Path:
    """A Llama of two thin layers with random weights and the start of SmolLM2's tokenizer: all code paths, at once."""
    return made_once("small-base", partial(small.make, embedded))
