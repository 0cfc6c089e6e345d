"""The worker over a socket pair, with the real bundled models."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.serve import serve
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers import explain, load, methods
from saliscope.explainers.queries import Evaluate, Outputs, Value
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar
from saliscope.protocol.codec import CHUNK, Decoder, encode_notification, encode_request
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import CLIENT_LIMITS, Notification, Response

torch.set_num_threads(1)

LONG = "the plot is a mess but the cast is wonderful and the music is fine " * 6
LARGE = "a" * (1 << 20 | 1)


class Peer:
    """Speaks frames to a worker that serves on a thread."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair()
        self.thread = threading.Thread(target=serve, args=(theirs,), daemon=True)
        self.thread.start()
        self.decoder = Decoder(CLIENT_LIMITS)
        self.frames = self._read()
        self.ready = next(self.frames)

    def _read(self) -> Iterator[Any]:
        while data := self.sock.recv(CHUNK):
            yield from self.decoder.frames(data)

    def ask(self, id: int, method: str, /, **params: Any) -> None:
        self.sock.sendall(encode_request(id, method, params))

    def cancel(self, id: int) -> None:
        self.sock.sendall(encode_notification("$/cancel", {"id": id}))

    def answers(self, count: int) -> tuple[dict[int, Response], list[Notification]]:
        """The next `count` responses by id, and the notifications that came before the last."""
        responses: dict[int, Response] = {}
        heard: list[Notification] = []
        while len(responses) < count:
            frame = next(self.frames)
            if isinstance(frame, Response):
                responses[frame.id] = frame
            else:
                heard.append(frame)
        return responses, heard

    def call(self, method: str, /, **params: Any) -> Any:
        self.ask(1, method, **params)
        response = self.answers(1)[0][1]
        if response.error is not None:
            raise SaliscopeError.from_wire(response.error)
        return response.result


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


def test_it_says_ready_with_its_catalogue_first(peer: Peer) -> None:
    assert peer.ready.method == "worker/ready"
    assert [method["name"] for method in peer.ready.params["methods"]] == list(methods())


def test_requests_of_different_methods_and_models_are_answered_as_the_library_answers(peer: Peer) -> None:
    texts = ["a dull, boring film", "funny and warm"]
    asked = [
        (model, method, text) for model in ("demo-encoder", "demo-decoder") for method in methods() for text in texts
    ] + [("demo-encoder", "occlusion", LONG), ("demo-decoder", "sp-pi", LONG), ("demo-decoder", "attention-flow", LONG)]
    for id, (model, method, text) in enumerate(asked):
        peer.ask(id, "explain", text=text, model=model, method=method)
    responses, _ = peer.answers(len(asked))
    models = {name: load(name, "cpu") for name in ("demo-encoder", "demo-decoder")}
    for id, (model, method, text) in enumerate(asked):
        if method not in fitting(models[model].facts, "class"):
            assert responses[id].error[0] == "not_capable"
            continue
        if (method, text) == ("attention-flow", LONG):
            assert responses[id].error[0] == "too_large"
            continue
        expected = explain(models[model], text, method=method)
        assert responses[id].error is None
        assert responses[id].result["scores"] == pytest.approx(expected.scores.tolist(), abs=1e-5)
        assert responses[id].result["truncated_at"] == expected.truncated_at


def test_a_request_that_waits_for_a_model_can_be_cancelled() -> None:
    peer = Peer()
    peer.ask(1, "explain", text="a", model="demo-encoder")
    peer.cancel(1)
    peer.ask(2, "explain", text="a", model="demo-encoder")
    responses, _ = peer.answers(2)
    assert responses[1].error[0] == "cancelled"
    assert responses[2].error is None
    peer.sock.close()
    peer.thread.join()


def test_a_running_request_is_cancelled_between_micro_batches_and_answered_once(peer: Peer) -> None:
    peer.call("models/load", model="demo-encoder")
    peer.ask(5, "explain", text=[LONG] * 40, model="demo-encoder", method="occlusion")
    peer.ask(6, "ping")
    peer.answers(1)
    peer.cancel(5)
    responses, _ = peer.answers(1)
    assert responses[5].error[0] == "cancelled"
    queue = peer.call("status")["queue"]
    assert (queue["requests"], queue["queries"], queue["rows"]) == (0, 0, 0)
    peer.cancel(5)
    assert peer.call("ping")["pong"] is True


