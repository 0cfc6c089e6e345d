from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from saliscope.cli import checks
from saliscope.cli.shapes import (
    DoctorShape,
    MethodsShape,
    ModelsShape,
    PredictShape,
    PsShape,
    StatusShape,
    TokenizeShape,
)
from saliscope.cli.status import duration, size
from saliscope.cli.tables import columns, wrapped
from saliscope.protocol.errors import ERRORS, SaliscopeError
from saliscope.protocol.explanation import Prediction
from saliscope.protocol.parameters import Mask
from saliscope.protocol.results import Check, Predictions
from saliscope.render.ansi import style

from .conftest import MODEL, STATUS, FakeClient

Run = Callable[..., Result]
ABSENT = SaliscopeError("unavailable", "no daemon listens on /run/daemon.sock; `saliscope daemon start` starts one")


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


# -- the group --------------------------------------------------------------------------------------


def test_without_arguments_the_help_is_shown(run: Run) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout == run("--help").stdout
    assert "explain" in result.stdout


def test_an_unknown_command_gets_a_suggestion(run: Run) -> None:
    result = run("explan")
    assert result.exit_code == 2
    assert "did you mean `saliscope explain`?" in result.stderr


def test_a_usage_error_is_one_line_and_where_to_look(run: Run) -> None:
    result = run("explain", "--colour", "x")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: no such option")
    assert "`saliscope explain --help` lists what it takes." in result.stderr
    assert json.loads(run("explain", "x", "--json", "--no-such").stdout)["error"]["code"] == "bad_request"


def test_a_parameter_needs_a_name_and_a_value(run: Run) -> None:
    result = run("explain", "x", "-p", "window")
    assert result.exit_code == 2
    assert "'window' is not key=value" in result.stderr


# -- predict, tokenize ------------------------------------------------------------------------------


def test_predict_shows_bars_for_one_text(run: Run) -> None:
    lines = run("predict", "a film").stdout.splitlines()
    assert lines[0].split()[:2] == ["positive", "75.0%"]
    assert lines[-1] == "demo-encoder"


def test_predict_shows_a_row_for_each_of_many(run: Run) -> None:
    result = run("predict", "-", input="one\n\ntwo\n")
    assert result.stdout == "positive  75.0%  one\npositive  75.0%  two\n"


