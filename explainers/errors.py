"""What can go wrong with an explanation, with the code under which it travels on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class ExplainerError(Exception):
    """A failure that a person can act on; `code` is one of the wire's codes, `message` says what would work."""

    code = "internal"

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class BadRequest(ExplainerError):
    """A parameter is missing, of the wrong type or out of range."""

    code = "bad_request"


class UnknownModel(ExplainerError):
    """No model has this name."""

    code = "unknown_model"


class UnknownMethod(ExplainerError):
    """No explanation method has this name."""

    code = "unknown_method"


class NotCapable(ExplainerError):
    """The model lacks something that the method or the target needs."""

    code = "not_capable"


class TooLarge(ExplainerError):
    """The input is over a limit."""

    code = "too_large"


class NoRoom(ExplainerError):
    """The device has not the memory that a model needs."""

    code = "oom"


class LoadingFailed(ExplainerError):
    """The model is there but could not be loaded."""

    code = "loading_failed"


class NonFinite(ExplainerError):
    """The model answered NaN or infinity."""

    code = "internal"


def listing(names: Iterable[str], most: int = 12) -> str:
    """The first names, comma separated, for a message that says what would be valid."""
    rows = list(names)
    return ", ".join(rows[:most]) + (f", … ({len(rows)} in all)" if len(rows) > most else "")


def first_line(error: BaseException) -> str:
    """The first line of an error in printable characters, or its name if it says nothing."""
    text = str(error).strip()
    if not text:
        return type(error).__name__
    return "".join(char if char.isprintable() else " " for char in text.splitlines()[0])
