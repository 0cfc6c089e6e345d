"""`mase-sparse`: the features, or the runs of features, that stand out."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import Attribution, Question, drive, explain
from saliscope.explainers.errors import BadRequest, NonFinite
from saliscope.explainers.explaining import explaining
from saliscope.explainers.queries import Solve
from tests.explainers.soft import SoftModel, TanhNet, linear
from tests.explainers.tiny import TEXTS

WORDS = " ".join(f"w{k}" for k in range(20))
PENALTIES = ["soft", "dantzig", "lasso", "tv"]


def planted(positions: list[int], weights: list[float]) -> tuple[SoftModel, Any]:
    """A model that looks at few positions of `WORDS`, and the scores it must get."""
    plain = SoftModel(lambda e: 0.0)
    away = plain.embeddings(WORDS) - plain.reference()
    truth = np.zeros(20)
    truth[positions] = weights
    directions = away / np.square(away).sum(axis=1, keepdims=True)

    def function(embeddings: Any) -> float:
        return float((truth[:, None] * directions * embeddings).sum())

    return SoftModel(function), truth


@pytest.mark.parametrize("penalty", ["soft", "dantzig", "lasso"])
def test_the_words_that_a_model_looks_at_remain_and_no_others(penalty: str) -> None:
    model, truth = planted([4, 13], [2.0, -1.0])
    got = model.explain(WORDS, "mase-sparse", penalty=penalty, k=2, samples=400)
    assert np.flatnonzero(got.scores).tolist() == [4, 13]
    assert got.diagnostics["remaining"] == 2
    assert np.sign(got.scores[[4, 13]]).tolist() == [1, -1]
    refitted = model.explain(WORDS, "mase-sparse", penalty=penalty, k=2, debias=True, samples=400)
    np.testing.assert_allclose(refitted.scores, truth, atol=1e-5)
    assert refitted.diagnostics["r2"] == pytest.approx(1)


def test_a_phrase_comes_out_in_one_colour_with_tv() -> None:
    model, truth = planted(list(range(5, 11)), [1.5] * 6)
    got = model.explain(WORDS, "mase-sparse", penalty="tv", k=3, debias=True)
    np.testing.assert_allclose(got.scores, truth, atol=1e-5)
    assert got.diagnostics["remaining"] == 3


@pytest.mark.parametrize("penalty", ["dantzig", "lasso", "tv"])
def test_without_a_penalty_it_is_mase(penalty: str) -> None:
    net = TanhNet()
    sparse = SoftModel(net).explain(WORDS, "mase-sparse", penalty=penalty, lam=0.0, samples=200)
    full = SoftModel(net).explain(WORDS, "mase", samples=200)
    np.testing.assert_allclose(sparse.scores, full.scores, atol=1e-4 * np.abs(full.scores).max())


def test_soft_without_a_penalty_is_the_closed_estimator_of_mase() -> None:
    net = TanhNet()
    sparse = SoftModel(net).explain(WORDS, "mase-sparse", lam=0.0, samples=200)
    closed = SoftModel(net).explain(WORDS, "mase", estimator="closed", samples=200)
    np.testing.assert_allclose(sparse.scores, closed.scores, rtol=1e-5)


def test_a_larger_lam_leaves_fewer_features() -> None:
    net = TanhNet()
    left = [
        SoftModel(net).explain(WORDS, "mase-sparse", lam=lam).diagnostics["remaining"] for lam in (0, 0.1, 0.3, 0.9, 1)
    ]
    assert left == sorted(left, reverse=True)
    assert (left[0], left[-1]) == (20, 0)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("text", ["one", "one two", "so so good", "one ... two", "a+b c~d"])
@pytest.mark.parametrize("granularity", ["token", "word"])
def test_short_texts_and_repeated_words_are_scored(penalty: str, text: str, granularity: str) -> None:
    _, function = linear()
    model = SoftModel(function, leading=1)
    got = model.explain(text, "mase-sparse", penalty=penalty, k=1, granularity=granularity)
    assert len(got.scores) == len(got.features)
    assert got.scores.any()
    assert all(got.scores[i] == 0 for i, feature in enumerate(got.features) if feature.text == "...")
    assert got.cost.forward_rows == model.rows == got.cost.promised_forward_rows == 65


def test_ties_can_be_broken_by_the_correlations() -> None:
    got = SoftModel(TanhNet()).explain(WORDS, "mase-sparse", lam=0.5)
    correlations = np.abs(got.diagnostics["correlations"])
    assert correlations[got.scores == 0].max() <= 0.5 * correlations.max() * (1 + 1e-6)
    assert len(np.unique(correlations)) == 20


def test_the_result_says_which_lam_k_took() -> None:
    net = TanhNet()
    chosen = SoftModel(net).explain(WORDS, "mase-sparse", k=4)
    assert 0 < chosen.params["lam"] < 1
    again = SoftModel(net).explain(WORDS, "mase-sparse", lam=chosen.params["lam"])
    np.testing.assert_array_equal(chosen.scores, again.scores)
    assert SoftModel(net).explain(WORDS, "mase-sparse").params["lam"] == 0.1


def test_partial_results_stream_from_many_draws() -> None:
    partials: list[Attribution] = []
    model = SoftModel(TanhNet())
    got = model.explain(WORDS, "mase-sparse", samples=512, partials=partials)
    assert [part.diagnostics["done_draws"] for part in partials] == [64, 128, 192]
    assert got.diagnostics["done_draws"] == 256
    sent = [query for query in model.queries if isinstance(query, Solve)]
    assert len(sent) == 4
    function, arguments = pickle.loads(pickle.dumps((sent[-1].function, sent[-1].arguments)))
    np.testing.assert_allclose(function(*arguments).scores, got.scores, rtol=1e-6)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_the_size_of_a_micro_batch_changes_nothing(penalty: str, architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    question = Question(TEXTS[2], "mase-sparse", 1, params={"penalty": penalty, "samples": 40})
    length = len(model.encode(TEXTS[2]))
    one, many = (drive(explaining(model, question), lambda q, b=rows: model.answer(q, b * length)) for rows in (1, 64))
    np.testing.assert_allclose(one.scores, many.scores, atol=1e-5 * max(1.0, np.abs(many.scores).max()))


def test_a_layer_and_another_reference_are_taken(tiny_model: Any) -> None:
    model = tiny_model("bert")
    at_layer = explain(model, TEXTS[2], "mase-sparse", layer=1, k=2)
    assert at_layer.outputs[0].layer == 1
    assert np.count_nonzero(at_layer.scores) == 2
    assert "zero" in str(explain(model, TEXTS[2], "mase-sparse", reference="zero").baseline)


def test_a_flat_model_is_said_to_be_flat() -> None:
    got = SoftModel(lambda e: 1.0).explain(WORDS, "mase-sparse")
    assert not got.scores.any()
    assert "did not change" in got.warnings[0]


def test_a_model_that_breaks_when_it_is_moved_is_an_error() -> None:
    whole = SoftModel(lambda e: 0.0).embeddings(WORDS)
    model = SoftModel(lambda e: 0.0 if np.array_equal(e, whole) else float("inf"))
    with pytest.raises(NonFinite, match="smaller sigma"):
        model.explain(WORDS, "mase-sparse")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"lam": -0.1}, "lam"),
        ({"lam": 1.5}, "lam"),
        ({"k": 0}, "k"),
        ({"k": 2, "lam": 0.1}, "k: it chooses lam"),
        ({"penalty": "ridge"}, "penalty"),
        ({"layer": 9}, "layer"),
        ({"layer": 1, "reference": "mean"}, "reference"),
        ({"path_steps": 2}, "path_steps"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(params: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        SoftModel(linear()[1]).explain(WORDS, "mase-sparse", **params)