def test_partial_estimates_come_only_when_they_are_asked_for(peer: Peer) -> None:
    for stream in (True, False):
        peer.ask(7, "explain", text=LONG, model="demo-encoder", method="occlusion", stream=stream)
        responses, heard = peer.answers(1)
        partials = [frame.params for frame in heard if frame.method == "explain/partial"]
        assert bool(partials) == stream
        assert responses[7].result["estimate"] == "final"
        for partial in partials:
            assert partial["id"] == 7
            assert partial["explanation"]["estimate"] == "partial"


def test_pairs_go_with_their_texts_and_come_back_in_segments(peer: Peer) -> None:
    texts, pairs = ["a dull film", "funny and warm"], ["the cast is fine", "it is not"]
    got = peer.call("explain", text=texts, pair=pairs, model="demo-encoder")["explanations"]
    assert [row["text"] for row in got] == ["a dull film\nthe cast is fine", "funny and warm\nit is not"]
    for row in got:
        assert [part["name"] for part in row["segments"]] == ["text", "pair"]
    one = peer.call("explain", text=texts[0], pair=pairs[0], model="demo-encoder")
    assert one["scores"] == pytest.approx(got[0]["scores"], abs=1e-5)
    same = peer.call("predict", texts=texts, pair="it is not", model="demo-encoder")["predictions"]
    alone = peer.call("predict", texts=texts[1], pair="it is not", model="demo-encoder")["predictions"]
    assert same[1]["probabilities"] == pytest.approx(alone[0]["probabilities"], abs=1e-5)
    found = peer.call("tokenize", text=texts[0], pair=pairs[0], model="demo-encoder")
    assert found["text"] == got[0]["text"]
    assert found["segments"] == got[0]["segments"]
    assert found["tokens"] == got[0]["tokens"]


def test_a_blank_text_has_tokens_but_no_prediction(peer: Peer) -> None:
    assert peer.call("tokenize", text="", model="demo-decoder")["text"] == ""
    with pytest.raises(SaliscopeError, match=r"text\[1\]: .* nothing to predict"):
        peer.call("predict", texts=["a", " "], model="demo-decoder")
    with pytest.raises(SaliscopeError, match=r"text\[2\]: .* nothing to explain"):
        peer.call("explain", text=["a", "b", " "], model="demo-decoder")
    with pytest.raises(SaliscopeError, match=r"text: .* nothing to explain"):
        peer.call("explain", text=" ", model="demo-decoder")


@pytest.mark.parametrize(
    ("method", "asked", "said"),
    [
        ("explain", {"text": ["a", "b", LARGE]}, r"text\[2\]: it has 1048577 bytes"),
        ("predict", {"texts": ["a", LARGE, "b"]}, r"text\[1\]: it has 1048577 bytes"),
        ("explain", {"text": ["a", LONG], "method": "attention-flow"}, r"text\[1\]: maximum flows"),
        ("explain", {"text": LARGE}, r"text: it has 1048577 bytes"),
    ],
)
def test_a_text_that_is_too_large_is_named_among_many(peer: Peer, method: str, asked: Any, said: str) -> None:
    with pytest.raises(SaliscopeError, match=f"^too_large: {said}"):
        peer.call(method, **asked, model="demo-decoder")
    with pytest.raises(SaliscopeError, match="no method is called"):
        peer.call("explain", text=["a", "b"], model="demo-decoder", method="mace")


def test_lines_patterns_and_windows_are_asked_for_by_name(peer: Peer) -> None:
    lines = peer.call("explain", text="a dull\n\nfilm", model="demo-encoder", granularity="line")
    assert [feature["text"] for feature in lines["features"]] == ["a dull", "film"]
    match = peer.call("explain", text="a dull film", model="demo-encoder", granularity="regex:dull|film")
    assert [feature["text"] for feature in match["features"]] == ["dull", "film"]
    long = peer.call("explain", text=LONG * 6, model="demo-decoder", windows="stitch", method="sp-pi")
    assert long["truncated_at"] is None
    assert len(long["diagnostics"]["windows"]) > 1
    assert long["text"] == LONG * 6


