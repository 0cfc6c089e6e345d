"""Integrated gradients and GradientSHAP: exact on known functions, Captum's on real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import GradientShap, LayerIntegratedGradients

from saliscope.explainers import Attribution, Question, drive, explain
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.explaining import explaining
from saliscope.explainers.families.path import quadrature
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.variants import Moved
from tests.explainers.core import same_with_another_seed
from tests.explainers.fields import MASKED, WEIGHTS, FieldModel, cubic, linear, make, steep
from tests.explainers.test_oracles import Subject, subject

__all__ = ["subject"]
IG, SHAP = "integrated-gradients", "gradient-shap"


def run(model: Any, text: str, method: str = IG, partials: list[Any] | None = None, **options: Any) -> Attribution:
    own = {name: options.pop(name) for name in ("granularity", "seed", "scale") if name in options}
    question = Question(text, method, "yes", params=options, **own)
    return drive(explaining(model, question), model.answer, None if partials is None else partials.append)


def along(model: FieldModel, text: str) -> Any:
    """<w, E_i> of each position, and <w, b>."""
    return (model.embed(model.encode(text).ids) @ WEIGHTS).numpy(), float(MASKED @ WEIGHTS)


# -- exact ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 7, 64])
def test_weights_sum_to_one_and_nodes_integrate_what_they_should(steps: int) -> None:
    for nodes, degree in (("midpoint", 1), ("gauss-legendre", 2 * steps - 1), ("left", 0)):
        points, weights = quadrature(nodes, steps)  # type: ignore[arg-type]
        assert len(points) == steps
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert weights @ points**degree == pytest.approx(1 / (degree + 1), abs=1e-9)
    assert quadrature("left", steps)[0][0] == 0.0


@pytest.mark.parametrize("method", [IG, SHAP])
@pytest.mark.parametrize("reference", ["mask", "zero"])
@pytest.mark.parametrize("text", ["one", "two words", "so so good and so on"])
def test_of_a_linear_function_every_point_gives_the_exact_answer(method: str, reference: str, text: str) -> None:
    model = make(linear)
    at_text, at_mask = along(model, text)
    got = run(model, text, method, reference=reference)
    np.testing.assert_allclose(got.scores, at_text - (at_mask if reference == "mask" else 0.0), atol=1e-5)
    assert got.gap == pytest.approx(0.0, abs=1e-4)
    assert got.diagnostics["missing"] < 1e-4
    assert got.cost.forward_rows == model.rows == 32 + 2
    assert got.cost.backward_rows == 32


@pytest.mark.parametrize(("nodes", "steps"), [("gauss-legendre", 2), ("midpoint", 256), ("left", 1024)])
def test_of_a_sum_of_cubes_each_word_gets_its_own_difference(nodes: str, steps: int) -> None:
    model = make(cubic)
    at_text, at_mask = along(model, "four little words here")
    got = run(model, "four little words here", nodes=nodes, steps=steps)
    tolerance = {"gauss-legendre": 1e-5, "midpoint": 1e-3, "left": 0.1}[nodes]
    np.testing.assert_allclose(got.scores, at_text**3 - at_mask**3, atol=tolerance, rtol=tolerance)
    assert got.base_value == pytest.approx(4 * at_mask**3, abs=1e-5)
    assert got.value == pytest.approx((at_text**3).sum(), rel=1e-6)


def test_steps_double_until_the_scores_add_up_and_every_try_is_reported() -> None:
    partials: list[Attribution] = []
    model = make(steep)
    got = run(model, "one two three", steps=1, partials=partials)
    tried = [part.diagnostics["steps"] for part in (*partials, got)]
    missing = [part.diagnostics["missing"] for part in (*partials, got)]
    assert tried == [2**k for k in range(len(tried))]
    assert len(tried) > 3
    assert all(share > 0.05 for share in missing[:-1])
    assert missing[-1] <= 0.05
    assert [part.estimate for part in partials] == ["partial"] * len(partials)
    assert got.warnings == ()
    assert got.cost.backward_rows == sum(tried) < got.cost.promised_backward_rows == 511
    assert got.cost.forward_rows == sum(tried) + 2 == model.rows < got.cost.promised_forward_rows == 513


def test_what_is_still_missing_at_the_last_try_is_warned_about() -> None:
    got = run(make(steep), "one two three", steps=4, max_steps=4)
    assert got.diagnostics["steps"] == 4
    assert got.diagnostics["missing"] > 0.05
    assert any("after 4 steps the scores miss" in text for text in got.warnings)
    assert abs(got.gap or 0.0) > 0.05 * abs(got.value - (got.base_value or 0.0))
    assert run(make(steep), "one two three", steps=4, max_steps=4, tolerance=1.0).warnings == ()


@pytest.mark.parametrize("nodes", ["midpoint", "gauss-legendre"])
def test_an_estimate_within_a_try_has_points_from_all_along_the_path(nodes: str) -> None:
    partials: list[Attribution] = []
    model = make(cubic)
    got = run(model, "four little words here", nodes=nodes, steps=200, partials=partials)
    assert len(partials) == 3
    for part in partials:
        np.testing.assert_allclose(part.scores, got.scores, rtol=0.05, atol=0.05)
    sizes = [query.num_rows for query in model.queries if isinstance(query, Differentiate)]
    assert sum(sizes) == 200
    assert max(sizes) <= 64


def test_a_function_that_does_not_change_has_nothing_to_distribute() -> None:
    got = run(make(lambda embeds: 0.0 * embeds.sum((-1, -2)) + 2.0), "a b", steps=2)
    np.testing.assert_array_equal(got.scores, [0.0, 0.0])
    assert got.diagnostics == {"steps": 2, "missing": 0.0}


def test_fixed_tokens_stay_unless_they_are_told_to_move() -> None:
    for special in ("keep", "move"):
        model = make(linear, leading=1, trailing=2)
        got = run(model, "some words", reference="zero", special=special)
        at_text, _ = along(model, "some words")
        np.testing.assert_allclose(got.scores, at_text[1:3], atol=1e-5)
        kept = at_text[[0, 3, 4]].sum() if special == "keep" else 0.0
        assert got.base_value == pytest.approx(kept, abs=1e-5)
        assert got.diagnostics["missing"] < 1e-4
        rows = [query.rows for query in model.queries if isinstance(query, Differentiate)]
        assert all(isinstance(row, Moved) and len(row.groups) == (2 if special == "keep" else 5) for row in rows)


def test_a_word_of_several_positions_gets_their_sum() -> None:
    model = make(cubic)
    tokens, words = (run(model, "a~b c+d e", granularity=kind) for kind in ("token", "word"))
    assert [feature.text for feature in words.features] == ["a~b", "c+d", "e"]
    np.testing.assert_allclose(words.scores, [tokens.scores[:2].sum(), *tokens.scores[2:]], atol=1e-4)


def test_gradient_shap_is_integrated_gradients_in_expectation_and_says_how_sure_it_is() -> None:
    model = make(cubic)
    at_text, at_mask = along(model, "four little words here")
    got = run(model, "four little words here", SHAP, samples=4000, seed=1)
    stderr = got.outputs[0].stderr
    assert stderr is not None
    assert (np.abs(got.scores - (at_text**3 - at_mask**3)) < 5 * stderr + 1e-4).all()
    assert (run(model, "four little words here", SHAP, samples=40).outputs[0].stderr > 4 * stderr).any()  # type: ignore[operator]
    assert run(model, "four little words here", SHAP, samples=1).outputs[0].stderr is None


def test_gradient_shap_streams_estimates_that_count_their_draws() -> None:
    partials: list[Attribution] = []
    got = run(make(cubic), "four little words here", SHAP, samples=150, partials=partials)
    assert [part.diagnostics["done_rows"] for part in (*partials, got)] == [64, 128, 150]
    assert got.cost.to_dict() == {
        "forward_rows": 152,
        "backward_rows": 150,
        "promised_forward_rows": 152,
        "promised_backward_rows": 150,
    }


# -- settings -------------------------------------------------------------------------------------


def test_presets_are_those_packages_settings_and_what_is_given_beside_them_wins() -> None:
    allennlp = run(make(cubic), "a b c", preset="allennlp")
    assert allennlp.cost.backward_rows == 10
    assert (allennlp.signed, allennlp.additive, allennlp.scale) == (False, False, "loss")
    assert allennlp.scores.sum() == pytest.approx(1.0, abs=1e-5)
    assert allennlp.params["nodes"] == "left"
    mine = run(make(cubic), "a b c", preset="allennlp", steps=3, normalise="none")
    assert mine.cost.backward_rows == 3
    assert (mine.signed, mine.additive, mine.params["reference"]) == (True, True, "zero")


def test_a_reference_or_a_place_that_the_model_lacks_is_refused() -> None:
    bare = make(linear, capabilities=frozenset({"class", "probabilities", "gradients"}))
    for method in (IG, SHAP):
        with pytest.raises(NotCapable, match="no token that stands for nothing; reference=mean or zero fits"):
            run(bare, "a b", method)
        with pytest.raises(NotCapable, match="at=embedding-block needs blocks that can be tapped"):
            run(make(linear), "a b", method, at="embedding-block")
    assert run(bare, "a b", reference="zero").scores.shape == (2,)


def test_without_a_pad_token_the_pad_reference_is_refused(tiny_model: Any, monkeypatch: Any) -> None:
    model = tiny_model("gpt2")
    monkeypatch.setattr(model.network.model.config, "pad_token_id", None)
    with pytest.raises(NotCapable, match="no pad token; use reference=mask, mean or zero"):
        explain(model, "a dull film", method=IG, reference="pad")


@pytest.mark.parametrize("method", [IG, SHAP])
@pytest.mark.parametrize(
    "params", [{"steps": 0}, {"nodes": "right"}, {"reference": "noise"}, {"tolerance": 2}, {"preset": "captum"},
               {"samples": 0}, {"sigma": -1}, {"at": "top"}, {"step": 3}]
)  # fmt: skip
def test_wrong_parameters_are_refused_by_name(method: str, params: dict[str, Any]) -> None:
    (name,) = params
    with pytest.raises(BadRequest, match=rf"{method}.*{name}|{name}.*{method}"):
        run(make(linear), "a b", method, **params)


# -- Captum ---------------------------------------------------------------------------------------

MODELS = [("demo-encoder", "class"), ("demo-decoder", "class"), ("bert", "class"), ("llama", "class"),
          ("gpt2", "next-token")]  # fmt: skip


def baseline(case: Subject, other_id: int) -> torch.Tensor:
    """The ids of the text with every ordinary token replaced."""
    ids = case.ids.clone()
    ids[0, torch.from_numpy(~case.encoding.special)] = other_id
    return ids


@pytest.mark.parametrize(("nodes", "rule"), [("gauss-legendre", "gausslegendre"), ("left", "riemann_left"),
                                             ("midpoint", "riemann_middle")])  # fmt: skip
@pytest.mark.parametrize(("name", "kind"), MODELS)
def test_integrated_gradients_are_captums_at_the_embedding_module(
    name: str, kind: str, nodes: str, rule: str, subject: Any
) -> None:
    case = subject(name, kind)
    module = case.plain.get_input_embeddings()
    module.weight.requires_grad_(True)
    oracle = LayerIntegratedGradients(lambda ids: case.outputs(input_ids=ids), module)
    index = case.indices()[-1]
    with torch.enable_grad():
        found = oracle.attribute(
            case.ids, baseline(case, case.ours.facts.mask_id), target=index, n_steps=12, method=rule
        )
    per_position = found[0].sum(-1).detach().numpy()
    for granularity in ("token", "word"):
        wanted = [per_position[group].sum() for group in case.groups(granularity)]
        got = case.explain(IG, index, granularity, steps=12, nodes=nodes, max_steps=1)
        np.testing.assert_allclose(got.scores, wanted, atol=2e-5, rtol=1e-4)


def test_the_thermostat_preset_is_captum_at_the_embedding_block_with_pads(subject: Any) -> None:
    case = subject("bert", "class")
    case.plain.get_input_embeddings().weight.requires_grad_(True)
    oracle = LayerIntegratedGradients(lambda ids: case.outputs(input_ids=ids), case.plain.bert.embeddings)
    pads = baseline(case, case.plain.config.pad_token_id)
    found = oracle.attribute(case.ids, pads, target=0, n_steps=25)
    wanted = found[0].sum(-1).detach().numpy()[~case.encoding.special]
    got = case.explain(IG, 0, "token", preset="thermostat")
    np.testing.assert_allclose(got.scores, wanted, atol=2e-5, rtol=1e-4)
    assert got.outputs[0].layer == 0
    assert got.cost.backward_rows == 25


def test_the_allennlp_preset_is_their_loop_with_hooks_on_the_word_embeddings(subject: Any) -> None:
    case = subject("bert", "class")
    words, total = case.plain.get_input_embeddings(), 0.0
    own = words(case.ids).detach()
    for alpha in np.linspace(0, 1.0, num=10, endpoint=False):
        scaled = (own * alpha).requires_grad_(True)
        loss = -case.plain(inputs_embeds=scaled).logits.log_softmax(-1)[0, 1]
        total = total + torch.autograd.grad(loss, scaled)[0] / 10
    summed = (total * own)[0].sum(-1).numpy()
    wanted = np.abs(summed) / np.abs(summed).sum()
    got = case.explain(IG, 1, "token", preset="allennlp")
    np.testing.assert_allclose(got.scores, wanted[~case.encoding.special], atol=1e-5)
    assert got.value == pytest.approx(-case.plain(input_ids=case.ids).logits.log_softmax(-1)[0, 1].item(), abs=1e-5)


def test_gradient_shap_agrees_with_captums_within_the_errors_of_both(subject: Any) -> None:
    case = subject("bert", "class")
    oracle, words = GradientShap(lambda embeds: case.outputs(inputs_embeds=embeds)), case.plain.get_input_embeddings()
    pads = words(baseline(case, case.plain.config.pad_token_id)).detach()
    torch.manual_seed(0)
    np.random.seed(0)  # Captum draws its points from here.
    found = oracle.attribute(words(case.ids).detach(), pads, target=0, n_samples=600)
    wanted = found[0].sum(-1).detach().numpy()[~case.encoding.special]
    got = case.explain(SHAP, 0, "token", reference="pad", samples=600)
    assert (np.abs(got.scores - wanted) < 5 * np.sqrt(2) * got.outputs[0].stderr + 1e-6).all()
    assert np.abs(got.scores).max() > 20 * got.outputs[0].stderr.max()


# -- cutting and seeds ----------------------------------------------------------------------------

VARIANTS = [
    (IG, {"steps": 9, "max_steps": 1}),
    (IG, {"preset": "thermostat"}),
    (SHAP, {"samples": 9, "sigma": 0.1}),
    (SHAP, {"preset": "thermostat", "sigma": 0.1}),
]


@pytest.mark.parametrize(("method", "params"), VARIANTS)
@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_micro_batches_make_no_difference_and_seeds_do(
    name: str, method: str, params: dict[str, Any], tiny_model: Any
) -> None:
    assert same_with_another_seed(tiny_model(name), method, params) == (method == IG)


@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder"])
@pytest.mark.parametrize("reference", ["mask", "mean", "zero", "pad"])
def test_the_scores_of_a_real_model_add_up_to_the_change_of_its_output(name: str, reference: str, request: Any) -> None:
    model = request.getfixturevalue(name.replace("-", "_"))
    got = explain(model, "a dull, lifeless film but fine music", method=IG, reference=reference, granularity="word")
    change = got.value - got.base_value
    assert abs(change - got.scores.sum()) <= 0.05 * abs(change) + 1e-5
    assert got.diagnostics["missing"] <= 0.05
    assert got.cost.backward_rows <= got.cost.promised_backward_rows
