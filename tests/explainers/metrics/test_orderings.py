"""A planted truth, and the published orderings of methods on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.explainers.metrics.evaluation import Evaluation
from saliscope.explainers.metrics.running import evaluate
from tests.explainers.fakes import FakeModel
from tests.explainers.games import words
from tests.explainers.metrics.studies import sized

COUNT = 10
METHODS = ["random", "sp-pi", "mp-pi", "occlusion", "kernel-shap"]


def planted(visible: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Words 2 and 7 say "yes" together only, which one pass credits to the second; 1 and 8 each say it, which one pass
    credits to the first; 4 says it less loudly and the others whisper "no".
    """
    weights = np.full(COUNT, -0.3)
    weights[4] = 1.0
    both = 4.0 if visible[2] and visible[7] else 0.0
    either = 3.0 if visible[1] or visible[8] else 0.0
    return np.asarray([0.0, float(weights @ visible) + both + either - 3.0])


@pytest.fixture(scope="module")
def found() -> Evaluation:
    model = FakeModel(sized(planted, COUNT))
    records = [(words(COUNT), "yes")] * 10
    return evaluate(model, records, METHODS, [
        "hiding", "revealing", "activation", "inverse-activation", "comprehensiveness", "sufficiency", "delta-accuracy",
        {"metric": "infidelity", "law": "mask"}, "shap-similarity", "cost",
    ], target="gold", lanes=1)  # fmt: skip


@pytest.mark.parametrize("metric", ["hiding", "revealing", "activation", "inverse-activation", "comprehensiveness",
                                    "sufficiency", "delta-accuracy", "infidelity", "shap-similarity"])  # fmt: skip
def test_every_method_beats_the_control(found: Evaluation, metric: str) -> None:
    ranking = [name for name, _ in found.ranking(metric)]
    assert ranking[-1] == "random", found.ranking(metric)


@pytest.mark.parametrize("metric", ["activation", "inverse-activation"])
def test_many_passes_beat_one_and_one_beats_chance(found: Evaluation, metric: str) -> None:
    place = {name: at for at, (name, _) in enumerate(found.ranking(metric))}
    assert place["mp-pi"] < place["sp-pi"] < place["random"]


def test_many_passes_are_more_like_kernel_shap_than_one_is(found: Evaluation) -> None:
    likeness = dict(found.ranking("shap-similarity"))
    assert likeness["mp-pi"] > likeness["sp-pi"] > likeness["random"]


def test_one_pass_is_the_best_of_the_cheap(found: Evaluation) -> None:
    assert found.cell("sp-pi", "activation").best_cheap
    assert not found.cell("mp-pi", "activation").best_cheap
