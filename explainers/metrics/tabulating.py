"""From records to the table: nothing but a plan and its records goes in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import numpy as np

from saliscope.explainers.metrics.costs import passes
from saliscope.explainers.metrics.evaluation import PERCENTILES, Cell, Evaluation, Number, Row
from saliscope.explainers.metrics.intervals import DESCRIBED, interval
from saliscope.explainers.metrics.overlap import Overlap, overlap
from saliscope.explainers.metrics.plan import Chosen, Entry, Plan, TheModel
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.registry import find_method

#: A method that gave scores on fewer of the texts than this is no part of the comparison.
ENOUGH: Final = 0.5
OVERLAP_RESAMPLES: Final = 100
UNEVEN: Final = 0.02

Values = Mapping[int, Mapping[str, Any]]
"""What a metric measured, by text."""


def tabulate(plan: Plan, records: Sequence[Record], cheap: float = 1.0) -> Evaluation:
    """The table of what is done so far.

    A metric compares methods on the texts that all of them have a value for; one that has fewer than half of the texts
    is left out of the comparison, keeps its own texts and is named in the warnings. `cheap` is the cost, in passes
    through the model for the median text, up to which a method counts as cheap.
    """
    by_name: dict[str, list[Record]] = {name: [] for name in plan.names}
    for record in sorted({record.unit: record for record in records}.values(), key=lambda record: record.unit):
        if record.name in by_name:
            by_name[record.name].append(record)
    columns: dict[str, dict[str, Cell]] = {}
    model_cells: dict[str, Cell] = {}
    warnings: list[str] = []
    costs = {entry.name: _median_cost(by_name[entry.name]) for entry in plan.entries}
    for chosen in plan.chosen:
        if chosen.metric.scope == "text":
            model_cells[chosen.metric.name] = _cell(plan, _measured(by_name[TheModel], chosen), None)
            continue
        cells, said = _column(plan, chosen, by_name)
        columns[chosen.metric.name] = _marked(plan, chosen, cells, costs, cheap)
        warnings += said
    rows = tuple(_row(entry, by_name[entry.name], columns, costs[entry.name]) for entry in plan.entries)
    warnings += [f"{row.name}: {len(row.failures)} of {len(plan.items)} texts failed" for row in rows if row.failures]
    return Evaluation(
        rows=rows,
        directions={chosen.metric.name: chosen.metric.direction for chosen in plan.chosen},
        model_cells=model_cells,
        about=_about(plan, cheap),
        accuracy=_accuracy(plan, by_name),
        num_texts=len(plan.items),
        num_done=sum(map(len, by_name.values())),
        notes=(*plan.notes, *_absent(plan, by_name)),
        warnings=tuple(warnings),
    )


def _column(plan: Plan, chosen: Chosen, by_name: Mapping[str, list[Record]]) -> tuple[dict[str, Cell], list[str]]:
    """The cells of one metric by method, with what a reader must know."""
    metric = chosen.metric
    found = {entry.name: _measured(by_name[entry.name], chosen) for entry in plan.entries}
    counts = {name: len(_valued(values)) for name, values in found.items()}
    most = max(counts.values(), default=0)
    compared = [name for name, count in counts.items() if count and count >= ENOUGH * most]
    common = set.intersection(*(set(_valued(found[name])) for name in compared)) if compared else set()
    warnings = [
        f"{metric.name}: {name} has values for {count} texts only and is not compared with the others"
        for name, count in counts.items()
        if 0 < count < ENOUGH * most
    ]
    if compared and not common:
        warnings.append(f"{metric.name}: no text has values of every method, so each row has texts of its own")
    if common and any(counts[name] > len(common) for name in compared):
        warnings.append(f"{metric.name}: compared on the {len(common)} texts that every method has a value for")
    cells = {}
    for name, values in found.items():
        if metric.scope == "data":
            cells[name] = _overlap_cell(plan, chosen, by_name[name], common if name in compared and common else None)
        else:
            cells[name] = _cell(plan, values, common if name in compared and common else None)
        number = cells[name].number
        if metric.negative is not None and number is not None and number.value < 0:
            warnings.append(f"{metric.name} of {name} is negative ({number.value:.3f}): {metric.negative}")
    kept = {name: cells[name].parts["retained"].value for name in compared if "retained" in cells[name].parts}
    if kept and max(kept.values()) - min(kept.values()) > UNEVEN:
        least, greatest = min(kept, key=lambda name: kept[name]), max(kept, key=lambda name: kept[name])
        warnings.append(
            f"{metric.name}: {greatest} keeps {kept[greatest]:.0%} of the tokens and {least} {kept[least]:.0%}, so they"
            " are not told apart from how much they keep; mass=tokens evens it out"
        )
    return cells, warnings


def _measured(records: Sequence[Record], chosen: Chosen) -> Values:
    name = chosen.metric.name
    return {record.text: record.metrics[name] for record in records if name in record.metrics}


def _valued(values: Values) -> list[int]:
    return [text for text, found in values.items() if "value" in found or "bag" in found]


def _cell(plan: Plan, values: Values, texts: set[int] | None) -> Cell:
    """Means over `texts` (None: over all that have a value)."""
    used = [values[text] for text in sorted(_valued(values)) if texts is None or text in texts]
    failed = sum("error" in found for found in values.values())
    if not used:
        return Cell(None, why_not=_why_not(values), failed=failed)
    singles = np.asarray([found["value"] for found in used])
    names = list(dict.fromkeys(name for found in used for name in found.get("parts", {})))
    parts = {
        name: _number(plan, [found["parts"][name] for found in used if name in found.get("parts", {})])
        for name in names
    }
    curves = [found["curve"] for found in used if "curve" in found]
    return Cell(
        _number(plan, singles),
        parts,
        tuple(np.mean(curves, axis=0).tolist()) if curves else (),
        tuple(np.percentile(singles, PERCENTILES).tolist()),
        failed=failed,
    )


def _number(plan: Plan, values: Any) -> Number:
    wide = np.asarray(values, dtype=np.float64)
    low, high = interval(wide, plan.interval, plan.seed) or (None, None)
    return Number(float(wide.mean()), low, high, len(wide))


def _overlap_cell(plan: Plan, chosen: Chosen, records: Sequence[Record], texts: set[int] | None) -> Cell:
    """The overlap over all texts; its interval is +- 1.96 sd of resampled texts, as resampling makes it larger."""
    assert plan.background is not None
    name = chosen.metric.name
    used = [
        (record.label or "", record.metrics[name].get("bag", {}))
        for record in records
        if (texts is None or record.text in texts) and "bag" in record.metrics.get(name, {})
    ]
    if not used:
        return Cell(None, why_not=_why_not(_measured(records, chosen)))
    whole = overlap(used, plan.background, chosen.params)
    if whole.value is None:
        return Cell(None, overlap=whole, why_not="fewer than two classes were explained, or one has no top types")
    rng = np.random.default_rng(plan.seed)
    drawn: list[Overlap] = [
        overlap([used[i] for i in rng.integers(len(used), size=len(used))], plan.background, chosen.params)
        for _ in range(OVERLAP_RESAMPLES)
    ]
    values = [one.value for one in drawn if one.value is not None]
    half = 1.96 * float(np.std(values, ddof=1)) if len(values) > 1 else None
    low, high = (None, None) if half is None else (whole.value - half, whole.value + half)
    return Cell(Number(whole.value, low, high, len(used)), curve=whole.curve, overlap=whole)


def _why_not(values: Values) -> str:
    """Why there is no number: the commonest reason of the texts."""
    reasons = Counter(str(found.get("skipped") or found.get("error") or "no scores") for found in values.values())
    return reasons.most_common(1)[0][0] if reasons else "no text has scores of this method"


def _marked(
    plan: Plan, chosen: Chosen, cells: dict[str, Cell], costs: Mapping[str, float | None], cheap: float
) -> dict[str, Cell]:
    """Mark the best of all and the best of the cheap; controls and rows that are not compared take no part."""
    direction = chosen.metric.direction
    if direction == "neither":
        return cells
    sign = 1.0 if direction == "up" else -1.0
    controls = {entry.name for entry in plan.entries if _is_control(entry)}
    numbers = {name: cell.number for name, cell in cells.items() if cell.number is not None and name not in controls}
    most = max((number.n for number in numbers.values()), default=0)
    values = {name: sign * number.value for name, number in numbers.items() if number.n >= ENOUGH * most}
    low_cost = {name for name, cost in costs.items() if cost is not None and cost <= cheap}
    best = max(values.values(), default=None)
    best_cheap = max((value for name, value in values.items() if name in low_cost), default=None)
    return {
        name: replace(
            cell,
            best=values.get(name) is not None and values.get(name) == best,
            best_cheap=name in low_cost and values.get(name) is not None and values.get(name) == best_cheap,
        )
        for name, cell in cells.items()
    }


def _is_control(entry: Entry) -> bool:
    return entry.method is not None and find_method(entry.method).group == "control"


def _row(entry: Entry, records: Sequence[Record], columns: Mapping[str, dict[str, Cell]], cost: float | None) -> Row:
    seconds = [record.seconds for record in records if record.seconds is not None]
    return Row(
        name=entry.name,
        method=entry.method,
        params=entry.params,
        cells={metric: cells[entry.name] for metric, cells in columns.items()},
        cost=cost,
        seconds=float(np.median(seconds)) if seconds else None,
        failures=tuple((record.text, record.error) for record in records if record.error is not None),
    )


def _median_cost(records: Sequence[Record]) -> float | None:
    costs = [
        passes(record.forward_rows, record.backward_rows)
        for record in records
        if record.forward_rows is not None and record.backward_rows is not None
    ]
    return float(np.median(costs)) if costs else None


def _accuracy(plan: Plan, by_name: Mapping[str, list[Record]]) -> Number | None:
    """The model's own accuracy on the texts it could read."""
    found = {record.text: record.correct for records in by_name.values() for record in records}
    hits = [float(correct) for correct in found.values() if correct is not None]
    return _number(plan, hits) if hits else None


def _absent(plan: Plan, by_name: Mapping[str, list[Record]]) -> tuple[str, ...]:
    """Classes that the model never answers on these texts."""
    predicted = {record.predicted for records in by_name.values() for record in records if record.predicted}
    if plan.kind != "class" or not predicted:
        return ()
    absent = [name for name in plan.model.facts.labels if name not in predicted]
    return (f"no text is predicted as {', '.join(absent)}",) if absent else ()


def _about(plan: Plan, cheap: float) -> dict[str, Any]:
    return {
        "model_name": plan.model.facts.name,
        "fingerprint": plan.model.facts.fingerprint,
        "target": plan.target,
        "scale": plan.scale,
        "granularity": plan.granularity,
        "seed": plan.seed,
        "interval": DESCRIBED[plan.interval],
        "cheap": cheap,
        "cost_unit": "passes of the median text; a row forward, or forward and back, is one",
        "background": None if plan.background is None else plan.background.name,
        "metrics": {chosen.metric.name: msgspec.to_builtins(chosen.params) for chosen in plan.chosen},
    }
