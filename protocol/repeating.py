"""A daemon that was lost: which requests its successor may be asked again."""

from __future__ import annotations

from typing import Final

from saliscope.protocol.errors import DisconnectedError, SaliscopeError
from saliscope.protocol.frames import Notification

#: Requests that leave nothing behind in the daemon (an evaluation goes on in its folder, a job has its id): asked
#: twice, they are as good as once. The others are about the very daemon that was asked.
REPEATABLE: Final = frozenset(
    {
        "explain",
        "evaluate",
        "predict",
        "generate",
        "tokenize",
        "models/list",
        "models/load",
        "models/unload",
        "methods/list",
        "jobs/submit",
        "jobs/list",
        "jobs/status",
        "jobs/pause",
        "jobs/resume",
        "jobs/cancel",
        "jobs/results",
        "cache/clear",
    }
)
#: How many daemons one request may lose before it fails.
MAX_REPEATS: Final = 3


def may_repeat(method: str, error: SaliscopeError, num_lost: int) -> bool:
    """Whether this request, failed so after it lost `num_lost` daemons before, may be sent to the next one."""
    return (
        num_lost < MAX_REPEATS
        and method in REPEATABLE
        and (isinstance(error, DisconnectedError) or error.code == "shutting_down")
    )


def asked_again(id: int) -> Notification:
    """What the listener of a request hears before it is sent again."""
    return Notification("$/progress", {"id": id, "stage": "the daemon ended, asking again"})
