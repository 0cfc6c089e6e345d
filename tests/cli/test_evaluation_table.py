"""What `saliscope evaluate` writes: tables for people, for files and for scripts."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from saliscope.protocol.errors import ERRORS
from saliscope.protocol.evaluations import Evaluation, EvaluationFailure
from saliscope.render.ansi import strip
from saliscope.render.graphemes import width

from .conftest import FakeClient, evaluation

Run = Callable[..., Result]
BAD_REQUEST = ERRORS["bad_request"][0]


def test_json_has_the_documented_shape(run: Run, data: Path) -> None:
    result = run("evaluate", "--data", str(data), "--json")
    assert msgspec.json.decode(result.stdout, type=Evaluation) == evaluation()
    assert set(json.loads(result.stdout)) == set(Evaluation.__struct_fields__)


def test_tables_are_kept_in_the_folder(run: Run, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    result = run("evaluate", "--data", str(data), "--out", str(out))
    assert f"wrote {out / 'table.json'} and {out / 'table.csv'}" in result.stderr
    assert msgspec.json.decode((out / "table.json").read_bytes(), type=Evaluation) == evaluation()
    with open(out / "table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 4 + 1 + 1 + 1
    by_name = {(row["method"], row["metric"], row["part"]): row for row in rows}
    best = by_name["decoded-integrated-gradients", "comprehensiveness", ""]
    assert (float(best["value"]), best["best"], best["best_cheap"], best["cost"]) == (0.4321, "1", "0", "96.0")
    part = by_name["decoded-integrated-gradients", "comprehensiveness", "at-20"]
    assert (part["value"], part["low"], part["high"], part["n"], part["best"]) == ("0.4", "0.3", "0.5", "6", "")
    empty = by_name["mine", "activation", ""]
    assert (empty["value"], empty["why_not"]) == ("", "no text has scores of this method")
    assert by_name["", "flips", ""]["value"] == "0.5"


def test_a_home_folder_is_the_same_one_for_the_tables(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("evaluate", "--data", "~/data.jsonl", "--out", "~/kept").exit_code == 0
    assert (tmp_path / "kept" / "table.csv").exists()


def test_a_folder_that_cannot_be_written_is_an_error(run: Run, data: Path) -> None:
    result = run("evaluate", "--data", str(data), "--out", str(data / "below"))
    assert (result.exit_code, "out: cannot write to" in result.stderr) == (BAD_REQUEST, True)


def test_the_table_marks_the_best_and_shows_intervals(run: Run, data: Path) -> None:
    result = run("evaluate", "--data", str(data))
    lines = result.stdout.splitlines()
    assert lines.pop(0) == "demo-encoder: 6 texts, accuracy 0.833 ±0.25; logit of the predicted class,"
    assert lines[0] == "  tokens"
    assert lines[2].split() == ["method", "cost", "activation", "↑", "comprehensiveness", "↑"]
    assert lines[3].split() == ["input-x-gradient", "3", "☆0.25", "±0.05", "☆0.123", "±0.05"]
    assert lines[4].split() == ["decoded-integrated-gradients", "96", "★0.75", "±0.05", "★0.432", "±0.02"]
    assert lines[5].split() == ["mine", "–", "–"]
    assert lines[7].split() == ["method", "cost", "sufficiency", "↓", "cost", "↓"]
    assert lines[8].split() == ["input-x-gradient", "3", "0.5", "±0.05", "★3"]
    assert ["flips", "0.5", "±0.05"] in [line.split() for line in lines]
    assert ["flips-part", "0.1"] in [line.split() for line in lines]


def test_what_was_left_out_and_what_failed_is_said(run: Run, data: Path) -> None:
    result = run("evaluate", "--data", str(data))
    said = " ".join(result.stdout.split())
    assert "☆ best of those that cost at most 3 passes; cost in passes of the median text." in said
    assert "Intervals: 95 %, bootstrap over texts." in said
    assert "note: accuracy-drop was left out: no text has a label" in said
    assert "– sufficiency of decoded-integrated-gradients: the scores are not finite" in said
    assert "decoded-integrated-gradients failed on text 2 and 1 more: the text has 80 tokens" in said
    assert result.stderr == "warning: mine: 6 of 6 texts failed\n"


@pytest.mark.parametrize("columns", ["60", "80", "100"])
def test_lines_fit_the_terminal_and_no_name_is_cut(
    run: Run, fake: FakeClient, data: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    fake.evaluation.rows[2].name = long = "scores-映画-" * 12
    result = run("evaluate", "--data", str(data), "--color", "always")
    lines = [strip(line) for line in result.stdout.splitlines()]
    assert max(map(width, lines)) <= int(columns)
    whole = "".join(lines)
    assert "…" not in whole
    for name in ("input-x-gradient", "decoded-integrated-gradients", *fake.evaluation.directions):
        assert any(name in line for line in lines)
    assert long in whole.replace(" ", "").replace("––", "").replace("–", "")


def test_styles_come_when_asked_for_and_colours_never(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run("evaluate", "--data", str(data)).stdout
    assert "\x1b" not in plain
    styled = run("evaluate", "--data", str(data), "--color", "always").stdout
    assert "\x1b[1m★0.75 ±0.05\x1b[0m" in styled
    assert strip(styled) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert run("evaluate", "--data", str(data)).stdout == plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    forced = run("evaluate", "--data", str(data)).stdout
    assert strip(forced) == plain
    assert "\x1b[3" not in forced


def test_what_others_named_reaches_the_terminal_as_it_is_but_for_escapes(
    run: Run, fake: FakeClient, data: Path
) -> None:
    found = fake.evaluation
    found.model_name, found.rows[2].name = "./[bold]model", "mi\x1b[2Jne [red]"
    found.rows[2].failures = [EvaluationFailure(0, "no\x1b[31m\nway [/]")]
    found.notes, found.warnings = ["\x1b]0;title\x07"], ["odd \x1b[31m"]
    result = run("evaluate", "--data", str(data))
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stdout.startswith("./[bold]model: 6 texts")
    assert "mi␛[2Jne [red] failed on text 0: no␛[31m↵way [/]" in result.stdout
