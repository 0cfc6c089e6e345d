"""Rows of a data set of the hub, or of a folder of one, through the library `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saliscope.protocol.errors import SaliscopeError


def load(source: str, split: str | None) -> Any:
    """A part of a data set (default: test); the library keeps it on disk and reads it from there."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise SaliscopeError(
            "bad_request",
            f"data: {source} is no file; for data sets of the hub run `pip install 'saliscope[eval]'`",
        ) from error
    try:
        return load_dataset(source, split=split or "test")
    except Exception as error:
        # The library raises what it likes: a missing split, no network, a script that it does not run.
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SaliscopeError(
            "bad_request", f"data: cannot load {source}: {said}; name a file, or another --split"
        ) from error


def rows(found: Any, start: int) -> Iterator[Any]:
    """Its rows as maps."""
    return (found[number] for number in range(start, len(found)))
