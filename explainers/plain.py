"""Values of numpy and torch as Python's own: what loops over arrays hand in as a seed, a target or a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Numbers, strings and arrays of numpy and torch as Python's own, also within maps, lists and tuples."""
    if isinstance(value, Mapping):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(one) for one in value) if type(value) in (list, tuple) else value
    return value.tolist() if hasattr(value, "tolist") else value
