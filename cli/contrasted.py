"""What changes between two sides, for a terminal and as a page."""

from __future__ import annotations

from saliscope.cli.contrast import Change, Contrast, Scored
from saliscope.cli.tables import columns
from saliscope.cli.terminal import Terminal
from saliscope.render.graphemes import cut
from saliscope.render.html import page
from saliscope.render.painting import Mark, Painting
from saliscope.render.panel import Panel
from saliscope.render.text import one_line

#: Rows and words that a terminal shows.
SHOWN = 10
_ROOM = 44


def contrast_lines(found: Contrast, terminal: Terminal) -> list[str]:
    """How much changed, which predictions became which, the words and the rows that changed most."""
    lines = [*_head(found)]
    said = sorted({name for row in found.moves.values() for name in row})
    moves = [[one_line(name), *(f"{row.get(one, 0):,}" for one in said)] for name, row in found.moves.items()]
    if moves:
        head = [terminal.strong("A, and B:"), *(terminal.strong(one_line(name)) for name in said)]
        right = frozenset(range(1, len(head)))
        lines += ["", terminal.quiet("predictions"), *columns([head, *moves], terminal.columns, right=right)]
    words = [
        [
            one_line(one.text),
            f"{one.texts:,}",
            f"{one.before:+.3f}",
            f"{one.after:+.3f}",
            f"{one.after - one.before:+.3f}",
        ]
        for one in found.words[:SHOWN]
        if one.before != one.after
    ]
    if words:
        head = [terminal.strong(name) for name in ("word", "texts", "A", "B", "change")]
        title = terminal.quiet("words whose share of the scores changed most")
        lines += ["", title, *columns([head, *words], terminal.columns, right=frozenset(range(1, 5)))]
    rows = [
        [str(one.row), one_line(f"{one.before} → {one.after}"), _number(one.agreement), cut(one_line(one.text), _ROOM)]
        for one in found.changes[:SHOWN]
    ]
    if rows:
        head = [terminal.strong(name) for name in ("row", "prediction", "agreement", "text")]
        lines += ["", terminal.quiet("rows that changed most"), *columns([head, *rows], terminal.columns)]
    return lines


def contrast_page(found: Contrast) -> str:
    """A page with the same head, and each of the rows that changed most twice: as A and as B sees it."""
    summary = Panel(Painting("\n".join(_head(found)), ()), title=f"{found.a} · {found.b}")
    panels = [summary]
    for one in found.changes:
        panels += [
            _panel(one, "A", one.before, one.probability_before, one.a),
            _panel(one, "B", one.after, one.probability_after, one.b),
        ]
    return page(panels, title=f"{found.a} and {found.b}")


def _panel(change: Change, side: str, said: str, probability: float | None, scores: list[Scored]) -> Panel:
    sure = "" if probability is None else f" ({probability:.0%})"
    facts = (f"agreement of the two {_number(change.agreement)}",) if side == "B" else ()
    marks = [Mark(one.start, one.end, one.score) for one in scores]
    return Panel(Painting(change.text, marks), f"row {change.row} · {side}: {said}{sure}", said, facts=facts)


def _head(found: Contrast) -> list[str]:
    compared = found.rows - found.left_out
    share = f" ({found.changed / compared:.1%})" if compared else ""
    lines = [
        f"A: {one_line(found.a)}",
        f"B: {one_line(found.b)}",
        f"{compared:,} of {found.rows:,} texts compared; {found.changed:,} predictions change{share}",
        f"probability of the prediction: mean change {_number(found.probability_shift)}",
        f"words: mean rank agreement {_number(found.agreement)}, {_number(found.shared)} of the strongest are the same",
    ]
    if found.other_target:
        lines.append(f"in {found.other_target:,} texts A and B explain different classes; --target fixes one for both")
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
