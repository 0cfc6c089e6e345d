"""Described rows become what they say, on real tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.models.references import reference
from saliscope.explainers.models.rows import draw, materialise
from saliscope.explainers.queries import Differentiate, Evaluate, Moment, Piece, Value
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT, Masked, Moved, Noise, Replaced
from tests.explainers.tiny import TEXTS

SCALAR = Scalar("class", 1, "logit")


def whole(model: Any, text: str) -> tuple[Any, tuple[tuple[int, ...], ...]]:
    encoding = model.encode(text)
    return encoding, tuple(token.positions for token in encoding.tokens if not token.special)


def build(model: Any, query: Any) -> Any:
    with torch.no_grad():
        return materialise([Piece(query, 0, query.num_rows)], model.network, model.facts.mask_id)


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"])
def test_moving_by_minus_one_is_masking(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding, groups = whole(model, TEXTS[1])
    keep = np.random.default_rng(0).random((6, len(groups))) < 0.5
    moved = Moved(-(~keep).astype(np.float32), groups)
    masked = model.answer(Evaluate(encoding, Value(SCALAR), Masked(keep, groups))).values
    np.testing.assert_allclose(model.answer(Evaluate(encoding, Value(SCALAR), moved)).values, masked, atol=1e-5)


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_moving_at_a_layer_reaches_the_masked_texts_states(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding, groups = whole(model, TEXTS[1])
    z = np.stack([np.zeros(len(groups)), -np.ones(len(groups))]).astype(np.float32)
    for layer in (0, 2):
        got = model.answer(Evaluate(encoding, Value(SCALAR), Moved(z, groups, layer=layer))).values
        nothing = model.answer(Evaluate(encoding, Value(SCALAR))).values[0]
        assert got[0] == pytest.approx(nothing, abs=1e-5)
    everything_masked = Masked(np.zeros((1, len(groups)), dtype=bool), groups)
    masked = model.answer(Evaluate(encoding, Value(SCALAR), everything_masked)).values[0]
    at_start = model.answer(Evaluate(encoding, Value(SCALAR), Moved(z, groups, layer=0))).values[1]
    assert at_start == pytest.approx(masked, abs=1e-4)


def test_every_direction_has_the_median_length_with_unit(tiny_model: Any) -> None:
    model = tiny_model("bert")
    encoding, groups = whole(model, TEXTS[1])
    query = Evaluate(encoding, Value(SCALAR), Moved(np.eye(len(groups), dtype=np.float32), groups, normalise="unit"))
    batch, base = build(model, query), build(model, Evaluate(encoding, Value(SCALAR)))
    lengths = (batch.embeds - base.embeds).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, lengths.median().expand_as(lengths), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["mask", "mean", "zero"])
def test_the_reference_is_what_z_minus_one_gives(kind: str, tiny_model: Any) -> None:
    model = tiny_model("bert")
    encoding, groups = whole(model, TEXTS[0])
    moved = Moved(-np.ones((1, len(groups)), dtype=np.float32), groups, reference=kind)  # type: ignore[arg-type]
    batch = build(model, Evaluate(encoding, Value(SCALAR), moved))
    base = build(model, Evaluate(encoding, Value(SCALAR))).embeds[0]
    expected = reference(moved, base, model.network, model.facts.mask_id)
    torch.testing.assert_close(batch.embeds[0, 1], expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(batch.embeds[0, 0], base[0])


def test_noise_is_the_same_however_the_rows_are_cut(tiny_model: Any) -> None:
    base = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    noise = Noise(0.5, seed=3, antithetic=True)
    groups = ((1,), (2, 3))
    everything = draw(noise, groups, base, 0, 6)
    torch.testing.assert_close(
        everything, torch.cat([draw(noise, groups, base, 0, 1), draw(noise, groups, base, 1, 6)])
    )
    torch.testing.assert_close(everything[0], -everything[1])
    assert (everything[:, [0, 4]] == 0).all()
    assert not torch.equal(everything[0], everything[2])


def test_a_moment_is_the_sum_of_values_times_noise_over_its_variance(tiny_model: Any) -> None:
    model = tiny_model("bert")
    encoding, groups = whole(model, TEXTS[0])
    moved = Moved(np.zeros((8, len(groups)), dtype=np.float32), groups, noise=Noise(0.3, 1))
    values = model.answer(Evaluate(encoding, Value(SCALAR), moved)).values
    moment, displacement = model.answer(
        Evaluate(encoding, Moment(SCALAR, 0.25), moved), budget=3 * len(encoding)
    ).values
    base = model.network.embed(torch.from_numpy(encoding.ids))
    drawn = draw(moved.noise, groups, base, 0, 8).numpy()  # type: ignore[arg-type]
    inside = base[[position for group in groups for position in group]]
    variance = (0.3 * float(inside.norm(dim=-1).mean())) ** 2 / base.shape[1]
    np.testing.assert_allclose(moment, np.einsum("b,btk->tk", values - 0.25, drawn) / variance, rtol=1e-4, atol=1e-3)
    mask = model.network.embed(torch.tensor([model.facts.mask_id]))[0]
    np.testing.assert_allclose(displacement, (base - mask).numpy(), atol=1e-6)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "gpt2", "opt", "llama", "qwen2"])
def test_a_dropped_token_is_not_computed_and_the_others_keep_their_place(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding, groups = whole(model, TEXTS[1])
    keep = np.random.default_rng(1).random((5, len(groups))) < 0.6
    keep[0] = True
    keep[:, -1] = True
    dropped = Evaluate(encoding, Value(SCALAR), Masked(keep, groups, "drop"))
    hidden = Evaluate(encoding, Value(SCALAR), Masked(keep, groups, "attention"))
    assert build(model, Evaluate(encoding, Value(SCALAR), Masked(keep[1:], groups, "drop"))).ids.shape[1] < len(
        encoding
    )
    np.testing.assert_allclose(model.answer(dropped).values, model.answer(hidden).values, atol=1e-4)
    assert model.answer(dropped).values[0] == pytest.approx(
        model.answer(Evaluate(encoding, Value(SCALAR))).values[0], abs=1e-5
    )


@pytest.mark.parametrize("architecture", ["deberta-v2", "mpnet"])
def test_dropping_is_refused_where_position_ids_do_not_place_tokens(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture, attention="eager")
    encoding, groups = whole(model, TEXTS[0])
    with pytest.raises(NotCapable, match="mask=replace"):
        model.answer(Evaluate(encoding, Value(SCALAR), Masked(np.ones((1, len(groups)), dtype=bool), groups, "drop")))


def test_replaced_rows_hold_the_ids_they_are_given(tiny_model: Any) -> None:
    model = tiny_model("gpt2")
    encoding, _ = whole(model, TEXTS[0])
    other = model.encode("a dull plot")
    ids = np.stack([encoding.ids, np.resize(other.ids, len(encoding))])
    got = model.answer(Evaluate(encoding, Value(SCALAR), Replaced(ids))).values
    assert got[0] == pytest.approx(model.answer(Evaluate(encoding, Value(SCALAR))).values[0], abs=1e-6)


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_reductions_are_what_plain_autograd_gives(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding, groups = whole(model, TEXTS[1])
    alphas = np.array([[0.0], [-0.5], [-1.0]], dtype=np.float32).repeat(len(groups), 1)
    kinds = ("activation", "displacement", "l1", "l2", "l2-activation")
    query = Differentiate(encoding, SCALAR, (INPUT,), reductions=kinds, rows=Moved(alphas, groups))  # type: ignore[arg-type]
    got = model.answer(query, budget=len(encoding))
    base = model.network.embed(torch.from_numpy(encoding.ids))
    mask = model.network.embed(torch.tensor([model.facts.mask_id]))[0]
    for row, alpha in enumerate(alphas[:, 0]):
        embeds = base.clone()
        inside = [p for group in groups for p in group]
        embeds[inside] = base[inside] + float(alpha) * (base[inside] - mask)
        embeds = embeds[None].requires_grad_(True)
        seen = torch.ones(embeds.shape[:2], dtype=torch.long)
        if model.network.causal:
            logits = model.network.model.score(model.network.body(inputs_embeds=embeds, attention_mask=seen)[0])[0, -1]
        else:
            logits = model.network.model(inputs_embeds=embeds, attention_mask=seen).logits[0]
        (grad,) = torch.autograd.grad(logits[1], embeds)
        h, g = embeds.detach()[0], grad[0]
        expected = {
            "activation": (g * h).sum(-1),
            "displacement": (g * (base - mask)).sum(-1),
            "l1": g.abs().sum(-1),
            "l2": g.norm(dim=-1),
            "l2-activation": (g * h).norm(dim=-1),
        }
        assert got.values[row] == pytest.approx(logits[1].item(), abs=1e-5)
        for kind, values in expected.items():
            np.testing.assert_allclose(got.products[INPUT, kind][row], values.numpy(), atol=1e-4, rtol=1e-4)


AT_LAYERS = {
    "mase": {"layer": 1, "samples": 300},
    "mase-sparse": {"layer": 1, "samples": 64},
    "integrated-gradients": {"at": "embedding-block", "steps": 4},
    "gradient-shap": {"at": "embedding-block", "samples": 40},
    "decoded-smooth-grad": {"layer": 1, "samples": 40},
    "decoded-integrated-gradients": {"layer": 1, "steps": 4},
}


@pytest.mark.parametrize("method", AT_LAYERS)
def test_states_at_a_layer_are_read_once_and_counted(
    method: str, tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model("bert")
    read: list[int] = []
    plain = model.network.layer_states
    monkeypatch.setattr(model.network, "layer_states", lambda *given: (read.append(len(given[0])), plain(*given))[1])
    computed: list[int] = []
    compute = model.compute
    monkeypatch.setattr(
        model, "compute", lambda pieces: (computed.extend(p.stop - p.start for p in pieces), compute(pieces))[1]
    )
    got = explain(model, TEXTS[1], method=method, **AT_LAYERS[method])
    assert read == [2]
    assert got.cost.forward_rows == sum(computed) + sum(read) <= got.cost.promised_forward_rows
