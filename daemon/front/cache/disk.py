"""Results in a file of SQLite's: bounded in size, kept over restarts, thrown away where it is damaged."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

#: Of another number, the file is of another version of this code, and begun anew.
_VERSION: Final = 1
_PAGE: Final = 4096
#: So much of the results goes, longest unused first, when there is no more room.
_PART: Final = 10
#: So many keys in one statement.
_AT_ONCE: Final = 256
_SCHEMA: Final = """
CREATE TABLE results (key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX by_use ON results (used);
"""


class Disk:
    """Keys to bytes, about `most` bytes of them; for one thread. What the disk refuses is logged and not kept."""

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        self._touched: set[bytes] = set()
        #: How often the file was damaged.
        self.num_damaged = 0
        self._db = self._opened()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is kept of these keys."""
        found: dict[bytes, bytes] = {}
        try:
            for at in range(0, len(keys), _AT_ONCE):
                some = keys[at : at + _AT_ONCE]
                marks = ",".join("?" * len(some))
                found |= self._db.execute(f"SELECT key, value FROM results WHERE key IN ({marks})", some).fetchall()
        except sqlite3.Error as error:
            self._failed(error)
        self._touched |= found.keys()
        return found

    def put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep more; the longest unused go when there are too many bytes."""
        now = int(time.time())
        try:
            with self._db:
                self._db.executemany(
                    "UPDATE results SET used = ? WHERE key = ?", [(now, key) for key in sorted(self._touched)]
                )
                rows = [(key, value, now) for key, value in items]
                self._db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)
            self._touched.clear()
            while (num := self.num_entries()) and self.num_bytes() > self._most:
                with self._db:
                    self._db.execute(
                        "DELETE FROM results WHERE key IN (SELECT key FROM results ORDER BY used LIMIT ?)",
                        (num // _PART + 1,),
                    )
        except sqlite3.Error as error:
            self._failed(error)

    def drop(self, key: bytes) -> None:
        """Forget one."""
        try:
            with self._db:
                self._db.execute("DELETE FROM results WHERE key = ?", (key,))
        except sqlite3.Error as error:
            self._failed(error)

    def num_bytes(self) -> int:
        """Bytes in use in the file."""
        pages, free = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count")
        )
        return (pages - free) * _PAGE

    def num_entries(self) -> int:
        """How many results there are."""
        return int(self._db.execute("SELECT COUNT(*) FROM results").fetchone()[0])

    def clear(self) -> int:
        """Forget everything; the bytes that the files had."""
        freed = sum(path.stat().st_size for path in files_of(self._path) if path.exists())
        self._anew()
        return freed

    def close(self) -> None:
        """Write down what is pending, and close the file."""
        self.put(())
        self._db.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.OperationalError:
            # Somebody else has it, or there is no room: nothing is wrong with it.
            raise
        except sqlite3.DatabaseError as error:
            self._failed(error)
            return self._db

    def _connected(self) -> sqlite3.Connection:
        # It holds texts: nobody else may read it. SQLite makes the files beside it alike.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self._path, timeout=1.0, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size = {_PAGE}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA journal_size_limit = {16 << 20}")
            if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                db.executescript(f"DROP TABLE IF EXISTS results; {_SCHEMA} PRAGMA user_version = {_VERSION};")
            db.execute("SELECT key, value, used FROM results LIMIT 1").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _failed(self, error: sqlite3.Error) -> None:
        """A full disk and a file that is locked leave things as they are; a file that is damaged is begun anew."""
        if isinstance(error, sqlite3.OperationalError):
            log.warning("results are not kept: %s", error)
            return
        log.warning("the kept results were damaged (%s) and are forgotten", error)
        self.num_damaged += 1
        self._anew()

    def _anew(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()
        for path in files_of(self._path):
            path.unlink(missing_ok=True)
        self._touched.clear()
        self._db = self._connected()


def files_of(path: Path) -> tuple[Path, ...]:
    """The file and those that SQLite keeps beside it."""
    return path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")
