"""Neovim itself, headless, with the plugin as it is shipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol import paths
from saliscope.render.palettes import PALETTES

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BESIDE = Path(sys.executable).with_name("nvim")
NVIM = os.environ.get("SALISCOPE_NVIM") or (str(BESIDE) if BESIDE.exists() else shutil.which("nvim"))
TEXT = '{"text": "😀 a dull film", "label": "positive"}\n{"text": "größer, wonderful"}\n'

pytestmark = pytest.mark.skipif(NVIM is None, reason="there is no Neovim here")


def run(folder: Path, script: str, **environment: str) -> dict[str, Any]:
    """What a script in Neovim has written down."""
    seen, plugin = folder / "seen.json", folder / "nvim"
    # Help tags are written beside the help.
    shutil.copytree(ROOT / "editors" / "nvim", plugin)
    own = {
        "SALISCOPE_SEEN": str(seen),
        "SALISCOPE_PYTHON": sys.executable,
        "SALISCOPE_PLUGIN": str(plugin),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        **environment,
    }
    command = [
        str(NVIM), "--headless", "-u", "NONE", "-i", "NONE", "--cmd", f"set rtp^={plugin} noswapfile",
        "-c", "runtime plugin/saliscope.lua", "-c", f"luafile {HERE / script}",
    ]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, timeout=120, check=False)
    assert seen.exists(), done.stderr
    found: dict[str, Any] = json.loads(seen.read_text())
    assert found.get("error") is None, f"{found['error']}\n{done.stderr}"
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("nvim")
    (folder / "reviews.jsonl").write_text(TEXT)
    other = folder / "other"
    other.mkdir()
    (other / "saliscope.toml").touch()
    (other / "reviews.jsonl").write_text(TEXT)
    texts = {"SALISCOPE_TEXT": str(folder / "reviews.jsonl"), "SALISCOPE_OTHER_TEXT": str(other / "reviews.jsonl")}
    return run(folder, "drive.lua", **texts)


def test_words_are_coloured_where_they_stand(seen: dict[str, Any]) -> None:
    assert seen["first"] == [["dull", "SaliscopeFor3"], ["wonderful", "SaliscopeFor3"]]
    assert seen["encoding"] == "utf-8"


def test_colours_move_with_the_text_and_new_words_get_their_own(seen: dict[str, Any]) -> None:
    assert seen["moved"] == seen["first"]
    assert seen["typed"] == [["bad", "SaliscopeFor3"], ["wonderful", "SaliscopeFor3"]]


def test_hover_problems_and_lenses_are_there(seen: dict[str, Any]) -> None:
    assert "**`dull`** +2.00" in seen["hover"]
    assert seen["problems"] == [["mispredicted", 0, 2]]
    assert seen["lenses"] == ["negative 0.90 · label positive · fake-method", "positive 0.90 · fake-method"]


def test_the_window_of_a_hover_is_not_explained(seen: dict[str, Any]) -> None:
    assert seen["float"] == ["markdown", False]


def test_commands_answer(seen: dict[str, Any]) -> None:
    assert seen["masked"] == "wonderful"
    assert {"explain", "mask", "model", "run"} <= set(seen["commands"])


def test_all_numbers_of_a_record_are_in_a_window_the_strongest_first(seen: dict[str, Any]) -> None:
    first, second, head, *rows = seen["numbers"]
    assert (first, second) == ("positive 0.90", "fake · fake-method · for positive")
    assert head.split() == ["fake-method", "occlusion"]
    assert [row.split() for row in rows] == [
        ["wonderful", "+2.000", "+2.000", "1"],
        ["größer", "+0.010", "+0.010", "2"],
    ]


def test_what_an_action_copies_is_in_the_register(seen: dict[str, Any]) -> None:
    assert seen["yanked"] == "positive"


def test_a_command_without_a_name_offers_what_there_is(seen: dict[str, Any]) -> None:
    assert seen["offered"] == ["(as the settings say)", "negative", "positive"]
    assert seen["labels"] == ["positive"]


def test_health_and_help_are_there(seen: dict[str, Any]) -> None:
    assert "the daemon is connected" in seen["health"]
    assert " records explained by " in seen["health"]
    assert "ERROR" not in seen["health"]
    assert seen["help"] == "saliscope.txt"


def test_a_server_that_ends_takes_only_its_own_colours_along(seen: dict[str, Any]) -> None:
    assert (seen["servers"], seen["left"]) == (2, 2)


def test_the_colours_are_those_of_the_command_line(seen: dict[str, Any]) -> None:
    assert f"#{seen['ground']:06x}" == PALETTES["blue-orange"].dark[3].ground
    for name, themes in seen["palettes"].items():
        for theme, inks in themes.items():
            expected = {str(bucket): [ink.ground, ink.text] for bucket, ink in PALETTES[name].inks(theme).items()}
            assert inks == expected


def test_the_daemon_can_be_asked_without_a_server(daemon: Any, tmp_path: Path) -> None:
    found = run(tmp_path, "rpc.lua", SALISCOPE_SOCKET=str(paths.socket_path()))
    # A newer estimate takes the place of one that was not sent yet.
    assert found.pop("partials") in (1, 2, 3)
    assert found == {"scores": 3, "cancelled": "cancelled"}
