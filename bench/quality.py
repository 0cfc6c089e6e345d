"""Rows that MP-PI and Kernel SHAP take for equally faithful explanations (`make bench-quality`).

On the bundled decoder and held-out sentences (`python -m bench.demo_models data` fetches them). For each setting of
MP-PI: how many rows of Kernel SHAP give the same value of a metric, read off between its neighbouring settings?
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from bench.peers.clock import Goal
from bench.results import sentences
from saliscope.explainers import load
from saliscope.explainers.metrics.evaluation import Evaluation
from saliscope.explainers.metrics.running import evaluate

MODEL: Final = "demo-decoder"
METRICS: Final = ("activation", "inverse-activation", "hiding")
#: Rows of Kernel SHAP, and passes of MP-PI at most; a tolerance lets it stop before.
SAMPLES: Final = (16, 24, 32, 48, 64, 96, 128, 192, 256, 416)
BUDGETS: Final = ((24, 0.0), (52, 0.0), (104, 0.0), (208, 0.3), (208, 0.2), (208, 0.1))
GOAL: Final = Goal(at_most=0.25)


@dataclass(frozen=True)
class Point:
    """What a setting costs, in rows a text, and gives, by metric."""

    name: str
    rows: float
    values: dict[str, float]


def measure(num_texts: int, seed: int) -> tuple[list[Point], list[Point]]:
    """The points of Kernel SHAP and of MP-PI, the cheapest first."""
    rows = sentences(Path("data/demo-models"), num_texts, seed)
    kernel: list[dict[str, Any]] = [
        {"method": "kernel-shap", "name": f"kernel-shap samples={count}", "params": {"samples": count}}
        for count in SAMPLES
    ]
    progressive: list[dict[str, Any]] = [
        {
            "method": "mp-pi",
            "name": f"mp-pi budget={budget}" + (f" tolerance={tolerance:g}" if tolerance else ""),
            "params": {"budget": budget, "tolerance": tolerance},
        }
        for budget, tolerance in BUDGETS
    ]
    model = load(MODEL, device="cpu")
    found = evaluate(model, rows, [*kernel, *progressive], [*METRICS, "cost"], target="predicted", seed=seed)
    return [_point(found, one["name"]) for one in kernel], [_point(found, one["name"]) for one in progressive]


def _point(found: Evaluation, name: str) -> Point:
    def value(metric: str) -> float:
        number = found.cell(name, metric).number
        assert number is not None
        return number.value

    return Point(name, value("cost"), {metric: value(metric) for metric in METRICS})


def rows_for(curve: list[Point], metric: str, value: float, up: bool) -> float:
    """Rows from which a curve reaches a value, infinite where it never does; between two points on a line of log rows.

    A curve may wobble: what counts is the best so far.
    """
    sign = 1.0 if up else -1.0
    best = np.maximum.accumulate([sign * point.values[metric] for point in curve])
    wanted = sign * value
    if best[-1] < wanted:
        return float("inf")
    at = int(np.argmax(best >= wanted))
    if at == 0:
        return curve[0].rows
    part = (wanted - best[at - 1]) / (best[at] - best[at - 1])
    low, high = np.log(curve[at - 1].rows), np.log(curve[at].rows)
    return float(np.exp(low + part * (high - low)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__)
    parser.add_argument("--texts", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    kernel, progressive = measure(given.texts, given.seed)
    print(f"{MODEL}, {given.texts} held-out sentences; rows are forwards of one text")
    print(f"{'setting':<36}{'rows':>6}  " + "".join(f"{metric:>20}" for metric in METRICS))
    for point in [*kernel, *progressive]:
        print(f"{point.name:<36}{point.rows:>6.0f}  " + "".join(f"{point.values[m]:>20.3f}" for m in METRICS))
    print(f"\nRows of MP-PI over those of Kernel SHAP for the same value; goal {GOAL.at_most:g}")
    for point in progressive:
        shares = {metric: point.rows / rows_for(kernel, metric, point.values[metric], metric == "activation")
                  for metric in METRICS}  # fmt: skip
        cells = "".join(f"{f'{share:.2f} ({GOAL.judge(share)})':>20}" for share in shares.values())
        print(f"{point.name:<42}  {cells}")


if __name__ == "__main__":
    main()
