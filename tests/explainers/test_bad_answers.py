"""Answers that no model should give: an error that says what, and never a score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import Question
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.errors import NonFinite
from saliscope.explainers.explaining import explaining
from saliscope.explainers.variants import INPUT
from tests.explainers.fakes import ENCODER, FakeModel, run, table_game, words


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_output_that_is_not_finite_is_an_error_and_no_score(bad: float) -> None:
    model = FakeModel(lambda visible: np.asarray([0.0, bad]))
    with pytest.raises(NonFinite, match="output for this text is not finite"):
        run(model, words(3), "occlusion")


def test_a_row_that_is_not_finite_is_an_error_that_names_what_was_hidden() -> None:
    def game(visible: Any) -> Any:
        return np.asarray([0.0, 1.0 if visible[2] else math.nan])

    with pytest.raises(NonFinite, match="not finite with 'w2' hidden"):
        run(FakeModel(game), words(4), "occlusion", target="yes")
    with pytest.raises(NonFinite, match="not finite with 'w1', 'w2' hidden"):
        run(FakeModel(game), words(4), "occlusion", target="yes", window=2)


def test_a_gradient_that_is_not_finite_is_an_error() -> None:
    model = FakeModel(table_game(2, 0), capabilities=ENCODER, inner={INPUT: [1.0, math.nan], 0: [math.nan, 1.0]})
    for method in ("input-x-gradient", "grad-cam"):
        with pytest.raises(NonFinite):
            run(model, "a b", method)


def test_an_answer_without_the_raw_outputs_is_a_fault_of_the_driver() -> None:
    steps = explaining(FakeModel(table_game(2, 0)), Question("a b", "occlusion"))
    next(steps)
    with pytest.raises(TypeError, match="raw outputs"):
        steps.send(Evaluated(np.zeros((1, 2), dtype=np.float32)))
