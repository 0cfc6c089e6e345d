"""Models whose only true explanation is known: every method that asks the same question must give it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.explainers import explain, load, wrap_module
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.registry import fitting
from tests.explainers import copying
from tests.explainers.own import LABELS, UNKNOWN, Bag, tokenize

# -- a bag of embeddings --------------------------------------------------------------------------

SENTENCE = "a dull film, but the music is wonderful and warm"
SAME = ["mase", "occlusion", "kernel-shap", "shapley-sampling", "partition-shap", "integrated-gradients",
        "gradient-shap", {"method": "lime", "params": {"ridge": 0.0}}]  # fmt: skip


@pytest.fixture(scope="module")
def bag() -> Any:
    module = Bag()
    return wrap_module(module, tokenize, embedding=module.emb, labels=LABELS, mask_id=UNKNOWN)


@pytest.mark.parametrize("law", ["nlgp", "mask", "occlusion"])
def test_on_a_sum_over_words_no_method_is_unfaithful(law: str, bag: Any) -> None:
    metric = {"metric": "infidelity", "law": law, "normalise": "none"}
    found = evaluate(bag, [SENTENCE], [*SAME, "random"], [metric], lanes=1)
    values = dict(found.ranking("infidelity"))
    assert len(values) == len(SAME) + 1
    assert values.pop("random") > 1e-2
    assert max(values.values()) < 1e-8


def test_against_zero_they_are_input_times_gradient(bag: Any) -> None:
    wanted = explain(bag, SENTENCE, "input-x-gradient", 1, scale="logit").scores
    for method in ("mase", "integrated-gradients", "gradient-shap", "deep-lift"):
        got = explain(bag, SENTENCE, method, 1, scale="logit", reference="zero")
        np.testing.assert_allclose(got.scores, wanted, atol=1e-4, err_msg=method)


# -- a model that copies --------------------------------------------------------------------------

TEXT = "the plot is a mess but fine"
COPIED, READ = -2, -1
#: What they ask is what an infinitesimal move does, or of which sign it is: not how much the word says.
OTHERWISE = {"simple", "grad-l2", "random", "sp-pi", "mp-pi"}


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load(str(copying.save(tmp_path_factory.mktemp("copier"))), "cpu")


def all_on(place: int, count: int) -> Any:
    wanted = np.zeros(count)
    wanted[place] = copying.LOUD
    return wanted


def test_what_is_copied_takes_all_the_credit(copier: Any) -> None:
    names = [name for name in fitting(copier.facts, "next-token") if name not in OTHERWISE]
    assert len(names) >= 12
    for name in names:
        # 64 draws are too few for the penalised scores themselves to be exact.
        params: dict[str, Any] = {"k": 1, "debias": True} if name == "mase-sparse" else {}
        got = explain(copier, TEXT, name, scale="logit", target="next-token", **params)
        assert got.prediction.label.strip() == got.features[COPIED].text == "but"
        assert len({token.ids for token in got.tokens}) == len(got.features), "no word is there twice"
        np.testing.assert_allclose(got.scores, all_on(COPIED, len(got.features)), atol=2e-2, err_msg=name)


def test_shares_and_lengths_are_where_the_copied_word_is(copier: Any) -> None:
    for name in ("simple", "grad-l2"):
        got = explain(copier, TEXT, name, target="next-token")
        assert got.scores[COPIED] > 0.5
        assert np.delete(got.scores, len(got.features) + COPIED).max() < 1e-6


def test_progressive_inference_credits_the_word_at_which_the_copy_is_read(copier: Any) -> None:
    single = explain(copier, TEXT, "sp-pi", scale="logit", target="next-token")
    count = len(single.features)
    np.testing.assert_allclose(single.scores, all_on(READ, count), atol=1e-5)
    # It takes both, the word and the one behind it, and so they share.
    many = explain(copier, TEXT, "mp-pi", scale="logit", target="next-token", budget=2 ** (count - 1))
    wanted = (all_on(COPIED, count) + all_on(READ, count)) / 2
    np.testing.assert_allclose(many.scores, wanted, atol=1e-5)
