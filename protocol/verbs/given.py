"""Parameters as people give them, made fields of a request; and those that every request of work has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from saliscope.protocol.messages import BUNDLED


class RunOptions(TypedDict, total=False):
    """How a request is run (`parameters.Explain` has the meaning of each)."""

    priority: str | None
    max_ms: float | None
    max_rows: int | None
    supersede: str | None


def declared(verb: str, options: Mapping[str, Any], declaration: type) -> dict[str, Any]:
    """The options of a verb that are `given`; one that its TypedDict does not declare is a TypeError."""
    for name in options:
        if name not in declaration.__annotations__:
            raise TypeError(f"{verb}() got an unexpected keyword argument {name!r}")
    return given(**options)


def given(**params: Any) -> dict[str, Any]:
    """The parameters that are not None: a message as a map, a folder as model made absolute."""
    fields = {
        name: msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
        for name, value in params.items()
        if value is not None
    }
    if isinstance(model := fields.get("model"), str):
        fields["model"] = model_here(model)
    return fields


def source(**fields: Any) -> dict[str, Any]:
    """What is asked about, as lists and maps: the fields `text`, `texts`, `pair` and `messages` that are given."""
    known = {name: fields[name] for name in ("text", "texts", "pair", "messages") if fields.get(name) is not None}
    return {
        name: value if isinstance(value, str) else [dict(row) if isinstance(row, Mapping) else row for row in value]
        for name, value in known.items()
    }


def model_here(model: str) -> str:
    """A model that is a folder or a GGUF file here by its absolute path: the daemon has another working directory."""
    path = os.path.expanduser(model)
    is_here = os.path.isdir(path) or (path.endswith(".gguf") and os.path.isfile(path))
    return os.path.abspath(path) if model not in BUNDLED and is_here else model


def path_here(path: str) -> str:
    """A path by its absolute one: the daemon has another working directory."""
    return os.path.abspath(os.path.expanduser(path))
