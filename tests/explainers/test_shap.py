"""shap as an oracle: its values of one game, asked for by `bench/peers/shap_values.py`; to 1e-5, ours are float32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.explainers.fakes import FakeModel
from tests.explainers.games import ask

SAID = json.loads((Path(__file__).parent / "shap_values.json").read_text(encoding="utf-8"))
TABLE = np.asarray(SAID["table"])


def game(visible: Any) -> Any:
    return np.asarray([0.0, TABLE[int(visible @ (1 << np.arange(6)))]])


@pytest.mark.parametrize("which", ["exact", "kernel"])
def test_kernel_shap_is_shaps(which: str) -> None:
    got = ask(FakeModel(game), "a b c d e f", "kernel-shap")
    np.testing.assert_allclose(got.scores, SAID[which], atol=1e-5)


def test_shapley_sampling_comes_to_shaps_values_within_its_standard_errors() -> None:
    got = ask(FakeModel(game), "a b c d e f", "shapley-sampling", permutations=2000)
    error = got.outputs[0].stderr
    assert (np.abs(got.scores - SAID["exact"]) < 4 * error).all()
    assert error.max() < 0.1 * np.abs(SAID["exact"]).max()


@pytest.mark.parametrize("text", SAID["partition"])
def test_partition_shap_is_shaps_on_the_same_hierarchy(text: str) -> None:
    got = ask(FakeModel(game), text, "partition-shap", samples=100_000)
    np.testing.assert_allclose(got.scores, SAID["partition"][text], atol=1e-5)
    others = [values for other, values in SAID["partition"].items() if other != text]
    assert all(np.abs(got.scores - values).max() > 1e-2 for values in others)
