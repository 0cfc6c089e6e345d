"""A daemon of a bench's own, and texts to ask it about."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from saliscope.protocol import stop

MODELS: Final = ("demo-encoder", "demo-decoder")
WORDS: Final = ("the", "plot", "cast", "film", "is", "was", "dull", "funny", "warm", "a", "mess", "but", "not", "slow")


@contextmanager
def own_daemon(*options: str, cache: str = "0") -> Iterator[None]:
    """Clients inside find, or start, a daemon that nobody else uses; it ends with the block.

    It keeps no results, unless `cache` says how large they may get: what is measured must be computed. `options` are
    more of its command line.
    """
    folder = Path(tempfile.mkdtemp(prefix="sal-", dir="/tmp"))
    mine = {"SALISCOPE_RUNTIME_DIR": str(folder / "run"), "SALISCOPE_CACHE_DIR": str(folder / "cache")}
    mine["SALISCOPE_DAEMON_OPTIONS"] = shlex.join([f"--cache={cache}", *options])
    before = {name: os.environ.get(name) for name in mine}
    os.environ |= mine
    try:
        yield
    finally:
        stop()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder)


def a_text(rng: random.Random, num_words: int) -> str:
    """So many short words, each of them one token or two of the bundled models."""
    return " ".join(rng.choices(WORDS, k=num_words))


def driver_of(job: str) -> int | None:
    """The process of a job; None where there is none just now."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"saliscope.daemon.jobs" in words and any(os.path.basename(word) == job.encode() for word in words):
                return int(folder.name)
    return None
