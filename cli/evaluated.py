"""The table of an evaluation for a terminal: methods against metrics, the best marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from saliscope.cli.tables import GAP, NARROWEST, columns, wrapped
from saliscope.cli.terminal import Terminal
from saliscope.protocol.evaluations import Evaluation, EvaluationCell, EvaluationRow, Interval
from saliscope.render.graphemes import cells, graphemes, width
from saliscope.render.text import one_line

BEST: Final = "★"
BEST_CHEAP: Final = "☆"
NOTHING: Final = "–"
_ARROWS: Final = {"up": "↑", "down": "↓", "neither": ""}
_HEAD: Final = ["method", "cost"]


def evaluation_lines(found: Evaluation, terminal: Terminal) -> list[str]:
    """The table in as many blocks of metrics as the width asks for, then what was left out and what failed.

    Nothing is cut off: a name that is too long goes on below itself.
    """
    lines = _quiet(_head(found), terminal)
    for names in _blocks(found, terminal):
        lines += ["", *_table(found, names, terminal)]
    if found.model:
        lines += ["", *_model_table(found, terminal)]
    lines.append("")
    for said in (*_legend(found), *_reasons(found), *(f"note: {note}" for note in found.notes), *_failures(found)):
        lines += _quiet(said, terminal)
    return lines


def _quiet(text: str, terminal: Terminal) -> list[str]:
    room = terminal.columns
    return [terminal.quiet(piece) for line in wrapped(one_line(text), room, "  ") for piece in _folded(line, room)]


def _head(found: Evaluation) -> str:
    accuracy = found.accuracy
    said = "" if accuracy is None or accuracy.value is None else f", accuracy {_interval(accuracy)}"
    what = f"{found.scale} of the {found.target} class, {found.granularity}s"
    return f"{found.model_name}: {found.num_texts} texts{said}; {what}"


def _legend(found: Evaluation) -> tuple[str, ...]:
    passes = "pass" if found.cheap == 1 else "passes"
    cheap = f"{BEST_CHEAP} best of those that cost at most {found.cheap:g} {passes}"
    return f"{BEST} best of all methods, {cheap}; cost in {found.cost_unit}.", f"Intervals: {found.interval}."


def _blocks(found: Evaluation, terminal: Terminal) -> Iterator[list[str]]:
    """Metrics that fit beside each other, at least one a block."""
    before = max((width(name) for name in _names(found)), default=0) + _cost_width(found) + len(GAP)
    block: list[str] = []
    used = before
    for metric in (name for name in found.directions if name not in found.model):
        wide = _metric_width(found, metric) + len(GAP)
        if block and used + wide > terminal.columns:
            yield block
            block, used = [], before
        block.append(metric)
        used += wide
    if block:
        yield block


def _table(found: Evaluation, metrics: list[str], terminal: Terminal) -> list[str]:
    after = _cost_width(found) + sum(_metric_width(found, metric) + len(GAP) for metric in metrics) + len(GAP)
    room = max(NARROWEST, terminal.columns - after)
    heads = [*_HEAD, *(_title(found, metric) for metric in metrics)]
    rows = [[terminal.strong(head) for head in heads]]
    for row, name in zip(found.rows, _names(found), strict=True):
        first, *rest = _folded(name, room)
        values = [(row.cells.get(metric), _shown(row.cells.get(metric))) for metric in metrics]
        shown = [terminal.strong(text) if cell is not None and cell.best else text for cell, text in values]
        rows += [[first, _cost(row), *shown], *([piece] for piece in rest)]
    return columns(rows, terminal.columns, right=frozenset(range(1, len(heads))))


def _model_table(found: Evaluation, terminal: Terminal) -> list[str]:
    rows = [[terminal.strong("of the model alone"), terminal.strong("value")]]
    for name, cell in found.model.items():
        rows.append([name, _interval(cell)])
        rows += [[f"  {part}", _interval(number)] for part, number in cell.parts.items()]
    return columns(rows, terminal.columns, right=frozenset({1}))


def _reasons(found: Evaluation) -> Iterator[str]:
    """Why cells are empty, one line for all methods of a metric with the same reason."""
    empty: dict[tuple[str, str], list[str]] = {}
    of_rows = [(name, row.cells) for row, name in zip(found.rows, _names(found), strict=True)]
    every: list[tuple[str, Mapping[str, EvaluationCell]]] = [*of_rows, ("the model", found.model)]
    for name, held in every:
        for metric, cell in held.items():
            if cell.value is None and cell.why_not:
                empty.setdefault((metric, cell.why_not), []).append(name)
    for (metric, why), names in empty.items():
        yield f"{NOTHING} {metric} of {', '.join(names)}: {why}"


def _failures(found: Evaluation) -> Iterator[str]:
    for row in found.rows:
        if row.failures:
            first = row.failures[0]
            many = f" and {len(row.failures) - 1} more" if len(row.failures) > 1 else ""
            yield f"{row.name} failed on text {first.text}{many}: {first.message}"


def _names(found: Evaluation) -> list[str]:
    return [one_line(row.name) for row in found.rows]


def _title(found: Evaluation, metric: str) -> str:
    return f"{metric} {_ARROWS[found.directions[metric]]}".rstrip()


def _metric_width(found: Evaluation, metric: str) -> int:
    shown = (_shown(row.cells.get(metric)) for row in found.rows)
    return max(width(_title(found, metric)), *map(width, shown), 0)


def _cost_width(found: Evaluation) -> int:
    return max(map(len, ("cost", *map(_cost, found.rows))))


def _cost(row: EvaluationRow) -> str:
    return "" if row.cost is None else f"{row.cost:.4g}"


def _shown(cell: EvaluationCell | None) -> str:
    if cell is None or cell.value is None:
        return NOTHING
    return f"{BEST if cell.best else ''}{BEST_CHEAP if cell.best_cheap else ''}{_interval(cell)}"


def _interval(number: Interval) -> str:
    """A value with half the width of its interval."""
    if number.value is None:
        return NOTHING
    if number.low is None or number.high is None:
        return f"{number.value:.3g}"
    return f"{number.value:.3g} ±{(number.high - number.low) / 2:.2g}"


def _folded(name: str, room: int) -> list[str]:
    """A name in pieces of at most `room` cells; all but the first are indented."""
    pieces, used = [""], 0
    for start, end in graphemes(name):
        wide = cells(name[start:end])
        if used + wide > room:
            pieces.append("  ")
            used = 2
        pieces[-1] += name[start:end]
        used += wide
    return pieces
