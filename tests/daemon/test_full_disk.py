"""A disk that is full: what cannot be written is said or done without, and nothing else breaks."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.front import catalogue
from saliscope.daemon.worker.ledger import FILE, Ledger
from saliscope.explainers.errors import BadRequest
from saliscope.protocol import connect, paths
from saliscope.protocol.errors import SaliscopeError


def refuse(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_catalogue_that_cannot_be_kept_leaves_nothing_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: Path, data: bytes) -> int:
        with open(path, "wb") as file:
            file.write(data[:1])
        return int(refuse())

    monkeypatch.setattr(Path, "write_bytes", half)
    catalogue.store([])
    assert list(paths.cache_dir().iterdir()) == []
    assert catalogue.load() is None


def test_an_evaluation_says_that_it_can_go_on_when_there_is_room(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), "digest")
    kept = (tmp_path / FILE).read_bytes()
    ledger.close()
    ledger = Ledger(str(tmp_path), "digest")
    with open("/dev/full", "ab", buffering=0) as full:
        ledger._file = full
        with pytest.raises(BadRequest, match=r"cannot grow \(No space left .* it goes on where it ended"):
            ledger._write({"a": 1})
    assert (tmp_path / FILE).read_bytes() == kept
    assert Ledger(str(tmp_path), "digest").records == []


def test_a_client_that_cannot_write_the_start_lock_says_so(home: Path) -> None:
    paths.start_lock_path().mkdir()
    with pytest.raises(SaliscopeError, match=r"cannot write .*start\.lock") as caught:
        connect()
    assert caught.value.code == "unavailable"


def test_a_daemon_whose_log_cannot_grow_serves_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.log_path().symlink_to("/dev/full")
    with connect() as client:
        assert client.ping()["pong"] is True
        assert len(client.models()) == 2
        client.shutdown()
