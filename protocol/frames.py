"""Frames of MessagePack-RPC, what they hold, and the limits of what is read."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import Struct

from saliscope.protocol.errors import SaliscopeError

_MIB = 1 << 20


class Limits(Struct, frozen=True):
    """What a reader accepts in one frame: bytes, bytes of one string, entries, containers, nesting.

    Of a peer that is `trusted` only the bytes are counted: what is not counted piece by piece is read in one go, in
    a third of the time.
    """

    frame: int = 8 * _MIB
    string: int = 4 * _MIB
    array: int = 65_536
    map: int = 4_096
    ext: int = _MIB
    containers: int = 200_000
    depth: int = 32
    trusted: bool = False


#: What the daemon reads from a client.
SERVER_LIMITS: Final = Limits()
#: What a client reads from the daemon, and the daemon from its worker: answers outgrow questions.
CLIENT_LIMITS: Final = Limits(frame=64 * _MIB, trusted=True)


class FrameError(SaliscopeError):
    """Bytes that are no frame of ours, or one over the limits; the stream is lost after it."""

    def __init__(self, message: str, code: str = "bad_request") -> None:
        super().__init__(code, message)


class Request(NamedTuple):
    """`[0, id, method, [params]]`; `params` is None where the arguments are not exactly one map."""

    id: int
    method: str
    params: dict[str, Any] | None


class Response(NamedTuple):
    """`[1, id, error, result]`; `error` is None on success."""

    id: int
    error: Any
    result: Any


class Notification(NamedTuple):
    """`[2, method, [params]]`; `params` is None where the arguments are not exactly one map."""

    method: str
    params: dict[str, Any] | None


Frame = Request | Response | Notification


def frame_of(value: list[Any]) -> Frame:
    """What was decoded as a frame, or `FrameError`."""
    match value:
        case [0, int(id), str(method), list(arguments)] if _is_id(value[0], id):
            return Request(id, method, _one_map(arguments))
        case [1, int(id), error, result] if _is_id(value[0], id):
            return Response(id, error, result)
        case [2, str(method), list(arguments)]:
            return Notification(method, _one_map(arguments))
    raise FrameError("a frame is [0, id, method, [params]], [1, id, error, result] or [2, method, [params]]")


def _is_id(kind: object, id: int) -> bool:
    return kind is not False and kind is not True and not isinstance(id, bool) and 0 <= id < 2**32


def _one_map(arguments: list[Any]) -> dict[str, Any] | None:
    # Lua cannot tell an empty map from an empty list, so both mean "no parameters".
    if arguments in ([], [[]]):
        return {}
    return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else None
