from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.explainers import tiny

from saliscope.daemon.worker import outlet
from saliscope.daemon.worker.outlet import Outlet
from saliscope.daemon.worker.pool import ModelPool
from saliscope.explainers import load
from saliscope.explainers.errors import UnknownModel
from saliscope.explainers.models.textmodel import TextModel
from saliscope.protocol.codec import CHUNK, CLIENT_LIMITS, Decoder
from saliscope.protocol.results import ModelInfo


def test_loads_on_several_threads_do_not_disturb_each_other_or_what_is_loaded_later() -> None:
    with ThreadPoolExecutor(6) as threads:
        models = list(threads.map(lambda name: load(name, "cpu"), ["demo-encoder", "demo-decoder"] * 3))
    assert len({model.facts.fingerprint for model in models}) == 2
    assert "next-token" in load("demo-decoder", "cpu").facts.capabilities


def wait_for(pool: ModelPool, name: str, posted: list[Any]) -> Any:
    """Load through the pool and run what its threads post, as the worker does."""
    import queue

    items: queue.SimpleQueue[Any] = queue.SimpleQueue()
    pool._post = items.put
    got: list[Any] = []
    pool.get(name, False, 1, got.append, posted.append)
    while not got:
        items.get()()
    return got[0]


def test_one_load_serves_all_who_ask_and_a_name_that_gave_no_model_is_forgotten() -> None:
    stages: list[str] = []
    pool = ModelPool("cpu", lambda news: None, lambda model: None)
    assert isinstance(wait_for(pool, "demo-encoder", stages), TextModel)
    assert any("loading" in stage for stage in stages)
    assert isinstance(wait_for(pool, "nobody/nothing", stages), UnknownModel)
    assert [model["name"] for model in pool.models()] == ["demo-encoder", "demo-decoder"]
    assert pool.unload("demo-encoder")
    assert not pool.unload("demo-encoder")


def test_what_a_model_lacks_is_told_with_the_reason(tmp_path: Path) -> None:
    pool, folder = (
        ModelPool("cpu", lambda news: None, lambda model: None),
        str(tiny.save(tiny.build("bert"), tmp_path, causal=False)),
    )
    assert isinstance(wait_for(pool, folder, []), TextModel)
    info = msgspec.convert(pool.info(folder), ModelInfo)
    assert info.lacking == {"lm-head": "the checkpoint holds no language-model head"}
    assert "lm-head" not in info.capabilities


def test_an_answer_over_the_limit_fails_its_own_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    small = msgspec.structs.replace(CLIENT_LIMITS, frame=1000)
    monkeypatch.setattr(outlet, "CLIENT_LIMITS", small)
    way_out = Outlet(theirs)
    way_out.answer(1, {"text": "x" * 2000})
    way_out.answer(2, {"text": "x"})
    first, second = Decoder(CLIENT_LIMITS).frames(ours.recv(CHUNK))
    assert first.error[0] == "too_large"  # type: ignore[union-attr]
    assert second.result == {"text": "x"}  # type: ignore[union-attr]
    assert way_out.open
    ours.close()
    theirs.close()
