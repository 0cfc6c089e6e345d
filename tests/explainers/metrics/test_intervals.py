from __future__ import annotations

import numpy as np
import pytest

from saliscope.explainers.metrics.intervals import interval


@pytest.mark.parametrize("kind", ["bootstrap", "normal"])
@pytest.mark.parametrize("law", ["normal", "coin"])
def test_the_truth_lies_within_in_at_least_93_of_100_repeats(kind: str, law: str) -> None:
    rng = np.random.default_rng(11)
    draws = rng.normal(size=(200, 80)) + 0.3 if law == "normal" else (rng.random((200, 80)) < 0.3) * 1.0
    bounds = [interval(row, kind, seed) for seed, row in enumerate(draws)]  # type: ignore[arg-type]
    hits = sum(low <= 0.3 <= high for low, high in bounds)  # type: ignore[misc]
    assert hits >= 186


def test_few_texts_give_no_narrower_intervals_than_they_should() -> None:
    rng = np.random.default_rng(0)
    bounds = [interval(row, "bootstrap", seed) for seed, row in enumerate(rng.normal(size=(200, 8)))]
    assert sum(low <= 0 <= high for low, high in bounds) >= 180  # type: ignore[misc]


def test_one_text_has_no_interval_and_equal_ones_an_empty_one() -> None:
    assert interval(np.asarray([0.4])) is None
    assert interval(np.ones(20)) == pytest.approx((1.0, 1.0))
    assert interval(np.ones(20), "normal") == (1.0, 1.0)


def test_the_normal_interval_is_196_standard_errors() -> None:
    values = np.asarray([0.0, 1.0, 2.0, 3.0])
    low, high = interval(values, "normal")  # type: ignore[misc]
    assert (high - low) / 2 == pytest.approx(1.96 * values.std(ddof=1) / 2)
    assert (high + low) / 2 == pytest.approx(1.5)
