"""Parameters of a request, checked against their declaration in `messages.py`."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.terms import IN_WORDS

S = TypeVar("S", bound=Struct)


def parse(type_: type[S], params: dict[str, Any]) -> tuple[S, list[str]]:
    """The typed parameters and one warning for each unknown field; `bad_request` names path and reason."""
    try:
        value = msgspec.convert(params, type_)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        path, reason = path.strip("`") or "$", _in_words(reason)
        raise SaliscopeError(
            "bad_request", f"{path.removeprefix('$.')}: {reason}", {"path": path, "reason": reason}
        ) from error
    return value, [f"unknown field {path!r} was ignored" for path in _unknown(value, params, "")]


def _in_words(reason: str) -> str:
    """A reason that quotes a pattern, saying instead what was expected."""
    for pattern, words in IN_WORDS.items():
        if reason.endswith(f"matching regex {pattern!r}"):
            return f"Expected {words}"
    return reason


def _unknown(value: Struct, raw: dict[str, Any], prefix: str) -> list[str]:
    fields = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
    paths = [prefix + name for name in raw if name not in fields]
    for name, attribute in fields.items():
        child, part = getattr(value, attribute), raw.get(name)
        if isinstance(child, Struct) and isinstance(part, dict):
            paths += _unknown(child, part, f"{prefix}{name}.")
    return paths
