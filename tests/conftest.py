"""What tests of several modules need: interactions, workspaces, and real records where they are at hand."""

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from weakspot.config import Config
from weakspot.data import store
from weakspot.records import Interaction, interaction
from weakspot.workspace import Workspace

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
    return interaction(
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


def append_raw(workspace: Workspace, interactions: Iterable[Interaction]) -> None:
    """Append interactions to the raw file as they are."""
    store.append(workspace.raw, [one.to_json() for one in interactions])


@pytest.fixture(name="interaction", scope="session")
def interaction_fixture() -> Callable[..., Interaction]:
    return make_interaction


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


@pytest.fixture(scope="session")
def config() -> Config:
    return Config()


@pytest.fixture(scope="session")
def real_interactions() -> Path:
    """605 real records in the raw format; they are not part of the repository."""
    if not REAL_INTERACTIONS.is_file():
        pytest.skip("the real interactions are not at hand: shared/data beside the repository")
    return REAL_INTERACTIONS
