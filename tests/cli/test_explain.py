from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import Result

from saliscope.cli.comparison import agreement
from saliscope.cli.shapes import ErrorShape, ExplainManyShape, ExplainShape
from saliscope.protocol.errors import ERRORS, SaliscopeError
from saliscope.protocol.explanation import Output, Prediction, Segment, TargetInfo
from saliscope.render.ansi import strip

from .conftest import FakeClient, explanation

Run = Callable[..., Result]
TEXT = "a dull, boring but charming film"


def test_the_text_comes_first_then_prediction_features_and_cost(run: Run) -> None:
    result = run("explain", TEXT)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert lines[0] == TEXT
    assert lines[2].split()[:2] == ["negative", "90.0%"]
    assert lines[5].split()[:2] == ["dull", "+0.800"]
    assert lines[6].split()[:2] == ["charming", "-0.600"]
    assert "demo-encoder · input-x-gradient · logit of negative = 1.5" in lines
    assert "1 forward + 1 backward rows, 12 ms" in lines


def test_colours_come_when_asked_for_and_leave_the_text_as_it_is(run: Run) -> None:
    result = run("explain", TEXT, "--color", "always")
    assert "\x1b[38;5;" in result.stdout
    assert strip(result.stdout).splitlines()[0] == TEXT
    assert "against negative" in result.stdout


def test_why_names_the_choice(run: Run, fake: FakeClient) -> None:
    fake.explanations[None] = {"why": ["model demo-encoder: none was named", "method x: it fits"]}
    assert "why  model demo-encoder: none was named\n     method x: it fits\n" in run("explain", TEXT).stdout


def test_options_reach_the_daemon(run: Run, fake: FakeClient) -> None:
    result = run(
        "explain", TEXT, "-M", "some/model", "-m", "occlusion", "-t", "positive", "--scale", "prob", "-g", "word",
        "--seed", "7", "-p", "window=3", "-p", "mode=fast", "-p", "flags=[1,true]", "--no-daemon", "--download",
    )  # fmt: skip
    assert result.exit_code == 0
    ((call, fields),) = fake.calls
    assert call == "explain"
    assert fields == {
        "text": TEXT, "model": "some/model", "method": "occlusion", "target": "positive", "scale": "prob",
        "granularity": "word", "seed": 7, "download": True,
        "params": {"window": 3, "mode": "fast", "flags": [1, True]},
    }  # fmt: skip
    assert fake.connections[0]["private"] is True


@pytest.mark.parametrize(
    ("given", "sent"),
    [("next-token", {"kind": "next-token", "label": None}), ("next-token: on", {"kind": "next-token", "label": " on"}),
     ("next-token:#260", {"kind": "next-token", "label": 260}), ("1", "1"), ("a:b", "a:b"), (None, None),
     ("contrast", {"kind": "contrast", "label": None, "against": None}),
     ("contrast:good vs bad", {"kind": "contrast", "label": "good", "against": "bad"}),
     ("contrast:good", {"kind": "contrast", "label": "good", "against": None}),
     ("label-words:a=good, great;b=bad", {"kind": "label-words", "labels": {"a": ["good", "great"], "b": ["bad"]}}),
     ("continuation", {"kind": "continuation", "text": None}),
     ("continuation: and so on", {"kind": "continuation", "text": " and so on"}),
     ("contrast-continuation: yes vs  no", {"kind": "contrast-continuation", "text": " yes", "against": " no"}),
     ('{"kind": "continuation", "steps": true}', {"kind": "continuation", "steps": True})],
)  # fmt: skip
def test_targets_are_labels_or_next_tokens(run: Run, fake: FakeClient, given: str, sent: object) -> None:
    run("explain", TEXT, "-t", given)
    assert fake.calls[0][1]["target"] == sent


def test_a_pair_a_pattern_and_windows_reach_the_daemon(run: Run, fake: FakeClient) -> None:
    result = run("explain", TEXT, "--pair", "it is fun", "-g", "regex:[^,]+", "--windows", "stitch")
    assert result.exit_code == 0
    fields = fake.calls[0][1]
    assert fields["text"] == TEXT
    assert (fields["pair"], fields["granularity"], fields["windows"]) == ("it is fun", "regex:[^,]+", "stitch")
    assert run("explain", TEXT, "-g", "line").exit_code == 0


