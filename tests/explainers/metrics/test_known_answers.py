from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.explainers.fakes import ENCODER
from tests.explainers.metrics.studies import WEIGHTS, known_model, one, study, value

THREE = (2.0, -1.0, 0.5)
MASKED = [
    ("hiding", {}),
    ("revealing", {}),
    ("activation", {}),
    ("inverse-activation", {}),
    ("comprehensiveness", {}),
    ("sufficiency", {}),
    ("delta-accuracy", {}),
    ("infidelity", {"law": "mask", "samples": 200}),
    ("infidelity", {"law": "occlusion"}),
    ("shap-similarity", {}),
]


def sigmoid(*values: float) -> list[float]:
    return [float(1 / (1 + np.exp(-value))) for value in values]


def trapezoid(heights: list[float]) -> float:
    return sum((a + b) / 2 for a, b in pairwise(heights)) / (len(heights) - 1)


@pytest.mark.parametrize(("metric", "params"), MASKED)
def test_oracle_scores_beat_the_control_and_equal_scores_do_not(metric: str, params: dict[str, object]) -> None:
    count = len(WEIGHTS)
    found = study(known_model(), metric, {"oracle": WEIGHTS, "equal": [1.0] * count}, num_texts=60, **params)
    oracle, equal, chance = (value(found.cell(name, metric)) for name in ("oracle", "equal", "random"))
    better = 1 if found.directions[metric] == "up" else -1
    assert better * oracle > better * chance + 0.04
    assert equal == pytest.approx(chance, abs=0.25 * abs(oracle - chance))
    assert found.cell("oracle", metric).best
    assert not found.cell("random", metric).best, "a control is never marked"


@pytest.mark.parametrize("capabilities", [ENCODER, None])
def test_areas_of_three_features_are_those_worked_out_by_hand(capabilities: object) -> None:
    options = {} if capabilities is None else {"capabilities": capabilities}
    model = known_model(THREE, bias=0.0, **options)
    # The order is first, third, second; what is left of 1.5 is -0.5, -1 and 0, which is "no".
    hiding = one(model, "hiding", THREE, steps=3)
    assert hiding.curve == (1.0, 0.0, 0.0, 0.0)
    assert value(hiding) == pytest.approx(1 / 6)
    revealing = one(model, "revealing", THREE, steps=3)
    assert revealing.curve == (0.0, 1.0, 1.0, 1.0)
    assert value(revealing) == pytest.approx(5 / 6)
    assert value(one(model, "activation", THREE)) == pytest.approx(trapezoid(sigmoid(0, 2, 2.5, 1.5)))
    assert value(one(model, "inverse-activation", THREE)) == pytest.approx(trapezoid(sigmoid(0, -1, -0.5, 1.5)))


def test_the_least_important_first_is_the_game_of_the_opposite_scores() -> None:
    model, opposite = known_model(), [-weight for weight in WEIGHTS]
    for game in ("hiding", "revealing"):
        assert value(one(model, game, WEIGHTS, order="least")) == value(one(model, game, opposite))


def test_erasure_of_three_features_is_that_worked_out_by_hand() -> None:
    model = known_model(THREE, bias=0.0)
    whole, without_one, without_two = sigmoid(1.5, -0.5, -1.0)
    cell = one(model, "comprehensiveness", THREE, fractions=[1 / 3, 2 / 3])
    assert [part.value for part in cell.parts.values()][:2] == pytest.approx([whole - without_one, whole - without_two])
    assert value(cell) == pytest.approx(whole - (without_one + without_two) / 2)
    kept = sigmoid(2.0, 2.5)
    assert value(one(model, "sufficiency", THREE, fractions=[1 / 3, 2 / 3])) == pytest.approx(whole - sum(kept) / 2)


def test_a_small_fraction_still_takes_one_feature() -> None:
    model = known_model(THREE, bias=0.0)
    whole, without_one = sigmoid(1.5, -0.5)
    assert value(one(model, "comprehensiveness", THREE, fractions=[0.001])) == pytest.approx(whole - without_one)


def test_delta_accuracy_says_how_it_compares_with_chance_and_warns_when_negative() -> None:
    model = known_model((-2.0, 1.0, 1.5), bias=0.0)
    found = study(model, "delta-accuracy", {"good": (-2.0, 1.0, 1.5), "bad": (2.0, -1.0, -1.5)}, fractions=[1 / 3])
    # The text itself is "yes" by 0.5: without the third it is not, without the first it is.
    assert value(found.cell("good", "delta-accuracy")) == 1.0
    assert value(found.cell("bad", "delta-accuracy")) == 0.0
    assert found.cell("good", "delta-accuracy").parts["vs-random"].value > 0
    model = known_model((-2.0, 1.0, 0.5), bias=0.0)
    found = study(model, "delta-accuracy", {"bad": (2.0, -1.0, -0.5)}, fractions=[1 / 3])
    assert value(found.cell("bad", "delta-accuracy")) == -1.0
    assert [line for line in found.warnings if "delta-accuracy of bad is negative" in line]


def test_equal_scores_are_not_ordered_as_they_stand() -> None:
    first = known_model((5.0, *[0.0] * 9), bias=-1.0)
    last = known_model((*[0.0] * 9, 5.0), bias=-1.0)
    equal = {"equal": [0.0] * 10}
    at_start, at_end = (value(study(m, "hiding", equal, 200).cell("equal", "hiding")) for m in (first, last))
    assert at_start == pytest.approx(at_end, abs=0.1)
    assert at_start == pytest.approx(0.5, abs=0.1)


def test_tokens_are_what_a_fraction_counts() -> None:
    # Four positions: the first word has three of them.
    model = known_model((1.0, 1.0, 1.0, 1.0), bias=-2.5)
    from saliscope.explainers.metrics.running import evaluate

    def play(mass: str, metric: str) -> list[float]:
        found = evaluate(
            model, [("a++ b", "yes")], ["random"], [{"metric": metric, "steps": 4, "mass": mass}],
            precomputed={"given": [[1.0, 2.0]]}, lanes=1,
        )  # fmt: skip
        return list(found.cell("given", metric).curve)

    # Hidden: nothing, b, b (two tokens are as near to one as to four, and it is rounded up), …
    assert play("tokens", "hiding") == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert play("features", "hiding") == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert play("tokens", "revealing") == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert play("features", "revealing") == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_what_is_kept_is_reported_and_uneven_masses_are_warned_of() -> None:
    from saliscope.explainers.metrics.running import evaluate

    model = known_model((1.0,) * 8, bias=-3.0)
    records = [("a+++++ b c", "yes")]
    scores = {"long": [[3.0, 1.0, 1.0]], "short": [[0.0, 1.0, 2.0]]}
    for mass, warned in (("features", True), ("tokens", False)):
        found = evaluate(model, records, ["random"], [{"metric": "hiding", "mass": mass}], precomputed=scores, lanes=1)
        assert any("not told apart from how much they keep" in line for line in found.warnings) == warned
        assert 0 < found.cell("long", "hiding").parts["retained"].value < 1
