"""Metrics that explain a text once more, and those that measure the model itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.metrics.robustness import rank_correlation
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.metrics.similarity import cosine
from saliscope.explainers.models.nudging import embedded
from saliscope.explainers.queries import Evaluate, Outputs
from saliscope.explainers.texts.encoding import Nudge
from saliscope.explainers.variants import Masked
from tests.explainers.fakes import FakeModel
from tests.explainers.games import smooth_game, words
from tests.explainers.metrics.studies import sized, value

TEXT = "the plot is a mess, but the cast is wonderful"


def test_ranks_are_compared_as_scipy_does() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    for _ in range(5):
        one, other = rng.integers(0, 5, size=(2, 12)).astype(float)
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert rank_correlation(np.ones(3), np.ones(3)) == 1.0
    assert rank_correlation(np.ones(3), np.arange(3.0)) == 0.0


def test_a_cosine_with_nothing_is_nothing() -> None:
    assert cosine(np.zeros(2), np.ones(2)) == 0.0
    assert cosine(np.asarray([1.0, 0.0]), np.asarray([1.0, 1.0])) == pytest.approx(0.5**0.5)


def test_only_methods_that_draw_are_unstable() -> None:
    model = FakeModel(sized(smooth_game(9, 2), 9))
    methods = ["occlusion", {"method": "lime", "params": {"samples": 20}}, {"method": "lime", "name": "more"}, "random"]
    found = evaluate(model, [(words(9), "yes")] * 6, methods, ["stability"], target="gold", lanes=1)
    few, many, chance = (value(found.cell(name, "stability")) for name in ("lime", "more", "random"))
    assert value(found.cell("occlusion", "stability")) == 1.0
    assert 1.0 > many > few > chance
    assert abs(chance) < 0.4


def test_kernel_shap_is_held_against_other_draws_of_sixteen_rows_a_feature() -> None:
    count = 14
    model = FakeModel(sized(smooth_game(count, 2), count))
    explain_rows = {"method": "kernel-shap", "params": {"samples": 16 * count}}
    found = evaluate(model, [(words(count), "yes")], [explain_rows], ["shap-similarity"], target="gold", lanes=1)
    assert 0.9 < value(found.cell("kernel-shap", "shap-similarity")) < 1 - 1e-6
    model = FakeModel(sized(smooth_game(count, 2), count))
    evaluate(model, [(words(count), "yes")], ["random"], ["shap-similarity"], target="gold", lanes=1)
    assert 16 * count - 2 <= model.rows <= 16 * count + 4


def test_only_so_many_texts_are_explained_again_and_they_lie_all_over_the_data() -> None:
    model = FakeModel(sized(smooth_game(4, 2), 4))
    records: list[Any] = []
    found = evaluate(
        model, [words(4)] * 30, ["occlusion"], [{"metric": "stability", "texts": 6}], lanes=1,
        on_progress=lambda done, total, record: records.append(record),
    )  # fmt: skip
    measured = [record.text for record in records if "value" in record.metrics["stability"]]
    assert len(measured) == 6
    assert min(measured) < 15 < max(measured)
    number = found.cell("occlusion", "stability").number
    assert number is not None
    assert number.n == 6


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
def test_a_nudged_text_is_the_model_on_moved_embeddings(name: str, tiny_model: Any) -> None:
    model = tiny_model(name)
    plain = model.encode(TEXT)
    moved = replace(plain, nudge=Nudge(0.02, 5))
    before, after = embedded(plain, model.network), embedded(moved, model.network)
    free = torch.from_numpy(~plain.special)
    lengths = (after - before).norm(dim=-1) / before.norm(dim=-1)
    assert lengths[free].numpy() == pytest.approx(0.02, rel=1e-4)
    assert not lengths[~free].any(), "special tokens stay"
    outputs = model.answer(Evaluate(moved, Outputs("class"))).values[0]
    with torch.no_grad():
        wanted = model.network.model(inputs_embeds=after[None]).logits[0].numpy()
    assert outputs == pytest.approx(wanted, abs=1e-5)
    assert np.abs(outputs - model.answer(Evaluate(plain, Outputs("class"))).values[0]).max() > 1e-7


def test_hidden_tokens_are_not_nudged_and_every_row_is_nudged_alike(tiny_model: Any) -> None:
    model = tiny_model("bert")
    plain = model.encode(TEXT)
    moved = replace(plain, nudge=Nudge(0.5, 5))
    groups = tuple(token.positions for token in plain.tokens if not token.special)
    keep = np.zeros((3, len(groups)), dtype=bool)
    keep[1:, :4] = True
    rows = Masked(keep, groups)
    plainly, nudged = (model.answer(Evaluate(text, Outputs("class"), rows)).values for text in (plain, moved))
    assert nudged[0] == pytest.approx(plainly[0], abs=1e-6)
    assert nudged[1] == pytest.approx(nudged[2], abs=1e-6)
    assert np.abs(nudged[1] - plainly[1]).max() > 1e-4
    alone = model.answer(Evaluate(moved, Outputs("class"), rows), budget=1).values
    assert alone == pytest.approx(nudged, abs=1e-5)
    with pytest.raises(NotCapable, match="mask=replace"):
        model.answer(Evaluate(moved, Outputs("class"), Masked(keep, groups, "drop")))


def test_scores_move_with_the_text_in_proportion(tiny_model: Any) -> None:
    model = tiny_model("bert")
    found = []
    for radius in (0.01, 0.02):
        metric = {"metric": "sensitivity-max", "radius": radius, "draws": 4}
        methods = ["input-x-gradient", "integrated-gradients", "occlusion", "attention-rollout", "mase"]
        result = evaluate(model, [TEXT], methods, [metric], lanes=1)
        assert not any(row.failures or row.cells["sensitivity-max"].failed for row in result.rows)
        found.append([value(row.cells["sensitivity-max"]) for row in result.rows])
    assert np.asarray(found).min() > 0
    assert np.divide(found[1], found[0]) == pytest.approx(2.0, rel=0.25)


def test_the_farthest_of_more_draws_is_no_nearer(tiny_model: Any) -> None:
    model, found = tiny_model("bert"), []
    for draws in range(1, 8):
        metric = {"metric": "sensitivity-max", "draws": draws}
        result = evaluate(model, [TEXT], ["input-x-gradient"], [metric], lanes=1)
        found.append(value(result.cell("input-x-gradient", "sensitivity-max")))
    assert found == sorted(found)
    assert 1 < len(set(found)) < 7, "some draws go farther than all before, and some do not"


def test_the_gap_of_intermediate_predictions_is_that_of_two_explicit_readings(demo_decoder: Any) -> None:
    found = evaluate(demo_decoder, [TEXT], ["sp-pi"], ["pi-gap"], lanes=1)
    curve = explain(demo_decoder, TEXT, method="sp-pi")
    index = curve.target.index
    encoding, features = demo_decoder.encode(TEXT), curve.features
    gaps = []
    for count in range(1, len(features)):
        upto = encoding.text[: features[count - 1].end]
        keep = np.arange(len(features))[None, :] < count
        rows = Masked(keep, tuple(feature.positions for feature in features))
        prefix = demo_decoder.answer(Evaluate(demo_decoder.encode(upto), Outputs("class"))).values[0]
        masked = demo_decoder.answer(Evaluate(encoding, Outputs("class"), rows)).values[0]
        gaps.append(abs(_softmax(prefix)[index] - _softmax(masked)[index]))
    cell = found.model_cells["pi-gap"]
    assert value(cell) == pytest.approx(np.mean(gaps), abs=1e-5)
    assert cell.parts["0.1"].value == pytest.approx(gaps[0], abs=1e-5)


def test_decode_rates_are_those_of_the_decoded_methods(demo_encoder: Any) -> None:
    found = evaluate(demo_encoder, [TEXT], ["random"], ["decode-rate"], lanes=1)
    for layer in (1, 3):
        wanted = explain(demo_encoder, TEXT, method="decoded-grad-cam", layer=layer).diagnostics["decode_rate"]
        assert found.model_cells["decode-rate"].parts[f"layer {layer}"].value == pytest.approx(wanted, abs=1e-6)


def _softmax(outputs: Any) -> Any:
    wide = np.exp(outputs - outputs.max())
    return wide / wide.sum()
