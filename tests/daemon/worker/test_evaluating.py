"""`evaluate` through the worker over a socket pair, with the real bundled encoder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.evaluating import Evaluating
from saliscope.daemon.worker.ledger import FILE, Ledger
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers import load
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.models.textmodel import TextModel
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluate, Evaluation
from saliscope.protocol.validate import read

from .test_worker import LONG, Peer

TEXTS = [
    {"text": "a dull, boring film", "label": "negative"},
    {"text": "funny and warm", "label": "positive"},
    {"text": "the plot is a mess", "label": "negative"},
    {"text": "the cast is wonderful and the music is fine", "label": "negative"},
]
QUESTION: dict[str, Any] = {
    "texts": TEXTS,
    "methods": ["random", "occlusion", "input-x-gradient"],
    "metrics": ["activation", "comprehensiveness", "cost"],
}
UNITS = len(TEXTS) * 3


@pytest.fixture(scope="module")
def model() -> TextModel:
    return load("demo-encoder", "cpu")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    peer.call("models/load", model="demo-encoder")
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


def without_times(table: dict[str, Any]) -> dict[str, Any]:
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in table["rows"]]
    return {**table, "rows": rows}


def close(found: Any, expected: Any) -> bool:
    """Equal up to what other companions in a micro-batch change in a float32."""
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(close(found[name], expected[name]) for name in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(close, found, expected))
    return bool(found == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float) else expected))


def lines(folder: Path) -> list[dict[str, Any]]:
    """The records that were kept: every line but the first."""
    return [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()[1:]]


def units(folder: Path) -> Counter[tuple[int, str]]:
    return Counter((line["text"], line["name"]) for line in lines(folder))


def refused(peer: Peer, **params: Any) -> SaliscopeError:
    with pytest.raises(SaliscopeError) as caught:
        peer.call("evaluate", **params)
    assert peer.call("ping")["pong"] is True
    return caught.value


class Job:
    """An evaluation driven by hand, one micro-batch at a time."""

    def __init__(self, model: TextModel, /, **question: Any) -> None:
        self.batcher = Batcher(Solver(lambda news: news()))
        self.table: dict[str, Any] | None = None
        self.failure: SaliscopeError | None = None
        self.cut_by: str | None = None
        self.progress: list[tuple[int, int]] = []
        self.running = Evaluating(Owner(), model, read(question, Evaluate), self.batcher, self)
        self.running.start()

    def step_until(self, is_enough: Callable[[], bool]) -> None:
        while not is_enough() and self.batcher.step():
            pass

    def finish(self) -> dict[str, Any]:
        self.step_until(lambda: False)
        assert self.failure is None
        assert self.table is not None
        return self.table

    def finished(self, table: dict[str, Any]) -> None:
        assert self.table is None
        self.table = table

    def failed(self, error: SaliscopeError) -> None:
        assert self.failure is None
        self.failure = error

    def counted(self, done: int, total: int) -> None:
        self.progress.append((done, total))

    def cut(self, why: str) -> None:
        assert self.cut_by is None
        self.cut_by = why

    def estimated(self, index: int, estimate: Any) -> None:
        raise AssertionError("an evaluation has no estimates")


def test_the_table_is_the_librarys(peer: Peer, model: TextModel) -> None:
    got = peer.call("evaluate", **QUESTION, target="gold")
    expected = evaluate(model, TEXTS, QUESTION["methods"], QUESTION["metrics"], target="gold").to_dict()
    assert close(without_times(got), without_times(expected))
    table = read(got, Evaluation)
    assert (table.num_texts, table.num_done) == (len(TEXTS), UNITS)
    assert table.accuracy is not None
    assert table.accuracy.value == 0.75
    assert all(row.seconds is not None and row.seconds > 0 for row in table.rows)


def test_pairs_are_the_librarys_too(peer: Peer, model: TextModel) -> None:
    pairs = [{**TEXTS[0], "pair": "the cast is wonderful"}, {"text": "funny and warm"}, TEXTS[1]]
    got = without_times(peer.call("evaluate", **{**QUESTION, "texts": pairs}))
    expected = evaluate(model, pairs, QUESTION["methods"], QUESTION["metrics"]).to_dict()
    assert close(got, without_times(expected))
    alone = [{name: value for name, value in row.items() if name != "pair"} for row in pairs]
    assert not close(got, without_times(peer.call("evaluate", **{**QUESTION, "texts": alone})))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"label": "positive"}, "give a text, or messages"),
        ({"pair": "a"}, "give a text, or messages"),
        ({"text": "a", "messages": [{"role": "user", "content": "a"}]}, "messages come alone"),
        ({"text": "a", "other": "b"}, "other"),
        ({"messages": [{"role": "user", "content": "a"}]}, "has no chat template"),
    ],
)
def test_what_is_no_text_pair_or_chat_is_refused(peer: Peer, text: dict[str, Any], said: str) -> None:
    assert said in refused(peer, **{**QUESTION, "texts": [TEXTS[0], text]}).message


def test_progress_counts_every_unit(model: TextModel) -> None:
    job = Job(model, **QUESTION)
    job.finish()
    assert job.progress == [(done, UNITS) for done in range(UNITS + 1)]


def test_progress_is_notified_while_it_runs(peer: Peer) -> None:
    peer.ask(3, "evaluate", **QUESTION)
    responses, heard = peer.answers(1)
    assert responses[3].error is None
    counts = [frame.params for frame in heard if frame.params.get("total") is not None]
    assert counts[0] == {"id": 3, "stage": "evaluating", "done": 0, "total": UNITS}
    assert all(count["total"] == UNITS for count in counts)
    assert [count["done"] for count in counts] == sorted(count["done"] for count in counts)


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


def test_what_fails_on_one_text_is_told_and_the_rest_goes_on(peer: Peer, tmp_path: Path) -> None:
    texts = ["funny and warm", LONG, " ", "a dull film"]
    methods = ["attention-flow", "random"]
    question = {"texts": texts, "methods": methods, "metrics": ["activation"], "out": str(tmp_path)}
    first = peer.call("evaluate", **question)
    got = read(first, Evaluation)
    flow, random = got.rows
    assert [failure.text for failure in flow.failures] == [1, 2]
    assert [failure.text for failure in random.failures] == [2]
    assert "tokens" in flow.failures[0].message
    assert "empty or blank" in random.failures[0].message
    assert flow.cells["activation"].n == random.cells["activation"].n == 2
    assert got.num_done == len(texts) * len(methods)
    again = peer.call("evaluate", **question)
    assert close(without_times(again), without_times(first))


def test_scores_of_the_wrong_length_fail_on_their_text_only(peer: Peer) -> None:
    question = {**QUESTION, "texts": ["a dull film", "funny"], "methods": []}
    got = read(peer.call("evaluate", **question, precomputed={"mine": [[1.0, 2.0, 3.0], [1.0, 2.0]]}), Evaluation)
    (mine,) = got.rows
    assert [(failure.text, failure.message) for failure in mine.failures] == [(1, "2 scores were given for 1 features")]
    assert mine.cells["comprehensiveness"].n == 1
    assert "1 rows of scores for 2 texts" in refused(peer, **question, precomputed={"mine": [[1.0]]}).message


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"texts": []}, "bad_request", "texts"),
        ({"texts": [{"txt": "a"}]}, "bad_request", "texts"),
        ({"methods": ["magic"]}, "unknown_method", "occlusion"),
        ({"methods": ["random", "random"]}, "bad_request", "a `name` of its own"),
        ({"methods": ["sp-pi"]}, "not_capable", "input-x-gradient"),
        ({"metrics": ["magic"]}, "bad_request", "comprehensiveness"),
        ({"texts": ["a"], "target": "gold"}, "bad_request", "target=predicted"),
        ({"texts": [{"text": "a", "label": "purple"}]}, "bad_request", "negative"),
        ({"model": "nobody/nothing"}, "unknown_model", "demo-encoder"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    peer: Peer, tmp_path: Path, change: dict[str, Any], code: str, says: str
) -> None:
    error = refused(peer, **{**QUESTION, "out": str(tmp_path / "new"), **change})
    assert error.code == code
    assert says in error.message
    assert not (tmp_path / "new").exists()


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
