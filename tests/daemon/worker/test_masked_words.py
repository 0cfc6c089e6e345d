"""A word that is masked by the places of its tokens is hidden as the method that scored it hides it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from saliscope.protocol.asked import mask_of
from saliscope.protocol.explanation import Explanation

from .test_worker import Peer

MODEL = "demo-decoder"
#: Runs of blanks, of which the tokenizer makes tokens of their own.
TEXT = "a charming   film,\n\n but   the plot is   dull"


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    peer.call("models/load", model=MODEL)
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


@pytest.mark.parametrize("granularity", ["word", "token"])
def test_the_prediction_falls_by_the_score_of_occlusion(peer: Peer, granularity: str) -> None:
    got = peer.call("explain", text=TEXT, model=MODEL, method="occlusion", granularity=granularity, scale="prob")
    found = msgspec.convert(got, Explanation)
    blank = [
        at
        for at, one in enumerate(found.features)
        if any(found.tokens[token].end > one.end or found.tokens[token].start < one.start for token in one.tokens)
    ]
    assert bool(blank) == (granularity == "word")
    for at, score in enumerate(found.scores):
        mask = msgspec.to_builtins(mask_of(found, [at]))
        said = peer.call("predict", texts=TEXT, model=MODEL, mask=mask)["predictions"][0]
        assert found.value - said["probabilities"][found.target.label] == pytest.approx(score, abs=1e-5)
