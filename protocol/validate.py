"""Parameters of a request, and results, checked against their declaration in `messages.py`."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.terms import IN_WORDS

S = TypeVar("S", bound=Struct)
T = TypeVar("T")
#: How many unknown fields are named; of more the number is told.
MAX_WARNINGS: Final = 20


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
    return value, _warnings(_unknown(value, params, ""))


def read(result: Any, type_: type[T]) -> T:
    """A result as its declared type; `protocol_mismatch` if the daemon answers something else."""
    try:
        return msgspec.convert(result, type_)
    except msgspec.ValidationError as error:
        raise SaliscopeError(
            "protocol_mismatch", f"the answer is not a {getattr(type_, '__name__', type_)}: {error}"
        ) from error


def _warnings(paths: list[str]) -> list[str]:
    """One warning a path, the first so many."""
    told = [f"unknown field {path!r} was ignored" for path in paths[:MAX_WARNINGS]]
    more = len(paths) - len(told)
    return [*told, f"{more} more unknown fields were ignored"] if more else told


def _in_words(reason: str) -> str:
    """A reason that quotes a pattern, saying instead what was expected."""
    for pattern, words in IN_WORDS.items():
        if reason.endswith(f"matching regex {pattern!r}"):
            return f"Expected {words}"
    return reason


@cache
def _fields(type_: type[Struct]) -> dict[str, str]:
    """Name on the wire -> attribute."""
    return dict(zip(type_.__struct_encode_fields__, type_.__struct_fields__, strict=True))


def _unknown(value: Struct, raw: dict[str, Any], prefix: str) -> list[str]:
    fields = _fields(type(value))
    paths = [prefix + name for name in raw if name not in fields]
    for name, part in raw.items():
        if name in fields and isinstance(part, dict | list):
            paths += _unknown_within(getattr(value, fields[name]), part, f"{prefix}{name}")
    return paths


def _unknown_within(value: object, raw: object, path: str) -> list[str]:
    """The same for a field: a message, or messages in a list or under the names of a map."""
    if isinstance(value, Struct) and isinstance(raw, dict):
        return _unknown(value, raw, f"{path}.")
    if isinstance(value, list) and isinstance(raw, list):
        # Texts and numbers by the thousand hold no fields.
        rows = [(n, one) for n, one in enumerate(value) if isinstance(one, Struct | list | dict)]
        return [found for n, one in rows for found in _unknown_within(one, raw[n], f"{path}[{n}]")]
    if isinstance(value, dict) and isinstance(raw, dict):
        return [found for name, one in value.items() for found in _unknown_within(one, raw.get(name), f"{path}.{name}")]
    return []
