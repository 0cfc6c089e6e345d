"""The table of an evaluation for a terminal: methods against metrics, the best marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from saliscope.protocol.evaluations import Evaluation, EvaluationCell, Interval
from saliscope.render.text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

BEST: Final = "★"
BEST_CHEAP: Final = "☆"
_ARROWS: Final = {"up": "↑", "down": "↓", "neither": ""}
#: Cells that a metric's column takes; what does not fit beside follows below.
_COLUMN: Final = 16


def show_evaluation(found: Evaluation, console: Console) -> None:
    """Print the table, what was left out, and what failed."""
    console.print(_head(found), style="dim")
    names = list(found.directions)
    across = [name for name in names if name not in found.model]
    before = max((len(row.name) for row in found.rows), default=0) + 10
    count = max(1, (console.width - before) // _COLUMN)
    for start in range(0, len(across), count):
        console.print(_table(found, across[start : start + count]))
        console.print()
    if found.model:
        console.print(_model_table(found))
    console.print(
        f"{BEST} best of all methods, {BEST_CHEAP} best of those that cost at most {found.cheap:g} forward passes;"
        f" cost in {found.cost_unit}.\nIntervals: {found.interval}.",
        style="dim",
    )
    for note in found.notes:
        console.print(f"note: {visible(note)}", style="dim", markup=False)
    for row in found.rows:
        if row.failures:
            first = row.failures[0]
            many = f" and {len(row.failures) - 1} more" if len(row.failures) > 1 else ""
            console.print(
                f"{row.name} failed on text {first.text}{many}: {visible(first.message)}", style="dim", markup=False
            )


def _head(found: Evaluation) -> str:
    accuracy = found.accuracy
    said = "" if accuracy is None or accuracy.value is None else f", accuracy {_interval(accuracy)}"
    what = f"{found.scale} of the {found.target} class, {found.granularity}s"
    return f"{found.model_name}: {found.num_texts} texts{said}; {what}"


def _table(found: Evaluation, names: list[str]) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    for name in names:
        table.add_column(Text(f"{name} {_ARROWS[found.directions[name]]}".rstrip()), justify="right", min_width=12)
    for row in found.rows:
        cost = "" if row.cost is None else f"{row.cost:.4g}"
        table.add_row(Text(row.name), cost, *(_cell(row.cells.get(name)) for name in names))
    return table


def _model_table(found: Evaluation) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", title="of the model alone", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, cell in found.model.items():
        table.add_row(Text(name), _cell(cell))
        for part, number in cell.parts.items():
            table.add_row(Text(f"  {part}"), _interval(number))
    return table


def _cell(cell: EvaluationCell | None) -> Text:
    from rich.text import Text

    if cell is None or cell.value is None:
        return Text("–", style="dim")
    marks = (BEST if cell.best else "") + (BEST_CHEAP if cell.best_cheap else "")
    return Text(f"{marks}{_interval(cell)}", style="bold" if cell.best else "")


def _interval(number: Interval) -> str:
    """A value with half the width of its interval."""
    if number.value is None:
        return "–"
    if number.low is None or number.high is None:
        return f"{number.value:.3g}"
    return f"{number.value:.3g} ±{(number.high - number.low) / 2:.2g}"
