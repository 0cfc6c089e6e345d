"""`evaluate` into a folder: what was found is kept and taken up again, and never mixed with anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from saliscope.daemon.worker.ledger import FILE, Ledger
from saliscope.explainers import load
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.models.textmodel import TextModel

from .evaluations import QUESTION, TEXTS, UNITS, Job, close, lines, refused, serving, units, without_times
from .test_worker import LONG, Peer


@pytest.fixture(scope="module")
def model() -> TextModel:
    return load("demo-encoder", "cpu")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    yield from serving()


@pytest.mark.parametrize("stop", [1, 5, 9])
def test_what_was_cancelled_goes_on_and_no_unit_is_computed_twice(model: TextModel, tmp_path: Path, stop: int) -> None:
    whole = Job(model, **QUESTION).finish()
    first = Job(model, **QUESTION, out=str(tmp_path))
    first.step_until(lambda: len(first.running.records) >= stop)
    said = first.running.stop()
    kept = len(first.running.records)
    assert stop <= kept < UNITS
    assert said == f"; {kept} of {UNITS} units are kept"
    assert not first.batcher.step()
    assert len(lines(tmp_path)) == kept
    second = Job(model, **QUESTION, out=str(tmp_path))
    assert second.progress[0] == (kept, UNITS)
    assert close(without_times(second.finish()), without_times(whole))
    assert units(tmp_path) == {(text, name): 1 for text in range(len(TEXTS)) for name in QUESTION["methods"]}
    third = Job(model, **QUESTION, out=str(tmp_path), cheap=5.0, interval="normal", model="demo-encoder")
    assert third.batcher.done.batches == 0
    assert third.finish()["cheap"] == 5.0


def test_a_running_one_is_cancelled_over_the_wire(peer: Peer, tmp_path: Path) -> None:
    texts = [LONG[: 40 + at] for at in range(30)]
    question = {**QUESTION, "texts": texts, "methods": ["occlusion"], "out": str(tmp_path)}
    peer.ask(5, "evaluate", **question)
    peer.ask(6, "ping")
    peer.ask(7, "explain", text="a dull film", model="demo-encoder", method="random")
    others, _ = peer.answers(2)
    assert set(others) == {6, 7}
    assert others[7].error is None
    peer.cancel(5)
    responses, _ = peer.answers(1)
    assert responses[5].error[0] == "cancelled"
    queue = peer.call("status")["queue"]
    assert (queue["requests"], queue["queries"], queue["rows"]) == (0, 0, 0)
    kept = len(lines(tmp_path))
    assert kept < len(texts)
    peer.ask(8, "evaluate", **question)
    responses, heard = peer.answers(1)
    assert heard[0].params["done"] == kept
    assert responses[8].result["num_done"] == len(texts)
    assert units(tmp_path) == {(text, "occlusion"): 1 for text in range(len(texts))}


def test_a_line_that_was_not_finished_is_cut_off(model: TextModel, tmp_path: Path) -> None:
    Job(model, **QUESTION, out=str(tmp_path)).finish()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-7])
    again = Job(model, **QUESTION, out=str(tmp_path))
    assert again.progress[0] == (UNITS - 1, UNITS)
    again.finish()
    assert len(units(tmp_path)) == UNITS
    (tmp_path / FILE).write_bytes(whole[:30])
    assert Job(model, **QUESTION, out=str(tmp_path)).progress[0] == (0, UNITS)


def test_what_another_one_wrote_is_refused_and_left_as_it_is(peer: Peer, tmp_path: Path) -> None:
    peer.call("evaluate", **QUESTION, out=str(tmp_path))
    other_model = {"model": "demo-decoder", "methods": ["random"]}
    for change in ({"seed": 1}, {"texts": TEXTS[:3]}, {"metrics": ["cost"]}, other_model):
        error = refused(peer, **{**QUESTION, "out": str(tmp_path), **change})
        assert error.code == "bad_request"
        assert f"{tmp_path / FILE} holds another evaluation" in error.message
    for foreign in (b"my notes, no newline", b"one line\nand half", b'{"a": 1}\n', b"[1]\n", b"\n"):
        (tmp_path / FILE).write_bytes(foreign)
        assert "holds another evaluation" in refused(peer, **QUESTION, out=str(tmp_path)).message
        assert (tmp_path / FILE).read_bytes() == foreign


@pytest.mark.parametrize("spoilt", [b"nonsense", b"3", b'{"text": "one"}', b""])
def test_a_line_that_is_no_record_is_named(peer: Peer, tmp_path: Path, spoilt: bytes) -> None:
    peer.call("evaluate", **QUESTION, out=str(tmp_path))
    whole = (tmp_path / FILE).read_bytes().split(b"\n")
    (tmp_path / FILE).write_bytes(b"\n".join([*whole[:3], spoilt, *whole[4:]]))
    error = refused(peer, **QUESTION, out=str(tmp_path))
    assert (error.code, f"line 4 of {tmp_path / FILE} is no record" in error.message) == ("bad_request", True)


def test_a_folder_that_cannot_be_written_is_refused(peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "taken" / FILE).mkdir(parents=True)
    for out in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "taken", "/proc/nothing", "a\0b"):
        error = refused(peer, **QUESTION, out=str(out))
        assert (error.code, "out: cannot write" in error.message) == ("bad_request", True)


def test_two_do_not_write_to_the_same_folder(model: TextModel, tmp_path: Path) -> None:
    first = Job(model, **QUESTION, out=str(tmp_path))
    with pytest.raises(Exception, match="another evaluation is writing"):
        Job(model, **QUESTION, out=str(tmp_path))
    first.finish()
    assert Job(model, **QUESTION, out=str(tmp_path)).table is not None


def test_a_full_disk_ends_it_with_what_was_kept(
    model: TextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(model, **QUESTION, out=str(tmp_path))
    assert job.running.ledger is not None
    with open("/dev/full", "ab", buffering=0) as full:
        job.step_until(lambda: len(job.running.records) >= 4)
        kept = len(lines(tmp_path))
        monkeypatch.setattr(job.running.ledger, "_file", full)
        job.step_until(lambda: job.failure is not None)
    assert job.failure is not None
    assert (job.failure.code, "No space left" in job.failure.message) == ("bad_request", True)
    assert not job.batcher.step()
    assert len(lines(tmp_path)) == kept


def test_thousands_of_finished_texts_are_taken_up_without_a_pass(
    model: TextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"film {at}" for at in range(2000)]
    question = {"texts": texts, "methods": ["random"], "metrics": ["cost"], "out": str(tmp_path)}
    first = Job(model, **question)
    first.running.stop()
    with open(tmp_path / FILE, "a", encoding="utf-8") as file:
        for at in range(2000):
            cost = {"cost": {"value": 1.0}}
            record = Record(at, "random", 2, "negative", "negative", None, 1, 0, 0.1, cost)
            file.write(json.dumps(record.to_dict()) + "\n")
    again = Job(model, **question)
    assert again.batcher.done.batches == 0
    assert again.table is not None
    assert (again.table["num_done"], again.table["rows"][0]["cells"]["cost"]["n"]) == (2000, 2000)


def test_surrogates_and_separators_in_a_record_survive(tmp_path: Path) -> None:
    record = Record(0, "a\ud800b", label="one\u2028two\x85three\r\nfour", error="\ud83d")
    first = Ledger(str(tmp_path), "digest")
    first.add(record)
    first.close()
    second = Ledger(str(tmp_path), "digest")
    second.close()
    assert second.records == [record]
