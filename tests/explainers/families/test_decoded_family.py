"""The decoder on other layer scores: all layers in one pass, Simple, integrated gradients and SmoothGrad."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

from saliscope.explainers import Question, drive, explain
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.explaining import explaining
from saliscope.explainers.families.decoding import decode
from saliscope.explainers.models.finding import find_source
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.targets.scalar import Scalar
from tests.explainers.families.test_decoded import loop

TEXT = "the plot is a mess but the cast is wonderful"
FAMILY = ["decoded-grad-cam", "decoded-simple", "decoded-integrated-gradients", "decoded-smooth-grad"]


class Plain:
    """The bundled encoder's two halves from its folder, layer by layer."""

    def __init__(self, encoding: Any) -> None:
        folder = find_source("demo-encoder").folder
        self.classifier: Any = AutoModelForSequenceClassification.from_pretrained(folder).eval().requires_grad_(False)
        self.reader: Any = AutoModelForMaskedLM.from_pretrained(folder).eval().requires_grad_(False)
        self.encoding = encoding
        self.ids = torch.from_numpy(encoding.ids)[None]

    def states(self, ids: Any, layer: int) -> Any:
        return self.classifier(input_ids=ids, output_hidden_states=True).hidden_states[layer]

    def onwards(self, hidden: Any, layer: int) -> Any:
        """Class logits from the states of a layer."""
        for block in self.classifier.bert.encoder.layer[layer:]:
            out = block(hidden)
            hidden = out if isinstance(out, torch.Tensor) else out[0]
        return self.classifier.classifier(self.classifier.bert.pooler(hidden))

    def gradient(self, hidden: Any, layer: int, index: int, loss: bool = False) -> Any:
        leaf = hidden.detach().requires_grad_(True)
        with torch.enable_grad():
            logits = self.onwards(leaf, layer)[:, index].sum()
            if loss:
                logits = -self.onwards(leaf, layer).log_softmax(-1)[:, index].sum()
        return torch.autograd.grad(logits, leaf)[0]

    def read(self, layer: int, products: Any, relu: str = "inner", tau: int | None = None) -> Any:
        """The scores of the ordinary positions, by the loops of the paper."""
        hidden = self.states(self.ids, layer)
        probability = self.reader.cls(hidden)[0].softmax(-1)
        ordinary = self.encoding.ids[~self.encoding.special]
        unique = list(dict.fromkeys(ordinary.tolist()))
        by_type = loop(probability[:, unique].T.numpy(), np.asarray(products), relu, tau)
        return np.asarray([by_type[unique.index(i)] for i in ordinary.tolist()])


@pytest.fixture(scope="module")
def plain(demo_encoder: Any) -> Plain:
    return Plain(demo_encoder.encode(TEXT))


# -- one gradient ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params"),
    [("decoded-grad-cam", {}), ("decoded-grad-cam", {"relu": "none", "tau": 2}), ("decoded-simple", {})],
)
@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder"])
def test_all_layers_come_from_one_pass_and_equal_single_calls(
    name: str, method: str, params: dict[str, Any], request: Any
) -> None:
    model = request.getfixturevalue(name.replace("-", "_"))
    got = explain(model, TEXT, method=method, layers="all", layer=3, granularity="word", **params)
    assert [output.layer for output in got.outputs] == [3, 0, 1, 2, 4]
    assert {output.target for output in got.outputs} == {got.target}
    assert (got.cost.forward_rows, got.cost.backward_rows) == (1, 1)
    assert len(got.diagnostics["decode_rates"]) == 5
    for output in got.outputs:
        alone = explain(model, TEXT, method=method, layer=output.layer, granularity="word", **params)
        np.testing.assert_allclose(output.scores, alone.scores, atol=1e-6, rtol=1e-5)
        assert got.diagnostics["decode_rates"][output.layer] == pytest.approx(alone.diagnostics["decode_rate"])
    assert len(got.to_dict()["outputs"]) == 5
    assert len(explain(model, TEXT, method=method, layer=3, **params).outputs) == 1


def test_read_by_nobody_layer_0_is_grad_cam_there(demo_encoder: Any) -> None:
    encoding = demo_encoder.encode(TEXT)
    query = Differentiate(encoding, Scalar("class", 1, "logit"), (0,))
    products = demo_encoder.answer(query).inner[0]
    plain = explain(demo_encoder, TEXT, method="grad-cam", target=1, layer=0)
    np.testing.assert_allclose(
        decode(np.eye(len(encoding), dtype=np.float32), products)[~encoding.special], plain.scores, atol=1e-6
    )
    assert (plain.scores > 0).any()


