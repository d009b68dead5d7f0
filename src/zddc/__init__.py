"""zddc: Zero Day Document Control.

``from zddc import parse_filename, parse_folder, format_filename, format_folder, revision_key, check``: see
docs/python.md.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zddc.name_check import check
    from zddc.naming import format_filename, format_folder, parse_filename, parse_folder
    from zddc.revision import revision_key

__all__ = ["check", "format_filename", "format_folder", "parse_filename", "parse_folder", "revision_key"]

_MODULES = {"check": "zddc.name_check", "revision_key": "zddc.revision"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and nothing before."""
    if name not in __all__:
        raise AttributeError(f"module 'zddc' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, "zddc.naming")), name)
