"""`evaluate` through the worker over a socket pair, with the real bundled encoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saliscope.explainers import load
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.models.textmodel import TextModel
from saliscope.protocol.evaluations import Evaluation
from saliscope.protocol.validate import read

from .evaluations import QUESTION, TEXTS, UNITS, Job, close, refused, serving, without_times
from .test_worker import LONG, Peer


@pytest.fixture(scope="module")
def model() -> TextModel:
    return load("demo-encoder", "cpu")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    yield from serving()


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
