"""What the app is waiting for, if for anything: one word of state and one sentence of what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from saliscope.protocol.errors import ERRORS, SaliscopeError

if TYPE_CHECKING:
    from saliscope.protocol.live import LiveDocument, LiveRecord, SessionState
    from saliscope.protocol.results import Status

Kind = Literal["connecting", "loading", "empty", "waiting", "refining", "ready", "lost", "oom", "error"]

#: How each state shows in the bar: its mark and the class of its colour.
MARKS: Final[dict[Kind, tuple[str, str]]] = {
    "connecting": ("◌", "quiet"),
    "loading": ("◌", "quiet"),
    "empty": ("○", "quiet"),
    "waiting": ("◔", "busy"),
    "refining": ("◑", "busy"),
    "ready": ("●", "good"),
    "lost": ("↻", "warn"),
    "oom": ("✕", "bad"),
    "error": ("✕", "bad"),
}


class Phase(NamedTuple):
    """One state: `word` for the bar; where something is wrong, a `message` and `advice` for the reader."""

    kind: Kind
    word: str
    message: str = ""
    advice: str = ""


def phase_of(
    session: SessionState,
    message: str,
    document: LiveDocument | None,
    record: LiveRecord | None,
    status: Status | None,
) -> Phase:
    """The state of the app, from that of the session, the document, the record at the cursor and the daemon."""
    if session == "failed":
        return Phase("error", "no daemon", message, ERRORS["unavailable"][1])
    if session == "lost":
        return Phase("lost", "reconnecting", "The daemon is gone.", "Go on typing: it is asked again when it is back.")
    if session == "connecting" or document is None:
        return Phase("connecting", message or "connecting")
    if document.problem is not None:
        return _trouble(document.problem.code, document.problem.message)
    if document.failed is not None:
        return _trouble(document.failed.code, document.failed.message)
    if not document.text.strip():
        return Phase("empty", "type a text")
    if record is not None:
        for finding in record.findings:
            if finding.kind == "failed":
                return _trouble(*_split(finding.message))
    loading = [model.name for model in status.models if model.state == "loading"] if status is not None else []
    if loading and (record is None or record.explanation is None):
        return Phase("loading", f"loading {loading[0]}")
    if record is None and document.is_settled:
        return Phase("ready", "ready")
    if record is None or record.explanation is None:
        waits = record is not None and record.state in ("waiting", "predicted")
        return Phase("waiting", "explaining") if waits or record is None else Phase("empty", "nothing to explain")
    if record.state == "waiting" or record.stale:
        return Phase("waiting", "explaining")
    return Phase("refining", "refining") if record.state == "partial" else Phase("ready", "ready")


def _split(message: str) -> tuple[str, str]:
    code, _, rest = message.partition(": ")
    return (code, rest) if code in ERRORS else ("internal", message)


def _trouble(code: str, message: str) -> Phase:
    advice = SaliscopeError(code if code in ERRORS else "internal", message).advice
    if code == "oom":
        return Phase("oom", "out of memory", message, advice)
    return Phase("error", code.replace("_", " "), message, advice)
