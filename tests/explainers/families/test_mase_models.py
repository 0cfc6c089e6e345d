"""`mase` on models: infidelity on its own and on other draws, gradients of tiny models, batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.explainers import Question, drive, explain
from saliscope.explainers.explaining import explaining
from saliscope.explainers.queries import Differentiate, Evaluate, Value
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT, Moved
from tests.explainers.soft import SoftModel, TanhNet
from tests.explainers.tiny import TEXTS

WORDS = "one two three four five six"


# -- infidelity -----------------------------------------------------------------------------------


def infidelity(scores: Any, z: Any, changes: Any) -> float:
    """Mean squared error of a linear account of `changes [M]` by `z [M, n]`."""
    return float(np.square(z @ scores - changes).mean())


def test_infidelity_falls_with_the_number_of_draws() -> None:
    net = TanhNet()
    fresh = SoftModel(net)
    fresh.explain(WORDS, "mase", samples=4000, seed=999)
    z = fresh.moves()
    rows = [query for query in fresh.queries if isinstance(query, Evaluate) and isinstance(query.rows, Moved)]
    changes = np.concatenate([fresh.answer(query).values for query in rows]) - net(fresh.embeddings(WORDS))  # type: ignore[union-attr]
    mean = []
    for samples in (16, 40, 160, 1000):
        runs = [SoftModel(net).explain(WORDS, "mase", samples=samples, seed=seed) for seed in range(8)]
        mean.append(np.mean([infidelity(run.scores, z, changes) for run in runs]))
    assert mean == sorted(mean, reverse=True)
    best = np.linalg.lstsq(z, changes, rcond=None)[0]
    assert mean[-1] < 1.05 * infidelity(best, z, changes)


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_no_method_has_a_lower_infidelity_on_the_draws_of_the_least_squares_fit(
    architecture: str, tiny_model: Any
) -> None:
    model = tiny_model(architecture)
    asked: list[Any] = []

    def answer(query: Any) -> Any:
        reply = model.answer(query)
        if isinstance(query, Evaluate) and isinstance(query.rows, Moved):
            asked.append((query.rows.z, reply.values))
        return reply

    text = TEXTS[2]
    own = drive(explaining(model, Question(text, "mase", "positive")), answer)
    z = np.concatenate([rows for rows, _ in asked]).astype(np.float64)
    changes = np.concatenate([values for _, values in asked]).astype(np.float64) - own.value
    least = infidelity(own.scores, z, changes)
    others = [name for name in fitting(model.facts, "class") if name != "mase"]
    assert len(others) >= 4
    for name in others:
        got = explain(model, text, name, "positive")
        assert least < infidelity(got.scores, z, changes), name
    for params in ({"estimator": "closed"}, {"sigma": 0.1}, {"seed": 5}, {"reference": "zero"}):
        got = explain(model, text, "mase", "positive", **params)  # type: ignore[arg-type]
        assert least < infidelity(got.scores, z, changes), params


# -- real models ----------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["bert", "albert", "gpt2", "llama", "gemma2"])
@pytest.mark.parametrize("reference", ["mask", "zero"])
def test_small_moves_of_a_model_are_its_gradient(architecture: str, reference: Any, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding = model.encode(TEXTS[2])
    query = Differentiate(encoding, Scalar("class", 2, "logit"), (INPUT,), None, ("displacement",), reference=reference)
    wanted = model.answer(query).products[INPUT, "displacement"][0]
    got = explain(model, TEXTS[2], "mase", 2, sigma=0.01, samples=100, reference=reference)
    inside = [feature.positions[0] for feature in got.features]
    np.testing.assert_allclose(got.scores, wanted[inside], atol=0.02 * np.abs(wanted).max() + 1e-3)


def test_small_noise_on_every_dimension_of_a_model_is_its_gradient(tiny_model: Any) -> None:
    model = tiny_model("bert")
    query = Differentiate(model.encode(TEXTS[0]), Scalar("class", 2, "logit"), (INPUT,), None, ("displacement",))
    wanted = model.answer(query).products[INPUT, "displacement"][0][1:-1]
    got = explain(model, TEXTS[0], "mase", 2, space="embedding", sigma=0.02, samples=2000)
    assert got.outputs[0].stderr is not None
    assert (np.abs(got.scores - wanted) < 8 * got.outputs[0].stderr).all()
    assert got.outputs[0].stderr.mean() < np.abs(wanted).max()


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_at_a_layer_small_moves_are_what_one_feature_alone_does(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    for layer in (0, 2):
        got = explain(model, TEXTS[2], "mase", 2, sigma=0.01, samples=60, layer=layer)
        groups = tuple(feature.positions for feature in got.features)
        step = 0.01 * np.eye(len(groups), dtype=np.float32)
        read = {"encoding": model.encode(TEXTS[2]), "read": Value(Scalar("class", 2, "logit"))}
        ahead = model.answer(Evaluate(**read, rows=Moved(step, groups, layer=layer))).values
        behind = model.answer(Evaluate(**read, rows=Moved(-step, groups, layer=layer))).values
        wanted = (ahead - behind) / 0.02
        np.testing.assert_allclose(got.scores, wanted, atol=0.03 * np.abs(wanted).max() + 2e-3)
        assert got.outputs[0].layer == layer
        assert str(layer) in str(got.baseline)


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
@pytest.mark.parametrize(
    "params", [{}, {"layer": 1}, {"space": "embedding"}, {"path_steps": 2}, {"normalize": "unit", "law": "uniform"}]
)
def test_the_size_of_a_micro_batch_changes_nothing(architecture: str, params: Any, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    question = Question(TEXTS[2], "mase", 1, params={"samples": 20, **params})
    length = len(model.encode(TEXTS[2]))
    one, many = (drive(explaining(model, question), lambda q, b=rows: model.answer(q, b * length)) for rows in (1, 64))
    np.testing.assert_allclose(one.scores, many.scores, atol=1e-5 * max(1.0, np.abs(many.scores).max()))


@pytest.mark.parametrize("granularity", ["token", "word", "sentence"])
def test_next_tokens_and_larger_features_are_explained(granularity: str, tiny_model: Any) -> None:
    model = tiny_model("gpt2", "ForCausalLM")
    got = explain(model, "a dull film. it is fine", "mase", granularity=granularity, samples=40)
    assert got.scale == "logprob"
    assert len(got.scores) == len(got.features) == {"token": len(got.features), "word": 6, "sentence": 2}[granularity]
    assert got.scores.any()
