from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from click.testing import Result

from saliscope.protocol.errors import ERRORS, SaliscopeError
from saliscope.protocol.evaluations import Evaluation, EvaluationFailure
from saliscope.render.ansi import strip
from saliscope.render.graphemes import width

from .conftest import FakeClient, evaluation

Run = Callable[..., Result]
BAD_REQUEST = ERRORS["bad_request"][0]
ROWS = [{"text": "a dull film", "label": "negative"}, {"text": "funny, and\nwarm", "label": "positive"}]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return file


@pytest.fixture
def asked(run: Run, fake: FakeClient, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The texts that the daemon is asked about when a file of this name and content is the data."""

    def ask(name: str, content: str | bytes, *arguments: str) -> list[dict[str, Any]]:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        result = run("evaluate", "--data", str(tmp_path / name), *arguments)
        assert result.exit_code == 0, result.stderr
        texts: list[dict[str, Any]] = fake.calls[-1][1]["texts"]
        return texts

    return ask


def datasets(monkeypatch: pytest.MonkeyPatch, load: Callable[..., Any] | None) -> None:
    """Stand in for the library of data sets; None: it is not installed."""
    module = ModuleType("datasets")
    module.load_dataset = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", None if load is None else module)


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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\r\na dull film,negative\r\n"funny, and\nwarm",positive\r\n'),
        ("a.CSV", '\ufefftext,label\na dull film,negative\n"funny, and\nwarm",positive\n'),
        ("a.tsv", 'text\tlabel\na dull film\tnegative\n"funny, and\nwarm"\tpositive\n'),
        ("a.json", json.dumps(ROWS)),
        ("a.jsonl", "\n\n".join(map(json.dumps, ROWS))),
        ("a.jsonl", "\ufeff" + "\r\n".join(map(json.dumps, ROWS)) + "\r\n"),
    ],
)
def test_texts_and_labels_are_read_from_every_format(
    asked: Callable[..., list[dict[str, Any]]], name: str, content: str
) -> None:
    assert asked(name, content) == ROWS


def test_a_list_of_texts_has_no_labels(asked: Callable[..., list[dict[str, Any]]]) -> None:
    texts = [{"text": "a dull film"}, {"text": "funny"}]
    assert asked("a.txt", "a dull film\r\n\n  \nfunny") == texts
    assert asked("a.json", '["a dull film", "funny"]') == texts
    assert asked("a.jsonl", '"a dull film"\n"funny"\n') == texts


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\x0c", "\x1c"])
def test_only_a_newline_ends_a_text(asked: Callable[..., list[dict[str, Any]]], character: str) -> None:
    text = f"a dull{character}film"
    assert asked("a.txt", f"{text}\nfunny\n") == [{"text": text}, {"text": "funny"}]
    assert asked("a.csv", f"text,label\n{text},negative\n") == [{"text": text, "label": "negative"}]
    assert asked("a.jsonl", json.dumps({"text": text}, ensure_ascii=False)) == [{"text": text}]


@pytest.mark.parametrize("text", ["text", "sentence", "review", "content", "document", "sentence1", "premise"])
@pytest.mark.parametrize("label", ["label", "labels", "class", "target"])
def test_known_fields_are_found(asked: Callable[..., list[dict[str, Any]]], text: str, label: str) -> None:
    assert asked("a.jsonl", json.dumps({"id": 3, label: 0, text: "funny"})) == [{"text": "funny", "label": 0}]


def test_fields_are_chosen(asked: Callable[..., list[dict[str, Any]]]) -> None:
    content = "text,label,note,stars\nno,9,a dull film,1\nno,9,funny,\n"
    found = asked("a.csv", content, "--text-field", "note", "--label-field", "stars")
    assert found == [{"text": "a dull film", "label": "1"}, {"text": "funny"}]


@pytest.mark.parametrize(
    ("text", "pair"),
    [("text", "pair"), ("text", "text2"), ("text1", "text2"), ("sentence1", "sentence2"), ("premise", "hypothesis")],
)
def test_second_texts_are_found(asked: Callable[..., list[dict[str, Any]]], text: str, pair: str) -> None:
    content = f"id,{text},{pair},label\n3,a dull film,it bores,1\n4,funny,,0\n"
    pairs = [{"text": "a dull film", "pair": "it bores", "label": "1"}, {"text": "funny", "label": "0"}]
    assert asked("a.csv", content) == pairs


def test_second_texts_are_chosen_and_other_fields_ignored(asked: Callable[..., list[dict[str, Any]]]) -> None:
    row = json.dumps({"text": "a dull film", "pair": "no", "claim": "it bores", "source": 3})
    found = asked("a.jsonl", row, "--pair-field", "claim")
    assert found == [{"text": "a dull film", "pair": "it bores"}]


def test_chats_are_read_from_their_messages(asked: Callable[..., list[dict[str, Any]]]) -> None:
    messages = [{"role": "user", "content": "a dull film?"}]
    row = {"messages": messages, "label": 0, "source": "web"}
    assert asked("a.jsonl", json.dumps(row)) == [{"messages": messages, "label": 0}]
    both = json.dumps({**row, "text": "a dull film"})
    assert asked("a.jsonl", both, "--text-field", "text") == [{"text": "a dull film", "label": 0}]


def test_a_background_of_pairs_and_chats_is_all_they_say(
    run: Run, fake: FakeClient, data: Path, tmp_path: Path
) -> None:
    rows = [{"text": "one", "pair": "two"}, {"messages": [{"role": "user", "content": "three"}]}, {"text": "four"}]
    (tmp_path / "many.json").write_text(json.dumps(rows))
    assert run("evaluate", "--data", str(data), "--background", str(tmp_path / "many.json")).exit_code == 0
    assert fake.calls[0][1]["background"] == ["one\ntwo", "three", "four"]


def test_a_limit_leaves_what_follows_unread(asked: Callable[..., list[dict[str, Any]]]) -> None:
    assert asked("a.jsonl", '"one"\n"two"\n{broken', "--limit", "2") == [{"text": "one"}, {"text": "two"}]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "words,label\na,1\n", "row 1 has no field text or sentence"),
        ("a.csv", "words,label\na,1\n", "it has words, label: use --text-field"),
        ("a.csv", "label,text\n1\n", "the text of"),
        ("a.csv", "text\n" + "a" * 200_000, "cannot be read as a table"),
        ("a.csv", "text,label\n", "holds no text"),
        ("a.csv", "", "holds no text"),
        ("a.txt", "\n \n", "holds no text"),
        ("a.jsonl", "", "holds no text"),
        ("a.json", "[]", "holds no text"),
        ("a.json", "", "is not JSON"),
        ("a.json", '{"text": "a"}', "is no list of texts or maps"),
        ("a.jsonl", '"a"\n\n{"text": "b"', "a.jsonl, line 3 is not JSON"),
        ("a.jsonl", "3", "neither a text nor a map"),
        ("a.jsonl", '{"text": 3}', "is no string"),
        ("a.jsonl", "{}", "it has no field"),
        ("a.jsonl", '{"text": "a", "pair": 3}', "the second text of"),
        ("a.jsonl", '{"text": "a", "messages": []}', "has messages and text; use --text-field"),
        ("a.txt", b"\xff\xfe", "it is not UTF-8"),
        ("a.parquet", "PAR1", "as Parquet"),
        ("a.xml", "<a>", "ends in none of .jsonl, .json, .csv, .tsv, .txt, .parquet"),
        ("data", "text", "ends in none of"),
    ],
)
def test_data_that_cannot_be_read_is_told_before_anything_is_asked(
    run: Run, fake: FakeClient, tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run("evaluate", "--data", str(tmp_path / name))
    assert (result.exit_code, result.stdout, fake.calls) == (BAD_REQUEST, "", [])
    assert says in result.stderr
    assert str(tmp_path / name) in result.stderr


def test_a_field_that_is_asked_for_must_be_there(run: Run, data: Path) -> None:
    for option in ("--text-field", "--label-field", "--pair-field"):
        result = run("evaluate", "--data", str(data), option, "stars")
        assert result.exit_code == BAD_REQUEST
        assert f"has no field stars; it has text, label: use {option}" in result.stderr


def test_a_file_that_is_not_there_is_not_looked_for_on_the_hub(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets(monkeypatch, lambda *_, **__: pytest.fail("the hub was asked"))
    result = run("evaluate", "--data", str(tmp_path / "none.csv"))
    assert (result.exit_code, "No such file" in result.stderr) == (BAD_REQUEST, True)


def test_without_the_library_a_data_set_of_the_hub_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets(monkeypatch, None)
    result = run("evaluate", "--data", "someone/films")
    assert result.exit_code == BAD_REQUEST
    assert "someone/films is no file" in result.stderr
    assert "pip install 'saliscope[eval]'" in result.stderr


def test_a_data_set_of_the_hub_is_loaded(run: Run, fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = []

    def load(name: str, split: str) -> list[dict[str, Any]]:
        wanted.append((name, split))
        return [{"sentence": "funny", "label": 1}, {"sentence": "dull", "label": 0}]

    datasets(monkeypatch, load)
    run("evaluate", "--data", "someone/films", "--limit", "1")
    run("evaluate", "--data", "someone/films", "--split", "train[:2]")
    assert wanted == [("someone/films", "test"), ("someone/films", "train[:2]")]
    assert [fields["texts"] for _, fields in fake.calls] == [
        [{"text": "funny", "label": 1}],
        [{"text": "funny", "label": 1}, {"text": "dull", "label": 0}],
    ]


def test_what_the_hub_says_is_handed_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, split: str) -> None:
        raise ValueError(f"Unknown split {split!r}.\nAnd more")

    datasets(monkeypatch, load)
    result = run("evaluate", "--data", "someone/films")
    assert result.exit_code == BAD_REQUEST
    assert "cannot load someone/films: Unknown split 'test'.; name a file, or another --split" in result.stderr


@pytest.mark.parametrize("content", ["{", "[1]", '"a"'])
def test_scores_must_be_a_map(run: Run, fake: FakeClient, data: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "scores.json").write_text(content)
    for file in ("scores.json", "none.json"):
        result = run("evaluate", "--data", str(data), "--scores", str(tmp_path / file))
        assert (result.exit_code, "error: scores: " in result.stderr, fake.calls) == (BAD_REQUEST, True, [])


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
