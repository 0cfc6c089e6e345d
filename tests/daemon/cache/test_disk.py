"""Kept results on disk: bounded, kept over restarts, thrown away where they are damaged."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from saliscope.daemon.front.cache.disk import Disk, files_of

MANY = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite"


def key(n: int) -> bytes:
    return n.to_bytes(24, "big")


def test_what_was_put_is_there_after_a_restart(path: Path) -> None:
    disk = Disk(path, MANY)
    disk.put([(key(n), bytes([n]) * 10) for n in range(5)])
    disk.close()
    assert Disk(path, MANY).get([key(n) for n in range(600)]) == {key(n): bytes([n]) * 10 for n in range(5)}


def test_nobody_else_may_read_it(path: Path) -> None:
    disk = Disk(path, MANY)
    disk.put([(key(1), b"a text")])
    assert {stat.S_IMODE(file.stat().st_mode) for file in files_of(path) if file.exists()} == {0o600}


def test_what_was_not_used_longest_goes_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    disk = Disk(path, 400_000)
    for n in range(200):
        now += 1
        disk.get([key(0)])
        disk.put([(key(n), bytes(4000))])
        assert disk.num_bytes() <= 400_000
    assert disk.get([key(0)])
    assert disk.get([key(199)])
    assert not disk.get([key(1)])
    assert 50 < disk.num_entries() < 100


def test_a_file_that_is_none_is_begun_anew(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)
    disk = Disk(path, MANY)
    assert disk.num_damaged == 1
    disk.put([(key(1), b"value")])
    assert disk.get([key(1)]) == {key(1): b"value"}


def test_pages_that_were_overwritten_are_noticed_and_all_is_forgotten(path: Path) -> None:
    disk = Disk(path, MANY)
    disk.put([(key(n), bytes(2000)) for n in range(200)])
    disk.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    disk = Disk(path, MANY)
    disk.get([key(n) for n in range(200)])
    assert disk.num_damaged == 1
    disk.put([(key(1), b"value")])
    assert disk.get([key(1)]) == {key(1): b"value"}


def test_a_file_of_another_version_is_begun_anew(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE results (a)")
        db.execute("PRAGMA user_version = 99")
    db.close()
    disk = Disk(path, MANY)
    disk.put([(key(1), b"value")])
    assert disk.get([key(1)]) == {key(1): b"value"}
    assert disk.num_damaged == 0


def test_clearing_gives_the_bytes_back(path: Path) -> None:
    disk = Disk(path, MANY)
    disk.put([(key(n), bytes(2000)) for n in range(200)])
    assert disk.clear() > 400_000
    assert disk.get([key(1)]) == {}
    assert sum(file.stat().st_size for file in files_of(path) if file.exists()) < 100_000
