"""How a request ended, and the line that the log has of it."""

from __future__ import annotations

import logging
import time
from typing import Any, Final, NamedTuple

from saliscope.daemon.front import logs
from saliscope.protocol.frames import Request
from saliscope.protocol.messages import METHODS

#: Prompts and status bars ask these all day.
_CHATTER: Final = frozenset({"ping", "status", "jobs/status"})


class Asked(NamedTuple):
    """A request of a client, the bytes of its frame, when it began, and whether the log may have its texts."""

    request: Request
    client: int
    num_bytes: int
    begun: float
    log_texts: bool


class Outcome(NamedTuple):
    """How a request ended: its frame, and for the log the error's code, the model and the rows it took."""

    frame: bytes
    code: str | None = None
    model: str | None = None
    rows: int | None = None

    @classmethod
    def answered(cls, frame: bytes, result: dict[str, Any]) -> Outcome:
        """That of a request which this result answers."""
        return cls(frame, None, _model_of(result), _rows_of(result))


def log_request(asked: Asked, outcome: Outcome) -> None:
    """Write the line of a request that has ended."""
    method = asked.request.method
    fields: dict[str, Any] = {
        "client": asked.client,
        "id": asked.request.id,
        # A name that there is none of could be anything, also a text.
        "method": method if method in METHODS else "unknown",
        "model": outcome.model,
        "code": outcome.code or "ok",
        "ms": round((time.perf_counter() - asked.begun) * 1e3, 1),
        "rows": outcome.rows,
        "bytes_in": asked.num_bytes,
        "bytes_out": len(outcome.frame),
    }
    if asked.log_texts:
        fields["texts"] = logs.texts_of(asked.request.params or {})
    told = {name: value for name, value in fields.items() if value is not None}
    level = logging.DEBUG if method in _CHATTER and outcome.code is None else logging.INFO
    logs.requests.log(level, "request", extra={"fields": told})


def _model_of(result: dict[str, Any]) -> str | None:
    """The model that answered, by its name."""
    many = result.get("explanations")
    name = many[0].get("model") if many else result.get("model", result.get("model_name"))
    return name if isinstance(name, str) else None


def _rows_of(result: dict[str, Any]) -> int | None:
    """The rows that an explanation, or several, took."""
    costs = [one.get("cost") for one in result.get("explanations", [result])]
    known = [cost for cost in costs if isinstance(cost, dict)]
    return sum(cost.get("forward_rows", 0) + cost.get("backward_rows", 0) for cost in known) if known else None
