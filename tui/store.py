"""What is kept from one session to the next: choices, looks, the text that has no file, and the prompt."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from saliscope.render.palettes import PALETTES
from saliscope.tui.choices import Choices
from saliscope.tui.prompt.kept import KeptPrompt

#: A longer text is not kept, in code points; and no file with more bytes is ever read.
MOST_TEXT: Final = 4_000_000
MOST_BYTES: Final = 64 << 20
PALETTE: Final = "blue-orange"


class Kept(Struct):
    """What a session leaves behind; `text` and `cursor` are of the text that belongs to no file."""

    choices: Choices = Choices()
    palette: str = PALETTE
    ground: str | None = None
    text: str = ""
    cursor: int = 0
    prompt: KeptPrompt | None = None


def path() -> Path:
    """Where it is kept: `saliscope/tui.json` in XDG_STATE_HOME."""
    base = os.environ.get("XDG_STATE_HOME", "").strip()
    return Path(base or os.path.expanduser("~/.local/state")) / "saliscope" / "tui.json"


def load(note: Callable[[str], None] = lambda line: None) -> Kept:
    """What was kept; the defaults where there is nothing.

    What cannot be read is put aside, as `tui.json.bad`; `note` gets a line for the log, without a word of a text.
    """
    file = path()
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        kept = msgspec.json.decode(file.read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()
    except OSError as error:
        note(f"the last session cannot be read: {error.strerror}")
        return Kept()
    except (ValueError, RecursionError) as error:
        note(_put_aside(file, error))
        return Kept()
    if kept.palette not in PALETTES:
        note(f"the last session had a palette that is not known here; it is {PALETTE} now")
        kept.palette = PALETTE
    return kept


def _put_aside(file: Path, error: Exception) -> str:
    """What is said of a file that holds no session, which is kept under another name."""
    aside = file.with_name(file.name + ".bad")
    try:
        file.replace(aside)
    except OSError as refused:
        return f"the last session cannot be read ({type(error).__name__}), nor put aside: {refused.strerror}"
    return f"the last session cannot be read ({type(error).__name__}); it was put aside as {aside}"


def save(kept: Kept) -> None:
    """Keep it, readable for this user only: all of it takes the place of what was kept, or nothing; raises OSError."""
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tui.", suffix=".new", dir=file.parent)
    new = Path(name)
    try:
        with open(handle, "wb") as stream:
            stream.write(msgspec.json.encode(kept))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def update(changes: Mapping[str, Any]) -> None:
    """Keep fields of `Kept`, the others as another session may have left them; raises OSError or ValueError."""
    save(msgspec.structs.replace(load(), **changes))
