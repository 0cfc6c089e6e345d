"""One explanation for people: the painting, prediction bars, the strongest features, and what it cost."""

from __future__ import annotations

from saliscope.cli.tables import columns, wrapped
from saliscope.cli.targets import target_name
from saliscope.cli.terminal import Terminal
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.render.ansi import codes_of, legend, paint, style
from saliscope.render.bars import bar, percent, two_sided
from saliscope.render.explained import bars_of, painting_of, rows_of
from saliscope.render.graphemes import cut, width
from saliscope.render.painting import Painting
from saliscope.render.panel import Bar
from saliscope.render.text import one_line, signed, visible

#: The longest label and the longest feature in a list, in cells.
MAX_LABEL = 24


def facts_of(explanation: Explanation) -> list[str]:
    """What stands below a picture: what it took, and what to be careful about."""
    return [f"{value_of(explanation)}, {cost_of(explanation)}", *explanation.warnings]


def value_of(explanation: Explanation) -> str:
    """The number that was explained, and the one of the reference it is measured against."""
    value = f"{_goal(explanation)} = {explanation.value:.3g}"
    return value if explanation.base_value is None else f"{value} (reference {explanation.base_value:.3g})"


def cost_of(explanation: Explanation) -> str:
    """What it took: rows through the model and time."""
    cost = explanation.cost
    rows = [f"{count} {way}" for count, way in ((cost.forward_rows, "forward"), (cost.backward_rows, "backward"))
            if count or way == "forward"]  # fmt: skip
    parts = [f"{' + '.join(rows)} row{'' if cost.forward_rows + cost.backward_rows == 1 else 's'}"]
    if "total" in explanation.timing_ms:
        parts.append(f"{explanation.timing_ms['total']:.0f} ms")
    if explanation.estimate == "partial":
        parts.append("an estimate, stopped before its end")
    if explanation.cached:
        parts.append("kept from an earlier time")
    return ", ".join(parts)


def number_of(explanation: Explanation, score: float, peak: float) -> str:
    """A score as lists show it: without a sign where the method knows none."""
    text = signed(score, peak)
    return text if explanation.signed else text.removeprefix("+")


def show(explanation: Explanation, terminal: Terminal, top: int) -> list[str]:
    """The lines that `saliscope explain` prints."""
    painting = painting_of(explanation)
    lines = [paint(painting, terminal.palette, terminal.depth, terminal.theme), ""]
    lines += [*show_prediction(explanation.prediction, explanation.target.label, terminal), ""]
    if top:
        lines += [*_show_strongest(explanation, top, painting, terminal)]
        hidden = len(explanation.features) - top
        if hidden > 0:
            lines.append(terminal.quiet(f"  and {hidden} more"))
        lines.append("")
        lines += _show_steps(explanation, terminal)
    key = legend(
        terminal.palette,
        terminal.depth,
        terminal.theme,
        signed=explanation.signed,
        target=target_name(explanation.target),
    )
    lines += [f"  {key}", ""] if key else []
    return [*lines, *footer(explanation, terminal)]


def footer(explanation: Explanation, terminal: Terminal) -> list[str]:
    """Model, method, cost, and why these were chosen; quiet."""
    head = f"{explanation.model} · {explanation.method} · {value_of(explanation)}"
    lines = [wrapped(visible(part), terminal.columns, "  ") for part in (head, cost_of(explanation))]
    return [terminal.quiet(line) for line in [*lines[0], *lines[1], *reasons(explanation, terminal)]]


def reasons(explanation: Explanation, terminal: Terminal) -> list[str]:
    """Why model and method were chosen, where nobody named them."""
    lines: list[str] = []
    for reason in explanation.why:
        head, *rest = wrapped(visible(reason), terminal.columns - 5) or [""]
        lines += [f"{'     ' if lines else 'why  '}{head}", *(f"     {line}" for line in rest)]
    return lines


def show_prediction(prediction: Prediction, chosen: str, terminal: Terminal) -> list[str]:
    """The prediction as one bar a label, or a regression's value."""
    if prediction.value is not None:
        return [f"  {terminal.strong(cut(one_line(prediction.label), MAX_LABEL))}  {prediction.value:.4g}"]
    return _show_bars(bars_of(prediction, chosen), terminal)


def _show_bars(bars: list[Bar], terminal: Terminal) -> list[str]:
    labels = [cut(one_line(found.label), MAX_LABEL) for found in bars]
    room = max(8, min(40, terminal.columns - 2 - max(map(width, labels), default=0) - 14))
    rows = []
    for found, label in zip(bars, labels, strict=True):
        name = terminal.strong(label) if found.chosen else label
        rows.append([name, percent(found.share), terminal.quiet(bar(found.share, room))])
    return ["  " + line for line in columns(rows, terminal.columns - 2, right=frozenset({1}))]


def _show_strongest(explanation: Explanation, top: int, painting: Painting, terminal: Terminal) -> list[str]:
    rows = rows_of(explanation, top)
    peak = max((abs(row.score) for row in rows), default=0.0)
    names = [cut(one_line(row.text), MAX_LABEL) for row in rows]
    half = max(4, min(20, (terminal.columns - max(map(width, names), default=0) - 16) // 2))
    lines = []
    for row, name in zip(rows, names, strict=True):
        codes = codes_of(painting.bucket(row.score), terminal.palette, terminal.depth, terminal.theme)
        against, towards = two_sided(row.score, peak, half)
        mark = f"{against}│{towards}" if painting.signed else towards
        score = number_of(explanation, row.score, peak)
        lines.append([style(name, codes, terminal.depth), score, terminal.quiet(mark.rstrip())])
    return ["  " + line for line in columns(lines, terminal.columns - 2, right=frozenset({1}))]


def _goal(explanation: Explanation) -> str:
    return f"{explanation.scale} of {target_name(explanation.target)}"


def _show_steps(explanation: Explanation, terminal: Terminal) -> list[str]:
    """The strongest feature behind each token of a continuation."""
    rows = []
    for output in explanation.outputs:
        if output.step is not None:
            best = max(range(len(output.scores)), key=output.scores.__getitem__)
            feature = cut(one_line(explanation.features[best].text), MAX_LABEL)
            rows.append([terminal.strong(target_name(output.target)), f"{output.scores[best]:+.3g}", feature])
    return ["  " + line for line in columns(rows, terminal.columns - 2, right=frozenset({1}))] + [""] if rows else []
