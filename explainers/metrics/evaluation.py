"""The table of an evaluation: methods against metrics."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from saliscope.explainers.metrics.overlap import Overlap

PERCENTILES: Final = (5, 25, 50, 75, 95)
_NOTHING: Final = {"value": None, "low": None, "high": None, "n": 0}


@dataclass(frozen=True, slots=True)
class Number:
    """A mean over `n` texts with its 95 % interval, which one text does not have."""

    value: float
    low: float | None
    high: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric of one method: its `number`, or None and why; `parts` are further numbers, `curve` the mean curve over
    the metric's grid and `percentiles` those of single texts at 5, 25, 50, 75 and 95.

    `best` marks the best of all methods and `best_cheap` the best of the cheap ones; controls are never marked.
    """

    number: Number | None
    parts: Mapping[str, Number] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    percentiles: tuple[float, ...] = ()
    overlap: Overlap | None = None
    why_not: str | None = None
    failed: int = 0
    best: bool = False
    best_cheap: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            **(_NOTHING if self.number is None else self.number.to_dict()),
            "parts": {name: part.to_dict() for name, part in self.parts.items()},
            "curve": list(self.curve),
            "percentiles": list(self.percentiles),
            "overlap": None if self.overlap is None else self.overlap.to_dict(),
            "why_not": self.why_not,
            "failed": self.failed,
            "best": self.best,
            "best_cheap": self.best_cheap,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One method: its cells by metric, the median `cost` of a text in passes, and the texts on which it failed
    with what was said.
    """

    name: str
    method: str | None
    params: Mapping[str, Any]
    cells: Mapping[str, Cell]
    cost: float | None
    seconds: float | None
    failures: tuple[tuple[int, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "name": self.name,
            "method": self.method,
            "params": dict(self.params),
            "cost": self.cost,
            "seconds": self.seconds,
            "failures": [{"text": text, "message": message} for text, message in self.failures],
            "cells": {name: cell.to_dict() for name, cell in self.cells.items()},
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Methods against metrics on the same texts: `rows` in the order asked for, `model_cells` of metrics that measure
    the model alone, and `about` with everything that was chosen; `notes` say what was left out, `warnings` what is odd.
    """

    rows: tuple[Row, ...]
    directions: Mapping[str, str]
    model_cells: Mapping[str, Cell]
    about: Mapping[str, Any]
    accuracy: Number | None
    num_texts: int
    num_done: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def cell(self, name: str, metric: str) -> Cell:
        """The cell of a method's row."""
        return next(row for row in self.rows if row.name == name).cells[metric]

    def ranking(self, metric: str) -> list[tuple[str, float]]:
        """Methods with their values, the best first; metrics without a direction go from the largest down."""
        found = [(row.name, cell.number.value) for row in self.rows if (cell := row.cells[metric]).number is not None]
        return sorted(found, key=lambda one: one[1] if self.directions[metric] == "down" else -one[1])

    def to_dict(self) -> dict[str, Any]:
        """The wire's map: plain types only."""
        return {
            **self.about,
            "directions": dict(self.directions),
            "accuracy": None if self.accuracy is None else self.accuracy.to_dict(),
            "num_texts": self.num_texts,
            "num_done": self.num_done,
            "rows": [row.to_dict() for row in self.rows],
            "model": {name: cell.to_dict() for name, cell in self.model_cells.items()},
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    def to_csv(self) -> str:
        """One line a number: method, metric, part (empty for the metric itself), value, low, high, n, marks, cost."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(
            ["method", "metric", "part", "value", "low", "high", "n", "best", "best_cheap", "cost", "why_not"]
        )
        rows = [(row.name, row.cost, row.cells) for row in self.rows]
        for name, cost, cells in (*rows, ("", None, self.model_cells)):
            for metric, cell in cells.items():
                numbers = [("", cell.number), *cell.parts.items()]
                for part, number in numbers:
                    shown = ("", "", "", 0) if number is None else (number.value, number.low, number.high, number.n)
                    marks = (int(cell.best), int(cell.best_cheap)) if not part else ("", "")
                    writer.writerow([name, metric, part, *shown, *marks, cost, cell.why_not or ""])
        return out.getvalue()