def test_a_pattern_that_would_take_forever_is_stopped_while_others_are_answered(peer: Peer) -> None:
    peer.call("models/load", model="demo-encoder")
    peer.ask(20, "explain", text="a" * 40 + "!", model="demo-encoder", granularity="regex:(a+)+$")
    peer.ask(21, "explain", text="a dull film", model="demo-encoder", method="random")
    first, _ = peer.answers(1)
    assert first[21].error is None
    second, _ = peer.answers(1)
    assert second[20].error[0] == "bad_request"
    assert "was stopped" in second[20].error[1]


def test_many_texts_come_back_in_order_with_progress(peer: Peer) -> None:
    texts = [f"film number {i} is {'good' if i % 2 else 'bad'}" for i in range(50)]
    peer.ask(8, "explain", text=texts, model="demo-decoder")
    responses, heard = peer.answers(1)
    assert [row["text"] for row in responses[8].result["explanations"]] == texts
    assert all(frame.method == "$/progress" for frame in heard)


@pytest.mark.parametrize(
    ("params", "code", "says"),
    [
        ({"text": ""}, "bad_request", "empty"),
        ({"text": " \n"}, "bad_request", "empty"),
        ({"text": "a", "model": "nobody/nothing"}, "unknown_model", "demo-encoder"),
        ({}, "bad_request", "give a text, or messages"),
        ({"text": "a", "pair": ""}, "bad_request", "pair: it is empty"),
        ({"text": ["a", "b"], "pair": ["c"]}, "bad_request", "1 of them for 2 texts"),
        ({"text": "a", "messages": [{"role": "user", "content": "b"}]}, "bad_request", "messages come alone"),
        ({"messages": [{"role": "user", "content": "b"}]}, "not_capable", "no chat template"),
        ({"messages": []}, "bad_request", "messages"),
        ({"messages": [{"role": "user", "content": "b", "name": "c"}]}, "bad_request", "messages[0]"),
        ({"messages": [{"role": "user", "content": 3}]}, "bad_request", "messages[0].content"),
        ({"text": "a", "granularity": "page"}, "bad_request", "regex:PATTERN"),
        ({"text": "a", "granularity": "regex:["}, "bad_request", "unterminated"),
        ({"text": "a", "windows": "slide"}, "bad_request", "windows"),
        ({"text": "a " * 600, "pair": "b", "windows": "stitch"}, "bad_request", "windows=cut"),
        ({"text": "a", "model": "/"}, "loading_failed", "config.json"),
        ({"text": "a", "method": "magic"}, "unknown_method", "input-x-gradient"),
        ({"text": "a", "target": "neutral"}, "bad_request", "negative (0), positive (1)"),
        ({"text": "a", "target": 2}, "bad_request", "negative (0), positive (1)"),
        ({"text": "a", "target": {"kind": "next-token"}}, "not_capable", "class"),
        ({"text": "a", "method": "occlusion", "params": {"window": 0}}, "bad_request", "window"),
        ({"text": "a", "method": "occlusion", "params": {"widow": 1}}, "bad_request", "window"),
        ({"text": "a", "method": "grad-cam", "params": {"layer": 99}}, "bad_request", "0 to 4"),
        ({"text": LARGE}, "too_large", "1048576"),
        ({"text": 7}, "bad_request", "text"),
        ({}, "bad_request", "text"),
    ],
)
def test_bad_input_gets_a_clear_error_and_the_worker_goes_on(
    peer: Peer, params: dict[str, Any], code: str, says: str
) -> None:
    with pytest.raises(SaliscopeError) as caught:
        peer.call("explain", **params)
    assert caught.value.code == code
    assert says in caught.value.message
    assert peer.call("ping")["pong"] is True


def test_unknown_fields_are_listed_as_warnings(peer: Peer) -> None:
    assert any("colour" in warning for warning in peer.call("explain", text="a film", colour=1)["warnings"])


def test_a_failing_query_does_not_take_down_those_it_was_merged_with() -> None:
    model = load("demo-encoder", "cpu")
    batcher, delivered = Batcher(Solver(lambda news: news())), {}
    good = Evaluate(model.encode("a good film"), Outputs("class"), outputs=True)
    bad = Evaluate(model.encode("a bad film"), Value(Scalar("class", None, "logit")))
    for owner, query in enumerate([good, bad, good]):
        batcher.add(Owner(owner), model, query, lambda outcome, owner=owner: delivered.update({owner: outcome}))
    while batcher.step():
        pass
    assert isinstance(delivered[1], SaliscopeError)
    assert delivered[1].code == "internal"
    assert delivered[0].values.tolist() == delivered[2].values.tolist()
