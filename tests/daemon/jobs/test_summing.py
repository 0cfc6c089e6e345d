"""What rows say together, against numbers made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.jobs.summing import MOST_FAILURES, OTHERS, Sums
from saliscope.daemon.jobs.types import Types


def row(number: int, features: dict[str, float], said: str, label: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "row": number, "id": str(number), "label": label, "slices": {}, "text": " ".join(features), "prediction": said,
        "prediction_index": ["bad", "good"].index(said), "probability": 0.75, "target": said, "value": 1.0,
        "base_value": None, "features": [*features], "scores": [*features.values()], "method": "m", "code": None,
        "message": None, "forward_rows": 2, "backward_rows": 1, **more,
    }  # fmt: skip


def failure(number: int) -> dict[str, Any]:
    return row(number, {}, "good", code="too_large", message="long", text=None)


def test_confusion_accuracy_slices_and_failures() -> None:
    sums = Sums()
    sums.add(row(0, {"dull": 3.0, "film": -1.0}, "bad", "bad", slices={"kind": "a"}))
    sums.add(row(1, {"dull": 1.0}, "bad", "good", slices={"kind": "a"}))
    # The label may be the index of the class.
    sums.add(row(2, {"fine": 1.0, "film": 1.0}, "good", "1", slices={"kind": "b"}))
    sums.add(row(3, {"fine": 2.0}, "good"))
    sums.add(failure(4))
    found = sums.results("job", Path("out"), "model", "f")
    assert (found.rows, found.failed, found.codes) == (5, 1, {"too_large": 1})
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.confusion == {"bad": {"bad": 1}, "good": {"bad": 1, "good": 1}}
    assert (found.forward_rows, found.backward_rows) == (8, 4)
    kinds = {one.value: one for one in found.slices if one.field == "kind"}
    assert (kinds["a"].rows, kinds["a"].accuracy, kinds["a"].concentration) == (2, 0.5, (0.75 + 1) / 2)
    assert (kinds["b"].accuracy, kinds["b"].probability) == (1.0, 0.75)
    assert [(one.text, one.weight, one.texts) for one in found.top["bad"]] == [("dull", 1.75, 2)]
    assert [one.text for one in found.top["good"]] == ["fine", "film"]
    assert [(one.classes, one.shared) for one in found.overlap] == [(["bad", "good"], 0)]


def test_a_word_that_decides_by_itself_is_a_shortcut() -> None:
    sums = Sums()
    for n in range(10):
        sums.add(row(n, {"Spielberg": 2.0, "film": 0.5, f"w{n}": 0.1}, "good", "bad" if n < 3 else "good"))
        sums.add(row(n, {"film": 1.0, f"v{n}": 0.5}, "bad"))
    [found] = sums.results("job", Path("out"), "model", "f").shortcuts
    assert (found.text, found.label, found.texts, found.top, found.purity, found.wrong) == (
        "spielberg", "good", 10, 1.0, 1.0, 3,
    )  # fmt: skip


def test_memory_does_not_grow_with_the_rows() -> None:
    types = Types(most=100)
    for n in range(2000):
        types.add("good", ["film", f"word {n}"], [2.0, 1.0], wrong=False)
        assert len(types._types) <= 201
    assert types.is_approximate
    assert types.top()["good"][0].texts == 2000
    sums = Sums()
    for n in range(200):
        sums.add(row(n, {"a": 1.0}, "good", f"label {n}", slices={"id": str(n)}))
        sums.add(failure(n))
    found = sums.results("job", Path("out"), "model", "f")
    assert len(found.failures) == MOST_FAILURES
    assert sum(one.field == "id" for one in found.slices) == 65
    assert found.confusion[OTHERS] == {"good": 200 - 64}