def test_predict_shows_the_value_of_a_regression(run: Run, fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def stars(texts: list[str], **options: object) -> Predictions:
        return Predictions("stars", [Prediction("stars", 0, {}, value=3.25) for _ in texts])

    monkeypatch.setattr(fake, "predict", stars)
    assert run("predict", "a film").stdout == "  stars  3.25\nstars\n"
    assert run("predict", "one", "two").stdout == "stars  3.25  one\nstars  3.25  two\n"
    (shape,) = msgspec.json.decode(run("predict", "a", "--json").stdout, type=PredictShape, strict=True).predictions
    assert (shape.value, shape.probabilities) == (3.25, {})


def test_predict_json_has_its_shape(run: Run) -> None:
    shape = msgspec.json.decode(run("predict", "a", "b", "--json").stdout, type=PredictShape, strict=True)
    assert [(one.text, one.label) for one in shape.predictions] == [("a", "positive"), ("b", "positive")]


def test_predict_hides_words_and_places(run: Run, fake: FakeClient) -> None:
    run("predict", "a dull film", "dull, dullest", "warm", "--mask", "dull", "--mask", "0:1", "--mask-kind", "drop")
    masks = [Mask([(2, 6), (0, 1)], "drop"), Mask([(0, 4), (0, 1)], "drop"), Mask([(0, 1)], "drop")]
    assert fake.calls[-1][1]["mask"] == masks
    run("predict", "a dull film", "warm", "--mask", "film")
    assert fake.calls[-1][1]["mask"] == [Mask([(7, 11)]), None]
    run("predict", "warm")
    assert fake.calls[-1][1]["mask"] is None


def test_predict_says_which_word_to_hide_is_not_there(run: Run) -> None:
    result = run("predict", "a dull film", "--mask", "dul")
    assert result.exit_code == ERRORS["bad_request"][0]
    assert "'dul' does not stand in the text" in result.stderr


def test_tokenize_shows_places(run: Run) -> None:
    lines = run("tokenize", "a dull film").stdout.splitlines()
    assert lines[0].split() == ["0:0", "[CLS]", "(special)"]
    assert lines[2].split() == ["2:6", "dull"]
    assert lines[-1] == "5 tokens of at most 256, demo-encoder"


def test_tokenize_json_has_its_shape(run: Run) -> None:
    shape = msgspec.json.decode(run("tokenize", "a dull", "--json").stdout, type=TokenizeShape)
    assert [token.text for token in shape.tokens] == ["[CLS]", "a", "dull", "[SEP]"]


# -- models, methods --------------------------------------------------------------------------------


def test_models_are_listed_with_their_facts(run: Run) -> None:
    lines = run("models").stdout.splitlines()
    assert lines[0].startswith("demo-encoder  ready      encoder-classifier, negative, positive, 256 tokens")
    assert lines[-1].split() == ["demo-decoder", "available", "bundled"]


def test_models_json_has_its_shape(run: Run) -> None:
    shape = msgspec.json.decode(run("models", "--json").stdout, type=ModelsShape)
    assert [model.name for model in shape.models] == ["demo-encoder", "demo-decoder"]


def test_models_are_loaded_and_unloaded(run: Run, fake: FakeClient) -> None:
    assert "ready" in run("models", "load", "demo-encoder").stdout
    assert run("models", "unload", "demo-encoder").stdout == "unloaded demo-encoder, 13.2 MB of ram given back\n"
    assert run("unload", "other").stdout == "other was not loaded\n"
    assert [call for call, _ in fake.calls] == ["load_model", "unload_model", "unload_model"]
    assert fake.connections[-1]["start"] is False


def test_load_hands_on_how(run: Run, fake: FakeClient) -> None:
    options = ("--device", "cpu", "--dtype", "bfloat16", "--adapter", "a/b", "--keep-alive", "2h", "--no-check")
    shape = msgspec.json.decode(run("load", "someone/model", *options, "--json").stdout, type=ModelsShape)
    assert [model.name for model in shape.models] == ["demo-encoder"]
    _, given = fake.calls[-1]
    assert given == {
        "name": "someone/model", "download": False, "device": "cpu", "dtype": "bfloat16", "revision": None,
        "adapter": "a/b", "keep_alive": 7200.0, "check": False,
    }  # fmt: skip
    assert "use 300, 5m, 2h" in run("load", "m", "--keep-alive", "soon").stderr


def test_a_failed_check_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = msgspec.structs.replace(MODEL, checks=[Check("causality", False, 0.5, 0.0001)])
    monkeypatch.setattr(FakeClient, "load_model", lambda self, name, **options: failed)
    assert "warning: it failed the causality check (0.5, limit 0.0001)" in run("load", "m").stderr


def test_ps_shows_what_takes_memory(run: Run, fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"size": 538_000_000, "num_in_use": 0, "expires_s": 95.5, "dtype": "bfloat16"}
    rows = [{**model, **held} for model in msgspec.to_builtins(STATUS)["models"]]
    rows.append({**rows[0], "name": "busy", "num_in_use": 2, "expires_s": None})
    rows.append({**rows[0], "name": "kept", "expires_s": None})
    rows.append({**rows[0], "name": "demo-decoder", "state": "available"})
    monkeypatch.setattr(fake, "glance", lambda: {"models": rows})
    monkeypatch.setattr("saliscope.protocol.glance", lambda: {"models": rows}, raising=False)
    lines = run("ps").stdout.splitlines()
    assert lines[0].split("  ")[0] == "name"
    assert lines[1].startswith("demo-encoder  538 MB  cpu     bfloat16  ready  0       in 1 min 35 s")
    assert lines[2].split()[-2:] == ["in", "use"]
    assert lines[3].split()[-1] == "never"
    assert len(lines) == 4
    shape = msgspec.json.decode(run("ps", "--json").stdout, type=PsShape)
    assert [model.name for model in shape.models] == ["demo-encoder", "busy", "kept"]
    monkeypatch.setattr("saliscope.protocol.glance", lambda: None, raising=False)
    assert run("ps").stdout == "not running\n"
    assert run("ps").exit_code == 0


def test_methods_are_listed(run: Run) -> None:
    lines = run("methods").stdout.splitlines()
    assert lines[0] == "occlusion         How far the target falls when a feature is hidden."


def test_one_method_is_described_with_its_parameters(run: Run) -> None:
    output = run("methods", "occlusion").stdout
    assert "  window  1       integer, 1 to 64\n" in output
    assert '  mask    "mask"  mask | unk\n' in output
    assert "window: Tokens at once." in output
    assert "Mind: Hiding a word" in output
    assert '  thermostat  window=3 mask="unk"\n' in output
    assert "formula  φ_i = F(x) - F(x without i)\n" in output
    assert "reading  The paper's.\n" in output


def test_methods_json_has_its_shape(run: Run) -> None:
    assert len(msgspec.json.decode(run("methods", "--json").stdout, type=MethodsShape).methods) == 2
    found = msgspec.json.decode(run("methods", "occlusion", "--json").stdout, type=MethodsShape).methods
    assert [method.name for method in found] == ["occlusion"]


def test_an_unknown_method_lists_the_valid_ones(run: Run) -> None:
    assert "did you mean occlusion?" in run("methods", "oclusion").stderr
    result = run("methods", "nothing-like-it")
    assert "there are occlusion, input-x-gradient" in result.stderr
    assert result.exit_code == 3


# -- status, daemon ---------------------------------------------------------------------------------


def test_status_of_a_running_daemon(run: Run, fake: FakeClient) -> None:
    output = run("status").stdout
    assert output.startswith("running       pid 4711, version 0.1.0, up 1 min 15 s\n")
    assert "demo-encoder  ready, encoder-classifier, cpu, 13.6 MB\n" in output
    assert fake.connections == []


def test_status_of_no_daemon_is_no_error(run: Run, fake: FakeClient) -> None:
    fake.absent = ABSENT
    result = run("status")
    assert result.exit_code == 0
    assert result.stdout.startswith("not running  `saliscope daemon start` starts it")


def test_status_json_has_its_shape(run: Run, fake: FakeClient) -> None:
    shape = msgspec.json.decode(run("status", "--json").stdout, type=StatusShape)
    assert (shape.running, shape.pid, shape.models) == (True, 4711, STATUS.models)
    assert msgspec.json.decode(run("daemon", "status", "--json").stdout, type=StatusShape) == shape
    fake.absent = ABSENT
    found = json.loads(run("status", "--json").stdout)
    assert set(found) == set(StatusShape.__struct_fields__)
    assert found["running"] is False


def test_a_daemon_of_another_version_is_named(run: Run, fake: FakeClient) -> None:
    fake.failure = SaliscopeError("protocol_mismatch", "the running daemon is version 0.0.1, this is 0.1.0")
    result = run("status")
    assert result.exit_code == 0
    assert "the running daemon is version 0.0.1" in result.stdout


def test_a_daemon_out_of_reach_is_an_error(run: Run, fake: FakeClient) -> None:
    fake.failure = SaliscopeError("unavailable", "cannot reach the daemon on x: Permission denied")
    assert run("status").exit_code == 14


def test_daemon_start_says_if_it_runs_already(run: Run) -> None:
    assert run("daemon", "start").stdout == "already running, pid 4711, up 1 min 15 s\n"


def test_daemon_logs_print_the_last_lines(run: Run, folders: Path) -> None:
    assert "no log yet" in run("daemon", "logs").stderr
    (folders / "cache" / "daemon.log").write_text("".join(f"line {n}\n" for n in range(100)))
    assert run("daemon", "logs", "-n", "2").stdout == "line 98\nline 99\n"


def test_daemon_stop_without_a_daemon(run: Run) -> None:
    assert run("daemon", "stop").stdout == "not running\n"


# -- doctor -----------------------------------------------------------------------------------------


def test_doctor_checks_everything(run: Run) -> None:
    result = run("doctor", "--json")
    shape = msgspec.json.decode(result.stdout, type=DoctorShape)
    names = [check.name for check in shape.checks]
    for name in (
        "python",
        "torch",
        "transformers",
        "runtime folder",
        "cache folder",
        "socket",
        "daemon",
        "device",
        "hub",
    ):
        assert name in names
    assert result.exit_code == (0 if shape.healthy else 1)
    assert all(check.advice for check in shape.checks if check.state != "ok")


def test_doctor_says_what_to_do_about_a_folder_open_to_others(run: Run, folders: Path) -> None:
    (folders / "run").mkdir(mode=0o755)
    result = run("doctor")
    assert result.exit_code == 1
    assert "fail  runtime folder" in result.stdout
    assert "→ Run `chmod 700" in result.stdout.replace("\n" + " " * 22, " ")


def test_doctor_looks_at_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert checks.check_socket(path).detail.endswith("(none yet)")
    path.write_text("")
    assert checks.check_socket(path).state == "fail"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        assert checks.check_socket(path).state == "warn"
        path.chmod(0o600)
        assert checks.check_socket(path).state == "ok"


def test_doctor_compares_versions_as_numbers() -> None:
    assert checks.check_package("torch", "2.9.0", "2.11").state == "fail"
    assert checks.check_package("torch", "2.13.0+cpu", "2.11").state == "ok"
    assert checks.check_package("torch", None, "2.11").detail == "not installed"
    assert checks.check_python((3, 10, 1)).state == "fail"


def test_doctor_sees_a_gpu_that_torch_cannot_use() -> None:
    assert checks.check_device(None, "2.13.0+cpu", ["NVIDIA H200"]).state == "warn"
    assert checks.check_device(None, "2.13.0", ["NVIDIA H200"]).state == "ok"
    assert checks.check_device(STATUS, "2.13.0", []).detail == "cpu (in use by the daemon)"


def test_doctor_knows_the_daemon(fake: FakeClient) -> None:
    assert checks.check_daemon()[0].state == "ok"
    fake.absent = ABSENT
    assert checks.check_daemon()[0].state == "ok"
    fake.absent = SaliscopeError("protocol_mismatch", "another version")
    assert checks.check_daemon()[0].state == "warn"
    fake.absent = SaliscopeError("timeout", "it did not answer")
    assert checks.check_daemon()[0].state == "fail"


def test_doctor_tells_that_the_hub_is_offline(tmp_path: Path) -> None:
    (tmp_path / "hub" / "models--a--b").mkdir(parents=True)
    cache, hub = checks.check_hub({"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"})
    assert "1 model," in cache.detail
    assert hub.state == "warn"


# -- completion, tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(run: Run, shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_SALISCOPE_COMPLETE" in script
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_completion_knows_commands_models_and_methods(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SALISCOPE_COMPLETE", "bash_complete")

    def complete(words: str, at: int) -> str:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(at))
        from click.testing import CliRunner

        from saliscope.cli.app import app

        return CliRunner().invoke(app, [], prog_name="saliscope").stdout

    assert "plain,explain" in complete("saliscope exp", 1)
    assert "plain,demo-encoder" in complete("saliscope explain --model demo", 3)
    assert "plain,occlusion" in complete("saliscope explain --method occ", 3)
    assert "plain,occlusion" in complete("saliscope methods occ", 2)


def test_columns_line_up_with_wide_characters_and_styles() -> None:
    rows = [["面白", "1", "x"], [style("a", "1", "16"), "22", "y"]]
    assert columns(rows, 40, right=frozenset({1})) == ["面白   1  x", "\x1b[1ma\x1b[0m     22  y"]


def test_a_long_last_cell_goes_on_below_itself() -> None:
    assert columns([["a", "one two three four five"]], 20) == ["a  one two three", "   four five"]
    assert columns([], 20) == []


def test_wrapped_text_keeps_its_room() -> None:
    assert wrapped("one two three", 8, "  ") == ["one two", "  three"]
    assert wrapped("", 8) == []


def test_numbers_for_people() -> None:
    assert [size(n) for n in (5, 1500, 13_600_000, 402_000_000, 5e12)] == [
        "5 B",
        "1.5 kB",
        "13.6 MB",
        "402 MB",
        "5000 GB",
    ]
    assert [duration(s) for s in (5, 75, 7260, 90000)] == ["5 s", "1 min 15 s", "2 h 1 min", "1 d 1 h"]
