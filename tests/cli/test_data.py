"""The data of `saliscope evaluate`: files of every format, fields, data sets of the hub."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import Result

from saliscope.protocol.errors import ERRORS

from .conftest import ROWS, FakeClient

Run = Callable[..., Result]
BAD_REQUEST = ERRORS["bad_request"][0]


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


def test_a_map_is_the_list_in_its_known_field(asked: Callable[..., list[dict[str, Any]]]) -> None:
    content = json.dumps({"version": 1, "Data": ["a dull film", {"text": "fun", "label": 1}]})
    assert asked("a.json", content) == [{"text": "a dull film"}, {"text": "fun", "label": 1}]


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
        ("a.xlsx", "PK", "ends in none of .jsonl, .json, .csv, .tsv, .txt"),
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
