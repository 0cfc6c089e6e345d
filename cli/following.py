"""The end of a file that grows, and what is added to it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

_FOLLOW_S: Final = 0.25
_TAIL_BYTES: Final = 1 << 18


def print_tail(path: Path, lines: int) -> int:
    """Print the last lines; where the file ends."""
    if not path.exists():
        return 0
    with open(path, "rb") as log:
        end = log.seek(0, 2)
        log.seek(max(0, end - _TAIL_BYTES))
        text = log.read().decode(errors="replace")
    sys.stdout.write("".join(line + "\n" for line in text.splitlines()[-lines:]))
    sys.stdout.flush()
    return end


def follow(path: Path, at: int) -> None:
    """Print what is added from `at` on; start anew where the file was emptied or replaced by a shorter one."""
    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < at:
            at = 0
        if size > at:
            with open(path, "rb") as log:
                log.seek(at)
                data = log.read()
            at += len(data)
            sys.stdout.write(data.decode(errors="replace"))
            sys.stdout.flush()
        time.sleep(_FOLLOW_S)
