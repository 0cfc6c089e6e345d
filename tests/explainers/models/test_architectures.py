"""Every architecture that we claim: padded rows, plain calls, all layers, all methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, methods
from saliscope.explainers.queries import Along, Decoding, Differentiate, Evaluate, Outputs, Piece
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT
from tests.explainers.tiny import ARCHITECTURES, DECODERS, TEXTS, build

CASES = [(name, "ForSequenceClassification") for name in ARCHITECTURES] + [(name, "ForCausalLM") for name in DECODERS]
WITHOUT_SDPA = {"deberta-v2", "mpnet", "gemma2"}
MODES = [
    (*case, mode) for case in CASES for mode in ("sdpa", "eager") if mode == "eager" or case[0] not in WITHOUT_SDPA
]


@pytest.fixture(params=MODES, ids="-".join)
def model(request: pytest.FixtureRequest, tiny_model: Any) -> Any:
    return tiny_model(*request.param)


def test_a_padded_batch_equals_single_rows(model: Any) -> None:
    kind = model.facts.kinds[0]
    encodings = [model.encode(text) for text in TEXTS]
    layers = (INPUT, *range(model.facts.num_layers + 1))
    for queries in (
        [Evaluate(encoding, Outputs(kind), outputs=True) for encoding in encodings],
        [Differentiate(encoding, Scalar(kind, 1, "logprob"), layers) for encoding in encodings],
        [Differentiate(encoding, Scalar(kind, 1, "logit"), (2,)) for encoding in encodings],
    ):
        together = model.compute([Piece(query, 0, 1) for query in queries])
        for query, merged in zip(queries, together, strict=True):
            alone = model.answer(query)
            np.testing.assert_allclose(merged.outputs, alone.outputs, atol=1e-5)
            for layer in getattr(query, "layers", ()):
                np.testing.assert_allclose(merged.inner[layer], alone.inner[layer], atol=1e-5)


def test_it_answers_as_the_plain_model_does(model: Any) -> None:
    for text in TEXTS:
        ids = torch.tensor([list(model.encode(text).ids)])
        with torch.no_grad():
            logits = model.network.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        plain = logits[0, -1] if logits.dim() == 3 else logits[0]
        ours = model.answer(Evaluate(model.encode(text), Outputs(model.facts.kinds[0]), outputs=True)).outputs
        np.testing.assert_allclose(ours, plain.numpy(), atol=1e-5)


def test_a_gradient_from_a_cut_graph_equals_the_full_one(model: Any) -> None:
    encoding = model.encode(TEXTS[1])
    scalar = Scalar(model.facts.kinds[0], 2, "logit")
    everything = model.answer(Differentiate(encoding, scalar, (INPUT, *range(model.facts.num_layers + 1))))
    for layer in range(model.facts.num_layers + 1):
        alone = model.answer(Differentiate(encoding, scalar, (layer,)))
        np.testing.assert_allclose(alone.inner[layer], everything.inner[layer], atol=1e-5)


def test_gradients_agree_with_plain_autograd_on_the_hidden_states(model: Any) -> None:
    encoding = model.encode(TEXTS[1])
    network = model.network
    embeds = network.embed(torch.tensor([list(encoding.ids)])).detach().requires_grad_(True)
    got = network.model(
        inputs_embeds=embeds, attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long), output_hidden_states=True
    )
    logits = got.logits[0, -1] if got.logits.dim() == 3 else got.logits[0]
    states = got.hidden_states[:-1]
    grads = torch.autograd.grad(logits[1], [embeds, *states])
    answer = model.answer(
        Differentiate(encoding, Scalar(model.facts.kinds[0], 1, "logit"), (INPUT, *range(len(states))))
    )
    for layer, state, grad in zip((INPUT, *range(len(states))), (embeds, *states), grads, strict=True):
        np.testing.assert_allclose(
            answer.inner[layer], (state * grad).sum(-1)[0].detach().numpy(), atol=1e-4, rtol=1e-4
        )


def test_every_method_that_fits_works_and_keeps_its_promise(model: Any) -> None:
    before = model.fingerprint()
    kind = model.facts.kinds[0]
    for name in fitting(model.facts, kind):
        got = explain(model, TEXTS[0], method=name, granularity="word")
        assert np.isfinite(got.scores).all()
        assert len(got.scores) == len(got.features) == 3
        assert got.cost.forward_rows <= got.cost.promised_forward_rows
        assert got.cost.backward_rows <= got.cost.promised_backward_rows
        assert got.prediction.index == got.target.index
    assert model.fingerprint() == before


@pytest.mark.parametrize("architecture", DECODERS)
def test_an_intermediate_prediction_is_the_prediction_on_the_prefix(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding = model.encode(TEXTS[1])
    scalar = Scalar("class", None, "logit")
    along = model.answer(Evaluate(encoding, Along(tuple(range(len(encoding))), scalar), outputs=True)).values[0]
    for end in range(1, len(encoding) + 1):
        ids = torch.tensor([list(encoding.ids[:end])])
        with torch.no_grad():
            plain = model.network.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        np.testing.assert_allclose(along[end - 1], plain.numpy(), atol=1e-5)


@pytest.mark.parametrize("architecture", DECODERS)
def test_a_head_without_its_body_is_the_models_own_head(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture, "ForCausalLM")
    ids = torch.tensor([list(model.encode(TEXTS[1]).ids)])
    with torch.no_grad():
        state = model.network.hidden(model.network.embed(ids), torch.ones_like(ids))
        apart = model.network.heads["next-token"](state)
        whole = model.network.model(input_ids=ids).logits
    torch.testing.assert_close(apart, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in DECODERS])
def test_the_masked_language_head_of_an_encoder_is_used_as_it_is(architecture: str, tiny_folder: Any) -> None:
    from saliscope.explainers import load

    classifier = tiny_folder(architecture)
    source = str(tiny_folder(architecture, "ForMaskedLM"))
    model = load(str(classifier), "cpu")
    model.prepare(Decoding("head", source))
    masked = build(architecture, "ForMaskedLM")
    ids = torch.tensor([list(model.encode(TEXTS[1]).ids)])
    with torch.no_grad():
        state = masked.base_model(input_ids=ids)[0]
        whole = masked(input_ids=ids).logits
        apart = model._decoders[Decoding("head", source)](state)
    torch.testing.assert_close(apart, whole, atol=1e-5, rtol=1e-5)


def test_every_method_of_the_catalogue_has_a_name_of_its_own() -> None:
    from saliscope.explainers.families import METHODS

    assert len(methods()) == len(METHODS)
    assert {"random", "input-x-gradient", "grad-cam", "decoded-grad-cam", "sp-pi", "occlusion"} <= set(methods())


def test_a_configuration_with_a_list_of_end_tokens_loads(tiny_folder: Any) -> None:
    from saliscope.explainers import load

    folder = tiny_folder("llama", "ForSequenceClassification", eos_token_id=[0, 5, 6])
    assert explain(load(str(folder), "cpu"), TEXTS[0]).method == "sp-pi"
