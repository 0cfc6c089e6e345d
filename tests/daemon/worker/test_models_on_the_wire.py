"""Loading, keeping and unloading over the wire, with real tiny models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.explainers import tiny

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.results import ModelInfo, Unloaded

from .test_worker import LONG, Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


def models(peer: Peer) -> dict[str, ModelInfo]:
    found = msgspec.convert(peer.call("models/list")["models"], list[ModelInfo])
    return {model.name: model for model in found}


def test_load_says_what_it_is_and_unload_what_it_gave_back(peer: Peer) -> None:
    info = msgspec.convert(peer.call("models/load", model="demo-decoder", keep_alive=7200, dtype="bfloat16"), ModelInfo)
    assert (info.state, info.dtype, info.device, info.source) == ("ready", "bfloat16", "cpu", "bundled")
    assert [check.name for check in info.checks] == ["causality", "padding", "completeness"]
    assert all(check.ok for check in info.checks)
    assert info.size >= info.num_bytes > 0
    assert info.load_s > 0
    again = models(peer)["demo-decoder"]
    assert (again.num_in_use, again.keep_alive_s) == (0, 7200)
    assert again.expires_s == pytest.approx(7200, abs=120)
    status = peer.call("status")
    assert set(status["budgets"]["cpu"]) == {"limit", "used"}
    assert status["counters"]["loads"] == 1
    gone = msgspec.convert(peer.call("models/unload", model="demo-decoder"), Unloaded)
    assert gone.unloaded
    assert set(gone.freed) == {"ram"}
    assert models(peer)["demo-decoder"].state == "available"
    assert not peer.call("models/unload", model="demo-decoder")["unloaded"]


def test_keep_alive_zero_of_a_request_frees_the_model_after_its_answer(peer: Peer) -> None:
    got = peer.call("explain", text="a dull film", model="demo-encoder", keep_alive=0)
    assert got["scores"]
    assert models(peer)["demo-encoder"].state == "available"
    assert peer.call("status")["counters"]["unloads"] == 1


def test_unload_during_an_explanation_is_answered_after_it(peer: Peer) -> None:
    peer.call("models/load", model="demo-encoder")
    peer.ask(2, "explain", text=LONG, model="demo-encoder", method="occlusion")
    peer.ask(3, "models/unload", model="demo-encoder")
    peer.ask(4, "explain", text="a dull film", model="demo-encoder")
    responses, _ = peer.answers(3)
    assert list(responses) == [2, 3, 4]
    assert all(response.error is None for response in responses.values())
    assert peer.call("status")["counters"]["loads"] == 2


def test_unload_during_an_evaluation_waits_and_can_be_cancelled(peer: Peer) -> None:
    peer.call("models/load", model="demo-encoder")
    texts = [LONG[: 40 + at] for at in range(20)]
    peer.ask(2, "evaluate", texts=texts, model="demo-encoder", methods=["occlusion"], metrics=["cost"])
    peer.ask(3, "models/unload", model="demo-encoder")
    peer.cancel(3)
    responses, _ = peer.answers(1)
    assert responses[3].error[0] == "cancelled"
    assert models(peer)["demo-encoder"].num_in_use == 1
    peer.cancel(2)
    peer.answers(1)
    assert models(peer)["demo-encoder"].state == "ready"


def test_wrong_options_are_refused_with_path_and_reason(peer: Peer) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"dtype": "int8"}, "dtype"),
        ({"keep_alive": "soon"}, "keep_alive"),
        ({"device": "tpu"}, "use auto, cpu or cuda:N"),
        ({"device": "cuda:99"}, "torch sees no GPU"),
        ({"revision": "v2"}, "only models of the hub"),
        ({"adapter": "/no/such/folder"}, "adapter_config.json"),
    ]
    for options, needle in wrong:
        with pytest.raises(SaliscopeError, match=needle):
            peer.call("models/load", model="demo-encoder", **options)
    assert peer.call("ping")["pong"]


def test_a_refused_wish_does_not_outlive_its_request(peer: Peer) -> None:
    with pytest.raises(SaliscopeError):
        peer.call("models/load", model="demo-encoder", adapter="/no/such/folder")
    assert peer.call("explain", text="a dull film", model="demo-encoder")["scores"]


def test_a_limit_refuses_with_both_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALISCOPE_MEMORY", "1MB")
    folder = str(tiny.save(tiny.build("bert"), tmp_path, causal=False))
    peer = Peer()
    with pytest.raises(SaliscopeError) as caught:
        peer.call("models/load", model=folder)
    assert caught.value.code == "oom"
    assert {"needed", "available", "limit"} == set(caught.value.data)
    assert peer.call("ping")["pong"]
