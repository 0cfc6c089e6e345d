from __future__ import annotations

import contextlib
import math
import struct
from itertools import chain
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.protocol.codec import (
    CHUNK,
    FLOATS_EXT,
    Decoder,
    encode_notification,
    encode_request,
    encode_response,
    pack_floats,
)
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import (
    CLIENT_LIMITS,
    SERVER_LIMITS,
    Frame,
    FrameError,
    Limits,
    Notification,
    Request,
    Response,
)

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=30
)
maps = st.dictionaries(st.text(), values, max_size=5)
ids = st.integers(0, 2**32 - 1)


def read(data: bytes, limits: Limits = SERVER_LIMITS) -> list[Frame]:
    decoder = Decoder(limits)
    return [frame for n in range(0, len(data), CHUNK) for frame in decoder.frames(data[n : n + CHUNK])]


@given(ids, st.text(min_size=1), maps, values)
def test_what_is_encoded_is_read_back(id: int, method: str, params: dict, result: object) -> None:
    data = encode_request(id, method, params) + encode_response(id, None, result) + encode_notification(method, params)
    assert read(data) == [Request(id, method, params), Response(id, None, result), Notification(method, params)]


@given(st.lists(maps, min_size=1, max_size=4), st.data())
def test_frames_do_not_depend_on_how_the_stream_is_cut(params: list[dict], data: st.DataObject) -> None:
    stream = b"".join(encode_request(n, "m", each) for n, each in enumerate(params))
    decoder, frames, rest = Decoder(SERVER_LIMITS), [], stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        frames += decoder.frames(rest[:size])
        rest = rest[size:]
    assert [frame.params for frame in frames] == params
    assert not decoder.is_mid_frame


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_give_frames_or_a_frame_error(data: bytes) -> None:
    frames = Decoder(SERVER_LIMITS).frames(data)
    with contextlib.suppress(FrameError):
        assert all(isinstance(frame, Request | Response | Notification) for frame in frames)


@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_float_arrays_travel_as_little_endian_float32(scores: list[float]) -> None:
    data = encode_response(1, None, {"scores": pack_floats(scores)})
    assert struct.pack(f"<{len(scores)}f", *scores) in data
    assert read(data) == [Response(1, None, {"scores": scores})]


def test_of_a_trusted_peer_only_the_bytes_are_counted() -> None:
    result = {"rows": [{} for _ in range(100_000)], "scores": list(range(100_000)), "text": "x" * (5 << 20)}
    data = encode_response(1, None, result)
    assert read(data, CLIENT_LIMITS) == [Response(1, None, result)]
    with pytest.raises(FrameError):
        read(data)
    small = Limits(frame=1000, trusted=True)
    with pytest.raises(FrameError, match="1,000 bytes"):
        read(data, small)
    for bad in (b"\x91" * 3000 + b"\xc0", b"\xc1", b"\x93\x02\xa1\xff\x90", b"\x07"):
        with pytest.raises(FrameError):
            read(bad, CLIENT_LIMITS)


def test_infinities_and_nan_travel() -> None:
    (frame,) = read(encode_response(1, None, [math.inf, math.nan]))
    assert isinstance(frame, Response)
    assert frame.result[0] == math.inf
    assert math.isnan(frame.result[1])


@pytest.mark.parametrize(
    ("arguments", "params"), [([], {}), ([[]], {}), ([{}], {}), ([{"a": 1}], {"a": 1}), ([1], None), ([{}, {}], None)]
)
def test_params_are_one_map_or_lua_s_empty_table(arguments: list, params: object) -> None:
    assert read(msgpack.packb([0, 1, "m", arguments])) == [Request(1, "m", params)]


@pytest.mark.parametrize(
    "frame",
    [
        {},
        "text",
        7,
        [],
        [0],
        [0, 1, "m"],
        [0, -1, "m", [{}]],
        [0, 2**32, "m", [{}]],
        [0, True, "m", [{}]],
        [False, 1, "m", [{}]],
        [0, 1, b"m", [{}]],
        [0, 1, "m", {}],
        [1, 1, None],
        [2, "m", [{}], 1],
        [3, 1, "m", [{}]],
    ],
)
def test_what_is_no_frame_is_refused(frame: object) -> None:
    with pytest.raises(FrameError) as caught:
        read(msgpack.packb(frame))
    assert caught.value.code == "bad_request"


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (msgpack.packb([2, "m", [{"t": msgpack.Timestamp(1)}]]), "timestamps"),
        (msgpack.packb([2, "m", [{"t": msgpack.ExtType(5, b"x")}]]), "ext type 5"),
        (msgpack.packb([2, "m", [{"t": msgpack.ExtType(FLOATS_EXT, b"xyz")}]]), "multiple of 4"),
        (msgpack.packb([2, "m", [{1: 2}]]), "map key"),
        (b"\x93\x02\xa1\xff\x90", "UTF-8"),
        (b"\xdd\xff\xff\xff\xff", "array"),
        (b"\xdf\xff\xff\xff\xff", "map"),
        (b"\xc1", "FormatError"),
        (msgpack.packb([2, "m", [{"t": nested(40)}]]), "deep"),
        (b"\x91" * 2000, "StackError"),
    ],
)
def test_values_outside_the_limits_are_refused(data: bytes, part: str) -> None:
    with pytest.raises(FrameError, match=part):
        read(data)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert len(read(msgpack.packb([2, "m", [{"t": nested(SERVER_LIMITS.depth - 4)}]]))) == 1
    with pytest.raises(FrameError, match="deep"):
        read(msgpack.packb([2, "m", [{"t": nested(SERVER_LIMITS.depth - 3)}]]))


