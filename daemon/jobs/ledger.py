"""The chunks of a job beside its output: each is written and renamed, and those that are there are done."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from saliscope.daemon.jobs.ending import JobFailed, JobPaused
from saliscope.protocol.errors import SaliscopeError

#: A full disk, a used-up quota, a file at its largest.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_HEAD: Final = "head.json"
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder()


class Head(Struct):
    """What the chunks belong to: the job, a digest of its question and its data, and what was found out about both."""

    job: str
    digest: str
    rows_a_chunk: int = 0
    total: int | None = None
    fingerprint: str = ""
    model: str = ""


class DamagedChunk(Exception):
    """A chunk that does not hold the rows that it should; it was removed."""


def parts_of(out: Path) -> Path:
    """The folder of the chunks of an output."""
    return out.with_name(out.name + ".parts")


class Ledger:
    """The folder of one job's chunks; nobody else writes there while it is open.

    Chunk `n` holds the rows from `n * rows_a_chunk` on, as JSON lines. What cannot be written because the disk is
    full is `JobPaused`, what cannot be written otherwise `JobFailed`.
    """

    def __init__(self, folder: Path, head: Head) -> None:
        self.folder = folder
        self.head = head
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ending_of(error, folder) from error
        # A predecessor that was killed with its daemon may need a moment to end.
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def keep_head(self) -> None:
        """Write the head as it is now."""
        self._write(self.folder / _HEAD, _ENCODER.encode(self.head))

    def done(self) -> set[int]:
        """The numbers of the chunks that are there."""
        return {int(path.stem) for path in self.folder.glob("*.jsonl")}

    def add(self, number: int, rows: Iterable[dict[str, Any]]) -> None:
        """Keep a chunk: after this it is there whole, whatever happens."""
        self._write(self._path(number), b"".join(_ENCODER.encode(row) + b"\n" for row in rows))

    def rows(self, number: int) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """The rows of a chunk, as lines and as maps; one that lacks any is removed: `DamagedChunk`."""
        expected = self.num_rows(number)
        lines = self.lines(number)
        try:
            rows = [_DECODER.decode(line) for line in lines]
            sound = [row["row"] for row in rows] == list(expected)
        except (msgspec.DecodeError, TypeError, KeyError):
            sound = False
        if not sound:
            self._path(number).unlink()
            raise DamagedChunk
        yield from zip(lines, rows, strict=True)

    def lines(self, number: int) -> list[bytes]:
        """The lines of a chunk as they are."""
        return self._path(number).read_bytes().removesuffix(b"\n").split(b"\n")

    def num_rows(self, number: int) -> range:
        """The numbers of the rows in a chunk."""
        start = number * self.head.rows_a_chunk
        return range(start, min(start + self.head.rows_a_chunk, self.head.total or 0))

    @property
    def num_chunks(self) -> int:
        """How many chunks there will be."""
        return -(-(self.head.total or 0) // self.head.rows_a_chunk)

    def remove(self) -> None:
        """Remove all chunks, and the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.jsonl"

    def _write(self, path: Path, data: bytes) -> None:
        draft = path.with_suffix(".draft")
        try:
            try:
                # Without a buffer: what the disk refused must not be tried again when the file is closed.
                with open(draft, "wb", buffering=0) as file:
                    view = memoryview(data)
                    while view:
                        view = view[file.write(view) :]
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise ending_of(error, path) from error


def read_head(folder: Path) -> Head | None:
    """The head of the chunks in a folder; None where there are none, or none that can be told."""
    try:
        return msgspec.json.decode((folder / _HEAD).read_bytes(), type=Head)
    except (OSError, msgspec.DecodeError):
        return None


def ending_of(error: OSError, path: Path) -> SaliscopeError:
    """What a file that cannot be written means for the job."""
    if error.errno in _FULL:
        return JobPaused(f"{path} cannot be written ({error.strerror}); make room, then resume the job")
    return JobFailed("bad_request", f"out: cannot write {path} ({error.strerror}); choose another place")
