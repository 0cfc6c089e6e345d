"""What can go wrong with an explanation, with the code under which it travels on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
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


def suggestion(name: str, known: Iterable[str]) -> str:
    """What would be valid in place of a name that is not known: the one that is nearly it, else all of them."""
    names = list(known)
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {listing(names, 40)}"


def possession(name: str, known: Iterable[str]) -> str:
    """What something has, where it has not what is asked for by `name`; the one that is nearly it is asked for."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f"it has {listing(names) or 'none'}" + (f" (did you mean {close[0]}?)" if close else "")


def first_line(error: BaseException) -> str:
    """The first line of an error in printable characters, or its name if it says nothing."""
    text = str(error).strip()
    if not text:
        return type(error).__name__
    return "".join(char if char.isprintable() else " " for char in text.splitlines()[0])


def path_first(error: Exception) -> str:
    """A refusal of msgspec's as the path that follows a name, and the reason: `.samples: Expected …`."""
    reason, _, path = str(error).partition(" - at ")
    return f"{path.strip('`').removeprefix('$')}: {reason}"
