"""What commands take: lists of JSON, read as what they mean."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from lsprotocol import types
from msgspec import Struct

from saliscope.lsp.buffers import Buffer
from saliscope.protocol.errors import SaliscopeError

T = TypeVar("T")
#: What the client calls the progress bar of a command; None where it wants none.
Token = types.ProgressToken | None


class Place(Struct, array_like=True):
    """A document, and a position or range in it; without one the whole document."""

    uri: str
    at: dict[str, Any] | None = None


class At(Struct, array_like=True):
    """A position or range in a document, and what to do there."""

    uri: str
    at: dict[str, Any]
    what: str = ""


class Choice(Struct, array_like=True):
    """What is chosen, for one document; null: for all."""

    uri: str | None
    what: str | int | None


class Drawn(Struct, array_like=True):
    """A document, and the ids of records in it, as `saliscope/decorations` says them; without them all."""

    uri: str
    ids: list[int] | None = None


class Named(Struct, array_like=True):
    """A name, or none."""

    name: str | None = None


def read(arguments: list[Any], kind: type[T]) -> T:
    """The arguments of a command; `bad_request` for others."""
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise SaliscopeError("bad_request", f"these are not the arguments: {error}") from error


def offset_of(buffer: Buffer, at: dict[str, Any]) -> int:
    """The code point of a position, or of the beginning of a range."""
    try:
        place = at.get("start", at)
        return buffer.lines.offset(types.Position(int(place["line"]), int(place["character"])))
    except (KeyError, TypeError, ValueError) as error:
        raise SaliscopeError("bad_request", "a place is {line, character}, or a range of such") from error
