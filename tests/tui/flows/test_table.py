"""The table of a data set: sorted, narrowed down, gone through, edited, in every kind of file it opens."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from textual.widgets import Static

from saliscope.protocol.client import Client
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.palettes import BLUE_ORANGE
from saliscope.tui.app import TuiApp
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.picker import Picker
from saliscope.tui.store import Kept
from tests.tui.conftest import until
from tests.tui.data.conftest import room_of, screen_of, settled
from tests.tui.flows.conftest import SIZE, pick, ready

TEXTS = ["a wonderful film", "a dull, boring mess", "charming, if a little long", "never finds its feet",
         "the cast is fine", "one of the best films"]  # fmt: skip
#: Two of them are wrong.
LABELS = ["positive", "positive", "positive", "negative", "negative", "positive"]


def write(folder: Path, suffix: str) -> Path:
    """The rows as a file of a kind."""
    path = folder / f"reviews{suffix}"
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == ".parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist(rows), path)
    elif suffix == ".txt":
        path.write_text("".join(f"{text}\n" for text in TEXTS))
    else:
        with path.open("w", newline="") as stream:
            out = csv.DictWriter(stream, ["text", "label"], dialect="excel" if suffix == ".csv" else "excel-tab")
            out.writeheader()
            out.writerows(rows)
    return path


def table_of(path: Path) -> TuiApp:
    return TuiApp(Kept(ground="dark"), file=path, in_table=True, depth="truecolor")


def cells(app: TuiApp, y: int) -> str:
    """A line of the table as it is drawn."""
    return "".join(part.text for part in screen_of(app).table.render_line(y))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".txt", ".parquet"])
async def test_rows_of_every_kind_of_file_are_predicted_and_coloured(
    tmp_path: Path, suffix: str, client: Client
) -> None:
    app = table_of(write(tmp_path, suffix))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        answers = client.predict(TEXTS).predictions
        for row, (text, answer) in enumerate(zip(TEXTS, answers, strict=True)):
            line = cells(app, row)
            assert answer.label in line
            assert f"{answer.probabilities[answer.label]:.1%}" in line
            assert line.rstrip().endswith(text)
            assert ("✗" in line) == (suffix != ".txt" and answer.label != LABELS[row])
        # The strongest word of a row has its colour there.
        [found] = client.explain([TEXTS[0]])
        at = max(range(len(found.scores)), key=lambda at: abs(found.scores[at]))
        ground = BLUE_ORANGE.dark[bucket(found.scores[at], peak_of(found.scores))].ground
        word = found.features[at].text
        styles = {part.style.bgcolor.get_truecolor().hex for part in screen_of(app).table.render_line(0)
                  if part.text.strip() == word and part.style and part.style.bgcolor}  # fmt: skip
        assert styles == {ground}


async def test_sorted_and_narrowed_down_as_the_daemon_predicts(tmp_path: Path, client: Client) -> None:
    app = table_of(write(tmp_path, ".csv"))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        answers = client.predict(TEXTS).predictions
        shares = [one.probabilities[one.label] for one in answers]
        wrong = [row for row, one in enumerate(answers) if one.label != LABELS[row]]
        assert len(wrong) >= 2
        rows = room_of(app).data
        await pilot.press("s")
        await until(pilot, lambda: list(rows.rows) == sorted(range(len(TEXTS)), key=lambda row: shares[row]))
        await pilot.press("s")
        await until(pilot, lambda: list(rows.rows)[: len(wrong)] == sorted(wrong, key=lambda row: -shares[row]))
        await pilot.press("s")
        await until(pilot, lambda: list(rows.rows) == list(range(len(TEXTS))))
        await pilot.press("home", "n")
        await until(pilot, lambda: screen_of(app).table.row == next(row for row in wrong if row > 0))
        for line, expected in (
            ("label:negative", [row for row, label in enumerate(LABELS) if label == "negative"]),
            ("pred:negative", [row for row, one in enumerate(answers) if one.label == "negative"]),
            ("found:mismatch", wrong),
            ("film", [0, 5]),
            ("conf<0.9", [row for row, share in enumerate(shares) if share <= 0.9]),
        ):
            await pilot.press("slash", *line)
            await until(pilot, lambda expected=expected: list(rows.rows) == expected)  # type: ignore[misc]
            await pilot.press("escape")
            await until(pilot, lambda: len(rows.rows) == len(TEXTS))


async def test_another_model_and_target_say_otherwise(tmp_path: Path, client: Client) -> None:
    app = table_of(write(tmp_path, ".jsonl"))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pick(app, pilot, "f2", "demo-decoder")
        await until(pilot, lambda: (look := room_of(app).data.look_at(0)) is not None and look.model == "demo-decoder")
        await settled(pilot)
        answers = client.predict(TEXTS, model="demo-decoder").predictions
        for row, answer in enumerate(answers):
            assert f"{answer.probabilities[answer.label]:.1%}" in cells(app, row)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"gold", "enter")
        await until(pilot, lambda: (look := room_of(app).data.look_at(1)) is not None and look.of == LABELS[1])


async def test_the_record_in_the_editor_is_that_of_the_row(tmp_path: Path, client: Client) -> None:
    path = write(tmp_path, ".csv")
    before = path.read_text()
    app = table_of(path)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        found = await ready(app, pilot)
        assert found.text == TEXTS[2]
        assert found.scores == pytest.approx(client.explain(TEXTS[2]).scores, abs=1e-5)
        await pilot.press("end", *', "very" long', "ctrl+s")
        await until(pilot, lambda: path.read_text() != before)
        new = 'charming, if a little long, "very" long'
        with path.open(newline="") as stream:
            assert [row["text"] for row in csv.DictReader(stream)] == [*TEXTS[:2], new, *TEXTS[3:]]
        await pilot.press("ctrl+r")
        await settled(pilot)
        [answer] = client.predict([new]).predictions
        assert f"{answer.probabilities[answer.label]:.1%}" in cells(app, 2)
        assert '"very" long' in str(screen_of(app).query_one("#detail-text", Static).render())
