"""What is kept from one session to the next: choices, looks and the text that has no file."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from saliscope.tui.choices import Choices


class Kept(Struct):
    """What a session leaves behind; `text` and `cursor` are of the text that belongs to no file."""

    choices: Choices = Choices()
    palette: str = "blue-orange"
    ground: str | None = None
    text: str = ""
    cursor: int = 0


def path() -> Path:
    """Where it is kept: `saliscope/tui.json` in XDG_STATE_HOME."""
    base = os.environ.get("XDG_STATE_HOME", "").strip()
    return Path(base or os.path.expanduser("~/.local/state")) / "saliscope" / "tui.json"


def load() -> Kept:
    """What was kept; the defaults where there is nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode(path().read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError):
        return Kept()


def save(kept: Kept) -> None:
    """Keep it, readable for this user only; raises OSError."""
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(msgspec.json.encode(kept))
    new.replace(file)
