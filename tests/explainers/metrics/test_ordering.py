"""In which order features go: by score, equal ones by what a method cut off, and only then at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.explainers import explain
from saliscope.explainers.metrics.ordering import RANDOM_ORDERS, counts_at, orders_of, random_orders
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.metrics.subject import Scores, Subject
from tests.explainers.metrics.studies import known_model

TEXT = "the plot is a mess but the cast is wonderful and the music is fine"


def subject(count: int = 6, number: int = 0) -> Subject:
    from saliscope.explainers.texts.features import build_features

    model = known_model((1.0,) * count)
    encoding = model.encode(" ".join("abcdefghijkl"[:count]))
    return Subject(
        model, encoding, build_features(encoding, "token"), "class", "logit", np.zeros(2, dtype=np.float32), 1, 1,
        "token", 0, number, 0,
    )  # fmt: skip


def scores(values: list[float], ties: list[float] | None = None) -> Scores:
    return Scores("mine", np.asarray(values), None if ties is None else np.asarray(ties), "logit")


def test_equal_scores_are_ordered_by_what_was_cut_off() -> None:
    mine = scores([0.0, 3.0, 0.0, 0.0, 0.0, 5.0], [-1.0, 3.0, -4.0, 2.0, -0.5, 5.0])
    assert orders_of(subject(), mine).tolist() == [[5, 1, 3, 4, 0, 2]]


def test_what_is_equal_still_is_ordered_by_lot_and_by_another_for_every_text() -> None:
    found = {tuple(orders_of(subject(number=number), scores([1.0] * 6))[0]) for number in range(20)}
    assert len(found) > 10
    again = orders_of(subject(number=3), scores([1.0] * 6))
    assert again.tolist() == orders_of(subject(number=3), scores([1.0] * 6)).tolist()


def test_by_abs_takes_what_matters_most_either_way() -> None:
    assert orders_of(subject(3), scores([1.0, -3.0, 2.0]), "abs").tolist() == [[1, 2, 0]]
    assert orders_of(subject(3), scores([1.0, -3.0, 2.0])).tolist() == [[2, 0, 1]]


def test_half_of_the_random_orders_are_the_others_reverses() -> None:
    orders = random_orders(subject())
    assert orders.shape == (RANDOM_ORDERS, 6)
    drawn, reverses = np.split(orders, 2)
    np.testing.assert_array_equal(reverses, drawn[:, ::-1])
    assert len({tuple(order) for order in orders}) > RANDOM_ORDERS - 2


def test_counts_are_those_nearest_to_a_fraction() -> None:
    orders, sizes = np.asarray([[0, 1, 2, 3]]), np.ones(4)
    grid = np.asarray([0.0, 0.1, 0.2, 0.4, 0.7, 1.0])
    assert counts_at(orders, sizes, grid, "features").tolist() == [[0, 0, 1, 2, 3, 4]]


def test_what_a_decoder_cut_off_orders_its_zeros(demo_encoder: Any) -> None:
    cut = explain(demo_encoder, TEXT, "decoded-grad-cam", "positive", relu="outer")
    signed = explain(demo_encoder, TEXT, "decoded-grad-cam", "positive", relu="none").scores.tolist()
    method = {"method": "decoded-grad-cam", "params": {"relu": "outer"}}
    records = [(TEXT, "positive")]
    found = evaluate(
        demo_encoder, records, [method], ["activation"], precomputed={"signed": [signed]}, target="gold", lanes=1
    )
    ours, wanted = (row.cells["activation"].curve for row in found.rows)
    assert (cut.scores == 0).sum() > 2
    assert ours == pytest.approx(wanted, abs=1e-6)
