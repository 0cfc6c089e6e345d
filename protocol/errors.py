"""Every error that travels on the wire, in one table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from saliscope import __version__

#: code -> (CLI exit status, what the reader should do next)
ERRORS: Final[dict[str, tuple[int, str]]] = {
    "bad_request": (2, "Correct what the message names, and ask again."),
    "unknown_model": (3, "Use a name from `saliscope models`, a local folder, or a hub id in the cache."),
    "unknown_method": (3, "Use a name from `saliscope methods`."),
    "not_capable": (4, "Choose a method or a model that the message names."),
    "too_large": (5, "Send a shorter text or fewer of them."),
    "busy": (6, "Wait a moment and send the request again."),
    "oom": (7, "Unload a model, choose a smaller one, or shorten the text."),
    "cancelled": (8, "Nothing: the request was cancelled by its client."),
    "superseded": (8, "Nothing: a newer request took the place of this one."),
    "timeout": (9, "Allow more time, or look at `saliscope status` for what the daemon is doing."),
    "loading_failed": (10, "Read the reason in the message; `saliscope doctor` checks folder, cache and hub."),
    "unauthorized": (11, "Send the token of the daemon in `initialize`, or name a folder that `--root` allows."),
    "protocol_mismatch": (12, "Run `saliscope daemon stop`; the next command starts the matching version."),
    "shutting_down": (13, "Try again: the next command starts a new daemon."),
    "unavailable": (14, "Run `saliscope doctor`; it checks the socket, the folder and the permissions."),
    "internal": (70, "This is a defect: please report it with the last lines of `saliscope daemon logs`."),
}

#: How a message begins that is about one text, or one of several.
_SUBJECT: Final = re.compile(r"(text|pair)(?:\[(\d+)\])?:")


class SaliscopeError(Exception):
    """A failure that a person can act on: `code` is a key of `ERRORS`, `data` is a plain map.

    Where the message goes on to list what there is, `data["short"]` is the part before the list.
    """

    def __init__(self, code: str, message: str, data: dict[str, Any] | None = None) -> None:
        if code not in ERRORS:
            raise ValueError(f"{code!r} is not in the error table")
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data: dict[str, Any] = data or {}

    @property
    def exit_status(self) -> int:
        """The documented exit status of the command line for this error."""
        return ERRORS[self.code][0]

    @property
    def short(self) -> str:
        """The message for where there is little room."""
        return str(self.data.get("short", self.message))

    @property
    def advice(self) -> str:
        """What to do next, in one sentence."""
        return ERRORS[self.code][1]

    def numbered(self, numbers: Sequence[int]) -> SaliscopeError:
        """The same where the texts that were asked about have these numbers: `text: …` as `text[3]: …`."""
        found = _SUBJECT.match(self.message)
        if found is None or (found[2] is None and len(numbers) > 1):
            return self
        subject = f"{found[1]}[{numbers[int(found[2] or 0)]}]:"
        return SaliscopeError(self.code, subject + self.message[found.end() :], self.data)

    def to_wire(self, style: str) -> list[Any] | str:
        """The error slot of a response: `[code, message, data]` for "array", `"code: message"` for "string"."""
        return [self.code, self.message, self.data] if style == "array" else f"{self.code}: {self.message}"

    @classmethod
    def from_wire(cls, error: object) -> SaliscopeError:
        """Read either style back; anything unknown becomes `internal`."""
        if isinstance(error, list) and len(error) == 3 and isinstance(error[0], str) and error[0] in ERRORS:
            return cls(error[0], str(error[1]), error[2] if isinstance(error[2], dict) else None)
        if isinstance(error, str):
            code, _, message = error.partition(": ")
            if code in ERRORS:
                return cls(code, message)
        return cls("internal", str(error))


class DisconnectedError(SaliscopeError):
    """The peer closed the connection before it answered."""

    def __init__(self, reason: str = "the connection closed before the answer came") -> None:
        super().__init__("unavailable", f"{reason}; run the command again, or look at `saliscope daemon logs`")


def version_mismatch(version: str) -> SaliscopeError:
    """The `protocol_mismatch` of a daemon that says it is of `version`, where ours is another."""
    return SaliscopeError(
        "protocol_mismatch", f"the running daemon is version {version or 'unknown'}, this is {__version__}"
    )
