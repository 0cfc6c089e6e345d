"""How one client wants to be spoken to: error style, floats, notifications; chosen by its `initialize`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, to_builtins

from saliscope.protocol.codec import encode_notification, encode_response, pack_floats
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import CLIENT_LIMITS, Request
from saliscope.protocol.parameters import Initialize, Notify
from saliscope.protocol.validate import parse


class Dialect(Struct, frozen=True):
    """The defaults hold without `initialize`: string errors, lists, no notifications."""

    errors: str = "string"
    floats: str = "list"
    notifications: bool = False
    notify: Notify | None = None

    @classmethod
    def of(cls, params: Initialize) -> Dialect:
        """The dialect that `initialize` asks for."""
        return cls(params.errors, params.floats, params.notifications, params.notify)

    @classmethod
    def asked_by(cls, request: Request) -> Dialect:
        """The dialect of a first request that is refused: what it asks for if it is a proper `initialize`."""
        try:
            return cls.of(parse(Initialize, request.params or {})[0]) if request.method == "initialize" else cls()
        except SaliscopeError:
            return cls()

    def answer(self, id: int, result: Any) -> bytes:
        """The frame of a result; of `too_large` where no client could read it."""
        frame = encode_response(id, None, _pack(to_builtins(result)) if self.floats == "f32" else result)
        if len(frame) > CLIENT_LIMITS.frame:
            message = f"the answer has {len(frame):,} bytes, the limit is {CLIENT_LIMITS.frame:,}; ask for less"
            return self.failure(id, SaliscopeError("too_large", message))
        return frame

    def failure(self, id: int, error: SaliscopeError) -> bytes:
        """The frame of an error."""
        return encode_response(id, error.to_wire(self.errors), None)

    def notification(self, method: str, params: dict[str, Any]) -> bytes | None:
        """The frame of a notification, wrapped as the client asked; None for a client that wants none."""
        if not self.notifications:
            return None
        params = self._packed(params)
        if self.notify is None:
            return encode_notification(method, params)
        return encode_notification(self.notify.method, *self.notify.head, [method, params])

    def _packed(self, value: Any) -> Any:
        return _pack(value) if self.floats == "f32" else value


def _pack(value: Any) -> Any:
    """Explanations (in an answer, in a partial) with `scores` and `stderr` as float32 arrays."""
    if isinstance(value, list):
        return [_pack(item) for item in value]
    if not isinstance(value, dict):
        return value
    packed = dict(value)
    for name in ("scores", "stderr"):
        if isinstance(packed.get(name), list):
            packed[name] = pack_floats(packed[name])
    for name in ("outputs", "explanations", "explanation"):
        if name in packed:
            packed[name] = _pack(packed[name])
    return packed
