"""A real causal language model, SmolLM2-135M-Instruct (`make test-real` unpacks it and names its folder)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, load
from saliscope.explainers.queries import Along, Evaluate, Outputs, Piece
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar

FOLDER = os.environ.get("SALISCOPE_SMOLLM2", "")
pytestmark = [pytest.mark.real, pytest.mark.skipif(not FOLDER, reason="run `make test-real`"), pytest.mark.timeout(900)]

CAPITAL = "The capital of France is"


@pytest.fixture(scope="module")
def model() -> Any:
    return load(FOLDER, "cpu")


def test_it_is_found_to_be_a_causal_language_model(model: Any) -> None:
    assert model.facts.kind == "causal-lm"
    assert {"causal", "next-token", "lm-head", "layers", "gradients", "mask"} <= model.facts.capabilities
    assert model.facts.num_layers == 30


def test_it_answers_paris_because_of_france(model: Any) -> None:
    got = explain(model, CAPITAL, method="occlusion", granularity="word")
    assert got.prediction.label == " Paris"
    assert got.top(1)[0][0] == "France"


def test_every_method_that_fits_gives_finite_scores_and_keeps_its_promise(model: Any) -> None:
    before = model.fingerprint()
    for name in fitting(model.facts, "next-token"):
        got = explain(model, CAPITAL, method=name, target=" Paris")
        assert np.isfinite(got.scores).all()
        assert got.cost.forward_rows <= got.cost.promised_forward_rows
        assert got.target.label == " Paris"
    assert model.fingerprint() == before


def test_the_log_probability_after_each_prefix_is_the_plain_models(model: Any) -> None:
    encoding = model.encode(CAPITAL)
    paris = model.find_token("Paris")
    query = Evaluate(encoding, Along(tuple(range(len(encoding))), Scalar("next-token", paris, "logprob")))
    ours = model.answer(query).values[0]
    with torch.no_grad():
        plain = model.network.model(torch.tensor([list(encoding.ids)])).logits[0].log_softmax(-1)[:, paris]
    np.testing.assert_allclose(ours, plain.numpy(), atol=1e-4)


def test_a_padded_batch_equals_single_rows(model: Any) -> None:
    texts = ["Water is made of", "The opposite of hot is", "In 1969 the first people walked on the surface of the"]
    queries = [Evaluate(model.encode(text), Outputs("next-token"), outputs=True) for text in texts]
    together = model.compute([Piece(query, 0, 1) for query in queries])
    for query, merged in zip(queries, together, strict=True):
        np.testing.assert_allclose(merged.outputs, model.answer(query).outputs, atol=2e-4)


def test_a_chat_goes_through_its_own_template_once(model: Any) -> None:
    chat = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    got = explain(model, messages=chat, method="input-x-gradient", granularity="word")
    assert [id for token in got.tokens for id in token.ids] == model.tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_dict=False
    )
    assert [feature.text for feature in got.features] == chat[0]["content"].split()
