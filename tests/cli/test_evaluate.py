"""`saliscope evaluate`: what is asked of the daemon, and what becomes of errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from saliscope.protocol.errors import ERRORS, SaliscopeError

from .conftest import ROWS, FakeClient

Run = Callable[..., Result]
BAD_REQUEST = ERRORS["bad_request"][0]


def test_without_options_everything_that_fits_is_asked_for(run: Run, fake: FakeClient, data: Path) -> None:
    assert run("evaluate", "--data", str(data)).exit_code == 0
    assert fake.calls == [
        (
            "evaluate",
            {
                "texts": ROWS, "model": None, "methods": None, "metrics": None, "target": "predicted", "scale": None,
                "granularity": "token", "seed": 0, "interval": "bootstrap", "cheap": 1.0, "precomputed": None,
                "background": None, "out": None, "download": False,
            },
        )
    ]  # fmt: skip


def test_options_reach_the_daemon(run: Run, fake: FakeClient, data: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"mine": [[1, 2], [3]]}')
    (tmp_path / "many.txt").write_text("one film\n\ntwo films\n")
    result = run(
        "evaluate", "--data", str(data), "-M", "some/model", "--methods", "occlusion, random,", "--metrics", "cost",
        "--target", "gold", "--scale", "prob", "-g", "word", "--limit", "1", "--interval", "normal", "--cheap", "3",
        "--seed", "7", "--scores", str(tmp_path / "scores.json"), "--background", str(tmp_path / "many.txt"),
        "--out", str(tmp_path / "out"), "--no-daemon", "--download",
    )  # fmt: skip
    assert result.exit_code == 0
    assert fake.calls[0][1] == {
        "texts": ROWS[:1], "model": "some/model", "methods": ["occlusion", "random"], "metrics": ["cost"],
        "target": "gold", "scale": "prob", "granularity": "word", "seed": 7, "interval": "normal", "cheap": 3.0,
        "precomputed": {"mine": [[1, 2], [3]]}, "background": ["one film", "two films"], "out": str(tmp_path / "out"),
        "download": True,
    }  # fmt: skip
    assert fake.connections[0]["private"] is True


def test_methods_and_metrics_take_parameters(run: Run, fake: FakeClient, data: Path) -> None:
    arguments = ["--methods", "lime,gae", "--metrics", "hiding,cost", "-p", "lime.samples=32", "-p", "hiding.by=l2"]
    assert run("evaluate", "--data", str(data), *arguments, "-p", "hiding.steps=20").exit_code == 0
    asked = fake.calls[-1][1]
    assert asked["methods"] == [{"method": "lime", "params": {"samples": 32}}, "gae"]
    assert asked["metrics"] == [{"metric": "hiding", "by": "l2", "steps": 20}, "cost"]


@pytest.mark.parametrize(("param", "reason"), [("steps=3", "NAME.KEY"), ("gae.steps=3", "name it there")])
def test_a_parameter_of_nothing_that_was_named_is_an_error(run: Run, data: Path, param: str, reason: str) -> None:
    failed = run("evaluate", "--data", str(data), "--metrics", "hiding", "-p", param)
    assert failed.exit_code == BAD_REQUEST
    assert reason in failed.stderr


@pytest.mark.parametrize("content", ["{", "[1]", '"a"'])
def test_scores_must_be_a_map(run: Run, fake: FakeClient, data: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "scores.json").write_text(content)
    for file in ("scores.json", "none.json"):
        result = run("evaluate", "--data", str(data), "--scores", str(tmp_path / file))
        assert (result.exit_code, "error: scores: " in result.stderr, fake.calls) == (BAD_REQUEST, True, [])


@pytest.mark.parametrize("code", ["bad_request", "unknown_method", "not_capable", "cancelled"])
def test_an_error_has_its_exit_status_and_writes_nothing(
    run: Run, fake: FakeClient, data: Path, tmp_path: Path, code: str
) -> None:
    fake.failure = SaliscopeError(code, "it went wrong")
    result = run("evaluate", "--data", str(data), "--out", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (ERRORS[code][0], "")
    assert "error: it went wrong" in result.stderr
    assert not (tmp_path / "out").exists()


def test_ctrl_c_is_exit_status_130(run: Run, fake: FakeClient, data: Path) -> None:
    fake.failure = KeyboardInterrupt()
    assert run("evaluate", "--data", str(data)).exit_code == 130


def test_data_is_needed(run: Run) -> None:
    result = run("evaluate")
    assert result.exit_code == 2
    assert "--data" in result.stderr


def test_a_background_of_pairs_and_chats_is_all_they_say(
    run: Run, fake: FakeClient, data: Path, tmp_path: Path
) -> None:
    rows = [{"text": "one", "pair": "two"}, {"messages": [{"role": "user", "content": "three"}]}, {"text": "four"}]
    (tmp_path / "many.json").write_text(json.dumps(rows))
    assert run("evaluate", "--data", str(data), "--background", str(tmp_path / "many.json")).exit_code == 0
    assert fake.calls[0][1]["background"] == ["one\ntwo", "three", "four"]
