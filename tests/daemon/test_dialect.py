from __future__ import annotations

import pytest

from saliscope.daemon.front import dialect
from saliscope.daemon.front.dialect import Dialect
from saliscope.protocol.codec import Decoder
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import CLIENT_LIMITS, Frame, Limits, Notification, Response
from saliscope.protocol.parameters import Initialize, Notify


def read(data: bytes | None) -> Frame:
    assert data is not None
    (frame,) = Decoder(CLIENT_LIMITS).frames(data)
    return frame


def test_who_said_nothing_gets_string_errors_and_no_notifications() -> None:
    silent = Dialect()
    assert read(silent.failure(1, SaliscopeError("busy", "wait"))) == Response(1, "busy: wait", None)
    assert silent.notification("$/progress", {"id": 1}) is None


def test_initialize_chooses_the_style() -> None:
    chosen = Dialect.of(Initialize())
    assert read(chosen.failure(1, SaliscopeError("busy", "wait"))) == Response(1, ["busy", "wait", {}], None)
    assert read(chosen.notification("$/progress", {"id": 1})) == Notification("$/progress", {"id": 1})
    assert Dialect.of(Initialize(notifications=False)).notification("$/progress", {"id": 1}) is None


def test_wrapped_notifications_carry_name_and_parameters_as_one_argument() -> None:
    wrapped = Dialect.of(Initialize(notify=Notify("nvim_exec_lua", ["code"]))).notification("$/progress", {"id": 1})
    assert wrapped is not None
    assert wrapped.endswith(b"\x92\xa4code\x92\xaa$/progress\x81\xa2id\x01")


def test_only_scores_and_standard_errors_are_packed() -> None:
    packed = Dialect.of(Initialize(floats="f32"))
    result = {
        "scores": [0.1],
        "value": 0.1,
        "outputs": [{"scores": [0.1], "stderr": None}],
        "diagnostics": {"x": [0.1]},
    }
    frame = read(packed.answer(1, {"explanations": [result]}))
    assert isinstance(frame, Response)
    (back,) = frame.result["explanations"]
    assert back["scores"] == back["outputs"][0]["scores"] == [pytest.approx(0.1)]
    assert back["scores"] != [0.1]
    assert (back["value"], back["diagnostics"], back["outputs"][0]["stderr"]) == (0.1, {"x": [0.1]}, None)
    assert result["scores"] == [0.1]


def test_an_answer_that_no_client_could_read_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "CLIENT_LIMITS", Limits(frame=100))
    frame = read(Dialect().answer(1, {"text": "x" * 200}))
    assert isinstance(frame, Response)
    assert frame.error.startswith("too_large: the answer has 212 bytes")
