"""Where things lie: socket, locks, log, cache. Private to the user, never in a shared folder by default."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from saliscope.protocol.errors import SaliscopeError

#: Overrides of the runtime folder (socket, locks) and of the cache folder (log, catalogue).
RUNTIME_VARIABLE: Final = "SALISCOPE_RUNTIME_DIR"
CACHE_VARIABLE: Final = "SALISCOPE_CACHE_DIR"

#: The file of kept results, in the cache folder; SQLite keeps others beside it.
RESULTS: Final = "results.sqlite"
#: Longest socket path in bytes: macOS has 104, Linux 108, both with a closing zero.
MAX_SOCKET_PATH: Final = 100


def runtime_dir() -> Path:
    """The folder of socket and locks: mode 0700 and ours; `unavailable` says what to do if it is not."""
    return _own(_runtime_path(), RUNTIME_VARIABLE, 0o077)


def cache_dir() -> Path:
    """The folder of log and cached facts: ours, and no other user may write there; else `unavailable`."""
    override = os.environ.get(CACHE_VARIABLE)
    return _own(Path(override).absolute() if override else _user_cache(), CACHE_VARIABLE, 0o022)


def socket_path() -> Path:
    """Where the daemon listens; a path too long for the system is replaced by its hash in the default folder."""
    path = runtime_dir() / "daemon.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    import hashlib

    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    short = _own(_default_runtime_path(), RUNTIME_VARIABLE, 0o077) / f"{digest}.sock"
    if len(os.fsencode(short)) > MAX_SOCKET_PATH:
        raise SaliscopeError(
            "unavailable",
            f"the path {short} is longer than {MAX_SOCKET_PATH} bytes; set {RUNTIME_VARIABLE} to a short one",
        )
    return short


def life_lock_path() -> Path:
    """The file that the daemon keeps locked as long as it lives."""
    return runtime_dir() / "daemon.lock"


def start_lock_path() -> Path:
    """The file that a client keeps locked while it starts a daemon."""
    return runtime_dir() / "start.lock"


def log_path() -> Path:
    """The log of the daemon and its workers."""
    return cache_dir() / "daemon.log"


def token_path() -> Path:
    """The file with the token that clients on TCP send."""
    return cache_dir() / "tcp-token"


def _runtime_path() -> Path:
    override = os.environ.get(RUNTIME_VARIABLE)
    return Path(override).absolute() if override else _default_runtime_path()


def _default_runtime_path() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "saliscope" if base else _user_cache() / "run"


def _user_cache() -> Path:
    if os.uname().sysname == "Linux":
        # What platformdirs says here; its import takes a sixth of the time of `saliscope status`.
        base = os.environ.get("XDG_CACHE_HOME", "").strip()
        return Path(base or os.path.expanduser("~/.cache")) / "saliscope"
    from platformdirs import user_cache_path

    return user_cache_path("saliscope", appauthor=False)


def _own(path: Path, variable: str, forbidden: int) -> Path:
    """The folder, made if it is missing; refused if the mode bits `forbidden` are set or it is not ours."""
    try:
        for folder in reversed([path, *path.parents]):
            # `parents=True` would make those in between with the umask's mode.
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise SaliscopeError(
            "unavailable",
            f"cannot make the folder {path} ({error.strerror}); set {variable} to a folder that you can write",
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise SaliscopeError("unavailable", f"{path} is not a folder but a link; set {variable} to a folder")
    if found.st_uid != os.getuid():
        raise SaliscopeError("unavailable", f"{path} belongs to another user; set {variable} to a folder of your own")
    if found.st_mode & forbidden:
        raise SaliscopeError("unavailable", f"{path} is open to other users; run `chmod 700 {path}`")
    if not os.access(path, os.W_OK | os.X_OK):
        raise SaliscopeError("unavailable", f"cannot write in {path}; run `chmod 700 {path}` or set {variable}")
    return path
