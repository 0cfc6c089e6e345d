"""The first frame of a connection that has to show a token: small, soon, and `initialize`."""

from __future__ import annotations

import asyncio
from typing import Final

from saliscope.protocol.codec import CHUNK, Decoder
from saliscope.protocol.frames import FrameError, Limits, Request

#: What is read of a stranger: enough for `initialize`, and nothing that costs memory.
STRANGER_LIMITS: Final = Limits(frame=1 << 14, string=1 << 12, array=64, map=64, ext=0, containers=128, depth=8)


async def first_request(reader: asyncio.StreamReader, limit_s: float) -> tuple[Request, bytes]:
    """The first frame, and the bytes that came behind it; `FrameError` for anything else, or after `limit_s`.

    What browsers and TLS clients send first is no array, so that one byte of it ends the connection.
    """
    decoder, seen = Decoder(STRANGER_LIMITS), bytearray()
    try:
        async with asyncio.timeout(limit_s):
            while data := await reader.read(CHUNK):
                seen += data
                for frame in decoder.frames(data):
                    if not isinstance(frame, Request):
                        raise FrameError("a connection begins with the request `initialize`")
                    return frame, bytes(seen[decoder.num_read :])
    except TimeoutError as error:
        raise FrameError(f"`initialize` did not arrive within {limit_s:g} s", "timeout") from error
    raise ConnectionResetError("it left without a word")