def test_how_a_request_is_run_reaches_the_daemon(run: Run, fake: FakeClient) -> None:
    options = ("--priority", "interactive", "--max-ms", "250", "--max-rows", "40")
    assert run("explain", TEXT, *options).exit_code == run("predict", TEXT, *options).exit_code == 0
    for _, fields in fake.calls:
        assert (fields["priority"], fields["max_ms"], fields["max_rows"]) == ("interactive", 250.0, 40)
    for wrong in (("--max-ms", "0"), ("--max-rows", "0"), ("--priority", "urgent")):
        assert run("explain", TEXT, *wrong).exit_code == 2


@pytest.mark.parametrize("granularity", ["page", "regex:", ""])
def test_a_granularity_that_is_none_is_refused_before_anything_is_asked(
    run: Run, fake: FakeClient, granularity: str
) -> None:
    result = run("explain", TEXT, "-g", granularity)
    assert result.exit_code == 2
    assert "token, word, sentence, line, or regex:PATTERN" in result.stderr
    assert fake.calls == []


def test_a_chat_is_read_from_a_file_or_from_stdin(run: Run, fake: FakeClient, tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "naïve?"}]
    (tmp_path / "chat.json").write_text(json.dumps(chat, ensure_ascii=False), encoding="utf-8")
    fake.explanations[None] = {"segments": []}
    run("explain", "--messages", str(tmp_path / "chat.json"))
    run("explain", "--messages", "-", input=json.dumps(chat))
    assert [(fields["text"], fields["messages"]) for _, fields in fake.calls] == [(None, chat)] * 2


@pytest.mark.parametrize(
    ("content", "says"), [("{", "is no JSON"), ('{"role": "user"}', "expected a list"), (b"\xff", "is no JSON")]
)
def test_a_file_that_holds_no_chat_is_an_error(run: Run, tmp_path: Path, content: str | bytes, says: str) -> None:
    file = tmp_path / "chat.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run("explain", "--messages", str(file))
    assert (result.exit_code, says in result.stderr) == (2, True)
    assert "cannot read" in run("explain", "--messages", str(tmp_path / "none.json")).stderr
    assert "in place of TEXT" in run("explain", TEXT, "--messages", str(file)).stderr


def test_a_text_cut_before_another_does_not_grey_the_other_one(run: Run, fake: FakeClient) -> None:
    segments = [Segment("text", 0, 6, 3), Segment("pair", 7, len(TEXT))]
    fake.explanations[None] = {"segments": segments, "truncated_at": 3, "warnings": ["'text' was cut"]}
    assert "\x1b[2m" not in run("explain", TEXT, "--color", "always", "-n", "0").stdout.splitlines()[0]
    segments[1].truncated_at = 20
    assert "\x1b[2m" in run("explain", TEXT, "--color", "always", "-n", "0").stdout.splitlines()[0]


def test_json_has_exactly_the_documented_shape(run: Run) -> None:
    result = run("explain", TEXT, "--json")
    shape = msgspec.json.decode(result.stdout, type=ExplainShape)
    found = json.loads(result.stdout)
    assert set(found) == set(ExplainShape.__struct_fields__)
    promised = {
        "text", "model", "method", "params", "target", "scale", "prediction", "tokens", "features", "value",
        "base_value", "cost", "timing_ms", "truncated_at", "estimate", "seed", "warnings", "protocol",
    }  # fmt: skip
    assert promised <= set(found)
    assert {"label", "probabilities"} <= set(found["prediction"])
    assert set(found["tokens"][0]) == {"text", "start", "end", "special", "score"}
    assert set(found["features"][0]) == {"text", "start", "end", "score", "stderr"}
    assert set(found["cost"]) == {"forward_rows", "backward_rows"}
    assert [token.score for token in shape.tokens][:3] == [None, 0.0, 0.8]
    assert all(shape.text[token.start : token.end] == token.text for token in shape.tokens if not token.special)


