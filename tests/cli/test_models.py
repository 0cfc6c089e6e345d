"""`saliscope models`, `load`, `unload` and `ps`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from click.testing import Result

from saliscope.cli.shapes import (
    ModelsShape,
    PsShape,
)
from saliscope.protocol.results import Check

from .conftest import MODEL, STATUS, FakeClient

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("folders")


def test_models_are_listed_with_their_facts(run: Run) -> None:
    lines = run("models").stdout.splitlines()
    assert lines[0].startswith("demo-encoder  ready      encoder-classifier, negative, positive, 256 tokens")
    assert lines[-1].split() == ["demo-decoder", "available", "bundled"]


def test_models_json_has_its_shape(run: Run) -> None:
    shape = msgspec.json.decode(run("models", "--json").stdout, type=ModelsShape)
    assert [model.name for model in shape.models] == ["demo-encoder", "demo-decoder"]


def test_models_are_loaded_and_unloaded(run: Run, fake: FakeClient) -> None:
    assert "ready" in run("models", "load", "demo-encoder").stdout
    assert run("models", "unload", "demo-encoder").stdout == "unloaded demo-encoder, 13.2 MB of ram given back\n"
    assert run("unload", "other").stdout == "other was not loaded\n"
    assert [call for call, _ in fake.calls] == ["load_model", "unload_model", "unload_model"]
    assert fake.connections[-1]["start"] is False


def test_load_hands_on_how(run: Run, fake: FakeClient) -> None:
    options = ("--device", "cpu", "--dtype", "bfloat16", "--adapter", "a/b", "--keep-alive", "2h", "--no-check")
    shape = msgspec.json.decode(run("load", "someone/model", *options, "--json").stdout, type=ModelsShape)
    assert [model.name for model in shape.models] == ["demo-encoder"]
    _, given = fake.calls[-1]
    assert given == {
        "name": "someone/model", "download": False, "device": "cpu", "dtype": "bfloat16", "revision": None,
        "adapter": "a/b", "keep_alive": 7200.0, "check": False,
    }  # fmt: skip
    assert "use 300, 5m, 2h" in run("load", "m", "--keep-alive", "soon").stderr


def test_a_failed_check_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = msgspec.structs.replace(MODEL, checks=[Check("causality", False, 0.5, 0.0001)])
    monkeypatch.setattr(FakeClient, "load_model", lambda self, name, **options: failed)
    assert "warning: it failed the causality check (0.5, limit 0.0001)" in run("load", "m").stderr


def test_ps_shows_what_takes_memory(run: Run, fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"size": 538_000_000, "num_in_use": 0, "expires_s": 95.5, "dtype": "bfloat16"}
    rows = [{**model, **held} for model in msgspec.to_builtins(STATUS)["models"]]
    rows.append({**rows[0], "name": "busy", "num_in_use": 2, "expires_s": None})
    rows.append({**rows[0], "name": "kept", "expires_s": None})
    rows.append({**rows[0], "name": "demo-decoder", "state": "available"})
    monkeypatch.setattr(fake, "glance", lambda: {"models": rows})
    monkeypatch.setattr("saliscope.protocol.glance", lambda: {"models": rows}, raising=False)
    lines = run("ps").stdout.splitlines()
    assert lines[0].split("  ")[0] == "name"
    assert lines[1].startswith("demo-encoder  538 MB  cpu     bfloat16  ready  0       in 1 min 35 s")
    assert lines[2].split()[-2:] == ["in", "use"]
    assert lines[3].split()[-1] == "never"
    assert len(lines) == 4
    shape = msgspec.json.decode(run("ps", "--json").stdout, type=PsShape)
    assert [model.name for model in shape.models] == ["demo-encoder", "busy", "kept"]
    monkeypatch.setattr("saliscope.protocol.glance", lambda: None, raising=False)
    assert run("ps").stdout == "not running\n"
    assert run("ps").exit_code == 0
