"""The rescale rule against Captum, where it must add up exactly, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, DeepLiftShap
from torch import Tensor, nn
from torch.nn import functional

from saliscope.explainers import ExplainerError, explain, load
from saliscope.explainers.families.deep_lift_shap import shuffled
from saliscope.explainers.models.packing import batch_key, cut
from saliscope.explainers.models.relevance import find_activations, obeying
from saliscope.explainers.models.rescaling import Rescaling
from saliscope.explainers.queries import Differentiate, Piece, rows_together
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT, Moved
from tests.explainers import bag
from tests.explainers.tiny import ARCHITECTURES, TEXTS

RULED_BY_CAPTUM = ["relu", "tanh", "sigmoid"]


def net(*activations: nn.Module) -> nn.Sequential:
    """Linear maps with these activations between them."""
    torch.manual_seed(5)
    layers: list[nn.Module] = []
    for activation in activations:
        layers += [nn.Linear(6, 6), activation]
    model = nn.Sequential(*layers, nn.Linear(6, 3))
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.7)
    return model


def rescaled(model: Any, texts: Tensor, references: Tensor) -> Tensor:
    """Multipliers times differences, `[B, K]`, for output 1."""
    rows = torch.stack([texts, references], 1).flatten(0, 1).requires_grad_(True)
    with obeying("deep-lift", (), len(rows)):
        gradient = torch.autograd.grad(model(rows)[:, 1].sum(), rows)[0]
    return gradient[::2] * (texts - references)


def pairs(model: Any, text: str, reference: Any = "mask", layers: tuple[int, ...] = (INPUT,)) -> Differentiate:
    encoding = model.encode(text)
    groups = tuple(token.positions for token in encoding.tokens if not token.special)
    z = np.zeros((6, len(groups)), dtype=np.float32)
    z[1::2] = -np.array([[1.0], [0.5], [0.25]])
    rows = Moved(z, groups, reference)
    return Differentiate(
        encoding, Scalar("class", 1, "logit"), layers, reductions=("displacement",), rows=rows, rule="deep-lift"
    )


# -- the numbers ----------------------------------------------------------------------------------


def test_it_is_captums_where_captums_rules_fire() -> None:
    model = net(nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.ELU(), nn.LeakyReLU(), nn.Softplus())
    texts, references = torch.randn(16, 6), torch.randn(16, 6)
    wanted = DeepLift(model).attribute(texts, references, target=1)
    np.testing.assert_allclose(rescaled(model, texts, references), wanted.detach(), atol=1e-5)
    plainly = rescaled(lambda rows: model(rows), texts, texts + 1e-3 * (references - texts)) * 1e3
    assert (plainly - wanted).abs().max() > 1e-2


@pytest.mark.parametrize(
    "activation", [nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.SELU(), nn.ReLU6()]
)
def test_it_adds_up_exactly_also_where_captum_has_no_rule(activation: nn.Module) -> None:
    model = net(activation, activation, activation).double()
    texts, references = 3 * torch.randn(16, 6).double(), torch.randn(16, 6).double()
    change = (model(texts) - model(references))[:, 1].detach()
    np.testing.assert_allclose(rescaled(model, texts, references).sum(1), change, atol=1e-12)


def test_functions_called_without_a_module_have_the_rule_too() -> None:
    model = net(nn.ReLU(), nn.SiLU()).double()

    def written_out(rows: Tensor) -> Tensor:
        return model[4](functional.silu(model[2](torch.relu(model[0](rows)))))  # type: ignore[no-any-return]

    texts, references = torch.randn(4, 6).double(), torch.randn(4, 6).double()
    assert torch.equal(rescaled(written_out, texts, references), rescaled(model, texts, references))


def test_where_text_and_reference_meet_the_slope_is_the_gradient() -> None:
    same = torch.linspace(-2, 2, 9)[None]
    rows = torch.cat([same, same]).requires_grad_(True)
    with Rescaling(2):
        slope = torch.autograd.grad(torch.tanh(rows).sum(), rows)[0]
    np.testing.assert_allclose(slope, 1 - torch.tanh(rows.detach()) ** 2, atol=1e-6)


@pytest.mark.parametrize("activation", bag.ACTIVATIONS)
@pytest.mark.parametrize("reference", ["mask", "mean", "zero", "pad"])
def test_scores_of_a_text_model_without_attention_add_up(activation: str, reference: str, tmp_path: Any) -> None:
    model = load(str(bag.save(tmp_path / "bag", activation)), "cpu")
    got = explain(model, TEXTS[1], method="deep-lift", reference=reference, target=2)
    assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-5)
    assert got.diagnostics["missing"] < 1e-2
    assert not got.warnings
    if reference == "mask":
        masked = " ".join(["[MASK]"] * len(got.features))
        assert got.base_value == pytest.approx(explain(model, masked, method="random", target=2).value, abs=1e-4)


@pytest.mark.parametrize("activation", RULED_BY_CAPTUM)
def test_both_methods_are_captums_on_a_text_model(activation: str, tmp_path: Any) -> None:
    model = load(str(bag.save(tmp_path / "bag", activation)), "cpu")
    encoding, network = model.encode(TEXTS[1]), model.network
    embeds = network.embed(torch.from_numpy(encoding.ids))[None]
    references = {"mask": network.embed(torch.tensor(model.facts.mask_id)), "zero": torch.zeros(16)}
    made = torch.cat([embeds, embeds])
    for row, reference in zip(made, references.values(), strict=True):
        row[~torch.from_numpy(encoding.special)] = reference

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network.model

        def forward(self, rows: Tensor) -> Tensor:
            return self.inner(inputs_embeds=rows).logits  # type: ignore[no-any-return]

    one = DeepLift(Plain()).attribute(embeds, made[:1], target=2).sum(-1)[0].detach().numpy()
    mean = DeepLiftShap(Plain()).attribute(embeds, made, target=2).sum(-1)[0].detach().numpy()
    ours = explain(model, TEXTS[1], method="deep-lift", target=2)
    np.testing.assert_allclose(ours.scores, [one[list(f.positions)].sum() for f in ours.features], atol=1e-5)
    ours = explain(model, TEXTS[1], method="deep-lift-shap", references=["mask", "zero"], target=2)
    np.testing.assert_allclose(ours.scores, [mean[list(f.positions)].sum() for f in ours.features], atol=1e-5)


def test_the_mean_over_references_is_the_mean_of_single_runs(demo_encoder: Any) -> None:
    seen = []
    got = explain(demo_encoder, TEXTS[1], method="deep-lift-shap", on_partial=seen.append)
    single = [explain(demo_encoder, TEXTS[1], method="deep-lift", reference=kind) for kind in ("mask", "mean", "zero")]
    np.testing.assert_allclose(got.scores, np.mean([one.scores for one in single], axis=0), atol=1e-6)
    np.testing.assert_allclose(seen[0].scores, single[0].scores, atol=1e-6)
    assert got.base_value == pytest.approx(np.mean([one.base_value for one in single]))
    assert [one.diagnostics["done_references"] for one in (*seen, got)] == [1, 2, 3]


def test_shuffled_references_hold_the_same_words() -> None:
    ids = np.array([2, 10, 11, 12, 13, 3])
    rows = shuffled(ids, ((1,), (2, 3), (4,)), 20, seed=0)
    assert (rows[::2] == ids).all()
    assert (np.sort(rows, axis=1) == np.sort(ids)).all()
    assert (rows[:, [0, 5]] == ids[[0, 5]]).all()
    assert len(np.unique(rows[1::2], axis=0)) > 5


def test_shuffles_are_drawn_from_the_seed(demo_encoder: Any) -> None:
    scores = [
        explain(demo_encoder, TEXTS[1], method="deep-lift-shap", references=[], shuffles=3, seed=seed).scores
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2], atol=1e-4)


# -- what it says of itself -----------------------------------------------------------------------


def test_a_transformer_is_told_apart_as_partial(demo_encoder: Any) -> None:
    got = explain(demo_encoder, "a dull, lifeless and boring film", method="deep-lift")
    change = got.value - got.base_value
    assert got.diagnostics["missing"] == pytest.approx(abs(change - got.scores.sum()) / abs(change), abs=1e-4)
    assert got.diagnostics["missing"] > 0.05
    assert "does not reach softmax" in got.warnings[0]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"references": ["zero"]}, "at least 2"),
        ({"references": []}, "at least 2"),
        ({"references": ["zero", "zero"]}, "given once"),
        ({"references": ["noise", "zero"]}, "noise"),
    ],
)
def test_fewer_than_two_references_are_refused(params: dict[str, Any], says: str, demo_encoder: Any) -> None:
    with pytest.raises(ExplainerError, match=says):
        explain(demo_encoder, "a dull film", method="deep-lift-shap", **params)


# -- pairs stay together, and nothing else changes ------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_activation_is_reached_and_no_value_changes(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    before = model.fingerprint()
    query = pairs(model, TEXTS[1])
    ruled = model.answer(query)
    plain = model.answer(Differentiate(query.encoding, query.scalar, (INPUT,), None, ("displacement",), query.rows))
    np.testing.assert_array_equal(ruled.values, plain.values)
    np.testing.assert_array_equal(ruled.outputs, plain.outputs)
    assert model.fingerprint() == before
    batch = model.network.probe_batch()
    with torch.no_grad(), obeying("deep-lift", find_activations(model.network), 1) as rules:
        # A single row is its own number of rows here; what counts is how many functions come by.
        rules.pass_on = lambda entered, left: (counted.append(entered), left)[1]
        counted: list[Tensor] = []
        model.network.outputs("class", batch)
    assert len(counted) >= model.facts.num_layers


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_padded_batch_and_any_cut_give_the_same(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    queries = [pairs(model, text, "mean") for text in TEXTS]
    together = model.compute([Piece(query, 0, 6) for query in queries])
    for query, merged in zip(queries, together, strict=True):
        assert all(piece.start % 2 == piece.stop % 2 == 0 for piece in cut(query, 1))
        for budget in (1, 5 * len(query.encoding), 10_000):
            alone = model.answer(query, budget)
            for key, products in alone.products.items():
                # What is read are the texts; next to nothing a norm has gradients without bound.
                np.testing.assert_allclose(merged.products[key][::2], products[::2], rtol=1e-3, atol=2e-5)


def test_only_pairs_share_a_micro_batch(demo_encoder: Any) -> None:
    query = pairs(demo_encoder, TEXTS[0])
    other = Differentiate(query.encoding, query.scalar, (INPUT,), rows=query.rows)
    assert batch_key(query) != batch_key(other)
    assert (rows_together(query), rows_together(other)) == (2, 1)