def test_json_gives_tokens_the_score_of_their_feature_and_features_their_error(run: Run, fake: FakeClient) -> None:
    one = explanation("dull film")
    one.features[0].tokens, one.features[0].text, one.features[0].end = [1, 2], "dull film", 9
    target = TargetInfo("class", "negative", 0)
    fake.explanations[None] = {
        "features": one.features[:1], "scores": [0.4], "outputs": [Output(target, [0.4], stderr=[0.1])],
        "value": float("nan"),
    }  # fmt: skip
    found = json.loads(run("explain", "dull film", "--json").stdout)
    assert [token["score"] for token in found["tokens"]] == [None, 0.4, 0.4, None]
    assert found["features"] == [{"text": "dull film", "start": 0, "end": 9, "score": 0.4, "stderr": 0.1}]
    assert found["value"] is None


def test_several_methods_stand_side_by_side(run: Run, fake: FakeClient) -> None:
    fake.explanations["occlusion"] = {"scores": [0.0, 4.0, 0.1, 3.0, 0.0, -2.0, 0.0], "cost": explanation("a").cost}
    result = run("explain", TEXT, "-m", "input-x-gradient", "-m", "occlusion")
    lines = result.stdout.splitlines()
    assert lines[0] == f"input-x-gradient  {TEXT}"
    assert lines[1] == f"occlusion         {TEXT}"
    assert any(line.split() == ["feature", "input-x-gradient", "occlusion"] for line in lines)
    assert any(line.split() == ["dull", "+0.800", "+4.00"] for line in lines)
    assert any(line.startswith("rank agreement with input-x-gradient: occlusion +") for line in lines)


def test_several_methods_give_a_list_in_json(run: Run) -> None:
    result = run("explain", TEXT, "-m", "occlusion", "-m", "input-x-gradient", "--json")
    shape = msgspec.json.decode(result.stdout, type=ExplainManyShape)
    assert [one.method for one in shape.explanations] == ["occlusion", "input-x-gradient"]


def test_long_texts_stand_below_their_method(run: Run) -> None:
    text = TEXT + " " + TEXT + " " + TEXT
    lines = run("explain", text, "-m", "input-x-gradient", "-m", "occlusion").stdout.splitlines()
    assert lines[:5] == ["input-x-gradient", text, "", "occlusion", text]


def test_rank_agreement_is_spearman() -> None:
    text = "a dull, boring charming film"
    one = explanation(text)
    assert agreement(one, one) == pytest.approx(1.0)
    assert agreement(one, explanation(text, scores=[-score for score in one.scores])) == pytest.approx(-1.0)
    assert agreement(explanation("a b"), explanation("a b")) is None
    assert agreement(one, explanation(text, scores=[0.0] * len(one.scores))) is None


def test_top_limits_the_list(run: Run) -> None:
    result = run("explain", TEXT, "-n", "1")
    assert "boring  +" not in result.stdout
    assert "and 6 more" in result.stdout
    assert "━" not in run("explain", TEXT, "-n", "0").stdout


def test_a_text_that_occurs_twice_says_where(run: Run) -> None:
    assert "dull @0" in run("explain", "dull dull").stdout
    assert "dull @5" in run("explain", "dull dull", "-m", "occlusion", "-m", "random").stdout


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_stdin_is_read_as_a_whole(run: Run, fake: FakeClient, arguments: tuple[str, ...]) -> None:
    run("explain", *arguments, input="one\ntwo\n")
    assert fake.calls[0][1]["text"] == "one\ntwo"


def test_stdin_that_is_no_utf8_is_read_with_replacements(run: Run, fake: FakeClient) -> None:
    run("explain", input=b"a \xff b")
    assert fake.calls[0][1]["text"] == "a � b"


def test_a_page_and_a_picture_are_written(run: Run, tmp_path: Path) -> None:
    html, svg = tmp_path / "a.html", tmp_path / "a.svg"
    result = run("explain", TEXT, "--html", str(html), "--svg", str(svg))
    assert f"wrote {html}" in result.stderr
    assert result.stdout.startswith(TEXT)
    assert "<!doctype html>" in html.read_text()
    assert ElementTree.fromstring(svg.read_text()).tag.endswith("svg")


