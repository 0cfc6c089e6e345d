"""VS Code itself, in headless Chromium, with the packaged extension, a real daemon and a bundled model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from saliscope.render.palettes import BLUE_ORANGE, Theme, rgb
from tests.editors.conftest import EDITORS, REVIEWS, ROOT, SERVER, installed

HERE = Path(__file__).parent
VSIX = ROOT / "editors" / "vscode" / "saliscope.vsix"
CODE = EDITORS / "node_modules" / "code-server" / "out" / "node" / "entry.js"
#: Where pictures go, if somebody wants to look at them.
PICTURES = os.environ.get("SALISCOPE_PICTURES")
pytestmark = installed

SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.tips.enabled": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "extensions.autoUpdate": False,
    "extensions.ignoreRecommendations": True,
    "editor.minimap.enabled": False,
    "editor.wordWrap": "on",
    "editor.fontSize": 14,
    "saliscope.model": "demo-encoder",
    "saliscope.method": "occlusion",
    "saliscope.granularity": "word",
}
#: What no workspace may say; VS Code in a browser is a remote one, and has it in a file of its own.
MACHINE = {"saliscope.server.command": list(SERVER)}


@pytest.fixture(scope="module")
def folder(environment: dict[str, str]) -> Path:
    """The user's folder with the settings, the extension and a workspace."""
    folder = Path(environment["HOME"])
    for kind, settings in (("User", SETTINGS), ("Machine", MACHINE)):
        (folder / "data" / kind).mkdir(parents=True)
        (folder / "data" / kind / "settings.json").write_text(json.dumps(settings))
    (folder / "work").mkdir()
    (folder / "work" / "reviews.jsonl").write_text(REVIEWS, encoding="utf-8")
    code(environment, folder, "--install-extension", str(VSIX)).check_returncode()
    return folder


def code(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code-server to its end."""
    return subprocess.run(command(folder, *arguments), env=environment, capture_output=True, text=True, check=False)


def command(folder: Path, *arguments: str) -> list[str]:
    places = ["--user-data-dir", str(folder / "data"), "--extensions-dir", str(folder / "extensions")]
    return ["node", str(CODE), *places, *arguments]


@contextmanager
def served(environment: dict[str, str], folder: Path) -> Iterator[str]:
    """The address of a VS Code that shows the workspace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    quiet = ["--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
    run = command(folder, "--bind-addr", address, *quiet, str(folder / "work"))
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(run, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 120
        while not _answers(f"http://{address}/healthz"):
            assert server.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.2)
        yield f"http://{address}/"
    finally:
        # With all its processes: a language server that outlives it would find its daemon stopped, and start another.
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def seen(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """What was on the screen."""
    with served(environment, folder) as url:
        modules = {**environment, "NODE_PATH": str(EDITORS / "node_modules")}
        run = ["node", str(HERE / "code" / "drive.js"), url, str(folder)]
        done = subprocess.run(run, env=modules, capture_output=True, text=True, timeout=600, check=False)
    if PICTURES:
        for picture in folder.glob("vscode*.png"):
            shutil.copy(picture, PICTURES)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    assert "error" not in found, f"{found['error']}\n{found.get('notifications')}"
    return found


def buckets(coloured: list[list[str]], theme: Theme) -> dict[str, int]:
    """Word -> bucket, by background and text colour; a colour that is none of the palette fails."""
    names = {(_css(ink.ground), _css(ink.text)): bucket for bucket, ink in BLUE_ORANGE.inks(theme).items()}
    return {word: names[ground, text] for word, ground, text in coloured}


def _css(colour: str) -> str:
    return "rgb({}, {}, {})".format(*rgb(colour))


def test_each_record_has_its_prediction_above_it(seen: dict[str, Any]) -> None:
    assert [lens.split(" · ")[-1] for lens in seen["lenses"]] == ["occlusion"] * 4
    assert seen["lenses"][1].startswith("negative 0.97 · label positive")
    assert seen["lenses"][2].startswith("positive 0.98 · label positive")


def test_words_have_backgrounds_in_the_colours_of_their_buckets(seen: dict[str, Any]) -> None:
    found = buckets(seen["coloured"], "dark")
    assert found["boring"] == found["mess"] == found["charming"] == 3
    assert found["lifeless"] < 0


def test_the_overview_ruler_has_the_strongest_words(seen: dict[str, Any]) -> None:
    assert _css(BLUE_ORANGE.dark[3].ground) in seen["ruler"]


def test_a_hover_says_score_side_and_method(seen: dict[str, Any]) -> None:
    assert "lifeless" in seen["hover"]
    assert "speaks against negative" in seen["hover"]
    assert "demo-encoder · occlusion" in seen["hover"]


def test_only_the_mispredicted_record_is_a_problem(seen: dict[str, Any]) -> None:
    messages = [row for row in seen["problems"] if "the label is positive" in row]
    assert len(messages) == 1
    assert "mispredicted" in messages[0]
    assert "[Ln 2, " in messages[0]


def test_the_panel_has_every_word_and_leads_to_it(seen: dict[str, Any]) -> None:
    assert seen["table"]["head"].startswith("negative 0.97")
    words = {row[0]: int(row[-1]) for row in seen["table"]["rows"]}
    assert set(words) == {"a", "dull", "lifeless", "and", "boring", "film"}
    assert list(words.values()) == [1, 2, 3, 4, 5, 6]
    assert words["boring"] == 1
    assert f"({len('boring')} selected)" in seen["selected"]


def test_the_status_bar_has_the_prediction_and_that_the_label_differs(seen: dict[str, Any]) -> None:
    assert "saliscope: negative ≠ label" in seen["status"]


def test_typing_gives_the_new_word_its_colour(seen: dict[str, Any]) -> None:
    words = [word for word, *_ in seen["typed"]["coloured"]]
    assert "slow" not in words
    assert words.count("boring") == 2
    assert buckets(seen["typed"]["coloured"], "dark")["boring"] == 3
    assert seen["typed"]["lenses"][:3] == seen["lenses"][:3]


def test_an_action_copies_the_explanation(seen: dict[str, Any]) -> None:
    assert seen["copied"]["prediction"]["label"] == "negative"
    assert len(seen["copied"]["explanation"]["scores"]) == 6


def test_a_killed_daemon_is_told_once_and_what_is_typed_then_is_explained(seen: dict[str, Any]) -> None:
    assert seen["is_another"] is True
    assert [one for one in seen["told"] if "daemon" in one] == [
        "saliscope: the daemon has gone. Trying again until it is back."
    ]


def test_a_buffer_without_a_file_is_explained_while_it_is_typed(seen: dict[str, Any]) -> None:
    assert buckets(seen["untitled"], "light")["charming"] > 0


def test_settings_take_effect_while_it_runs(seen: dict[str, Any]) -> None:
    # Lenses and colours have gone and come back, or the session had not gone on.
    assert any("input-x-gradient" in lens for lens in seen["method"])


def test_a_server_that_does_not_start_is_told_of_once_and_the_mended_one_starts(seen: dict[str, Any]) -> None:
    assert len(seen["mended"]) == 1


def test_a_server_that_ends_is_started_again_without_a_word(seen: dict[str, Any]) -> None:
    assert seen["ended"] == []


def test_a_light_theme_has_light_colours(seen: dict[str, Any]) -> None:
    assert buckets(seen["light"], "light")


def test_the_walkthrough_has_its_steps(seen: dict[str, Any]) -> None:
    assert [step.strip() for step in seen["walkthrough"]] == [
        "Install saliscope", "Choose a model", "Read the colours", "See all numbers",
    ]  # fmt: skip
