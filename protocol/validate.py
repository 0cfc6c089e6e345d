"""Parameters of a request, checked against their declaration in `messages.py`."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.terms import IN_WORDS

S = TypeVar("S", bound=Struct)
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


def _unknown(value: Struct, raw: dict[str, Any], prefix: str) -> list[str]:
    fields = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
    paths = [prefix + name for name in raw if name not in fields]
    for name, attribute in fields.items():
        paths += _unknown_within(getattr(value, attribute), raw.get(name), f"{prefix}{name}")
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
