"""Stretches of a text that a person has hidden from the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.masking import check_hiding, covered, without
from saliscope.explainers.texts.encoding import Encoding, Token

#: "a dull film", of which the model reads "a du" "ll" and no more; between them stands a special token.
TOKENS = (
    Token("[CLS]", 0, 0, True, (0,), (101,)),
    Token("a", 0, 1, False, (1,), (1,)),
    Token("du", 2, 4, False, (2, 3), (2, 3)),
    Token("ll", 4, 6, False, (4,), (4,)),
    Token("[SEP]", 6, 6, True, (5,), (102,)),
)
TEXT = Encoding("a dull film", np.arange(6), TOKENS, truncated_at=6)


def names(spans: list[tuple[int, int]]) -> list[str]:
    return [token.text for token in covered(TEXT, spans, "mask")]


def test_a_token_that_a_span_reaches_into_is_hidden_whole() -> None:
    assert names([]) == []
    assert names([(3, 4)]) == ["du"]
    assert names([(2, 6)]) == ["du", "ll"]
    assert names([(4, 5), (0, 1), (5, 6)]) == ["a", "ll"]
    assert names([(0, 11)]) == ["a", "du", "ll"]


@pytest.mark.parametrize(
    ("spans", "path", "reason"),
    [
        ([(0, 1), (3, 3)], "mask.spans[1]", "it is empty"),
        ([(4, 2)], "mask.spans[0]", "it is empty"),
        ([(0, 12)], "mask.spans[0]", "the text has 11 characters"),
        ([(1, 2)], "mask.spans[0]", "no token lies there"),
        ([(7, 11)], "mask.spans[0]", "reads the text up to character 6"),
    ],
)
def test_a_span_that_hides_nothing_is_refused_with_path_and_reason(
    spans: list[tuple[int, int]], path: str, reason: str
) -> None:
    with pytest.raises(BadRequest, match=reason) as caught:
        covered(TEXT, spans, "mask")
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.data["path"] == f"$.{path}"
    assert reason in caught.value.data["reason"]


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=4))
def test_what_is_hidden_is_what_the_spans_touch_or_it_is_refused(spans: list[tuple[int, int]]) -> None:
    try:
        hidden = covered(TEXT, spans, "mask")
    except BadRequest:
        assert any(end <= start or end > 11 or not any(t.start < end and t.end > start for t in TOKENS)
                   for start, end in spans)  # fmt: skip
        return
    own = [token for token in TOKENS if not token.special]
    assert list(hidden) == [one for one in own if any(one.start < end and one.end > start for start, end in spans)]


def test_the_row_hides_the_positions_of_all_tokens_together(demo_encoder: Any) -> None:
    rows = without(demo_encoder.facts, TEXT, covered(TEXT, [(2, 6)], "mask"), "drop", "mask")
    assert rows is not None
    assert rows.hidden(6, 0, 1).tolist() == [[False, False, True, True, True, False]]
    assert without(demo_encoder.facts, TEXT, (), "replace", "mask") is None


@pytest.mark.parametrize("hiding", ["replace", "drop", "attention"])
def test_a_model_that_cannot_hide_so_says_what_works(hiding: Any, demo_encoder: Any) -> None:
    needs = {"replace": "mask", "drop": "drop", "attention": "unseen"}[hiding]
    lacking = replace(demo_encoder.facts, capabilities=demo_encoder.facts.capabilities - {needs})
    check_hiding(demo_encoder.facts, 6, hiding, "mask.kind")
    others = " or ".join(one for one in ("replace", "drop", "attention") if one != hiding)
    with pytest.raises(NotCapable, match=rf"mask\.kind: {hiding} needs .*; use {others}"):
        check_hiding(lacking, 6, hiding, "mask.kind")
