"""Strict JSON: only values that are valid Unicode text and can be written back exactly as they were read."""

import json
from typing import Any

# Beyond it Python's recursion limit would decide, which depends on the depth of the caller.
DEEPEST_NESTING = 100


def parse_strict_json(text: str) -> Any:
    """Parse ``text``; raise ``ValueError`` for NaN and infinities, lone surrogates, and more than 100 levels."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_nesting(value, DEEPEST_NESTING)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate, which is no character") from None
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _check_nesting(value: object, levels: int) -> None:
    if levels == 0:
        raise ValueError("nested too deeply")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _check_nesting(item, levels - 1)
