"""What the front counts of its requests and connections; plain numbers, kept for `status` and the metrics."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from saliscope.protocol.histogram import Histogram
from saliscope.protocol.messages import METHODS

#: In place of a method that there is none of: names of strangers are not kept.
UNKNOWN: Final = "unknown"
#: What of the workers' counters is told as a sum.
COMPUTED: Final = ("batches", "rows", "tokens", "padded_tokens")
#: What of the live documents of each client is told as a sum.
DOCUMENTS: Final = ("open", "characters", "records", "kept_bytes")


class Figures:
    """Counters since the daemon started."""

    def __init__(self) -> None:
        self.connections: Counter[str] = Counter(accepted=0, refused=0)
        self.request_seconds = Histogram()
        self.first_partial_seconds = Histogram()
        self._requests: dict[str, Counter[str]] = {}
        self._errors: Counter[str] = Counter()

    def count(self, method: str, code: str | None, seconds: float) -> None:
        """One request was answered after `seconds`; `code` is that of its error."""
        outcome = "answered" if code is None else "cancelled" if code == "cancelled" else "failed"
        self._requests.setdefault(method if method in METHODS else UNKNOWN, Counter())[outcome] += 1
        if code is not None:
            self._errors[code] += 1
        self.request_seconds.add(seconds)

    def to_dict(self, workers: list[dict[str, Any]], documents: list[dict[str, int]]) -> dict[str, Any]:
        """The counters with what the workers (their `status`) and the documents of clients tell of themselves."""
        return {
            "requests": {method: dict(outcomes) for method, outcomes in self._requests.items()},
            "errors": dict(self._errors),
            "connections": dict(self.connections),
            "request_seconds": self.request_seconds.to_dict(),
            "first_partial_seconds": self.first_partial_seconds.to_dict(),
            "queue": _queues(workers),
            "computed": {name: sum(worker.get("counters", {}).get(name, 0) for worker in workers) for name in COMPUTED},
            "documents": {name: sum(one[name] for one in documents) for name in DOCUMENTS},
            "restarts": sum(worker.get("restarts", 0) for worker in workers),
        }


def _queues(workers: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By class: queries whose first micro-batch has come, and the seconds that they had waited for it."""
    found: dict[str, dict[str, float]] = {}
    for worker in workers:
        for name, told in worker.get("queue", {}).get("classes", {}).items():
            sums = found.setdefault(name, {"begun": 0, "waited_s": 0.0})
            for key in sums:
                sums[key] += told.get(key, 0)
    return found
