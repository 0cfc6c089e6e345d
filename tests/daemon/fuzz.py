"""Frames that no honest client sends, from a seed: truncated, oversized, nested, of wrong types, absurd in value."""

from __future__ import annotations

import random
from typing import Any, Final

import msgpack

from saliscope.protocol.messages import METHODS

#: Heads of MessagePack containers and strings that promise much more than follows.
_PROMISES: Final = (b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
                    b"\xc6\x7f\xff\xff\xff", b"\xc9\x00\xff\xff\xff\x01")  # fmt: skip
_FIELDS: Final = ("text", "texts", "model", "method", "target", "seed", "params", "granularity", "pair", "messages",
                  "stream", "windows", "scale", "id", "token", "protocol_min", "notify", "errors", "out")  # fmt: skip
_METHODS: Final = (*METHODS, "", "explian", "$/cancel", "\0", "e" * 300)
#: What is left out: it ends the daemon, which is no crash.
_DEADLY: Final = "shutdown"


def value(rng: random.Random, depth: int = 3) -> Any:
    """Any value that MessagePack can carry, absurd ones among them."""
    kind = rng.randrange(12 if depth else 9)
    match kind:
        case 0 | 1:
            return rng.choice((None, True, False, 0, -1, 2**63, -(2**63), 2**64 - 1, 0.0, -0.0, 1e308, float("nan")))
        case 2 | 3:
            return rng.choice(
                ("", "a dull film", "映画 🎬", "\0\n\x1b[2J", "../../etc/passwd", "x" * 70_000, "predicted")
            )
        case 4:
            return rng.randbytes(rng.randrange(20))
        case 5:
            return msgpack.ExtType(rng.choice((1, 1, 1, 2, 127)), rng.randbytes(4 * rng.randrange(4)))
        case 6:
            return rng.choice((msgpack.Timestamp(1), float("inf"), {}, [], [[]], [{}]))
        case 7 | 8:
            return rng.randrange(-(2**31), 2**31)
        case 9:
            return [value(rng, depth - 1) for _ in range(rng.randrange(5))]
        case 10:
            return {rng.choice(_FIELDS): value(rng, depth - 1) for _ in range(rng.randrange(5))}
    return nested(rng.choice((3, 30, 33, 60)))


def nested(depth: int) -> Any:
    """Lists and maps in one another."""
    made: Any = "deep"
    for level in range(depth):
        made = [made] if level % 2 else {"a": made}
    return made


def frame(rng: random.Random) -> tuple[bytes, bool]:
    """One frame, and whether the stream can go on behind it as far as the framing is concerned."""
    kind = rng.randrange(20)
    if kind < 13:
        return _typed(rng), True
    if kind == 13:
        whole = _typed(rng)
        return whole[: rng.randrange(1, len(whole))], False
    if kind == 14:
        whole = bytearray(_typed(rng))
        for _ in range(rng.randrange(1, 4)):
            whole[rng.randrange(len(whole))] = rng.randrange(256)
        return bytes(whole), False
    if kind == 15:
        return rng.randbytes(rng.randrange(1, 200)), False
    if kind == 16:
        return b"\x94\x00\x01\xa7explain\x91" + rng.choice(_PROMISES) + rng.randbytes(30), False
    if kind == 17:
        return rng.choice((b"\x91", b"\x81\xa1a")) * rng.choice((10, 40, 600, 3000)), False
    if kind == 18:
        return rng.choice((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\xc1", b"\x80" * 65_536)), False
    return _pack([rng.choice((0, 1, 2, 3, True, -1)), *(value(rng, 1) for _ in range(rng.randrange(5)))]), False


def _typed(rng: random.Random) -> bytes:
    """A request or a notification by its shape; what it holds is anything, or nearly right."""
    params: Any = {rng.choice(_FIELDS): value(rng) for _ in range(rng.randrange(4))}
    if rng.random() < 0.3:
        params = {"text": rng.choice(("a", ["a", "b"])), **({"seed": value(rng, 0)} if rng.random() < 0.5 else {})}
    method = rng.choice(_METHODS)
    if method == _DEADLY:
        params = {"text": rng.randbytes(3), "now": 1}
        method = "shutdown "
    if rng.random() < 0.1:
        return _pack([2, method, [params]])
    arguments = rng.choice(([params], [params], [params], [], [[]], [params, params], params))
    return _pack([0, rng.randrange(2**10), method, arguments])


def _pack(made: Any) -> bytes:
    return bytes(msgpack.packb(made))
