"""`predict` with parts of the text hidden, beside the library's own rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest

from saliscope.explainers import load
from saliscope.explainers.queries import Evaluate, Outputs
from saliscope.explainers.variants import Hiding, Masked
from saliscope.protocol.errors import SaliscopeError

from .test_worker import Peer

TEXT = "The plot is a mess, but the cast is wonderful."
MODELS = ("demo-encoder", "demo-decoder")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """One worker for the module."""
    found = Peer()
    yield found
    found.ask(9, "shutdown")
    found.answers(1)
    found.thread.join()


def shares(peer: Peer, model: str, **params: Any) -> dict[str, float]:
    answer = peer.call("predict", texts=TEXT, model=model, **params)
    shares: dict[str, float] = answer["predictions"][0]["probabilities"]
    return shares


def span(word: str) -> list[int]:
    return [TEXT.index(word), TEXT.index(word) + len(word)]


@pytest.mark.parametrize("kind", get_args(Hiding))
@pytest.mark.parametrize("model", MODELS)
def test_to_hide_nothing_is_to_predict(peer: Peer, model: str, kind: str) -> None:
    assert shares(peer, model, mask={"spans": [], "kind": kind}) == shares(peer, model)


@pytest.mark.parametrize("kind", get_args(Hiding))
@pytest.mark.parametrize("name", MODELS)
def test_what_is_hidden_is_hidden_as_the_library_does_it(peer: Peer, name: str, kind: Any) -> None:
    spans = [span("wonderful"), span("mess")]
    got = shares(peer, name, mask={"spans": spans, "kind": kind})
    model = load(name, "cpu")
    encoding = model.encode(TEXT)
    positions = tuple(
        position for token in encoding.tokens for position in token.positions
        if not token.special and any(token.start < end and token.end > start for start, end in spans)
    )  # fmt: skip
    row = Masked(np.zeros((1, 1), dtype=bool), (positions,), kind)
    logits = model.answer(Evaluate(encoding, Outputs("class"), row)).values[0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert list(got.values()) == pytest.approx(expected.tolist(), abs=1e-6)
    assert got != shares(peer, name)


def test_each_text_has_its_own_mask_and_hears_what_was_hidden(peer: Peer) -> None:
    masks = [None, {"spans": [[3, 4]], "kind": "drop"}]
    got = peer.call("predict", texts=["a dull film", "a dull film"], model="demo-encoder", mask=masks)
    assert got["masked"] == [[], [[2, 6]]]
    plain, hidden = (row["probabilities"]["negative"] for row in got["predictions"])
    assert hidden < plain


def test_spans_of_a_pair_count_in_the_text_that_explain_gives_back(peer: Peer) -> None:
    asked = {"texts": "a dull film", "pair": "the cast is wonderful", "model": "demo-encoder"}
    text = peer.call("explain", text=asked["texts"], pair=asked["pair"], model="demo-encoder")["text"]
    start = text.index("wonderful")
    got = peer.call("predict", **asked, mask={"spans": [[start, start + 9]]})
    assert got["masked"] == [[[start, start + 9]]]
    assert got["predictions"] != peer.call("predict", **asked)["predictions"]


@pytest.mark.parametrize(
    ("mask", "path", "reason"),
    [
        ({"spans": [[0, 3], [3, 4]]}, "$.mask.spans[1]", "no token lies there"),
        ({"spans": [[0, 99]]}, "$.mask.spans[0]", "the text has 46 characters"),
        ({"spans": [[-1, 3]]}, "$.mask.spans[0][0]", "Expected `int` >= 0"),
        ({"spans": [[0, 3]], "kind": "blur"}, "$.mask.kind", "Invalid enum value"),
        ([None, {"spans": []}], None, "2 of them for 1 texts"),
    ],
)
def test_a_bad_mask_is_refused_with_path_and_reason(peer: Peer, mask: Any, path: str | None, reason: str) -> None:
    with pytest.raises(SaliscopeError, match="mask") as caught:
        shares(peer, "demo-encoder", mask=mask)
    assert caught.value.code == "bad_request"
    assert reason in caught.value.message
    assert caught.value.data.get("path") == path
