"""MessagePack-RPC frames under limits: bytes to `Request`, `Response`, `Notification`, and back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import msgpack
import msgspec
from msgspec.msgpack import Encoder, Ext

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import SERVER_LIMITS, Frame, FrameError, Limits, frame_of

#: The one ext type of the wire: little-endian float32 values.
FLOATS_EXT: Final = 1
#: How many bytes to read from a socket at a time.
CHUNK: Final = 1 << 16

_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CONTAINERS = frozenset({list, dict})
_ALLOWED = _SCALARS | _CONTAINERS


_encoder = Encoder()


def _own(value: Any) -> Any:
    """Numbers and arrays of numpy and torch, which nobody needs to have here, as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


_asking = Encoder(enc_hook=_own)


def encode_request(id: int, method: str, params: dict[str, Any]) -> bytes:
    """The frame of a request; `bad_request` if a value cannot travel, `too_large` if the daemon would refuse it."""
    try:
        frame = _asking.encode([0, id, method, [params]])
    except UnicodeEncodeError as error:
        raise SaliscopeError(
            "bad_request", f"the text is not valid Unicode: a lone surrogate at position {error.start}"
        ) from error
    except (TypeError, OverflowError) as error:
        raise SaliscopeError("bad_request", f"a parameter cannot be sent: {error}") from error
    if len(frame) > SERVER_LIMITS.frame:
        raise SaliscopeError("too_large", f"the request has {len(frame):,} bytes, the limit is {SERVER_LIMITS.frame:,}")
    for name, value in params.items():
        _refuse_long(value, name)
    return frame


def _refuse_long(value: Any, name: str) -> None:
    """`too_large`, with the name of the field, for what the daemon would close the connection over."""
    if isinstance(value, list) and len(value) > SERVER_LIMITS.array:
        raise SaliscopeError("too_large", f"{name}: {len(value):,} at once; the limit is {SERVER_LIMITS.array:,}")
    if isinstance(value, str) and _may_be_long(value) and len(value.encode()) > SERVER_LIMITS.string:
        said = f"{name}: it has {len(value):,} characters; the limit is {SERVER_LIMITS.string:,} bytes"
        raise SaliscopeError("too_large", said)
    if isinstance(value, list):
        for number, own in enumerate(value):
            if isinstance(own, dict) or _may_be_long(own):
                _refuse_long(own, f"{name}[{number}]")
    if isinstance(value, dict):
        for key, own in value.items():
            if isinstance(own, dict) or _may_be_long(own):
                _refuse_long(own, f"{name}.{key}")


def _may_be_long(value: Any) -> bool:
    """Whether it is a text that is long if its characters take four bytes, as most texts are not."""
    return isinstance(value, str) and 4 * len(value) > SERVER_LIMITS.string


def encode_response(id: int, error: Any, result: Any) -> bytes:
    """The frame of an answer: `error` as `SaliscopeError.to_wire` gives it, or None and a result."""
    return _encoder.encode([1, id, error, result])


def encode_notification(method: str, *arguments: Any) -> bytes:
    """The frame of a notification; ours have one map as argument, Neovim's wrapped ones may have more."""
    return _encoder.encode([2, method, arguments])


def pack_floats(values: list[float]) -> Ext:
    """A list of numbers as the float32 ext type (values round to float32)."""
    return Ext(FLOATS_EXT, struct.pack(f"<{len(values)}f", *values))


def _unpack_ext(code: int, data: bytes | memoryview) -> list[float]:
    if code != FLOATS_EXT:
        raise FrameError(f"ext type {code} is not accepted; only {FLOATS_EXT} (little-endian float32)")
    if len(data) % 4:
        raise FrameError(f"a float32 array of {len(data)} bytes is not a multiple of 4")
    return list(struct.unpack(f"<{len(data) // 4}f", data))


_decoder = msgspec.msgpack.Decoder(ext_hook=_unpack_ext)


class Decoder:
    """Cuts a byte stream into frames; any `FrameError` means that the stream cannot be read on."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._num_fed = 0
        self._num_read = 0
        self._num_containers = 0
        self._unread = bytearray()
        self._unpacker = msgpack.Unpacker(
            raw=False,
            strict_map_key=True,
            ext_hook=_unpack_ext,
            list_hook=self._count,
            object_hook=self._count,
            max_buffer_size=limits.frame + CHUNK,
            max_str_len=limits.string,
            max_bin_len=limits.string,
            max_array_len=limits.array,
            max_map_len=limits.map,
            max_ext_len=limits.ext,
        )

    @property
    def num_read(self) -> int:
        """How many bytes of the stream the frames so far had."""
        return self._num_read

    @property
    def is_mid_frame(self) -> bool:
        """Whether bytes of an incomplete frame are waiting for the rest."""
        return self._num_fed > self._num_read

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Feed at most `CHUNK` bytes and iterate over the frames they complete; raises `FrameError`."""
        self._num_fed += len(data)
        if self._limits.trusted:
            self._unread += data
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull as error:
            raise self._too_large() from error
        while (value := self._next()) is not None:
            if not self._limits.trusted:
                _check(value, self._limits.depth)
            yield frame_of(value)

    def _next(self) -> list[Any] | None:
        try:
            value = self._read_at_once() if self._limits.trusted else self._unpacker.unpack()
        except msgpack.OutOfData:
            # The unpacker forgets what it has consumed, so its own limit is not one on the frame.
            if self._num_fed - self._num_read > self._limits.frame:
                raise self._too_large() from None
            return None
        except FrameError:
            raise
        except (ValueError, RecursionError) as error:
            # UnicodeDecodeError would quote the text itself.
            reason = "invalid UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise FrameError(f"not MessagePack within the limits: {reason or type(error).__name__}") from error
        self._num_read = self._unpacker.tell()
        self._num_containers = 0
        if not isinstance(value, list):
            raise FrameError(f"a frame is an array, not {type(value).__name__}")
        return value

    def _read_at_once(self) -> Any:
        """The next value, found by its extent and then read as a whole; raises as `unpack` does."""
        self._unpacker.skip()
        size = self._unpacker.tell() - self._num_read
        with memoryview(self._unread) as unread:
            value = _decoder.decode(unread[:size])
        del self._unread[:size]
        return value

    def _count(self, container: Any) -> Any:
        self._num_containers += 1
        if self._num_containers > self._limits.containers:
            raise FrameError(f"more than {self._limits.containers:,} arrays and maps in one frame", "too_large")
        return container

    def _too_large(self) -> FrameError:
        return FrameError(f"a frame of more than {self._limits.frame:,} bytes", "too_large")


def _check(value: list[Any] | dict[str, Any], room: int) -> None:
    if room == 0:
        raise FrameError("nested too deeply")
    items = value.values() if isinstance(value, dict) else value
    kinds = set(map(type, items))
    if not kinds <= _ALLOWED:
        raise FrameError("timestamps are not accepted")
    if kinds & _CONTAINERS:
        for item in items:
            if type(item) in _CONTAINERS:
                _check(item, room - 1)
