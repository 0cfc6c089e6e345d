"""What is heard while a request runs."""

from __future__ import annotations

from collections.abc import Callable

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification
from saliscope.protocol.results import Generated, GeneratePartial, Partial, Progress
from saliscope.protocol.validate import read

OnNotification = Callable[[Notification], None]
OnPartial = Callable[[Partial], None]
OnProgress = Callable[[Progress], None]
OnWritten = Callable[[Generated], None]


def listener(
    on_progress: OnProgress | None, on_partial: OnPartial | None = None, on_written: OnWritten | None = None
) -> OnNotification:
    """A receiver of notifications that hands progress and partials on, typed; `on_written` gets all there is so far."""
    written: Generated | None = None

    def listen(notification: Notification) -> None:
        nonlocal written
        if on_written is not None and notification.method == "generate/partial":
            written = read(notification.params, GeneratePartial).after(written)
            on_written(written)
        elif on_partial is not None and notification.method == "explain/partial":
            on_partial(read(notification.params, Partial))
        elif on_progress is not None and notification.method == "$/progress":
            on_progress(read(notification.params, Progress))

    return listen


def failure_of(notification: Notification) -> SaliscopeError | None:
    """The error that a `$/error` notification announces before the daemon closes the connection."""
    if notification.method != "$/error" or notification.params is None:
        return None
    return SaliscopeError.from_wire([notification.params.get("code"), notification.params.get("message"), {}])


def is_about(notification: Notification, id: int) -> bool:
    """Whether a notification is about the request with this id."""
    return notification.params is not None and notification.params.get("id") == id
