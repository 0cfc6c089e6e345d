"""An evaluation as CSV: one line a number."""

from __future__ import annotations

import csv
import io
from typing import Final

from saliscope.protocol.evaluations import Evaluation, EvaluationCell

HEAD: Final = ("method", "metric", "part", "value", "low", "high", "n", "best", "best_cheap", "cost", "why_not")


def csv_of(found: Evaluation) -> str:
    """The rows of all methods, then (with an empty method) what was measured of the model alone."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    rows = [(row.name, row.cost, row.cells) for row in found.rows]
    for name, cost, cells in (*rows, ("", None, found.model)):
        for metric, cell in cells.items():
            writer.writerow(
                [name, metric, "", *_numbers(cell), int(cell.best), int(cell.best_cheap), cost, cell.why_not]
            )
            for part, number in cell.parts.items():
                writer.writerow([name, metric, part, number.value, number.low, number.high, number.n, "", "", cost, ""])
    return out.getvalue()


def _numbers(cell: EvaluationCell) -> tuple[float | None, float | None, float | None, int]:
    return cell.value, cell.low, cell.high, cell.n
