from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from tests.explainers import tiny

from saliscope.daemon.worker import outlet
from saliscope.daemon.worker.outlet import Outlet
from saliscope.explainers import load
from saliscope.explainers.models.textmodel import TextModel
from saliscope.protocol.codec import CHUNK, Decoder
from saliscope.protocol.frames import CLIENT_LIMITS
from saliscope.protocol.results import ModelInfo

from .pools import Driven


def test_loads_on_several_threads_do_not_disturb_each_other_or_what_is_loaded_later() -> None:
    with ThreadPoolExecutor(6) as threads:
        models = list(threads.map(lambda name: load(name, "cpu"), ["demo-encoder", "demo-decoder"] * 3))
    assert len({model.facts.fingerprint for model in models}) == 2
    assert "next-token" in load("demo-decoder", "cpu").facts.capabilities


def test_what_a_model_lacks_is_told_with_the_reason(tmp_path: Path) -> None:
    pool, folder = Driven(), str(tiny.save(tiny.build("bert"), tmp_path, causal=False))
    assert isinstance(pool.get(folder), TextModel)
    info = msgspec.convert(pool.pool.info(folder), ModelInfo)
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
