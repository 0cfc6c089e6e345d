"""Methods and metrics with fewer rows than they take by default, for evaluations of many texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.metrics.registry import lacking, metrics
from saliscope.explainers.registry import fitting

#: Parameters of the methods that take hundreds of rows a text; all others are cheap as they are.
FEWER_ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "decoded-integrated-gradients": {"steps": 16, "max_steps": 32},
    "gradient-shap": {"samples": 16},
    "integrated-gradients": {"steps": 16, "max_steps": 32},
    "kernel-shap": {"samples": 64},
    "lime": {"samples": 64},
    "mase": {"samples": 64},
    "partition-shap": {"samples": 48},
    "permutation": {"repeats": 2},
    "shapley-sampling": {"permutations": 2},
}

#: Parameters of the metrics that take most rows a method, or explain texts again.
FEWER_POINTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "activation": {"points": 9},
    "hiding": {"steps": 8},
    "infidelity": {"samples": 100},
    "inverse-activation": {"points": 9},
    "revealing": {"steps": 8},
    "sensitivity-max": {"texts": 2},
    "stability": {"texts": 4},
}


def economical_metrics(facts: ModelFacts) -> list[dict[str, Any]]:
    """Every metric that fits the model, as `make_plan` takes them; the parameters stand in the table."""
    asked = [(metric, FEWER_POINTS.get(name, {})) for name, metric in metrics().items()]
    return [
        {"metric": metric.name, **params}
        for metric, params in asked
        if not lacking(metric, metric.parse(dict(params)), facts)
    ]


def economical(facts: ModelFacts) -> list[dict[str, Any]]:
    """Every method that fits the model, as `make_plan` takes them; the parameters stand in the table."""
    return [{"method": name, "params": dict(FEWER_ROWS.get(name, {}))} for name in fitting(facts, facts.kinds[0])]
