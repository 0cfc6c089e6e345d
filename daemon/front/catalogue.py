"""The methods as a worker has announced them, kept on disk so that `methods/list` needs no worker."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import msgspec
from msgspec import Struct

import saliscope
from saliscope.protocol import paths
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.results import MethodInfo

log = logging.getLogger(__name__)


class Catalogue(Struct):
    """What lies on disk: the methods, and the stamp of the code that announced them."""

    stamp: str
    methods: list[MethodInfo]


def load() -> list[MethodInfo] | None:
    """The kept methods; None if none were kept, or those of other code."""
    try:
        kept = msgspec.json.decode(_path().read_bytes(), type=Catalogue)
    except FileNotFoundError:
        return None
    except (OSError, SaliscopeError, msgspec.DecodeError) as error:
        log.warning("cannot read the kept catalogue: %s", error)
        return None
    return kept.methods if kept.stamp == stamp() else None


def store(methods: list[MethodInfo]) -> None:
    """Keep the methods for the next daemon; without a writable cache it asks a worker again."""
    try:
        path = _path()
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            draft.write_bytes(msgspec.json.encode(Catalogue(stamp(), methods)))
            draft.replace(path)
        finally:
            # What a full disk has kept of it.
            draft.unlink(missing_ok=True)
    except (OSError, SaliscopeError) as error:
        log.warning("cannot keep the catalogue: %s", error)


def _path() -> Path:
    return paths.cache_dir() / f"methods-{saliscope.__version__}.json"


def stamp() -> str:
    """A fingerprint of the explainers' files: a working tree changes within one version."""
    folder = Path(saliscope.__file__).parent / "explainers"
    digest = hashlib.sha256()
    for path in sorted(folder.glob("**/*.py")):
        facts = path.stat()
        digest.update(f"{path.name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
