"""Type a text, see which tokens decided: the promises of the README, through the real daemon."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol.client import Client
from tests.e2e.conftest import Saliscope

NEGATIVE = "a dull, lifeless and boring film"
POSITIVE = "one of the funniest, warmest films of the year"
MIXED = "the plot is a mess but the cast is wonderful"

AsJson = Callable[..., Any]


def test_the_encoder_finds_the_words_that_make_a_review_negative(as_json: AsJson) -> None:
    got = as_json("explain", NEGATIVE, "--model", "demo-encoder", "--method", "decoded-grad-cam")
    assert got["prediction"]["label"] == "negative"
    assert max(got["features"], key=lambda feature: feature["score"])["text"] in {"dull", "lifeless", "boring"}


def test_the_decoders_scores_sum_to_what_the_text_changed(as_json: AsJson) -> None:
    got = as_json("explain", NEGATIVE, "--model", "demo-decoder", "--method", "sp-pi")
    assert got["prediction"]["label"] == "negative"
    total = sum(feature["score"] for feature in got["features"])
    assert total == pytest.approx(got["value"] - got["base_value"], abs=1e-4)


@pytest.mark.parametrize("granularity", ["token", "word", "sentence"])
@pytest.mark.parametrize("text", [NEGATIVE, POSITIVE, MIXED, f"{NEGATIVE}. {POSITIVE}! 👩‍👩‍👧 映画は最高"])
def test_spans_cut_out_the_tokens_text(as_json: AsJson, text: str, granularity: str) -> None:
    for model in ("demo-encoder", "demo-decoder"):
        got = as_json("explain", text, "--model", model, "--granularity", granularity)
        assert got["text"] == text
        for row in [*got["features"], *(token for token in got["tokens"] if not token["special"])]:
            assert row["text"] == text[row["start"] : row["end"]]


def test_a_result_names_everything_that_is_needed_to_repeat_it(as_json: AsJson) -> None:
    got = as_json("explain", MIXED, "--method", "random", "--seed", "7")
    again = as_json("explain", MIXED, "--method", "random", "--seed", "7")
    assert got["seed"] == 7
    assert [f["score"] for f in got["features"]] == [f["score"] for f in again["features"]]
    wanted = "text model method params target scale prediction tokens features value base_value cost timing_ms"
    wanted += " truncated_at estimate seed warnings protocol"
    assert set(wanted.split()) <= set(got)
    assert set(got["cost"]) >= {"forward_rows", "backward_rows"}


def test_the_default_model_and_method_are_chosen_and_said(saliscope: Saliscope) -> None:
    shown = saliscope("explain", NEGATIVE).stdout
    assert "demo-encoder" in shown
    assert "decoded-grad-cam" in shown
    assert "why" in shown
    assert "sp-pi" in saliscope("explain", NEGATIVE, "--model", "demo-decoder").stdout


def test_without_a_daemon_the_answer_is_the_same(as_json: AsJson) -> None:
    warm = as_json("explain", MIXED, "--model", "demo-decoder")
    private = as_json("explain", MIXED, "--model", "demo-decoder", "--no-daemon")
    assert [f["score"] for f in private["features"]] == pytest.approx([f["score"] for f in warm["features"]], abs=1e-5)


def test_pictures_are_written(saliscope: Saliscope, tmp_path: Path) -> None:
    saliscope("explain", MIXED, "--html", str(tmp_path / "a.html"), "--svg", str(tmp_path / "a.svg"))
    assert "wonderful" in (tmp_path / "a.html").read_text()
    assert (tmp_path / "a.svg").read_text().startswith("<svg")


def test_a_text_over_the_models_length_says_where_it_was_cut(as_json: AsJson) -> None:
    text = "a fine film " * 200
    got = as_json("explain", text)
    assert 0 < got["truncated_at"] < len(text)
    assert len(got["tokens"]) == 256
    assert any(str(got["truncated_at"]) in warning for warning in got["warnings"])


def test_a_megabyte_is_explained_up_to_the_models_length_and_more_is_refused(client: Client) -> None:
    text = "word " * 200_000
    assert client.explain(text).truncated_at == client.tokenize(text).truncated_at
    from saliscope.protocol import SaliscopeError

    with pytest.raises(SaliscopeError, match="too_large"):
        client.explain(text + "word " * 20_000)


@pytest.mark.parametrize(
    ("arguments", "exit_status", "says"),
    [
        (("explain", ""), 2, "empty"),
        (("explain", "a film", "--model", "nobody/nothing"), 3, "demo-decoder"),
        (("explain", "a film", "--model", "/nowhere"), 3, "demo-decoder"),
        (("explain", "a film", "--method", "magic"), 3, "occlusion"),
        (("explain", "a film", "--target", "purple"), 2, "positive"),
        (("explain", "a film", "--method", "sp-pi"), 4, "input-x-gradient"),
        (("explain", "a film", "--scale", "loud"), 2, "logit"),
        (("explain", "a film", "--model", "/usr"), 10, "config.json"),
    ],
)
def test_an_error_says_what_would_work(
    saliscope: Saliscope, arguments: tuple[str, ...], exit_status: int, says: str
) -> None:
    failed = saliscope(*arguments, exit_status=exit_status)
    assert says in failed.stderr
    assert "Traceback" not in failed.stderr


def test_pickled_weights_are_refused_and_the_message_says_how_to_allow_them(
    saliscope: Saliscope, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["BertForSequenceClassification"], "model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    failed = saliscope("explain", "a film", "--model", str(tmp_path), exit_status=10)
    assert "--allow-pickle" in failed.stderr


def test_a_folder_may_be_named_relative_to_where_the_user_is(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    from importlib.resources import files

    shutil.copytree(str(files("saliscope.explainers.demo") / "demo-encoder"), tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert client.explain(NEGATIVE, model="mine").model == str(tmp_path / "mine")
    assert client.unload_model("mine").unloaded


def test_random_bytes_on_the_socket_leave_the_daemon_up(client: Client) -> None:
    noise = os.urandom(10_000)
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(client.status().socket)
        try:
            rude.sendall(noise)
            while rude.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert client.explain(NEGATIVE).prediction.label == "negative"


def test_the_five_line_client_of_the_readme_works(environment: dict[str, str], client: Client) -> None:
    import re
    import subprocess
    import sys

    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (script,) = re.findall(r"```python\n(import msgpack.*?)```", readme, re.DOTALL)
    here = {**environment, "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}
    done = subprocess.run([sys.executable, "-c", script], env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "negative" in done.stdout
