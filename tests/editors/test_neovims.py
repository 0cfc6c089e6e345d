"""Neovim of Debian (0.7) and of now, with a real daemon and a bundled model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.editors.conftest import ROOT, installed
from tests.editors.test_neovim import NVIM

HERE = Path(__file__).parent
PLUGIN = ROOT / "editors" / "nvim"
OLD = "/usr/bin/nvim"
pytestmark = installed


@pytest.fixture(scope="module", params=[OLD, NVIM], ids=["old", "new"])
def seen(request: pytest.FixtureRequest, environment: dict[str, str]) -> dict[str, Any]:
    nvim, folder = str(request.param), Path(environment["HOME"])
    found = folder / "seen.json"
    found.unlink(missing_ok=True)
    own = {"SALISCOPE_SEEN": str(found), "SALISCOPE_TEXT": str(folder / "reviews.jsonl")}
    run = [
        nvim, "--headless", "-u", "NONE", "-i", "NONE", "--cmd", f"set rtp^={PLUGIN} noswapfile",
        "-c", "runtime plugin/saliscope.lua", "-c", f"luafile {HERE / 'real.lua'}",
    ]  # fmt: skip
    done = subprocess.run(run, env={**environment, **own}, capture_output=True, text=True, timeout=300, check=False)
    assert found.exists(), done.stderr
    seen: dict[str, Any] = json.loads(found.read_text())
    assert "error" not in seen, f"{seen['error']}\n{done.stderr}"
    return {**seen, "nvim": nvim}


def test_each_is_what_it_is_meant_to_be(seen: dict[str, Any]) -> None:
    assert (seen["version"], seen["encoding"]) == ((7, "utf-16") if seen["nvim"] == OLD else (11, "utf-8"))


def test_words_are_coloured(seen: dict[str, Any]) -> None:
    found = dict(seen["spans"])
    assert found["boring"] == "SaliscopeFor3"
    assert found["lifeless"].startswith("SaliscopeAgainst")
    # Behind an emoji and an umlaut.
    assert found["charming"] == "SaliscopeFor3"


def test_hover_problem_and_lenses_are_there(seen: dict[str, Any]) -> None:
    assert "speaks against negative" in seen["hover"]
    assert "demo-encoder · occlusion" in seen["hover"]
    assert seen["problems"] == [[1, 2, "the label is positive, the prediction negative"]]
    assert [lens.partition(" ")[0] for lens in seen["lenses"]][:3] == ["negative", "negative", "positive"]
    assert "label positive · occlusion" in seen["drawn"]


def test_colours_move_with_the_text_and_new_words_get_their_own(seen: dict[str, Any]) -> None:
    assert seen["moved"] == seen["spans"]
    assert "slow" not in dict(seen["typed"])
    assert [group for word, group in seen["typed"] if word == "boring"] == ["SaliscopeFor3"] * 2
    assert seen["records"] == 4


def test_the_health_check_finds_nothing_wrong(seen: dict[str, Any]) -> None:
    assert "the daemon is connected" in seen["health"]
    assert " records explained by " in seen["health"]
    assert "ERROR" not in seen["health"]
