"""The token that a daemon asks for on TCP: 32 random bytes in a file that only its user can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from saliscope.protocol import paths
from saliscope.protocol.errors import SaliscopeError

#: The token itself, for clients on a machine without the file.
TOKEN_VARIABLE: Final = "SALISCOPE_TOKEN"
NUM_BYTES: Final = 32


def known() -> str | None:
    """The token that a client sends: of the environment, else of this user's file; None without either."""
    return os.environ.get(TOKEN_VARIABLE) or (read() if paths.token_path().exists() else None)


def make() -> str:
    """The token of this user's daemon, made now if there is none."""
    path = paths.token_path()
    if not path.exists():
        import secrets

        # Written beside and linked into place: nobody reads half a token, and of two makers one wins.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(NUM_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return read()


def read() -> str:
    """The token in this user's file; `unavailable` unless the file is this user's alone and whole."""
    path = paths.token_path()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SaliscopeError("unavailable", f"cannot read the token in {path} ({error.strerror})") from error
    with open(descriptor, encoding="ascii", errors="replace") as file:
        _check(path, os.fstat(descriptor))
        text = file.read(4 * NUM_BYTES).strip()
    if len(text) < 2 * NUM_BYTES:
        raise SaliscopeError("unavailable", f"{path} holds no token; remove it, the next daemon makes one")
    return text


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SaliscopeError("unavailable", f"{path} is no file; remove it, the next daemon makes one")
    if found.st_uid != os.getuid():
        raise SaliscopeError("unavailable", f"{path} belongs to another user; remove it")
    if found.st_mode & 0o077:
        raise SaliscopeError("unavailable", f"{path} is open to other users; remove it, and the next daemon makes one")
