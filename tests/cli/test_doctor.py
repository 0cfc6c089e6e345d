"""`saliscope doctor`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from saliscope.cli import checks
from saliscope.cli.shapes import (
    DoctorShape,
)
from saliscope.protocol.errors import SaliscopeError

from .conftest import STATUS, FakeClient

Run = Callable[..., Result]
ABSENT = SaliscopeError("unavailable", "no daemon listens on /run/daemon.sock; `saliscope daemon start` starts one")
pytestmark = pytest.mark.usefixtures("folders")


def test_doctor_checks_everything(run: Run) -> None:
    result = run("doctor", "--json")
    shape = msgspec.json.decode(result.stdout, type=DoctorShape)
    names = [check.name for check in shape.checks]
    for name in (
        "python",
        "torch",
        "transformers",
        "runtime folder",
        "cache folder",
        "socket",
        "daemon",
        "device",
        "hub",
    ):
        assert name in names
    assert result.exit_code == (0 if shape.healthy else 1)
    assert all(check.advice for check in shape.checks if check.state != "ok")


def test_doctor_says_what_to_do_about_a_folder_open_to_others(run: Run, folders: Path) -> None:
    (folders / "run").mkdir(mode=0o755)
    result = run("doctor")
    assert result.exit_code == 1
    assert "fail  runtime folder" in result.stdout
    assert "→ Run `chmod 700" in result.stdout.replace("\n" + " " * 22, " ")


def test_doctor_looks_at_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert checks.check_socket(path).detail.endswith("(none yet)")
    path.write_text("")
    assert checks.check_socket(path).state == "fail"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        assert checks.check_socket(path).state == "warn"
        path.chmod(0o600)
        assert checks.check_socket(path).state == "ok"


def test_doctor_compares_versions_as_numbers() -> None:
    assert checks.check_package("torch", "2.9.0", "2.11").state == "fail"
    assert checks.check_package("torch", "2.13.0+cpu", "2.11").state == "ok"
    assert checks.check_package("torch", None, "2.11").detail == "not installed"
    assert checks.check_python((3, 10, 1)).state == "fail"


def test_doctor_sees_a_gpu_that_torch_cannot_use() -> None:
    assert checks.check_device(None, "2.13.0+cpu", ["NVIDIA H200"]).state == "warn"
    assert checks.check_device(None, "2.13.0", ["NVIDIA H200"]).state == "ok"
    assert checks.check_device(STATUS, "2.13.0", []).detail == "cpu (in use by the daemon)"


def test_doctor_knows_the_daemon(fake: FakeClient) -> None:
    assert checks.check_daemon()[0].state == "ok"
    fake.absent = ABSENT
    assert checks.check_daemon()[0].state == "ok"
    fake.absent = SaliscopeError("protocol_mismatch", "another version")
    assert checks.check_daemon()[0].state == "warn"
    fake.absent = SaliscopeError("timeout", "it did not answer")
    assert checks.check_daemon()[0].state == "fail"


def test_doctor_tells_that_the_hub_is_offline(tmp_path: Path) -> None:
    (tmp_path / "hub" / "models--a--b").mkdir(parents=True)
    cache, hub = checks.check_hub({"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"})
    assert "1 model," in cache.detail
    assert hub.state == "warn"
