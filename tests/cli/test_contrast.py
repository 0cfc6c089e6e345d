"""What changes between two sides, against numbers made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from tests.cli.conftest import FakeClient, explanation

from saliscope.cli.contrast import Contrast, Contrasting, Reading, Scored
from saliscope.render.agreement import rank_correlation

Run = Callable[..., Result]
TEXT = "a dull film"


def reading(scores: list[float], said: str = "negative", probability: float = 0.9) -> Reading:
    spans = [Scored(0, 1, scores[0]), Scored(2, 6, scores[1]), Scored(7, 11, scores[2])]
    return Reading(TEXT, said, probability, said, spans)


def test_ranks_agree_as_spearman_says() -> None:
    assert rank_correlation([1, 2, 3], [1, 5, 9]) == 1
    assert rank_correlation([1, 2, 3], [9, 5, 1]) == -1
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9486833)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2], [1, 2]) is None


def test_predictions_probabilities_and_words_are_compared() -> None:
    contrasting = Contrasting("A", "B")
    contrasting.add(0, reading([0, 3, 1]), reading([0, 1, 3], "positive", 0.6))
    contrasting.add(1, reading([0, 3, 1]), reading([0, 3, 1], probability=0.8))
    contrasting.skip()
    found = contrasting.result()
    assert (found.rows, found.left_out, found.changed, found.other_target) == (3, 1, 1, 1)
    assert found.moves == {"negative": {"positive": 1, "negative": 1}}
    assert found.probability_shift == pytest.approx(0.2)
    assert (found.agreement, found.shared) == (pytest.approx(0.75), 1.0)
    assert [one.row for one in found.changes] == [0, 1]
    words = {one.text: (one.texts, one.before, one.after) for one in found.words}
    assert words["dull"] == (2, 0.75, pytest.approx(0.5))
    assert words["a"] == (2, 0, 0)


def test_sides_may_cut_a_text_differently() -> None:
    contrasting = Contrasting("A", "B")
    whole = Reading(TEXT, "negative", None, "negative", [Scored(0, 11, 1.1)])
    contrasting.add(0, reading([0.1, 0.4, 0.4]), whole)
    [change] = contrasting.result().changes
    assert [round(one.score, 3) for one in change.b] == [round(n / 11, 3) for n in (1, 4, 4)]


def test_memory_is_bounded_by_the_rows_that_are_told() -> None:
    contrasting = Contrasting("A", "B")
    for n in range(1000):
        contrasting.add(n, reading([0, 3, 1]), reading([0, 1, 3], "positive" if n == 500 else "negative"))
        assert len(contrasting._changes) <= 200
    assert contrasting.result().changes[0].row == 500


def output(path: Path, words: list[float], **changes: Any) -> str:
    row = {"row": 0, "text": TEXT, "prediction": "negative", "probability": 0.9, "target": "negative", "code": None,
           "starts": [0, 2, 7], "ends": [1, 6, 11], "scores": words}  # fmt: skip
    path.write_text(json.dumps({**row, **changes}) + "\n" + json.dumps({**row, "row": 1, "code": "too_large"}) + "\n")
    return str(path)


def test_two_outputs_are_compared(run: Run, tmp_path: Path) -> None:
    a = output(tmp_path / "a.jsonl", [0, 3, 1])
    b = output(tmp_path / "b.jsonl", [0, 1, 3], prediction="positive")
    result = run("diff", a, b, "--html", str(tmp_path / "diff.html"))
    assert result.exit_code == 0, result.output
    assert "1 of 2 texts compared; 1 predictions change (100.0%)" in result.output
    assert "negative → positive" in result.output
    page = (tmp_path / "diff.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("row 0 · ") == 2
    found = msgspec.json.decode(run("diff", a, b, "--json").output, type=Contrast)
    assert (found.changed, found.left_out) == (1, 1)


def test_outputs_of_other_data_are_refused(run: Run, tmp_path: Path) -> None:
    a, b = output(tmp_path / "a.jsonl", [0, 3, 1]), output(tmp_path / "b.jsonl", [0, 3, 1], row=7)
    assert "have not the same rows" in run("diff", a, b).stderr
    (tmp_path / "c.jsonl").write_text('{"text": "a"}\n')
    assert "is no output of `saliscope dataset explain`" in run("diff", a, str(tmp_path / "c.jsonl")).stderr
    assert "models and prompts need --data" in run("diff", a, "demo-encoder").stderr


def test_two_models_are_asked(run: Run, fake: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = many(fake, monkeypatch)
    (tmp_path / "data.txt").write_text("a dull film\na charming film\n")
    result = run("diff", "demo-encoder", "demo-decoder", "--data", str(tmp_path / "data.txt"), "-m", "occlusion")
    assert result.exit_code == 0, result.output
    assert "2 of 2 texts compared; 0 predictions change" in result.output
    assert [(one["model"], one["method"]) for one in asked] == [
        ("demo-encoder", "occlusion"), ("demo-decoder", "occlusion"),
    ]  # fmt: skip


def test_of_two_prompts_only_the_text_is_compared(
    run: Run, fake: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = many(fake, monkeypatch)
    (tmp_path / "data.txt").write_text("dull , boring film\n")
    arguments = ("--data", str(tmp_path / "data.txt"), "--model", "demo-decoder", "--json")
    result = run("diff", "charming: {text}", "{text} is it", *arguments)
    found = msgspec.json.decode(result.output, type=Contrast)
    assert [one["text"] for one in asked] == [["charming: dull , boring film"], ["dull , boring film is it"]]
    [change] = found.changes
    assert change.text == "dull , boring film"
    assert change.agreement == pytest.approx(1)
    assert "give two prompts" in run("diff", "{text}!", "demo-decoder", *arguments[:2]).stderr


def many(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let the client answer lists of texts; what was asked."""
    asked: list[dict[str, Any]] = []

    def explain(texts: list[str], **options: Any) -> list[Any]:
        asked.append({"text": texts, **options})
        return [explanation(text) for text in texts]

    monkeypatch.setattr(fake, "explain", explain)
    return asked
