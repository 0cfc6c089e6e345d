"""The method that CONTRIBUTING shows works as it is printed there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from saliscope.explainers import explain, methods

PRELUDE = """
import msgspec
import numpy as np
from saliscope.explainers import explain
from saliscope.explainers.families.openings import read_value, whole_text
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.queries import Evaluate, Value
from saliscope.explainers.registry import Method, Promise, Steps
"""


def test_the_method_of_contributing_runs_and_passes_its_own_test(
    demo_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
    method, its_test = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(PRELUDE + method + its_test, names)
    table = {**methods(), "solo": names["SOLO"]}
    monkeypatch.setattr("saliscope.explainers.registry.methods", lambda: table)
    names["test_solo_gives_each_feature_its_own_value"](demo_encoder)
    got = explain(demo_encoder, "a dull film", method="solo", granularity="word")
    assert len(got.scores) == 3
