"""Emacs itself, in batch, with eglot, a real daemon and a bundled model."""

from __future__ import annotations

import json
import shutil
import subprocess
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from tests.editors.conftest import ROOT, installed

HERE = Path(__file__).parent
EMACS = shutil.which("emacs")
#: Where Debian has eglot and what it needs; batch does not look there by itself.
PACKAGES = glob("/usr/share/emacs/site-lisp/elpa/*/")
pytestmark = installed


@pytest.fixture(scope="module")
def seen(environment: dict[str, str]) -> dict[str, Any]:
    assert EMACS, "there is no Emacs; `make test-editors` installs it"
    folder = Path(environment["HOME"])
    own = {"SALISCOPE_SEEN": str(folder / "seen.json"), "SALISCOPE_TEXT": str(folder / "reviews.jsonl")}
    paths = [argument for place in (*PACKAGES, str(ROOT / "editors" / "emacs")) for argument in ("-L", place)]
    run = [EMACS, "--batch", "-Q", *paths, "-l", str(HERE / "drive.el")]
    done = subprocess.run(run, env={**environment, **own}, capture_output=True, text=True, timeout=300, check=False)
    assert (folder / "seen.json").exists(), done.stderr
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    assert "error" not in found, f"{found['error']}\n{done.stderr}"
    return found


def test_the_file_compiles_without_a_warning(tmp_path: Path) -> None:
    assert EMACS
    shutil.copy(ROOT / "editors" / "emacs" / "saliscope.el", tmp_path)
    paths = [argument for place in PACKAGES for argument in ("-L", place)]
    strict = ["--eval", "(setq byte-compile-error-on-warn t)"]
    run = [EMACS, "--batch", "-Q", *paths, *strict, "-f", "batch-byte-compile", str(tmp_path / "saliscope.el")]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_words_are_overlays_with_the_faces_of_their_buckets(seen: dict[str, Any]) -> None:
    found = dict(seen["overlays"])
    assert seen["class"] == "saliscope-server"
    assert found["boring"] == "saliscope-for-3"
    assert found["lifeless"].startswith("saliscope-against-")
    # Behind an emoji and an umlaut.
    assert found["charming"] == "saliscope-for-3"


def test_a_hover_says_score_and_side(seen: dict[str, Any]) -> None:
    assert "lifeless" in seen["hover"]
    assert "speaks against negative" in seen["hover"]


def test_commands_ask_show_and_copy(seen: dict[str, Any]) -> None:
    assert seen["labels"] == ["negative", "positive"]
    assert seen["masked"].startswith("saliscope: without “lifeless”: negative ")
    assert json.loads(seen["copied"])["prediction"]["label"] == "negative"
    assert seen["method"] == "input-x-gradient"


def test_flymake_has_the_mispredicted_record_and_no_other(seen: dict[str, Any]) -> None:
    ((line, kind, text),) = seen["problems"]
    assert (line, kind) == (2, "eglot-warning")
    assert "the label is positive, the prediction negative" in text


def test_overlays_move_with_the_text_and_new_words_get_their_own(seen: dict[str, Any]) -> None:
    assert seen["moved"] == seen["overlays"]
    assert "slow" not in dict(seen["typed"])
    assert [face for word, face in seen["typed"] if word == "boring"] == ["saliscope-for-3"] * 2


def test_commands_answer_and_colours_go_with_the_server(seen: dict[str, Any]) -> None:
    assert seen["mispredicted"] == 1
    assert seen["ended"] is True
