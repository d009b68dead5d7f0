"""weakspot: the ZDDC training data pipeline.

``from weakspot import Workspace, collect, process, validate, train, evaluate, deploy, status``: see docs/python.md.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weakspot.api import collect, deploy, evaluate, plan_training, process, status, train, validate
    from weakspot.workspace import Workspace

__all__ = [
    "Workspace",
    "collect",
    "deploy",
    "evaluate",
    "plan_training",
    "process",
    "status",
    "train",
    "validate",
]

# Set before torch is loaded, which reads it once. Threads that wait by spinning slow down the threads they wait for as
# soon as another process uses the machine. A value set by the user is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    """Import what is asked for, and nothing before: ``import weakspot`` is quick."""
    if name not in __all__:
        raise AttributeError(f"module 'weakspot' has no attribute {name!r}")
    return getattr(importlib.import_module("weakspot.workspace" if name == "Workspace" else "weakspot.api"), name)
