"""Every method against exact truth, and that the model stays as it was."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import Attribution, explain, load
from saliscope.explainers.errors import NonFinite
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar
from tests.explainers.core import NAMES, TEXT, every_explanation


def double(model: Any) -> Any:
    """The same plain model in double precision."""
    return copy.deepcopy(model.network.model).double()


# -- exact truth ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [name for name in NAMES if name != "modernbert"], indirect=True)
def test_input_x_gradient_is_the_slope_of_scaling_a_tokens_embedding(model: Any) -> None:
    plain, encoding = double(model), model.encode(TEXT)
    ids = torch.from_numpy(encoding.ids)[None]
    embeds = plain.get_input_embeddings()(ids).detach()
    step = 3e-3  # norms and rotations stay in single precision
    positions = [token.positions[0] for token in encoding.tokens if not token.special]
    rows = embeds.repeat(2 * len(positions), 1, 1)
    for k, position in enumerate(positions):
        rows[2 * k, position] *= 1 + step
        rows[2 * k + 1, position] *= 1 - step
    with torch.no_grad():
        outputs = [plain(inputs_embeds=row[None], attention_mask=torch.ones_like(ids)).logits[0, 1] for row in rows]
    values = torch.stack(outputs).reshape(-1, 2)
    slopes = (values[:, 0] - values[:, 1]) / (2 * step)
    got = explain(model, TEXT, method="input-x-gradient", target=1)
    np.testing.assert_allclose(got.scores, slopes.numpy(), atol=2e-4, rtol=2e-3)
    assert np.abs(got.scores).max() > 1e-2


def test_a_model_that_normalises_its_bare_embeddings_has_no_slope_along_them(tiny_model: Any) -> None:
    """ModernBERT: a longer embedding is the same to it, so the product with the gradient is all but nothing."""
    along = explain(tiny_model("modernbert"), TEXT, method="input-x-gradient", target=1)
    inside = explain(tiny_model("modernbert"), TEXT, method="grad-cam", target=1)
    assert np.abs(along.scores).max() < 0.01 * np.abs(inside.scores).max()


@pytest.mark.parametrize("model", NAMES, indirect=True)
@pytest.mark.parametrize("scale", ["logit", "margin"])
def test_grad_cam_is_relu_of_gradient_times_activation_by_plain_autograd(model: Any, scale: str) -> None:
    plain, encoding = copy.deepcopy(model.network.model), model.encode(TEXT)
    ids = torch.from_numpy(encoding.ids)[None]
    embeds = plain.get_input_embeddings()(ids).detach().requires_grad_(True)
    got = plain(inputs_embeds=embeds, attention_mask=torch.ones_like(ids), output_hidden_states=True)
    logits = got.logits[0]
    value = logits[1] - (torch.cat([logits[:1], logits[2:]]).logsumexp(0) if scale == "margin" else 0.0)
    states = got.hidden_states[:-1]
    for layer, gradient in enumerate(torch.autograd.grad(value, states)):
        products = (gradient * states[layer]).sum(-1)[0].detach().numpy()
        explained = explain(model, TEXT, method="grad-cam", target=1, scale=scale, layer=layer)
        wanted = [np.maximum(products[list(feature.positions)], 0).sum() for feature in explained.features]
        np.testing.assert_allclose(explained.scores, wanted, atol=1e-4, rtol=1e-4)
        assert explained.outputs[0].layer == layer
        special = np.abs(products[encoding.special]).sum() / np.abs(products).sum()
        assert explained.diagnostics["special_share"] == pytest.approx(special, abs=1e-4)


@pytest.mark.parametrize("model", NAMES, indirect=True)
def test_occlusion_is_the_drop_of_the_plain_model_on_the_masked_text(model: Any) -> None:
    encoding = model.encode(TEXT)
    got = explain(model, TEXT, method="occlusion", target=0, granularity="word", scale="logprob")

    def logprob(ids: Any) -> float:
        row = torch.from_numpy(ids)[None]
        with torch.no_grad():
            return float(
                model.network.model(input_ids=row, attention_mask=torch.ones_like(row)).logits[0].log_softmax(0)[0]
            )

    for feature, score in zip(got.features, got.scores, strict=True):
        masked = encoding.ids.copy()
        masked[list(feature.positions)] = model.facts.mask_id
        assert score == pytest.approx(logprob(encoding.ids) - logprob(masked), abs=1e-5)
    assert got.value == pytest.approx(logprob(encoding.ids), abs=1e-5)
    assert got.cost.forward_rows == len(got.features) + 1


@pytest.mark.parametrize("model", ["bert", "gpt2", "llama"], indirect=True)
def test_a_token_that_already_is_the_mask_is_a_null_player(model: Any) -> None:
    text = f"a dull {model.facts.mask_text.strip()} film"
    got = explain(model, text, method="occlusion")
    encoding = model.encode(text)
    null = [k for k, f in enumerate(got.features) if all(encoding.ids[p] == model.facts.mask_id for p in f.positions)]
    assert len(null) == 1
    assert abs(got.scores[null[0]]) < 1e-6
    assert (np.abs(np.delete(got.scores, null)) > 1e-5).all()


@pytest.mark.parametrize("model", ["demo-encoder", "demo-decoder", "bert", "llama"], indirect=True)
def test_words_and_sentences_sum_what_gradients_give_to_tokens(model: Any) -> None:
    text = "The plot is a mess. But the cast is wonderful, and the music is fine!"
    tokens = explain(model, text, method="input-x-gradient")
    for granularity, count in (("word", 15), ("sentence", 2)):
        groups = explain(model, text, method="input-x-gradient", granularity=granularity)
        assert len(groups.features) == count
        for feature, score in zip(groups.features, groups.scores, strict=True):
            assert feature.text == text[feature.start : feature.end]
            assert score == pytest.approx(tokens.scores[[_place(tokens, k) for k in feature.tokens]].sum(), abs=1e-5)
        assert groups.granularity == granularity


def _place(got: Attribution, token: int) -> int:
    return next(k for k, feature in enumerate(got.features) if feature.tokens == (token,))


def test_a_repeated_token_has_its_own_gradient_at_each_place(demo_encoder: Any) -> None:
    got = explain(demo_encoder, "good good good film", method="input-x-gradient", target="positive")
    assert [feature.text for feature in got.features[:3]] == ["good"] * 3
    assert len({round(float(score), 6) for score in got.scores[:3]}) == 3


def test_the_bundled_models_find_the_words_that_decide(demo_encoder: Any, demo_decoder: Any) -> None:
    text = "a dull, lifeless and boring film"
    got = explain(demo_encoder, text, granularity="word")
    assert (got.method, got.prediction.label) == ("decoded-grad-cam", "negative")
    assert got.top(1)[0][0] in ("dull,", "lifeless", "boring")
    got = explain(demo_decoder, text, granularity="word")
    assert (got.method, got.prediction.label) == ("sp-pi", "negative")
    assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)


# -- the model stays as it was --------------------------------------------------------------------


@pytest.mark.parametrize("model", NAMES, indirect=True)
def test_no_method_changes_the_model(model: Any) -> None:
    before, training = model.fingerprint(), [module.training for module in model.network.model.modules()]
    assert before == model.facts.fingerprint
    every_explanation(model)
    assert model.fingerprint() == before
    assert [module.training for module in model.network.model.modules()] == training
    assert all(weight.grad is None and not weight.requires_grad for weight in model.network.model.parameters())


def test_the_fingerprint_notices_what_must_not_happen(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    plain, before = model.network.model, model.fingerprint()
    hook = plain.classifier.register_forward_hook(lambda *_: None)
    assert model.fingerprint() != before
    hook.remove()
    assert model.fingerprint() == before
    for undo in (plain.eval, lambda: plain.requires_grad_(False)):
        plain.train() if undo == plain.eval else plain.requires_grad_(True)
        assert model.fingerprint() != before
        undo()
        assert model.fingerprint() == before
    with torch.no_grad():
        plain.classifier.bias[0] += 1
    assert model.fingerprint() != before


class Boom(Exception):
    """Thrown inside a pass."""


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize("output", ["raises", "nonsense"])
def test_an_exception_inside_a_hooked_pass_leaves_no_hook_behind(name: str, output: str, tiny_folder: Any) -> None:
    model = load(str(tiny_folder(name)), "cpu")
    before, wanted = model.fingerprint(), explain(model, TEXT, method="grad-cam", layer=1).scores
    block = model.network.anatomy.blocks[1]

    def forward(*args: Any, **kwargs: Any) -> Any:
        if output == "raises":
            raise Boom
        return 7

    block.forward = forward
    try:
        for method in ("grad-cam", "decoded-grad-cam", "input-x-gradient", "occlusion"):
            with pytest.raises((Boom, TypeError, AttributeError, IndexError, ValueError)):
                explain(model, TEXT, method=method)
    finally:
        del block.forward
    assert model.fingerprint() == before
    np.testing.assert_array_equal(explain(model, TEXT, method="grad-cam", layer=1).scores, wanted)


def test_an_exception_while_a_target_is_read_leaves_no_hook_behind(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    before = model.fingerprint()
    with pytest.raises(IndexError):
        model.answer(Differentiate(model.encode(TEXT), Scalar("class", 99, "logit"), (0, 2)))
    assert model.fingerprint() == before


# -- numbers that are none ------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_model_that_answers_nan_is_an_error_and_not_a_map(bad: float, tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    with torch.no_grad():
        model.network.model.classifier.bias[2] = bad
    for method in fitting(model.facts, "class"):
        with pytest.raises(NonFinite, match="not finite"):
            explain(model, TEXT, method=method)


def test_a_mask_that_breaks_the_model_names_the_word(tiny_folder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    with torch.no_grad():
        model.network.embedding.weight[model.facts.mask_id] = math.nan
    with pytest.raises(NonFinite, match="not finite with 'a' hidden"):
        explain(model, "a dull film", method="occlusion")
    assert np.isfinite(explain(model, "a dull film", method="input-x-gradient").scores).all()