def test_a_picture_on_stdout_is_all_of_it(run: Run) -> None:
    assert ElementTree.fromstring(run("explain", TEXT, "--svg", "-").stdout).tag.endswith("svg")


def test_a_file_that_cannot_be_written_is_an_error(run: Run, tmp_path: Path) -> None:
    result = run("explain", TEXT, "--html", str(tmp_path / "no" / "a.html"))
    assert result.exit_code == 2
    assert "cannot write" in result.stderr


def test_warnings_go_to_stderr(run: Run, fake: FakeClient) -> None:
    fake.explanations[None] = {"truncated_at": 6}
    result = run("explain", TEXT)
    assert f"warning: the model reads 6 of {len(TEXT)} characters" in result.stderr
    assert "warning" not in result.stdout


def test_next_tokens_show_their_space(run: Run, fake: FakeClient) -> None:
    fake.explanations[None] = {
        "prediction": Prediction(" film", 5, {" film": 0.5, "film": 0.1}, "next-token"),
        "target": TargetInfo("next-token", " film", 5),
    }
    assert "␣film  50.0%" in run("explain", TEXT).stdout


def test_a_regression_shows_its_value_and_no_percentage(run: Run, fake: FakeClient, tmp_path: Path) -> None:
    fake.explanations[None] = {
        "prediction": Prediction("stars", 0, {}, value=3.25),
        "target": TargetInfo("class", "stars", 0),
    }
    shown = run("explain", TEXT, "--html", str(tmp_path / "stars.html"))
    assert "\n  stars  3.25\n" in shown.stdout
    assert "%" not in shown.stdout
    assert (tmp_path / "stars.html").stat().st_size > 1000


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_has_its_line_its_advice_and_its_exit_status(run: Run, fake: FakeClient, code: str) -> None:
    fake.failure = SaliscopeError(code, "it went wrong")
    status, advice = ERRORS[code]
    result = run("explain", TEXT)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr == f"error: it went wrong\n  {advice}\n"
    result = run("explain", TEXT, "--json")
    assert result.exit_code == status
    shape = msgspec.json.decode(result.stdout, type=ErrorShape)
    assert (shape.error.code, shape.error.message, shape.error.advice) == (code, "it went wrong", advice)


def test_an_escape_in_an_error_does_not_reach_the_terminal(run: Run, fake: FakeClient) -> None:
    fake.failure = SaliscopeError("unknown_model", "no model '\x1b[2J'")
    assert "\x1b" not in run("explain", TEXT).stderr


def test_an_escape_in_the_text_does_not_reach_the_terminal(run: Run) -> None:
    result = run("explain", "a \x1b[2Jdull film", "-m", "occlusion", "-m", "input-x-gradient")
    assert "\x1b" not in result.stdout
    assert "␛[2Jdull" in result.stdout


def test_ctrl_c_is_exit_status_130(run: Run, fake: FakeClient) -> None:
    fake.failure = KeyboardInterrupt()
    assert run("explain", TEXT).exit_code == 130


@pytest.mark.parametrize("columns", [20, 40, 60, 100])
def test_lines_fit_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, fake: FakeClient, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    fake.explanations[None] = {"why": ["method input-x-gradient: it is the one that fits this model best of all"]}
    for line in run("explain", "dull charming", "--color", "always").stdout.splitlines():
        assert len(strip(line)) <= columns or columns < 60


def test_only_one_thing_goes_to_stdout(run: Run) -> None:
    result = run("explain", "a film", "--json", "--svg", "-")
    assert result.exit_code == 2
    assert "only one of" in result.output


def test_an_empty_next_token_is_refused(run: Run) -> None:
    for target in ("next-token:", "contrast:", "label-words:good", "contrast-continuation:yes", "continuation:", "{x"):
        found = run("explain", "a film", "--target", target)
        assert (found.exit_code, "target:" in found.stderr) == (2, True)
