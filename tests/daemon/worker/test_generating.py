"""`generate` over the wire with the bundled decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification, Response
from saliscope.protocol.results import Generated, GeneratePartial

from .test_worker import Peer

PROMPT: dict[str, Any] = {"text": "the cast is wonderful and the", "model": "demo-decoder"}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    peer.call("models/load", model="demo-decoder")
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


def test_what_is_written_is_told_token_by_token(peer: Peer) -> None:
    got = peer.call("generate", **PROMPT, max_tokens=5, top=3)
    assert got["model"] == "demo-decoder"
    assert len(got["tokens"]) == 5 or got["finish"] == "end"
    assert "".join(got["text"][one["start"] : one["end"]] for one in got["tokens"]) == got["text"]
    assert all(len(one["likely"]) <= 3 and max(one["likely"].values()) <= 1 for one in got["tokens"])
    # The first one is the likeliest next token of the model, as an explanation of it says.
    said = peer.call("explain", **PROMPT, target="next-token", method="sp-pi")["target"]
    assert got["tokens"][0]["id"] == said["index"]


def test_a_partial_for_each_token_when_they_are_wanted(peer: Peer) -> None:
    peer.ask(5, "generate", **PROMPT, max_tokens=4, stream=True)
    told = []
    while not isinstance(frame := next(peer.frames), Response):
        if frame.method == "generate/partial" and frame.params is not None:
            told.append(msgspec.convert(frame.params, GeneratePartial))
    assert frame.result is not None
    assert len(told) >= 3
    # Each says what is new, and no more.
    assert [(one.kept_tokens, len(one.new.tokens)) for one in told] == [(0, 1), (1, 1), (2, 1), (3, 1)][: len(told)]
    assert "".join(one.new.text for one in told) == frame.result["text"][: sum(len(one.new.text) for one in told)]


def joined(partials: list[GeneratePartial]) -> Generated:
    """What was told piece by piece, in one."""
    so_far: Generated | None = None
    for told in partials:
        so_far = told.after(so_far)
    assert so_far is not None
    return so_far


def test_who_comes_late_hears_all_of_it_first(peer: Peer) -> None:
    # More than the socket holds unread: the worker is not done when the second one asks.
    question = {**PROMPT, "max_tokens": 200, "top": 100, "stream": True}
    peer.ask(20, "generate", **question)
    heard: dict[int, list[GeneratePartial]] = {20: [], 21: []}
    answered: set[int] = set()
    while len(answered) < 2:
        frame = next(peer.frames)
        if isinstance(frame, Response):
            answered.add(frame.id)
        elif frame.method == "generate/partial" and frame.params is not None:
            told = msgspec.convert(frame.params, GeneratePartial)
            heard[told.id].append(told)
            if told.id == 20 and len(heard[20]) == 3:
                peer.ask(21, "generate", **question)
            if told.id == 21 and len(heard[21]) == 3:
                peer.cancel(20)
                peer.cancel(21)
    assert (heard[21][0].kept_tokens, heard[21][0].kept_text) == (0, 0)
    assert len(heard[21][0].new.tokens) >= 3
    first, late = (joined(heard[id]) for id in (20, 21))
    both = min(len(first.tokens), len(late.tokens)) - 1
    assert both > 3
    assert first.tokens[:both] == late.tokens[:both]
    assert first.text.startswith(late.text) or late.text.startswith(first.text)


def test_what_was_written_so_far_is_an_answer_that_a_cancel_leaves(peer: Peer) -> None:
    peer.ask(7, "generate", **PROMPT, max_tokens=12, top=2, temperature=1.0, seed=3, stream=True)
    partials = []
    while not isinstance(frame := next(peer.frames), Response):
        if frame.method == "generate/partial" and frame.params is not None:
            partials.append(msgspec.convert(frame.params, GeneratePartial))
            if len(partials) == 3:
                peer.cancel(7)
    assert frame.error is not None
    assert frame.error[0] == "cancelled"
    so_far = joined(partials)
    assert (so_far.model, so_far.finish, len(so_far.tokens)) == ("demo-decoder", "", len(partials))
    assert "".join(so_far.text[one.start : one.end] for one in so_far.tokens) == so_far.text
    # What it has written is what it would have written, with the same other tokens beside it.
    whole = peer.call("generate", **PROMPT, max_tokens=12, top=2, temperature=1.0, seed=3)
    assert whole["tokens"][: len(so_far.tokens) - 1] == msgspec.to_builtins(so_far.tokens)[:-1]
    # And a part of it is explained.
    target = {"kind": "continuation", "ids": [one.id for one in so_far.tokens], "part": [1, 2]}
    assert peer.call("explain", **PROMPT, method="occlusion", target=target)["target"]["kind"] == "continuation"


def test_a_cancel_takes_hold_before_the_next_token(peer: Peer) -> None:
    before = int(peer.call("status")["counters"]["rows"])
    peer.ask(6, "generate", **PROMPT, max_tokens=200, temperature=1.0, seed=3, stream=True)
    while not (isinstance(frame := next(peer.frames), Notification) and frame.method == "generate/partial"):
        assert not isinstance(frame, Response)
    peer.cancel(6)
    while not isinstance(frame := next(peer.frames), Response):
        pass
    assert frame.error is not None
    assert frame.error[0] == "cancelled"
    # No more tokens than were under way.
    assert int(peer.call("status")["counters"]["rows"]) - before < 200


def test_max_rows_gives_what_was_written_so_far(peer: Peer) -> None:
    got = peer.call("generate", **PROMPT, max_tokens=20, max_rows=3, temperature=0.5)
    assert (len(got["tokens"]), got["finish"]) == (3, "")
    assert any("max_rows 3" in warning for warning in got["warnings"])


def test_the_seed_decides(peer: Peer) -> None:
    def text(seed: int) -> Any:
        return peer.call("generate", **PROMPT, max_tokens=8, temperature=2.0, seed=seed)["text"]

    assert text(4) == text(4)
    assert len({text(seed) for seed in range(4)}) > 1


def test_a_part_of_it_is_explained(peer: Peer) -> None:
    written = peer.call("generate", **PROMPT, max_tokens=4)
    ids = [one["id"] for one in written["tokens"]]
    target = {"kind": "continuation", "ids": ids, "part": [1, len(ids)]}
    got = peer.call("explain", **PROMPT, method="occlusion", target=target)
    assert got["target"]["kind"] == "continuation"
    assert got["target"]["label"] == written["text"][written["tokens"][1]["start"] :]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": "a film", "model": "demo-encoder"}, "not_capable"),
        ({"text": "   ", "model": "demo-decoder"}, "bad_request"),
        ({"model": "demo-decoder"}, "bad_request"),
        ({"messages": [{"role": "user", "content": "a"}], "model": "demo-decoder"}, "not_capable"),
        ({**PROMPT, "max_tokens": 0}, "bad_request"),
        ({**PROMPT, "temperature": -1}, "bad_request"),
    ],
)
def test_what_cannot_be_is_refused(peer: Peer, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(SaliscopeError) as caught:
        peer.call("generate", **fields)
    assert caught.value.code == code
