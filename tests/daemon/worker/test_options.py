"""`priority`, `max_ms`, `max_rows`, `supersede`, and equal requests, over the wire with the bundled encoder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification, Response

from .test_worker import LONG, Peer

#: It has an estimate after four rows, and needs some hundred.
MANY: dict[str, Any] = {"text": LONG, "model": "demo-encoder", "method": "partition-shap"}
#: It has no estimate before hundreds of rows, and needs thousands.
LATE: dict[str, Any] = {"text": LONG, "model": "demo-encoder", "method": "shapley-sampling"}
SHORT: dict[str, Any] = {"text": "a dull film", "model": "demo-encoder", "method": "occlusion"}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    peer.call("models/load", model="demo-encoder")
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


def rows(peer: Peer) -> int:
    return int(peer.call("status")["counters"]["rows"])


def of(client: int, **more: Any) -> dict[str, Any]:
    return {"$origin": {"client": client, **more}}


def until_partial(peer: Peer, id: int) -> None:
    while not (isinstance(frame := next(peer.frames), Notification) and frame.method == "explain/partial"):
        assert not isinstance(frame, Response)
    assert frame.params is not None
    assert frame.params["id"] == id


def test_max_rows_gives_the_best_estimate_so_far_and_says_so(peer: Peer) -> None:
    before = rows(peer)
    got = peer.call("explain", **MANY, max_rows=20)
    assert got["estimate"] == "partial"
    assert 4 <= got["cost"]["forward_rows"] <= 20
    assert rows(peer) - before <= 20
    assert any("max_rows 20 is over: this is the best estimate" in warning for warning in got["warnings"])
    assert peer.call("explain", **SHORT, max_rows=1000)["estimate"] == "final"


def test_without_an_estimate_max_rows_is_a_timeout_that_says_what_is_needed(peer: Peer) -> None:
    with pytest.raises(SaliscopeError, match=r"max_rows 20 is over after 2 rows \(the next step takes") as caught:
        peer.call("explain", **LATE, max_rows=20)
    assert caught.value.code == "timeout"
    with pytest.raises(SaliscopeError, match="2 of 3 texts done"):
        peer.call("predict", texts=["a", "b", "c"], model="demo-encoder", max_rows=2)


def test_texts_that_were_done_stand_beside_estimates(peer: Peer) -> None:
    got = peer.call("explain", text=["a dull film", LONG], model="demo-encoder", method="partition-shap", max_rows=40)
    assert [row["estimate"] for row in got["explanations"]] == ["final", "partial"]
    assert "max_rows 40" in got["warnings"][0]


def test_max_ms_gives_the_best_estimate_so_far(peer: Peer) -> None:
    with pytest.raises(SaliscopeError, match="max_ms 1 is over after") as caught:
        peer.call("explain", **LATE, max_ms=1)
    assert caught.value.code == "timeout"
    for attempt in range(1, 100):
        try:
            got = peer.call("explain", **LATE, seed=attempt, max_ms=400 * attempt)
        except SaliscopeError:
            continue
        break
    assert got["estimate"] == "partial"
    assert got["cost"]["forward_rows"] < got["cost"]["promised_forward_rows"]
    assert any("max_ms" in warning for warning in got["warnings"])
    assert peer.call("status")["queue"]["requests"] == 0


def test_max_ms_holds_while_the_model_loads() -> None:
    peer = Peer()
    with pytest.raises(SaliscopeError, match="while the model loads") as caught:
        peer.call("explain", **SHORT, max_ms=0.01)
    assert caught.value.code == "timeout"
    assert peer.call("explain", **SHORT)["estimate"] == "final"
    peer.sock.close()
    peer.thread.join()


def test_a_newer_request_of_the_same_client_and_key_ends_the_older_one(peer: Peer) -> None:
    peer.ask(5, "explain", **LATE, supersede="line 3", stream=True, **of(1))
    peer.ask(6, "explain", **SHORT, supersede="line 3", **of(2))
    peer.ask(7, "explain", **SHORT, supersede="line 4", **of(1))
    first, _ = peer.answers(2)
    assert {id: answer.error for id, answer in first.items()} == {6: None, 7: None}
    peer.ask(8, "explain", **SHORT, supersede="line 3", **of(1))
    last, _ = peer.answers(2)
    assert last[5].error[0] == "superseded"
    assert last[8].error is None
    peer.ask(9, "explain", **SHORT, supersede="line 3", **of(1))
    assert peer.answers(1)[0][9].error is None


def test_equal_requests_share_one_computation_and_each_is_answered(peer: Peer) -> None:
    before = rows(peer)
    alone = peer.call("explain", **MANY, seed=7)
    once = rows(peer) - before
    for id in (5, 6, 7):
        peer.ask(id, "explain", **MANY, seed=8, stream=id != 6, **of(id))
    answers, heard = peer.answers(3)
    assert rows(peer) - before == 2 * once
    assert {id: answer.error for id, answer in answers.items()} == {5: None, 6: None, 7: None}
    assert answers[5].result["scores"] == answers[6].result["scores"] == answers[7].result["scores"]
    assert len(answers[5].result["scores"]) == len(alone["scores"])
    partials = [frame.params["id"] for frame in heard if frame.method == "explain/partial"]
    assert partials.count(5) == partials.count(7) > 0
    assert 6 not in partials


def test_requests_that_differ_or_must_be_alone_share_nothing(peer: Peer) -> None:
    before = rows(peer)
    peer.call("explain", **SHORT)
    once = rows(peer) - before
    peer.ask(5, "explain", **SHORT, **of(1))
    peer.ask(6, "explain", **SHORT, **of(1, alone=True))
    peer.ask(7, "explain", **{**SHORT, "target": "negative"})
    answers, _ = peer.answers(3)
    assert rows(peer) - before == 4 * once
    assert answers[5].result["scores"] == pytest.approx(answers[6].result["scores"], abs=1e-5)


def test_who_shares_cancels_for_itself_only(peer: Peer) -> None:
    peer.ask(5, "explain", **MANY, seed=1, stream=True)
    peer.ask(6, "explain", **MANY, seed=1)
    until_partial(peer, 5)
    peer.cancel(5)
    answers, _ = peer.answers(2)
    assert answers[5].error[0] == "cancelled"
    assert answers[6].result["estimate"] == "final"


def test_the_last_one_to_cancel_ends_the_work(peer: Peer) -> None:
    for id in (5, 6):
        peer.ask(id, "explain", **LATE, **of(id))
        peer.cancel(id)
    answers, _ = peer.answers(2)
    assert {answer.error[0] for answer in answers.values()} == {"cancelled"}
    queue = peer.call("status")["queue"]
    assert (queue["requests"], queue["rows"]) == (0, 0)


def test_a_late_one_hears_the_newest_estimate_at_once(peer: Peer) -> None:
    peer.ask(5, "explain", **MANY, seed=2, stream=True)
    until_partial(peer, 5)
    peer.ask(6, "explain", **MANY, seed=2, stream=True)
    answers, heard = peer.answers(2)
    assert answers[5].result["scores"] == answers[6].result["scores"]
    assert 6 in [frame.params["id"] for frame in heard if frame.method == "explain/partial"]


def test_an_interactive_request_overtakes_and_lifts_what_it_shares(peer: Peer) -> None:
    peer.ask(5, "explain", **LATE, priority="bulk", stream=True)
    peer.ask(6, "explain", **SHORT, priority="interactive")
    first, _ = peer.answers(1)
    assert first[6].error is None
    peer.ask(7, "explain", **LATE, priority="interactive")
    classes = peer.call("status")["queue"]["classes"]
    assert classes["bulk"]["queries"] == classes["request"]["queries"] == 0
    assert classes["interactive"]["queries"] == 1
    peer.cancel(7)
    peer.answers(1)
    assert peer.call("status")["queue"]["classes"]["bulk"]["queries"] == 1
    peer.cancel(5)
    assert peer.answers(1)[0][5].error[0] == "cancelled"


def test_an_evaluation_that_is_cut_gives_the_table_so_far(peer: Peer) -> None:
    question = {"texts": ["a dull film"] * 30, "methods": ["random", "occlusion"], "metrics": ["cost"]}
    whole = peer.call("evaluate", **question)
    cut = peer.call("evaluate", **question, max_rows=30)
    assert 0 < cut["num_done"] < whole["num_done"]
    assert any("max_rows 30" in warning for warning in cut["warnings"])
    with pytest.raises(SaliscopeError, match="max_ms"):
        peer.call("evaluate", **{**question, "texts": [LONG] * 30}, max_ms=0.01)


@pytest.mark.parametrize(
    "wrong",
    [{"priority": "urgent"}, {"max_ms": 0}, {"max_ms": "soon"}, {"max_rows": 0}, {"max_rows": 1.5}, {"supersede": ""}],
)
@pytest.mark.parametrize("method", ["explain", "predict", "evaluate"])
def test_wrong_options_are_bad_requests_that_name_the_field(peer: Peer, wrong: dict[str, Any], method: str) -> None:
    text = {"text": "a"} if method == "explain" else {"texts": ["a"]}
    with pytest.raises(SaliscopeError, match=next(iter(wrong))) as caught:
        peer.call(method, **text, **wrong)
    assert caught.value.code == "bad_request"


def test_whatever_ends_a_request_it_is_answered_once(peer: Peer) -> None:
    dice = random.Random(3)
    for id in range(100, 160):
        asked = dice.choice([SHORT, MANY, {**SHORT, "text": ["a", "b"]}])
        more: dict[str, Any] = {"seed": dice.randrange(3), "stream": dice.random() < 0.3}
        if dice.random() < 0.3:
            more["supersede"] = dice.choice("xy")
        if dice.random() < 0.3:
            more["max_ms"] = dice.choice([0.01, 5, 50])
        if dice.random() < 0.2:
            more["max_rows"] = dice.choice([1, 10, 100])
        peer.ask(id, "explain", **asked, **more, priority=dice.choice(["interactive", "request", "bulk"]), **of(id % 3))
        if dice.random() < 0.3:
            peer.cancel(dice.randrange(100, id + 1))
    answers, _ = peer.answers(60)
    assert set(answers) == set(range(100, 160))
    known = {None, "cancelled", "superseded", "timeout"}
    assert {answer.error and answer.error[0] for answer in answers.values()} <= known
    queue = peer.call("status")["queue"]
    assert (queue["requests"], queue["queries"], queue["rows"]) == (0, 0, 0)