def test_a_frame_of_many_small_parts_is_refused_by_its_sum() -> None:
    data = encode_notification("m", {"texts": ["x" * 1_000_000] * 9})
    with pytest.raises(FrameError) as caught:
        read(data)
    assert caught.value.code == "too_large"
    assert len(read(data, CLIENT_LIMITS)) == 1


def test_a_frame_of_empty_maps_is_refused_before_it_fills_the_memory() -> None:
    rows = msgpack.packb([{}] * 60_000)
    with pytest.raises(FrameError, match="arrays and maps"):
        read(b"\x94" + rows * 4)


def test_the_bound_on_containers_is_per_frame() -> None:
    data = encode_notification("m", {"rows": [[]] * 50_000})
    assert len(read(data * 6)) == 6


def test_an_endless_string_is_seen_as_unfinished_then_refused() -> None:
    decoder = Decoder(SERVER_LIMITS)
    assert list(decoder.frames(b"\xdb\xff\xff\xff\xff")) == []
    assert decoder.is_mid_frame
    chunks = SERVER_LIMITS.frame // CHUNK + 2
    with pytest.raises(FrameError) as caught:
        list(chain.from_iterable(decoder.frames(b"x" * CHUNK) for _ in range(chunks)))
    assert caught.value.code == "too_large"


def test_good_frames_before_a_bad_one_are_delivered() -> None:
    frames = Decoder(SERVER_LIMITS).frames(encode_request(1, "ping", {}) + b"\xc1")
    assert next(frames) == Request(1, "ping", {})
    with pytest.raises(FrameError):
        next(frames)


def test_a_client_refuses_to_send_what_the_daemon_would_not_read() -> None:
    megabyte = "x" * (1 << 20)
    assert encode_request(1, "explain", {"text": megabyte})
    for text in (megabyte * 5, [megabyte * 5], [megabyte] * 9, ["x"] * 65_537):
        with pytest.raises(SaliscopeError) as caught:
            encode_request(1, "explain", {"text": text})
        assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"text": "x" * (5 << 20)}, "text: it has 5,242,880 characters"),
        ({"texts": ["a", "b", "é" * (3 << 20)]}, "texts[2]: it has 3,145,728 characters"),
        ({"messages": [{"role": "user", "content": "x" * (5 << 20)}]}, "messages[0].content: it has"),
        ({"text": ["x"] * 65_537}, "text: 65,537 at once; the limit is 65,536"),
    ],
)
def test_what_a_client_refuses_to_send_is_named(params: dict[str, Any], name: str) -> None:
    with pytest.raises(SaliscopeError) as caught:
        encode_request(1, "explain", params)
    assert caught.value.message.startswith(name)


def test_a_lone_surrogate_is_a_bad_request() -> None:
    with pytest.raises(SaliscopeError, match="surrogate at position 2") as caught:
        encode_request(1, "explain", {"text": "ab\ud800"})
    assert caught.value.code == "bad_request"
    with pytest.raises(SaliscopeError, match="cannot be sent"):
        encode_request(1, "explain", {"params": {"x": object()}})


class Array:
    """What numbers and arrays of numpy and torch have."""

    def __init__(self, value: object) -> None:
        self.value = value

    def tolist(self) -> object:
        """As Python's own."""
        return self.value


def test_numbers_and_arrays_of_others_are_sent_as_pythons_own() -> None:
    params = {"seed": Array(3), "params": {"sigma": Array(0.5)}, "target": {"ids": Array([1, 2])}}
    wanted = {"seed": 3, "params": {"sigma": 0.5}, "target": {"ids": [1, 2]}}
    assert encode_request(1, "explain", params) == encode_request(1, "explain", wanted)
    with pytest.raises(SaliscopeError, match=r"a parameter cannot be sent: .*object is unsupported") as refused:
        encode_request(1, "explain", {"seed": object()})
    assert refused.value.code == "bad_request"
