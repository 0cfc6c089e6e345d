"""How a job's process may end before its output is there."""

from __future__ import annotations

from saliscope.protocol.errors import SaliscopeError


class JobFailed(SaliscopeError):
    """The job cannot go on as it is; the message says what to change."""


class JobPaused(SaliscopeError):
    """The job waits for something that a person must do; the message says what."""

    def __init__(self, message: str) -> None:
        super().__init__("unavailable", message)
