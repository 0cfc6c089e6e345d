"""What `saliscope.toml` says of a file holds for the commands that read it, and the command line wins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.cli.conftest import FakeClient
from tests.cli.test_contrast import many
from tests.cli.test_jobs import RESULTS, job

Run = Callable[..., Result]

SAYS = """
model = "demo-decoder"
method = "occlusion"
target = "gold"
granularity = "word"

[files."reviews/*.jsonl"]
field = "review"
label = "stars"

[files."*.json"]
target = 1

[files."*.txt"]
model = "demo-encoder"
target = "contrast:positive vs negative"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "saliscope.toml").write_text(SAYS)
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "a.jsonl").write_text('{"review": "a dull film", "stars": "negative"}\n')
    (tmp_path / "chat.json").write_text(json.dumps([{"role": "user", "content": "why?"}]))
    (tmp_path / "texts.txt").write_text("a dull film\n")
    return tmp_path


@pytest.fixture
def submitted(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The jobs that the daemon was asked for."""
    asked: list[dict[str, Any]] = []

    def submit(data: str, out: str, **options: Any) -> Any:
        asked.append(options)
        return job("done")

    monkeypatch.setattr(fake, "submit_job", submit, raising=False)
    monkeypatch.setattr(fake, "job_results", lambda name: RESULTS, raising=False)
    return asked


def test_a_data_set_is_explained_as_its_folder_wants_it(
    run: Run, folder: Path, submitted: list[dict[str, Any]]
) -> None:
    data = str(folder / "reviews" / "a.jsonl")
    assert run("dataset", "explain", data, "--out", "out.jsonl").exit_code == 0
    given = ("-M", "demo-encoder", "-m", "sp-pi", "-g", "token", "--target", "negative", "--text-field", "text")
    assert run("dataset", "explain", data, "--out", "out.jsonl", *given).exit_code == 0
    names = ("model", "method", "target", "granularity", "text_field", "label_field")
    assert [[options[name] for name in names] for options in submitted] == [
        ["demo-decoder", "occlusion", "gold", "word", "review", "stars"],
        ["demo-encoder", "sp-pi", "negative", "token", "text", "stars"],
    ]


def test_what_is_no_file_is_nobodys(
    run: Run, folder: Path, submitted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert run("dataset", "explain", "stanfordnlp/sst2", "--out", "out.jsonl").exit_code == 0
    assert "model" not in submitted[0]


def test_a_chat_is_explained_as_its_folder_wants_it(run: Run, fake: FakeClient, folder: Path) -> None:
    chat = str(folder / "chat.json")
    fake.explanations["occlusion"] = fake.explanations["sp-pi"] = {"segments": []}
    assert run("explain", "--messages", chat).exit_code == 0
    assert run("explain", "--messages", chat, "-m", "sp-pi", "--target", "0", "-M", "other").exit_code == 0
    names = ("model", "method", "target", "granularity")
    assert [[fields[name] for name in names] for _, fields in fake.calls] == [
        ["demo-decoder", "occlusion", "1", "word"],
        ["other", "sp-pi", "0", "word"],
    ]


def test_a_text_on_the_command_line_is_no_file(
    run: Run, fake: FakeClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert run("explain", "a dull film").exit_code == 0
    assert (fake.calls[0][1]["model"], fake.calls[0][1]["granularity"]) == (None, "token")


def test_two_prompts_are_compared_as_the_folder_of_the_data_wants_it(
    run: Run, fake: FakeClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = many(fake, monkeypatch)
    result = run("diff", "{text}", "so: {text}", "--data", str(folder / "texts.txt"))
    assert result.exit_code == 0, result.output
    target = {"kind": "contrast", "label": "positive", "against": "negative"}
    assert [(one["model"], one["method"], one["target"]) for one in asked] == [
        ("demo-encoder", "occlusion", target)
    ] * 2


def test_the_labels_class_is_no_target_where_there_are_none(
    run: Run, fake: FakeClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = many(fake, monkeypatch)
    data = str(folder / "reviews" / "a.jsonl")
    assert run("diff", "demo-encoder", "demo-decoder", "--data", data).exit_code == 0
    assert ["target" in one for one in asked] == [False, False]
    assert [one["text"] for one in asked] == [["a dull film"]] * 2


def test_what_cannot_be_used_is_told_with_its_line(run: Run, folder: Path, submitted: list[dict[str, Any]]) -> None:
    (folder / "saliscope.toml").write_text('modle = "x"\nmethod = "occlusion"\n')
    result = run("dataset", "explain", str(folder / "texts.txt"), "--out", "out.jsonl")
    assert result.exit_code == 0
    assert "saliscope.toml, line 1: modle is none of model, method" in result.stderr
    assert submitted[0]["method"] == "occlusion"