@pytest.mark.parametrize("relu", ["inner", "none"])
def test_products_can_be_aggregated_by_their_length(relu: str, demo_encoder: Any, plain: Plain) -> None:
    hidden = plain.states(plain.ids, 2)
    lengths = (plain.gradient(hidden, 2, 1) * hidden).norm(dim=-1)[0]
    got = explain(demo_encoder, TEXT, method="decoded-grad-cam", target=1, layer=2, aggregate="l2", relu=relu)
    np.testing.assert_allclose(got.scores, plain.read(2, lengths), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("tau", [None, 1, 3])
@pytest.mark.parametrize("variant", ["allennlp", "l1"])
@pytest.mark.parametrize("layer", [0, 2])
def test_decoded_simple_reads_back_the_shares_of_the_loss_gradient(
    layer: int, variant: str, tau: int | None, demo_encoder: Any, plain: Plain
) -> None:
    hidden = plain.states(plain.ids, layer)
    grad = plain.gradient(hidden, layer, 1, loss=True)
    sizes = (grad * hidden).sum(-1).abs()[0] if variant == "allennlp" else grad.abs().sum(-1)[0]
    wanted = plain.read(layer, sizes / sizes.sum(), tau=tau)
    got = explain(demo_encoder, TEXT, method="decoded-simple", target=1, layer=layer, variant=variant, tau=tau)
    np.testing.assert_allclose(got.scores, wanted, atol=1e-6, rtol=1e-4)
    assert got.scale == "loss"
    assert not got.signed


# -- means of gradients ---------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["mask", "pad", "zero", "mean"])
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_decoded_integrated_gradients_integrate_between_states_of_two_texts(
    layer: int, reference: str, demo_encoder: Any, plain: Plain
) -> None:
    words, ordinary = plain.classifier.get_input_embeddings(), torch.from_numpy(~plain.encoding.special)
    embeds = words(plain.ids)
    if reference == "mean":
        embeds[0, ordinary] = words.weight.mean(0)
    else:
        ids = {"mask": demo_encoder.facts.mask_id, "pad": plain.classifier.config.pad_token_id, "zero": 0}
        embeds[0, ordinary] = words(torch.tensor(ids[reference]))
    with torch.no_grad():
        other = plain.classifier(inputs_embeds=embeds, output_hidden_states=True).hidden_states[layer]
        other = torch.zeros_like(other) if reference == "zero" else other
    own, total = plain.states(plain.ids, layer), 0.0
    for alpha in (np.arange(8) + 0.5) / 8:
        total = total + plain.gradient(other + alpha * (own - other), layer, 1) / 8
    products = (total * (own - other)).sum(-1)[0]
    params = {"steps": 8, "max_steps": 1, "reference": reference, "relu": "none"}
    got = explain(demo_encoder, TEXT, method="decoded-integrated-gradients", target=1, layer=layer, **params)
    np.testing.assert_allclose(got.scores, plain.read(layer, products, "none"), atol=1e-5, rtol=1e-4)
    base = plain.onwards(other, layer)[0, 1].item()
    assert got.base_value == pytest.approx(base, abs=1e-4)
    missing = abs(got.value - base - products.sum().item()) / abs(got.value - base)
    assert got.diagnostics["missing"] == pytest.approx(missing, abs=1e-3)


def test_a_layers_whole_path_ends_at_the_masked_text(demo_encoder: Any) -> None:
    for layer in (0, 2, 4):
        got = explain(demo_encoder, TEXT, method="decoded-integrated-gradients", layer=layer)
        masked = explain(demo_encoder, TEXT, method="integrated-gradients", target=got.target.index)
        assert got.base_value == pytest.approx(masked.base_value, abs=1e-4)
        assert got.diagnostics["missing"] <= 0.05


@pytest.mark.parametrize("relu", ["inner", "outer", "none"])
def test_with_hardly_any_noise_decoded_smooth_grad_is_decoded_grad_cam(relu: str, demo_encoder: Any) -> None:
    smooth = explain(demo_encoder, TEXT, method="decoded-smooth-grad", layer=2, sigma=1e-6, samples=3, relu=relu)
    plain = explain(demo_encoder, TEXT, method="decoded-grad-cam", layer=2, relu=relu)
    np.testing.assert_allclose(smooth.scores, plain.scores, atol=1e-4)
    assert smooth.signed == (relu == "none")
    assert np.abs(plain.scores).max() > 0.01


def test_noise_at_a_layer_is_averaged_over_its_own_states(demo_encoder: Any, plain: Plain) -> None:
    hidden = plain.states(plain.ids, 2)
    spread = 0.05 * (hidden.max() - hidden.min())
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((200, *hidden.shape[1:]), generator=generator) * spread
    products = ((plain.gradient(hidden + noise, 2, 1)) * hidden).sum(-1)
    got = explain(
        demo_encoder, TEXT, method="decoded-smooth-grad", target=1, layer=2, sigma=0.05, samples=200, relu="none"
    )
    single = np.stack([plain.read(2, row, "none") for row in products[:60]])
    error = single.std(0, ddof=1) / np.sqrt(200)
    assert (np.abs(got.scores - plain.read(2, products.mean(0), "none")) < 6 * np.sqrt(2) * error + 1e-6).all()


# -- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", FAMILY)
def test_the_family_shares_one_decoder(method: str, demo_encoder: Any) -> None:
    whole = explain(demo_encoder, TEXT, method=method)
    assert whole.params["layer"] == whole.outputs[0].layer == (3 if method == "decoded-grad-cam" else 2)
    assert whole.diagnostics["head"] == "own"
    words = [feature.text for feature in whole.features]
    the = [i for i, word in enumerate(words) if word == "the"]
    assert len(the) == 2
    assert whole.scores[the[0]] == whole.scores[the[1]]
    parts = explain(demo_encoder, TEXT, method=method, split="occurrence")
    assert parts.scores[the].sum() == pytest.approx(whole.scores[the[0]], abs=1e-6)
    assert whole.cost.forward_rows <= whole.cost.promised_forward_rows
    assert whole.cost.backward_rows <= whole.cost.promised_backward_rows
    one = explain(demo_encoder, "dull", method=method)
    assert one.scores.shape == (1,)
    assert np.isfinite(one.scores).all()


@pytest.mark.parametrize("method", FAMILY)
@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder"])
def test_micro_batches_make_no_difference(name: str, method: str, request: Any) -> None:
    model = request.getfixturevalue(name.replace("-", "_"))
    params = {"decoded-integrated-gradients": {"steps": 6, "max_steps": 1}, "decoded-smooth-grad": {"sigma": 0.1}}
    question = Question(TEXT, method, 1, granularity="word", params=params.get(method, {}))
    alone, together = (
        drive(explaining(model, question), lambda query, b=budget: model.answer(query, b)) for budget in (1, 4096)
    )
    np.testing.assert_allclose(alone.scores, together.scores, atol=1e-5)
    assert any("experimental on decoders" in text for text in together.warnings) == (name == "demo-decoder")


@pytest.mark.parametrize("method", FAMILY)
def test_bad_requests_are_refused_alike(method: str, demo_encoder: Any, demo_decoder: Any) -> None:
    with pytest.raises(BadRequest, match=r"params\.layer: 5 is out of range; demo-encoder has 0 to 4"):
        explain(demo_encoder, TEXT, method=method, layer=5)
    with pytest.raises(BadRequest, match=rf"{method}.*tau|tau.*{method}"):
        explain(demo_encoder, TEXT, method=method, tau=0)
    with pytest.raises(BadRequest, match="lm_head_from has no part in it"):
        explain(demo_encoder, TEXT, method=method, lens="input", lm_head_from="demo-encoder")
    with pytest.raises(NotCapable, match="cannot explain a next-token target"):
        explain(demo_decoder, TEXT, method=method, target="next-token")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("decoded-simple", {"relu": "none"}),
        ("decoded-simple", {"variant": "l2"}),
        ("decoded-grad-cam", {"aggregate": "max"}),
        ("decoded-grad-cam", {"layers": "some"}),
        ("decoded-integrated-gradients", {"layers": "all"}),
        ("decoded-integrated-gradients", {"nodes": "right"}),
        ("decoded-smooth-grad", {"samples": 0}),
    ],
)
def test_each_has_its_own_parameters_and_no_others(method: str, params: dict[str, Any], demo_encoder: Any) -> None:
    (name,) = params
    with pytest.raises(BadRequest, match=rf"{method}.*{name}|{name}.*{method}"):
        explain(demo_encoder, TEXT, method=method, **params)
