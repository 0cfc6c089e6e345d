"""Simple, Grad-L2, gradient times input or activation, SmoothGrad: formulas read aloud, Captum, AllenNLP's settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradientXActivation, NoiseTunnel, Saliency
from torch import Tensor

from saliscope.explainers import Attribution, Question, drive, explain
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.explaining import explaining
from tests.explainers.core import same_with_another_seed
from tests.explainers.fields import WEIGHTS, cubic, linear, make
from tests.explainers.test_oracles import Subject, subject

__all__ = ["subject"]
MODELS = [("demo-encoder", "class"), ("demo-decoder", "class"), ("bert", "class"), ("gpt2", "next-token")]
ONE_EACH = ["simple", "grad-l2", "input-x-gradient", "grad-x-activation", "grad-cam"]


def run(model: Any, text: str, method: str, partials: list[Any] | None = None, **options: Any) -> Attribution:
    own = {name: options.pop(name) for name in ("granularity", "seed", "scale") if name in options}
    question = Question(text, method, "yes", params=options, **own)
    return drive(explaining(model, question), model.answer, None if partials is None else partials.append)


def gradient(case: Subject, index: int, loss: bool = False) -> tuple[Any, Any]:
    """Gradient and value `[T, K]` of the word embeddings, from the plain model."""
    embeds = case.plain.get_input_embeddings()(case.ids).detach().requires_grad_(True)
    ones = torch.ones_like(case.ids)
    value = case.outputs(inputs_embeds=embeds, attention_mask=ones)[0]
    scalar = -value.log_softmax(-1)[index] if loss else value[index]
    return torch.autograd.grad(scalar, embeds)[0][0].numpy(), embeds[0].detach().numpy()


def grouped(case: Subject, per_position: Any, granularity: str) -> Any:
    return [per_position[group].sum() for group in case.groups(granularity)]


# -- one gradient ---------------------------------------------------------------------------------


@pytest.mark.parametrize("granularity", ["token", "word"])
@pytest.mark.parametrize(("name", "kind"), MODELS)
def test_each_method_reduces_the_gradient_as_it_says(name: str, kind: str, granularity: str, subject: Any) -> None:
    case = subject(name, kind)
    index = case.indices()[-1]
    grad, embeds = gradient(case, index)
    loss, _ = gradient(case, index, loss=True)
    dots = np.abs((loss * embeds).sum(-1))
    wanted = {
        ("grad-l2", ()): np.linalg.norm(grad, axis=-1),
        ("input-x-gradient", ()): (grad * embeds).sum(-1),
        ("input-x-gradient", (("norm", "l2"),)): np.linalg.norm(grad * embeds, axis=-1),
        ("simple", ()): dots / dots.sum(),
        ("simple", (("variant", "l1"),)): np.abs(loss).sum(-1) / np.abs(loss).sum(),
    }
    for (method, params), per_position in wanted.items():
        got = case.explain(method, index, granularity, **dict(params))
        np.testing.assert_allclose(got.scores, grouped(case, per_position, granularity), atol=2e-5, rtol=1e-4)
        assert got.cost.to_dict() == dict.fromkeys(got.cost.to_dict(), 1)
        assert got.signed == ((method, params) == ("input-x-gradient", ()))
        assert got.signed or (got.scores >= 0).all()


@pytest.mark.parametrize("name", ["demo-encoder", "bert"])
def test_gradient_x_activation_is_captums_at_the_embedding_block(name: str, subject: Any) -> None:
    case = subject(name, "class")
    case.plain.get_input_embeddings().weight.requires_grad_(True)
    oracle = LayerGradientXActivation(lambda ids: case.outputs(input_ids=ids), case.plain.bert.embeddings)
    for index in case.indices():
        per_position = oracle.attribute(case.ids, target=index)[0].sum(-1).detach().numpy()
        got = case.explain("grad-x-activation", index, "token")
        np.testing.assert_allclose(got.scores, grouped(case, per_position, "token"), atol=1e-5)
        positive = case.explain("grad-cam", index, "token").scores
        np.testing.assert_array_equal(np.maximum(got.scores, 0), positive)
        assert (got.signed, got.outputs[0].layer) == (True, 0)


@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("variant", ["allennlp", "l1"])
def test_simple_at_a_layer_uses_the_states_there(variant: str, layer: int, subject: Any) -> None:
    case = subject("bert", "class")
    case.plain.get_input_embeddings().weight.requires_grad_(True)
    with torch.enable_grad():
        answer = case.plain(input_ids=case.ids, output_hidden_states=True)
        hidden = answer.hidden_states[layer]
        grad = torch.autograd.grad(-answer.logits.log_softmax(-1)[0, 1], hidden)[0]
    sizes = (grad * hidden).sum(-1).abs() if variant == "allennlp" else grad.abs().sum(-1)
    wanted = (sizes / sizes.sum())[0].detach().numpy()
    got = case.explain("simple", 1, "token", variant=variant, layer=layer)
    np.testing.assert_allclose(got.scores, grouped(case, wanted, "token"), atol=1e-6)
    special = wanted[case.encoding.special].sum()
    assert got.diagnostics["special_share"] == pytest.approx(special, abs=1e-6)
    assert got.scores.sum() == pytest.approx(1 - special, abs=1e-5)


def test_simple_explains_the_loss_whatever_scale_is_asked_for_and_says_so() -> None:
    plain = run(make(cubic), "a b c", "simple")
    assert plain.scale == "loss"
    assert not any("loss" in line for line in plain.why)
    for scale in ("logit", "prob"):
        asked = run(make(cubic), "a b c", "simple", scale=scale)
        np.testing.assert_array_equal(asked.scores, plain.scores)
        assert (asked.scale, asked.value) == ("loss", plain.value)
        assert "scale loss: simple explains the loss, whatever scale is asked for" in asked.why
    assert plain.value == pytest.approx(-np.log(plain.prediction.probabilities["yes"]), abs=1e-4)
    with pytest.raises(BadRequest, match="scale 'odds' is none of"):
        run(make(cubic), "a b c", "simple", scale="odds")


def test_of_a_linear_function_the_gradient_is_its_weights_at_every_word() -> None:
    model = make(linear, leading=1)
    at_text = (model.embed(model.encode("so so good").ids) @ WEIGHTS).numpy()[1:]
    size = float(WEIGHTS.norm())
    np.testing.assert_allclose(run(model, "so so good", "grad-l2").scores, [size] * 3, rtol=1e-5)
    np.testing.assert_allclose(run(model, "so so good", "input-x-gradient").scores, at_text, rtol=1e-5)
    np.testing.assert_allclose(run(model, "so so good", "smooth-grad", sigma=3.0).scores, at_text, rtol=1e-5)
    total = float(WEIGHTS.sum())
    np.testing.assert_allclose(run(model, "so so good", "smooth-grad", reduce="sum").scores, [total] * 3, rtol=1e-5)


def test_simple_of_a_text_that_no_gradient_reaches_is_all_zero() -> None:
    got = run(make(lambda embeds: 0.0 * embeds.sum((-1, -2)) + 2.0), "a b", "simple")
    np.testing.assert_array_equal(got.scores, [0.0, 0.0])


@pytest.mark.parametrize("method", ["simple", "grad-x-activation", "grad-cam"])
def test_a_layer_that_the_model_lacks_is_refused_with_the_range(method: str, demo_encoder: Any) -> None:
    with pytest.raises(BadRequest, match=r"params\.layer: 9 is out of range; demo-encoder has 0 to 4"):
        explain(demo_encoder, "a dull film", method=method, layer=9)


def test_activations_need_layers_and_embeddings_do_not() -> None:
    with pytest.raises(NotCapable, match="grad-x-activation needs blocks that can be tapped"):
        run(make(linear), "a b", "grad-x-activation")
    assert run(make(linear), "a", "grad-l2").scores.shape == (1,)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("simple", {"variant": "l2"}),
        ("simple", {"layer": -1}),
        ("grad-l2", {"norm": "l1"}),
        ("input-x-gradient", {"norm": "l1"}),
        ("grad-x-activation", {"layer": "all"}),
        ("smooth-grad", {"samples": 0}),
        ("smooth-grad", {"sigma": 0.0}),
        ("smooth-grad", {"reduce": "max"}),
        ("smooth-grad", {"preset": "thermostat"}),
    ],
)
def test_wrong_parameters_are_refused_by_name(method: str, params: dict[str, Any]) -> None:
    (name,) = params
    with pytest.raises(BadRequest, match=rf"{method}.*{name}|{name}.*{method}"):
        run(
            make(linear, capabilities=frozenset({"class", "probabilities", "gradients", "layers"})),
            "a b",
            method,
            **params,
        )


# -- noise ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), MODELS)
def test_with_hardly_any_noise_smooth_grad_is_the_gradient(name: str, kind: str, subject: Any) -> None:
    case = subject(name, kind)
    index = case.indices()[0]
    grad, embeds = gradient(case, index)
    summed = grad.sum(-1)
    wanted = {"input": (grad * embeds).sum(-1), "sum": summed, "l2": np.linalg.norm(grad, axis=-1)}
    for reduce, per_position in wanted.items():
        got = case.explain("smooth-grad", index, "word", reduce=reduce, sigma=1e-5, samples=2)
        np.testing.assert_allclose(got.scores, grouped(case, per_position, "word"), atol=1e-3, rtol=1e-2)
        assert got.signed == (reduce != "l2")


def test_smooth_grad_agrees_with_captums_noise_tunnel_within_the_errors_of_both(subject: Any) -> None:
    case = subject("llama", "class")
    embeds = case.plain.get_input_embeddings()(case.ids).detach()
    sigma = 0.1 * float(embeds.max() - embeds.min())

    def forward(rows: Tensor) -> Tensor:
        return case.outputs(inputs_embeds=rows)

    torch.manual_seed(0)
    mean = NoiseTunnel(Saliency(forward)).attribute(
        embeds, nt_type="smoothgrad", nt_samples=400, stdevs=sigma, target=0, abs=False
    )
    wanted = grouped(case, mean[0].sum(-1).detach().numpy(), "token")
    got = case.explain("smooth-grad", 0, "token", reduce="sum", sigma=0.1, samples=400, special="move")
    stderr = got.outputs[0].stderr
    assert (np.abs(got.scores - wanted) < 5 * np.sqrt(2) * stderr).all()
    assert np.abs(got.scores).max() > 4 * stderr.max()


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_a_summed_gradient_before_a_layer_norm_is_called_rounding(name: str, subject: Any) -> None:
    case = subject(name, "class")
    grad, _ = gradient(case, 1)
    assert np.abs(grad.sum(-1)).sum() < 1e-5 * np.abs(grad).sum()
    for params in ({"preset": "allennlp"}, {"reduce": "sum"}):
        assert any(
            "rounding, not reasons" in text for text in case.explain("smooth-grad", 1, "token", **params).warnings
        )
        assert not subject("llama", "class").explain("smooth-grad", 1, "token", **params).warnings
    assert not case.explain("smooth-grad", 1, "token").warnings


def test_the_allennlp_preset_gives_shares_of_the_summed_gradient_of_the_loss(subject: Any) -> None:
    case = subject("llama", "class")
    summed = np.abs(gradient(case, 1, loss=True)[0].sum(-1))
    got = case.explain("smooth-grad", 1, "token", preset="allennlp", sigma=1e-6)
    np.testing.assert_allclose(got.scores, grouped(case, summed / summed.sum(), "token"), atol=1e-3)
    assert (got.scale, got.signed, got.cost.backward_rows, got.outputs[0].stderr) == ("loss", False, 10, None)
    assert got.params["reduce"] == "sum"
    assert case.explain("smooth-grad", 1, "token", preset="allennlp", samples=3).cost.backward_rows == 3


def test_many_draws_stream_estimates_that_count_themselves() -> None:
    partials: list[Attribution] = []
    got = run(make(cubic), "a b c", "smooth-grad", partials, samples=150, sigma=0.3)
    assert [part.diagnostics["done_rows"] for part in (*partials, got)] == [64, 128, 150]
    assert got.cost.to_dict() == {
        "forward_rows": 151,
        "backward_rows": 150,
        "promised_forward_rows": 151,
        "promised_backward_rows": 150,
    }
    assert (partials[0].outputs[0].stderr > got.outputs[0].stderr * 0.9).all()  # type: ignore[operator]
    assert run(make(cubic), "a b c", "smooth-grad", samples=1).outputs[0].stderr is None


def test_the_mean_over_noise_of_a_cube_is_what_it_is_by_hand() -> None:
    model = make(cubic)
    embeds = model.embed(model.encode("three small words").ids).numpy()
    weights = WEIGHTS.numpy()
    spread = 0.2 * (embeds.max() - embeds.min()) * np.linalg.norm(weights)
    at_text = embeds @ weights
    # E[3 (s + e)^2] <w, E> with e of this spread along w.
    wanted = 3 * (at_text**2 + spread**2) * at_text
    got = run(model, "three small words", "smooth-grad", samples=4000, sigma=0.2)
    assert (np.abs(got.scores - wanted) < 5 * got.outputs[0].stderr).all()  # type: ignore[operator]
    assert (np.abs(3 * at_text**3 - wanted) > 10 * got.outputs[0].stderr).any()  # type: ignore[operator]


# -- cutting and seeds ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method", "params"),
    [
        *((name, method, {}) for name in ("bert", "gpt2") for method in ONE_EACH),
        *((name, "smooth-grad", {"sigma": 0.1}) for name in ("bert", "gpt2")),
        ("llama", "smooth-grad", {"preset": "allennlp"}),
    ],
)
def test_micro_batches_make_no_difference_and_only_noise_has_seeds(
    name: str, method: str, params: dict[str, Any], tiny_model: Any
) -> None:
    assert same_with_another_seed(tiny_model(name), method, params) == (method != "smooth-grad")
