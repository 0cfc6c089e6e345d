"""What a result says of its own numbers: whether they have signs, add up, and how much of them is noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import evaluate, explain, load, wrap, wrap_module
from saliscope.explainers.families.fits import closed_form, fit_path, least_squares
from saliscope.explainers.registry import fitting
from tests.explainers.own import LABELS, Lstm, count_words, tokenize
from tests.explainers.soft import SoftModel, TanhNet

WORDS = "one two three four five six"
TEXT = "a dull film, but the music is wonderful"


# -- signs and sums -------------------------------------------------------------------------------

LENGTHS = [
    ("mase", {"abs": True}),
    ("mase", {"space": "embedding", "aggregate": "l2"}),
    ("mase", {"space": "embedding", "aggregate": "mean-abs"}),
    ("mase", {"space": "embedding", "abs": True}),
    ("lrp", {"aggregate": "l2"}),
    ("input-x-gradient", {"norm": "l2"}),
    ("smooth-grad", {"reduce": "l2"}),
    ("smooth-grad", {"normalise": "l1"}),
    ("integrated-gradients", {"normalise": "l1"}),
    ("decoded-grad-cam", {"aggregate": "l2"}),
]


@pytest.mark.parametrize(("method", "params"), LENGTHS)
def test_what_has_no_signs_is_not_called_signed(method: str, params: dict[str, Any], tiny_model: Any) -> None:
    got = explain(tiny_model("bert"), TEXT, method, **params)
    assert (got.scores >= 0).all()
    assert not got.signed


def test_the_same_methods_are_signed_by_default(tiny_model: Any) -> None:
    for method in ("mase", "lrp", "input-x-gradient", "smooth-grad", "integrated-gradients"):
        assert explain(tiny_model("bert"), TEXT, method).signed, method


def test_scores_that_leave_special_tokens_out_of_the_sum_do_not_claim_to_add_up(tiny_model: Any) -> None:
    model = tiny_model("bert")
    kept = explain(model, TEXT, "integrated-gradients")
    assert kept.additive
    assert kept.gap == pytest.approx(0, abs=0.06 * abs(kept.value - (kept.base_value or 0.0)))
    moved = explain(model, TEXT, "integrated-gradients", special="move")
    assert not moved.additive
    assert moved.gap is None


# -- noise ----------------------------------------------------------------------------------------


def test_gradient_shap_says_what_its_draws_fail_to_add_up_to() -> None:
    lstm = Lstm()
    model = wrap_module(lstm, tokenize, embedding=lstm.emb, labels=LABELS)
    few = explain(model, TEXT, "gradient-shap", samples=1, reference="zero")
    assert few.diagnostics["missing"] > 0.05
    missing = f"after 1 draw the scores miss {few.diagnostics['missing']:.0%} of the target's change"
    assert few.warnings == (f"{missing}: integrated-gradients, or many more samples (four times as many halve it)",)
    many = explain(model, TEXT, "gradient-shap", samples=5000, reference="zero")
    assert many.diagnostics["missing"] < 0.05
    assert many.warnings == ()


@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder"])
def test_what_the_warning_of_gradient_shap_names_adds_up_as_cheaply(name: str) -> None:
    model = load(name, "cpu")
    draws = [explain(model, "A dull, lifeless and boring film.", "gradient-shap", seed=seed) for seed in range(4)]
    warned = [one for one in draws if one.warnings]
    assert warned
    assert all("integrated-gradients" in one.warnings[0] for one in warned)
    path = explain(model, "A dull, lifeless and boring film.", "integrated-gradients")
    assert path.diagnostics["missing"] < 0.001
    assert path.cost.forward_rows <= draws[0].cost.forward_rows


def test_weights_that_leave_too_few_draws_are_said() -> None:
    narrow = SoftModel(TanhNet()).explain(WORDS, "mase", estimator="weighted", bandwidth=0.05)
    assert narrow.diagnostics["r2"] == pytest.approx(1), "a single draw is fitted perfectly"
    assert "of 100 draws, which cannot tell 6 features apart" in narrow.warnings[0]
    assert SoftModel(TanhNet()).explain(WORDS, "mase", estimator="weighted").warnings == ()


def test_a_fit_counts_the_draws_that_its_weights_leave() -> None:
    z = np.random.default_rng(0).standard_normal((10, 3))
    y = z.sum(axis=1)
    assert least_squares(z, y).draws == closed_form(z, y, 1.0).draws == 10
    assert least_squares(z, y, np.eye(10)[0] + 1e-12).draws == pytest.approx(1)
    assert least_squares(z, y, np.repeat([1.0, 0.0], 5)).draws == pytest.approx(5)
    path = fit_path(np.stack([z, 4 * z]).astype(np.float32), np.stack([y, 4 * y]), "weighted", 1.0, 1.0)
    far = least_squares(4 * z, 4 * y, np.exp(-8 * np.square(z).sum(axis=1)))
    assert path.draws == pytest.approx(far.draws)
    assert far.draws < 10


def test_an_estimated_gradient_that_is_mostly_noise_is_said() -> None:
    few = SoftModel(TanhNet()).explain(WORDS, "mase", space="embedding", samples=20)
    assert "most of these scores is noise" in few.warnings[0]
    assert SoftModel(TanhNet()).explain(WORDS, "mase", space="embedding", samples=20_000).warnings == ()


def test_standard_errors_stand_beside_the_scores(tiny_model: Any) -> None:
    model = tiny_model("gpt2")
    for method in fitting(model.facts, "class"):
        got = explain(model, WORDS, method)
        assert got.stderr is got.outputs[0].stderr
        assert got.stderr is None or got.stderr.shape == got.scores.shape


# -- what loops over arrays hand in ---------------------------------------------------------------


def test_numbers_of_numpy_and_torch_are_numbers(tiny_model: Any) -> None:
    model = wrap(count_words, LABELS)
    for seed in np.arange(2):
        assert explain(model, TEXT, "lime", seed=seed).seed == seed
    for target in (np.int64(1), torch.tensor(1), {"kind": "class", "label": np.int64(1)}, np.str_("planted")):
        assert explain(model, TEXT, "occlusion", target).target.index == 1
    got = explain(tiny_model("bert"), TEXT, "mase", samples=np.int64(20), sigma=np.float32(0.25), abs=np.True_)
    assert (got.params["samples"], got.params["sigma"], got.params["abs"]) == (20, 0.25, True)
    ids = explain(tiny_model("gpt2", "ForCausalLM"), TEXT, "occlusion", {"kind": "continuation", "ids": np.array([5])})
    assert ids.target.kind == "continuation"


def test_arrays_of_texts_and_labels_are_evaluated() -> None:
    model = wrap(count_words, LABELS)
    methods = ["random", {"method": "lime", "params": {"samples": np.int64(20)}}]
    lists = evaluate(model, [TEXT, WORDS], methods, ["comprehensiveness"], seed=1)
    arrays = evaluate(model, np.array([TEXT, WORDS]), methods, ["comprehensiveness"], seed=np.int64(1))  # type: ignore[arg-type]
    assert arrays.ranking("comprehensiveness") == lists.ranking("comprehensiveness")
    pairs: Any = zip([TEXT, WORDS], np.array([1, 0]), strict=True)
    assert evaluate(model, pairs, ["random"], ["hiding"]).ranking("hiding")


def test_a_word_that_was_given_before_keeps_its_id() -> None:
    model = wrap(count_words, LABELS)
    first, second, again = (model.find_token(word) for word in ("warm", "cold", " warm "))
    assert first == again != second
    assert model.token_text(second) == "cold"
