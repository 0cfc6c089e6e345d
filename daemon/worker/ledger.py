"""What an evaluation has found so far, one line a unit, in a folder of the person's own: nothing is lost."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import msgspec

from saliscope.explainers.errors import BadRequest
from saliscope.explainers.metrics.record import Record

FILE = "records.jsonl"
#: A full disk, a used-up quota, a file at its largest.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_HEAD = {"saliscope": "evaluation"}


def digest_of(question: Any, fingerprint: str) -> str:
    """What makes two evaluations the same: all that was asked (plain types), and the model's weights."""
    plain = json.dumps([question, fingerprint], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


class Ledger:
    """The records of one evaluation in `folder`; another one's folder, or one that cannot be used, is `BadRequest`.

    The first line names the evaluation, every other is a record. A line that was not finished is cut off. Nobody else
    writes there as long as it is open.
    """

    def __init__(self, folder: str, digest: str) -> None:
        self._path = Path(folder) / FILE
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer: what the disk refused must not be tried again when the file is closed.
            self._file = open(self._path, "a+b", buffering=0)  # noqa: SIM115 - closed in `close`
        except (OSError, ValueError) as error:
            raise self._refused(error) from error
        try:
            self._lock()
            self.records = self._read(digest)
            if os.fstat(self._file.fileno()).st_size == 0:
                self._write({**_HEAD, "digest": digest})
        except BaseException:
            self._file.close()
            raise

    def add(self, record: Record) -> None:
        """Keep a record; it is with the system when this returns. A full disk is `BadRequest`."""
        self._write(record.to_dict())

    def close(self) -> None:
        """No more records come."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadRequest(f"out: another evaluation is writing to {self._path}; wait until it has ended") from error
        except OSError as error:
            raise self._refused(error) from error

    def _write(self, row: dict[str, Any]) -> None:
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            raise self._refused(error) from error
        if written != len(line):
            raise BadRequest(f"out: only a part of a line went to {self._path}; make room on the disk and ask again")

    def _read(self, digest: str) -> list[Record]:
        self._file.seek(0)
        whole = self._file.readall()
        kept = whole[: whole.rfind(b"\n") + 1]
        head, *lines = kept.split(b"\n")[:-1] or [b""]
        ours = _digest_in(head) == digest if kept else _begins_as_ours(whole)
        if not ours:
            raise BadRequest(f"out: {self._path} holds another evaluation; choose another folder, or remove the file")
        found = [self._record(number, line) for number, line in enumerate(lines, 2)]
        if len(kept) < len(whole):
            self._file.truncate(len(kept))
        return found

    def _record(self, number: int, line: bytes) -> Record:
        try:
            return Record.from_dict(json.loads(line))
        except (ValueError, msgspec.ValidationError) as error:
            raise BadRequest(
                f"out: line {number} of {self._path} is no record; remove that line, or the file"
            ) from error

    def _refused(self, error: Exception) -> BadRequest:
        if isinstance(error, OSError) and error.errno in _FULL:
            return BadRequest(
                f"out: {str(self._path)!r} cannot grow ({error.strerror}); make room and ask the same again: "
                "it goes on where it ended"
            )
        said = getattr(error, "strerror", None) or error
        return BadRequest(f"out: cannot write {str(self._path)!r} ({said}); choose another folder")


def _begins_as_ours(start: bytes) -> bool:
    """Whether a file without a whole line is empty, or one whose first line was cut short."""
    head = json.dumps(_HEAD)[:-1].encode()
    return head.startswith(start[: len(head)])


def _digest_in(head: bytes) -> Any:
    try:
        found = json.loads(head)
    except ValueError:
        return None
    return found.get("digest") if isinstance(found, dict) else None
