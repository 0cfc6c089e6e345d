"""Who hears what the daemon finds out about open documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from saliscope.protocol.documents import DocumentFailed, DocumentFindings, DocumentSettled, RecordAttribution
from saliscope.protocol.frames import Notification
from saliscope.protocol.validate import read

OnAttribution = Callable[[RecordAttribution], None]
OnFindings = Callable[[DocumentFindings], None]
OnFailed = Callable[[DocumentFailed], None]
OnSettled = Callable[[DocumentSettled], None]


class Watcher(NamedTuple):
    """What is called about one document; None: nobody wants to know."""

    on_attribution: OnAttribution | None = None
    on_findings: OnFindings | None = None
    on_failed: OnFailed | None = None
    on_settled: OnSettled | None = None

    def hear(self, notification: Notification) -> None:
        """Hand on what a notification says, typed."""
        if notification.method == "document/attribution" and self.on_attribution is not None:
            self.on_attribution(read(notification.params, RecordAttribution))
        elif notification.method == "document/findings" and self.on_findings is not None:
            self.on_findings(read(notification.params, DocumentFindings))
        elif notification.method == "document/failed" and self.on_failed is not None:
            self.on_failed(read(notification.params, DocumentFailed))
        elif notification.method == "document/settled" and self.on_settled is not None:
            self.on_settled(read(notification.params, DocumentSettled))


def watcher_of(watchers: dict[str, Watcher], notification: Notification) -> Watcher | None:
    """Who hears a notification about a document; None for one about something else, or that nobody watches."""
    if not notification.method.startswith("document/"):
        return None
    return watchers.get((notification.params or {}).get("document", ""))
