"""What clients may do to the front, in numbers; docs/operations.md has them as a table."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from saliscope.daemon.front.outbox import FULL, MAX_QUEUED, STUCK_S


class FrontLimits(Struct, frozen=True):
    """Bounds of one connection and of all together."""

    requests: Annotated[int, Meta(description="requests of one connection in flight; one more is `busy`")] = 64
    all_requests: Annotated[int, Meta(description="requests of all connections in flight; one more is `busy`")] = 1024
    all_bytes: Annotated[int, Meta(description="bytes of all requests in flight; more are `busy`")] = 256 << 20
    sessions: Annotated[int, Meta(description="connections; one more hears `busy` and is closed")] = 256
    entering: Annotated[int, Meta(description="TCP connections that have not shown the token; one more is closed")] = 32
    documents: Annotated[int, Meta(description="open documents of one connection")] = 32
    records: Annotated[int, Meta(description="records of all open documents of one connection")] = 20_000
    characters: Annotated[int, Meta(description="code points of all open documents of one connection")] = 64_000_000
    all_characters: Annotated[int, Meta(description="code points of the documents of all; more are `busy`")] = (
        256_000_000
    )
    explaining: Annotated[int, Meta(description="records of one connection asked of the model at once")] = 8
    kept: Annotated[int, Meta(description="bytes of explanations kept for one open document")] = 32 << 20
    jobs: Annotated[int, Meta(description="data-set jobs that run at once; one more is `busy`")] = 4
    frame_s: Annotated[float, Meta(description="seconds for a frame to arrive whole")] = 30.0
    handshake_s: Annotated[float, Meta(description="seconds for `initialize` to arrive on TCP")] = 10.0
    refusal_s: Annotated[float, Meta(description="seconds before a wrong token is answered")] = 1.0
    queued: Annotated[int, Meta(description="unread bytes of one connection before it is dropped")] = MAX_QUEUED
    full: Annotated[int, Meta(description="unread bytes of one connection from which its requests wait unread")] = FULL
    stuck_s: Annotated[float, Meta(description="seconds that a connection may read nothing of what waits")] = STUCK_S
    drain_s: Annotated[float, Meta(description="seconds that an ending daemon waits for requests in flight")] = 30.0
