from __future__ import annotations

import os
from pathlib import Path

import pytest

from saliscope.protocol import paths
from saliscope.protocol.errors import SaliscopeError


def refused(part: str) -> None:
    with pytest.raises(SaliscopeError, match=part) as caught:
        paths.socket_path()
    assert caught.value.code == "unavailable"


def test_folders_are_made_for_the_user_alone(home: Path) -> None:
    assert paths.socket_path() == home / "run" / "daemon.sock"
    assert paths.log_path() == home / "cache" / "daemon.log"
    assert [(home / name).stat().st_mode & 0o777 for name in ("run", "cache")] == [0o700, 0o700]


def test_without_an_override_the_login_s_runtime_folder_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALISCOPE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    assert paths.runtime_dir() == home / "saliscope"


def test_without_a_login_the_user_s_cache_is_used_never_tmp(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SALISCOPE_RUNTIME_DIR", "SALISCOPE_CACHE_DIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    assert paths.runtime_dir() == home / ".cache" / "saliscope" / "run"
    assert paths.cache_dir() == home / ".cache" / "saliscope"


def test_a_folder_that_cannot_be_made_says_what_to_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", str(home / "file" / "run"))
    refused("cannot make the folder .* set SALISCOPE_RUNTIME_DIR")


def test_a_folder_open_to_others_is_refused_with_the_command_that_closes_it(home: Path) -> None:
    (home / "run").mkdir()
    (home / "run").chmod(0o755)
    refused(f"chmod 700 {home}/run")


def test_a_link_is_refused(home: Path) -> None:
    (home / "elsewhere").mkdir(mode=0o700)
    (home / "run").symlink_to(home / "elsewhere")
    refused("a link")


def test_a_folder_of_another_user_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    refused("another user")


def test_a_socket_path_too_long_for_the_system_is_hashed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    found = set()
    for letter in "ab":
        monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", str(home / (letter * 90)))
        path = paths.socket_path()
        assert path.parent == home / "saliscope"
        assert len(os.fsencode(path)) <= paths.MAX_SOCKET_PATH
        found.add(path)
    assert len(found) == 2


def test_a_login_folder_too_long_for_a_socket_says_what_to_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / ("x" * 90)))
    monkeypatch.delenv("SALISCOPE_RUNTIME_DIR")
    refused("set SALISCOPE_RUNTIME_DIR to a short one")
