"""`mase`: exact truth on functions of known embeddings, then real tiny models against their gradients."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import Attribution, explain
from saliscope.explainers.errors import BadRequest, NonFinite, NotCapable
from saliscope.explainers.queries import Solve
from tests.explainers.fakes import BASIC
from tests.explainers.soft import SoftModel, TanhNet, linear

WORDS = "one two three four five six"


def displacements(model: SoftModel, text: str, reference: str = "mask") -> Any:
    """`E - B [T, K]`."""
    return model.embeddings(text) - model.reference(reference)


# -- what it must find ----------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["mask", "mean", "zero"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"sigma": 3.0},
        {"law": "uniform"},
        {"normalize": "sphere"},
        {"antithetic": False},
        {"antithetic": False, "intercept": True},
        {"estimator": "weighted"},
        {"estimator": "weighted", "bandwidth": 1.0},
        {"path_steps": 4},
    ],
)
def test_a_linear_model_gives_its_weights_times_the_displacement(params: Any, reference: str) -> None:
    w, function = linear()
    model = SoftModel(function, leading=1)
    got = model.explain(WORDS, "mase", reference=reference, **params)
    np.testing.assert_allclose(got.scores, displacements(model, WORDS, reference)[1:] @ w, atol=1e-5)
    assert got.diagnostics["r2"] == pytest.approx(1)
    assert got.outputs[0].stderr is not None
    assert got.outputs[0].stderr.max() < 1e-4
    assert got.warnings == ()
    assert got.value == pytest.approx(function(model.embeddings(WORDS)))
    assert got.cost.forward_rows == model.rows <= got.cost.promised_forward_rows


def test_on_a_linear_model_occlusion_says_the_same() -> None:
    _, function = linear()
    mase = SoftModel(function).explain("a+b c~d e", "mase", granularity="word")
    occlusion = SoftModel(function).explain("a+b c~d e", "occlusion", granularity="word")
    assert [feature.text for feature in mase.features] == ["a+b", "c~d", "e"]
    np.testing.assert_allclose(mase.scores, occlusion.scores, atol=1e-5)


def test_unit_steps_score_a_step_of_the_median_length() -> None:
    _, function = linear()
    model = SoftModel(function)
    lengths = np.linalg.norm(displacements(model, WORDS), axis=1)
    relative, unit = model.explain(WORDS, "mase"), model.explain(WORDS, "mase", normalize="unit")
    np.testing.assert_allclose(unit.scores, relative.scores * np.median(lengths) / lengths, atol=1e-5)


@pytest.mark.parametrize("params", [{}, {"law": "uniform"}, {"normalize": "sphere"}, {"estimator": "weighted"}])
def test_small_moves_give_gradient_times_displacement(params: Any) -> None:
    net = TanhNet()
    model = SoftModel(net)
    wanted = (net.gradient(model.embeddings(WORDS)) * displacements(model, WORDS)).sum(axis=1)
    got = model.explain(WORDS, "mase", sigma=1e-3, **params)
    np.testing.assert_allclose(got.scores, wanted, atol=1e-5 * np.abs(wanted).max())


def test_pairs_remove_curvature_exactly_and_single_draws_do_not() -> None:
    w, plain = linear()
    bend = np.random.default_rng(3).normal(size=(4, 4))
    centre = SoftModel(plain).embeddings(WORDS)

    def quadratic(embeddings: Any) -> float:
        return plain(embeddings) + float(np.einsum("tk,kl,sl->", embeddings - centre, bend, embeddings - centre))

    model = SoftModel(quadratic)
    wanted = displacements(model, WORDS) @ w
    np.testing.assert_allclose(model.explain(WORDS, "mase", sigma=2.0).scores, wanted, atol=1e-5)
    single = model.explain(WORDS, "mase", sigma=2.0, antithetic=False)
    assert np.abs(single.scores - wanted).max() > 0.05


@pytest.mark.parametrize("normalize", ["relative", "sphere"])
def test_fits_along_the_path_sum_to_the_difference_from_the_reference(normalize: str) -> None:
    net = TanhNet(gain=0.3)
    model = SoftModel(net)
    got = model.explain(WORDS, "mase", sigma=1e-2, path_steps=32, samples=24, normalize=normalize)
    everything, nothing = model.embeddings(WORDS), np.broadcast_to(model.reference(), (6, 4))
    assert got.base_value == pytest.approx(net(nothing), abs=1e-6)
    assert got.scores.sum() == pytest.approx(net(everything) - net(nothing), abs=2e-3)
    assert got.diagnostics["completeness_gap"] == pytest.approx(
        net(everything) - net(nothing) - got.scores.sum(), abs=1e-5
    )
    nodes = (np.arange(400) + 0.5) / 400
    gradients = np.mean([net.gradient(nothing + t * (everything - nothing)) for t in nodes], axis=0)
    np.testing.assert_allclose(got.scores, (gradients * displacements(model, WORDS)).sum(axis=1), atol=5e-3)
    assert got.cost.forward_rows == got.cost.promised_forward_rows == 2 + 32 * 24


def test_noise_on_every_dimension_finds_the_gradient_within_its_standard_errors() -> None:
    w, function = linear()
    model = SoftModel(function, leading=1)
    wanted = displacements(model, WORDS)[1:] @ w
    got = model.explain(WORDS, "mase", space="embedding", samples=20_000)
    error = got.outputs[0].stderr
    assert error is not None
    assert (np.abs(got.scores - wanted) < 5 * error).all()
    assert error.max() < 0.1 * np.abs(wanted).max()
    few = model.explain(WORDS, "mase", space="embedding", samples=200).outputs[0].stderr
    assert few is not None
    assert few.mean() > 5 * error.mean()
    norms = model.explain(WORDS, "mase", space="embedding", samples=20_000, aggregate="l2")
    np.testing.assert_allclose(norms.scores, np.linalg.norm(w), rtol=0.1)
    sizes = model.explain(WORDS, "mase", space="embedding", samples=20_000, aggregate="mean-abs")
    np.testing.assert_allclose(sizes.scores, np.abs(w).mean(), rtol=0.1)
    assert norms.outputs[0].stderr is None
    assert norms.params["estimator"] == "closed"


def test_noise_on_every_dimension_needs_no_pairs() -> None:
    w, function = linear()
    model = SoftModel(function)
    got = model.explain(WORDS, "mase", space="embedding", samples=20_000, antithetic=False, reference="zero")
    assert got.outputs[0].stderr is not None
    assert (np.abs(got.scores - model.embeddings(WORDS) @ w) < 5 * got.outputs[0].stderr).all()
    assert got.cost.forward_rows == got.cost.promised_forward_rows == 20_001


# -- the draws ------------------------------------------------------------------------------------


def test_on_the_sphere_every_draw_has_the_same_length() -> None:
    model = SoftModel(linear()[1])
    model.explain(WORDS, "mase", normalize="sphere", sigma=0.4)
    np.testing.assert_allclose(np.linalg.norm(model.moves(), axis=1), 0.4 * 6**0.5, rtol=1e-6)


@pytest.mark.parametrize("law", ["gaussian", "uniform"])
@pytest.mark.parametrize("normalize", ["relative", "sphere"])
def test_moves_have_the_spread_sigma_and_come_in_pairs(law: str, normalize: str) -> None:
    model = SoftModel(linear()[1])
    model.explain(WORDS, "mase", law=law, normalize=normalize, sigma=0.4, samples=8000)
    z = model.moves()
    np.testing.assert_allclose(z.T @ z / len(z), 0.16 * np.eye(6), atol=0.01)
    np.testing.assert_array_equal(z[::2], -z[1::2])
    if law == "uniform" and normalize == "relative":
        assert 0.68 < np.abs(z).max() <= 0.4 * 3**0.5 + 1e-6


def test_one_and_two_features_and_repeated_words_are_scored() -> None:
    w, function = linear()
    for text in ("word", "word", "one two", "so so good"):
        model = SoftModel(function)
        for normalize in ("relative", "unit", "sphere"):
            got = model.explain(text, "mase", normalize=normalize)
            assert np.isfinite(got.scores).all()
        np.testing.assert_allclose(model.explain(text, "mase").scores, displacements(model, text) @ w, atol=1e-5)


def test_a_word_that_is_the_mask_token_scores_nothing_and_disturbs_nobody() -> None:
    w, function = linear()
    for normalize in ("relative", "sphere"):
        model = SoftModel(function)
        got = model.explain("one ... two", "mase", normalize=normalize)
        np.testing.assert_allclose(got.scores, displacements(model, "one ... two") @ w, atol=1e-5)
        assert got.scores[1] == 0
        assert not model.moves()[:, 1].any()
    elsewhere = SoftModel(function).explain("one ... two", "mase", reference="zero")
    assert elsewhere.scores[1] != 0


def test_a_text_of_mask_tokens_is_told_to_have_nowhere_to_go() -> None:
    for method in ("mase", "mase-sparse"):
        model = SoftModel(linear()[1])
        got = model.explain("... ...", method)
        assert got.scores.tolist() == [0, 0]
        assert "mask token itself" in got.warnings[0]
        assert model.rows == 1


def test_steps_of_equal_length_leave_mask_tokens_out_of_the_median(tiny_model: Any) -> None:
    model = tiny_model("bert")
    got = explain(model, "[MASK] [MASK] [MASK] film", "mase", normalize="unit", samples=20)
    assert got.scores[:3].tolist() == [0, 0, 0]
    assert got.scores[3] != 0


def test_partial_results_come_from_the_first_draws_and_end_in_the_whole() -> None:
    partials: list[Attribution] = []
    net = TanhNet()
    got = SoftModel(net).explain(WORDS, "mase", samples=2000, partials=partials)
    assert [part.diagnostics["done_draws"] for part in partials] == [125, 250, 375, 500, 625, 750, 875]
    assert got.diagnostics["done_draws"] == got.diagnostics["total_draws"] == 1000
    assert all(part.estimate == "partial" for part in partials)
    first, last = partials[0].outputs[0].stderr, got.outputs[0].stderr
    assert first is not None
    assert last is not None
    assert last.mean() < first.mean()
    short: list[Attribution] = []
    SoftModel(net).explain(WORDS, "mase", samples=128, partials=short)
    assert short == []
    noisy: list[Attribution] = []
    SoftModel(net).explain(WORDS, "mase", space="embedding", samples=400, partials=noisy)
    assert [part.diagnostics["done_draws"] for part in noisy] == list(range(20, 200, 20))


def test_a_large_fit_is_sent_away_and_a_small_one_is_not() -> None:
    _, function = linear()
    small, large = SoftModel(function), SoftModel(function)
    small.explain(WORDS, "mase")
    large.explain(" ".join(f"w{k}" for k in range(300)), "mase", samples=2400)
    assert not any(isinstance(query, Solve) for query in small.queries)
    sent = [query for query in large.queries if isinstance(query, Solve)]
    assert sent
    function_again, arguments = pickle.loads(pickle.dumps((sent[-1].function, sent[-1].arguments)))
    np.testing.assert_array_equal(function_again(*arguments).scores, sent[-1].function(*sent[-1].arguments).scores)


def test_the_seed_decides_the_draws() -> None:
    net = TanhNet()
    for params in ({}, {"space": "embedding"}, {"path_steps": 3}):
        one, same, other = (SoftModel(net).explain(WORDS, "mase", seed=seed, **params) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.scores, same.scores)
        assert not np.array_equal(one.scores, other.scores)


# -- how sure it is -------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"estimator": "closed"}, {"path_steps": 3}, {"antithetic": False}])
def test_standard_errors_tell_how_far_other_seeds_lie(params: Any) -> None:
    net = TanhNet()
    runs = [SoftModel(net).explain(WORDS, "mase", seed=seed, samples=100, **params) for seed in range(60)]
    spread = np.std([run.scores for run in runs], axis=0)
    said = np.mean([run.outputs[0].stderr for run in runs], axis=0)
    assert 0.7 < (said / spread).mean() < 1.4


def test_absolute_scores_have_no_sign() -> None:
    net = TanhNet()
    signed = SoftModel(net).explain(WORDS, "mase").scores
    assert (signed < 0).any()
    np.testing.assert_array_equal(SoftModel(net).explain(WORDS, "mase", abs=True).scores, np.abs(signed))


def test_too_few_draws_and_a_poor_fit_are_said() -> None:
    net = TanhNet()
    few = SoftModel(net).explain(WORDS, "mase", samples=8)
    assert "4 draws cannot tell 6 features apart" in few.warnings[0]
    assert few.outputs[0].stderr is None
    wild = SoftModel(lambda e: float(np.cos(40 * e).sum())).explain(WORDS, "mase", sigma=1.0)
    assert "explains little" in wild.warnings[0]
    flat = SoftModel(lambda e: 1.0).explain(WORDS, "mase")
    assert "did not change" in flat.warnings[0]
    assert not flat.scores.any()


@pytest.mark.parametrize("params", [{}, {"space": "embedding"}, {"path_steps": 2}])
def test_a_model_that_breaks_when_it_is_moved_is_an_error(params: Any) -> None:
    whole = SoftModel(lambda e: 0.0).embeddings(WORDS)
    model = SoftModel(lambda e: 0.0 if np.array_equal(e, whole) else float("nan"))
    with pytest.raises(NonFinite, match="smaller sigma"):
        model.explain(WORDS, "mase", **params)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"sigma": 0}, "sigma"),
        ({"sigma": 11}, "sigma"),
        ({"sigma": float("nan")}, "sigma"),
        ({"samples": 1}, "samples"),
        ({"path_steps": 0}, "path_steps"),
        ({"path_steps": 2, "antithetic": False}, "path_steps"),
        ({"path_steps": 2, "normalize": "unit"}, "path_steps"),
        ({"intercept": True}, "intercept"),
        ({"intercept": True, "antithetic": False, "estimator": "closed"}, "intercept"),
        ({"bandwidth": 1.0}, "bandwidth"),
        ({"bandwidth": -1.0, "estimator": "weighted"}, "bandwidth"),
        ({"aggregate": "l2"}, "aggregate"),
        ({"layer": -1}, "layer"),
        ({"layer": 99}, "layer"),
        ({"layer": 1, "reference": "zero"}, "reference"),
        ({"space": "embedding", "estimator": "ls"}, "estimator"),
        ({"space": "embedding", "law": "uniform"}, "law"),
        ({"space": "embedding", "layer": 1}, "layer"),
        ({"space": "embedding", "path_steps": 2}, "path_steps"),
        ({"space": "embedding", "normalize": "unit"}, "normalize"),
        ({"space": "words"}, "space"),
        ({"reference": "median"}, "reference"),
        ({"noise": 1}, "noise"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(params: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        SoftModel(linear()[1]).explain(WORDS, "mase", **params)


def test_a_layer_of_a_model_without_layers_is_refused() -> None:
    model = SoftModel(linear()[1])
    model.words.capabilities = BASIC
    with pytest.raises(NotCapable, match=r"leave params\.layer out"):
        model.explain(WORDS, "mase", layer=0)
    assert np.isfinite(model.explain(WORDS, "mase").scores).all()
