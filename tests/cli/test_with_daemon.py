"""The commands against the real daemon and the bundled models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from saliscope.cli.shapes import ExplainShape, StatusShape

Saliscope = Callable[..., subprocess.CompletedProcess[str]]
TEXT = "a dull, lifeless and boring film"


@pytest.fixture(scope="module")
def saliscope() -> Iterator[Saliscope]:
    """Runs the command in folders of its own; the daemon that it starts ends with the module."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            **{name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "COLUMNS")},
            "SALISCOPE_RUNTIME_DIR": str(Path(folder) / "run"),
            "SALISCOPE_CACHE_DIR": str(Path(folder) / "cache"),
        }

        def run(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "saliscope.cli", *arguments]
            return subprocess.run(command, input=input, capture_output=True, text=True, check=False, env=environ)

        try:
            yield run
        finally:
            run("daemon", "stop")


def test_status_does_not_start_the_daemon_and_the_first_explanation_does(saliscope: Saliscope) -> None:
    assert saliscope("status").stdout.startswith("not running")
    assert saliscope("status").stdout.startswith("not running")
    result = saliscope("explain", TEXT)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(TEXT)
    assert "why  model demo-encoder" in result.stdout
    assert msgspec.json.decode(saliscope("status", "--json").stdout, type=StatusShape).running
    assert saliscope("doctor").returncode == 0


def test_the_encoder_says_negative_for_the_word_that_is(saliscope: Saliscope) -> None:
    result = saliscope(
        "explain", TEXT, "--model", "demo-encoder", "--method", "decoded-grad-cam", "-g", "word", "--json"
    )
    shape = msgspec.json.decode(result.stdout, type=ExplainShape)
    assert shape.prediction.label == "negative"
    assert max(shape.features, key=lambda feature: feature.score).text.strip(", ") in ("dull", "lifeless", "boring")


def test_the_scores_of_the_decoder_sum_to_value_minus_base(saliscope: Saliscope) -> None:
    result = saliscope("explain", "--model", "demo-decoder", "--method", "sp-pi", "--json", input=TEXT)
    shape = msgspec.json.decode(result.stdout, type=ExplainShape)
    assert shape.prediction.label == "negative"
    assert shape.value is not None
    assert shape.base_value is not None
    assert sum(feature.score for feature in shape.features) == pytest.approx(shape.value - shape.base_value, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("explain", ""), 2, "empty"),
        (("explain", "x", "-m", "no-such-method"), 3, "sp-pi"),
        (("explain", "x", "-M", "no-such-model"), 3, "demo-encoder"),
        (("explain", "x", "-t", "no-such-label"), 2, "negative"),
        (("explain", "x", "-M", "demo-encoder", "-m", "sp-pi"), 4, ""),
        (("explain", "x", "-p", "no_such=1", "-m", "occlusion"), 2, "no_such"),
        (("explain", "x" * 2_000_000), 5, "limit"),
    ],
)
def test_bad_input_has_its_status_and_names_what_is_valid(
    saliscope: Saliscope, arguments: tuple[str, ...], status: int, words: str
) -> None:
    text = arguments[1] if len(arguments[1]) > 100_000 else None
    result = saliscope(*((arguments[0], "-") if text else arguments), input=text or "")
    assert result.returncode == status, result.stderr
    assert words in result.stderr
    assert saliscope("status").stdout.startswith("running")


def test_predict_tokenize_models_and_methods_answer(saliscope: Saliscope) -> None:
    lines = saliscope("predict", "a charming film", "a boring film").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["positive", "negative"]
    hidden = saliscope("predict", "a boring film", "--mask", "boring").stdout.splitlines()
    assert hidden[-1] == "demo-encoder · without boring"
    tokens = json.loads(saliscope("tokenize", "面白い 👩‍👩‍👧", "--json").stdout)
    assert all(tokens["text"][t["start"] : t["end"]] == t["text"] for t in tokens["tokens"] if not t["special"])
    assert "demo-decoder" in saliscope("models").stdout
    names = [method["name"] for method in json.loads(saliscope("methods", "--json").stdout)["methods"]]
    for name in names:
        assert saliscope("methods", name).stdout.startswith(name)


def test_methods_stand_side_by_side(saliscope: Saliscope) -> None:
    result = saliscope("explain", TEXT, "-m", "input-x-gradient", "-m", "occlusion")
    assert result.stdout.splitlines()[1] == f"occlusion         {TEXT}"


def test_without_the_daemon_the_answer_is_the_same(saliscope: Saliscope) -> None:
    arguments = ("explain", TEXT, "-m", "occlusion", "--json")
    private = msgspec.json.decode(saliscope(*arguments, "--no-daemon").stdout, type=ExplainShape)
    shared = msgspec.json.decode(saliscope(*arguments).stdout, type=ExplainShape)
    assert [f.score for f in private.features] == pytest.approx([f.score for f in shared.features], abs=1e-5)


def test_what_is_kept_of_a_text_is_counted_and_forgotten(saliscope: Saliscope) -> None:
    text = f"{TEXT} and so on, " * 12
    for typed in (text, text + "and so on"):
        assert saliscope("explain", typed, "--model", "demo-decoder", "--method", "sp-pi").returncode == 0
    status = msgspec.json.decode(saliscope("status", "--json").stdout, type=StatusShape)
    assert status.workers is not None
    assert status.workers[0]["counters"]["prefix_hits"] == 1
    assert status.memory is not None
    assert status.memory["prefixes"] > 0
    assert "of the daemon's memory" in saliscope("cache", "clear").stdout
    status = msgspec.json.decode(saliscope("status", "--json").stdout, type=StatusShape)
    assert status.memory is not None
    assert status.memory["prefixes"] == 0


def test_the_daemon_stops_and_says_so(saliscope: Saliscope) -> None:
    assert saliscope("daemon", "logs").stdout
    assert saliscope("daemon", "stop").stdout == "stopped\n"
    assert saliscope("daemon", "stop").stdout == "not running\n"
    assert saliscope("status").stdout.startswith("not running")
