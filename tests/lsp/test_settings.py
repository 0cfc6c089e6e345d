"""Who wins, and what is no setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saliscope.lsp.codes import CODES, PAGE, page
from saliscope.lsp.settings import Files, Settings, read_settings, resolve
from saliscope.protocol import workspace
from saliscope.protocol.workspace import Thresholds

FILE = workspace.Settings(model="of-file", method="of-file", thresholds=Thresholds(low_margin=0.3))


@pytest.mark.parametrize(
    ("preference", "model", "method", "margin"),
    [
        ("editorFirst", "of-editor", "of-file", 0.2),
        ("filesystemFirst", "of-file", "of-file", 0.3),
        ("editorOnly", "of-editor", None, 0.2),
    ],
)
def test_editor_and_file_take_precedence_as_was_set(preference: str, model: str, method: Any, margin: float) -> None:
    editor = {"model": "of-editor", "thresholds": {"lowMargin": 0.2}, "configurationPreference": preference}
    options = resolve(editor, FILE, {}).options
    assert (options["model"], options.get("method"), options["low_margin"]) == (model, method, margin)


def test_a_target_is_written_as_on_the_command_line() -> None:
    wanted = {"kind": "contrast", "label": "a", "against": "b"}
    assert resolve({"target": "contrast:a vs b"}, workspace.Settings(), {}).options["target"] == wanted
    assert resolve({"target": "gold"}, workspace.Settings(), {}).options["target"] == "gold"
    assert read_settings({"target": "{"})[0] == {}
    assert [problem.partition(":")[0] for problem in read_settings({"target": "contrast:"})[1]] == ["saliscope.target"]


def test_what_a_command_says_comes_before_all() -> None:
    assert resolve({"model": "of-editor"}, FILE, {"model": "commanded"}).model == "commanded"


def test_a_wrong_setting_is_told_and_the_rest_is_kept() -> None:
    kept, problems = read_settings(
        {"saliscope": {"model": "m", "hover": "yes", "topK": -1, "colour": 1, "method": None, "field": "",
                       "diagnostics": {"mispredcted": False}}}
    )  # fmt: skip
    assert kept == {"model": "m"}
    assert [problem.partition(":")[0] for problem in problems] == [
        "saliscope.hover", "saliscope.topK", "saliscope.colour is no setting", "saliscope.diagnostics",
    ]  # fmt: skip


@pytest.mark.parametrize("found", [None, [], {}, {"saliscope": None}, {"saliscope": []}])
def test_no_settings_are_fine(found: Any) -> None:
    assert read_settings(found) == ({}, [])


@pytest.mark.parametrize("found", [["model"], 5, "model"])
def test_settings_that_are_no_map_are_told(found: Any) -> None:
    assert read_settings(found)[0] == {}
    assert len(read_settings(found)[1]) == 1


def test_each_diagnostic_has_a_switch_and_its_own_default() -> None:
    quiet = Settings()
    assert {code for code in CODES if not quiet.shows(code)} == {"low-margin", "shortcut", "duplicate"}
    own = Settings(diagnostics={"mispredicted": False, "low-margin": True})
    assert (own.shows("mispredicted"), own.shows("low-margin"), own.shows("broken")) == (False, True, True)
    assert not any(Settings(diagnostics=False).shows(code) for code in CODES)


def test_a_settings_file_is_read_again_when_it_changed_and_its_problems_are_told(tmp_path: Path) -> None:
    told: list[workspace.Workspace] = []
    files, path = Files(told.append), tmp_path / "a.txt"
    assert files.settings(path) == workspace.Settings()
    (tmp_path / "saliscope.toml").write_text('model = "one"\n')
    assert files.settings(path).model == "one"
    (tmp_path / "saliscope.toml").write_text('model = "two!"\nmodle = 5\n')
    assert files.settings(path).model == "two!"
    assert [[problem.line for problem in one.problems] for one in told] == [[], [2]]


def test_the_page_of_diagnostics_is_what_the_table_says() -> None:
    assert PAGE.read_text() == page(), "write it again with python -m saliscope.lsp.codes"
