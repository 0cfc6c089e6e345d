from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from saliscope.explainers import load
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.metrics import METRICS
from saliscope.explainers.metrics.economy import FEWER_POINTS, FEWER_ROWS, economical, economical_metrics
from saliscope.explainers.metrics.plan import make_plan
from saliscope.explainers.metrics.reference import page
from saliscope.explainers.metrics.registry import find_metric
from saliscope.explainers.registry import methods


def test_the_page_of_metrics_is_current() -> None:
    assert (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = page().split("```python\n")[1].split("```")[0]
    exec(code, {})
    assert "occlusion" in capsys.readouterr().out


def test_every_metric_describes_itself_in_plain_data() -> None:
    for metric in METRICS:
        described = msgspec.json.decode(msgspec.json.encode(metric.describe()))
        assert described["summary"].endswith(".")
        assert described["source"]
        assert set(described["defaults"]) == set(described["params"].get("properties", {}))
        assert metric.parse(described["defaults"]) == metric.params()


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadRequest, match="there are hiding, revealing, activation"):
        find_metric("beauty")


def test_methods_with_fewer_rows_are_methods_with_these_parameters() -> None:
    for name, params in FEWER_ROWS.items():
        methods()[name].parse(dict(params))
    for name in ("demo-encoder", "demo-decoder"):
        model = load(name, "cpu")
        plan = make_plan(model, [("a film", 0)], economical(model.facts), economical_metrics(model.facts))
        assert len(plan.entries) >= 26
        everything = make_plan(model, [("a film", 0)], economical(model.facts))
        assert [one.metric for one in plan.chosen] == [one.metric for one in everything.chosen]
        assert {one.metric.name for one in plan.chosen} >= set(FEWER_POINTS)


def test_the_package_of_methods_does_not_wait_for_the_metrics() -> None:
    said = "import sys, saliscope.explainers; sys.exit(any('explainers.metrics' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0
