"""What an evaluation has found so far, one line a unit, in a folder of the person's own: nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from saliscope.explainers.errors import BadRequest
from saliscope.explainers.metrics.record import Record

FILE = "records.jsonl"


def digest_of(question: Any, fingerprint: str) -> str:
    """What makes two evaluations the same: all that was asked (plain types), and the model's weights."""
    plain = json.dumps([question, fingerprint], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


class Ledger:
    """The records of one evaluation in `folder`; another one's folder is `BadRequest`.

    The first line names the evaluation, every other is a record. A line that was not finished is cut off.
    """

    def __init__(self, folder: str, digest: str) -> None:
        self._path = Path(folder) / FILE
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self.records = self._read(digest)
            self._file: BinaryIO = open(self._path, "ab")  # noqa: SIM115 - closed in `close`
        except OSError as error:
            raise BadRequest(f"out: cannot write {self._path} ({error.strerror}); choose another folder") from error
        if self._file.tell() == 0:
            self._write({"saliscope": "evaluation", "digest": digest})

    def add(self, record: Record) -> None:
        """Keep a record; it is with the system when this returns."""
        self._write(record.to_dict())

    def close(self) -> None:
        """No more records come."""
        self._file.close()

    def _write(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        self._file.flush()

    def _read(self, digest: str) -> list[Record]:
        if not self._path.exists():
            return []
        whole = self._path.read_bytes()
        kept = whole[: whole.rfind(b"\n") + 1]
        if len(kept) < len(whole):
            os.truncate(self._path, len(kept))
        if not kept:
            return []
        head, *lines = kept.splitlines()
        if _digest_in(head) != digest:
            raise BadRequest(f"out: {self._path} holds another evaluation; choose another folder, or remove the file")
        return list(_records(lines))


def _digest_in(head: bytes) -> Any:
    try:
        found = json.loads(head)
    except ValueError:
        return None
    return found.get("digest") if isinstance(found, dict) else None


def _records(lines: Iterable[bytes]) -> Iterable[Record]:
    for line in lines:
        yield Record.from_dict(json.loads(line))
