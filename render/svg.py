"""A picture of its own in SVG: the coloured text set in cells, prediction bars and a legend, one card a panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from saliscope.render.bars import percent
from saliscope.render.buckets import BUCKETS, meaning
from saliscope.render.graphemes import cut, pad, width
from saliscope.render.layout import Run, lines
from saliscope.render.painting import Painting, Segment
from saliscope.render.palettes import BLUE_ORANGE, CHROME, Palette, Theme
from saliscope.render.panel import Bar, Panel
from saliscope.render.text import one_line, signed, visible

CELL: Final = 9.6
LINE: Final = 28
MARGIN: Final = 24
SMALL_CELL: Final = 7.8
SMALL_LINE: Final = 21

_FONT: Final = "ui-monospace,'SF Mono','Cascadia Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"


def picture(
    panels: Iterable[Panel], palette: Palette = BLUE_ORANGE, *, columns: int = 72, theme: Theme | None = None
) -> str:
    """A whole SVG document, `columns` cells wide; without a theme it follows the reader's setting."""
    stack = list(panels)
    body: list[str] = []
    top = 0.0
    for panel in stack:
        drawn, top = _panel(panel, columns, top + MARGIN)
        body += drawn
    size_x, size_y = 2 * MARGIN + columns * CELL, top + MARGIN - 6
    label = escape(" · ".join(one_line(panel.title) for panel in stack if panel.title) or "saliscope", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size_x:.0f}" height="{size_y:.0f}" '
        f'viewBox="0 0 {size_x:.0f} {size_y:.0f}" role="img" aria-label="{label}">\n'
        f"<style>{styles(palette, theme)}</style>\n"
        f'<rect class="page" x=".5" y=".5" width="{size_x - 1:.0f}" height="{size_y - 1:.0f}" rx="10"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def styles(palette: Palette, theme: Theme | None) -> str:
    """The style sheet of the picture."""
    rules = [
        f"text{{font:16px {_FONT};white-space:pre}}.small{{font-size:13px}}.strong{{font-weight:600}}",
        _colours(palette, theme or "light"),
    ]
    if theme is None:
        rules.append(f"@media (prefers-color-scheme:dark){{{_colours(palette, 'dark')}}}")
    if palette.underline_negative:
        rules.append("".join(f".x{_name(number)}{{text-decoration:underline}}" for number in BUCKETS if number < 0))
    return "\n".join(rules)


def _colours(palette: Palette, theme: Theme) -> str:
    chrome = CHROME[theme]
    rules = [
        f".page{{fill:{chrome.page};stroke:{chrome.line}}}",
        f"text{{fill:{chrome.text}}}.quiet{{fill:{chrome.quiet}}}.unseen{{fill:{chrome.quiet};opacity:.7}}",
        f".track{{fill:{chrome.line}}}.fill{{fill:{chrome.bar}}}",
    ]
    for number, ink in palette.inks(theme).items():
        rules.append(f".g{_name(number)}{{fill:{ink.ground}}}.x{_name(number)}{{fill:{ink.text}}}")
    return "".join(rules)


def _name(number: int) -> str:
    return f"{'p' if number > 0 else 'n'}{abs(number)}"


def _text(x: float, y: float, text: str, classes: str = "", length: float | None = None) -> str:
    stretch = "" if length is None else f' textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
    look = f' class="{classes}"' if classes else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" xml:space="preserve"{look}{stretch}>{escape(text)}</text>'


def _panel(panel: Panel, columns: int, top: float) -> tuple[list[str], float]:
    """The elements of one panel that starts at `top`, and where it ends."""
    out: list[str] = []
    small = int(columns * CELL / SMALL_CELL)
    if panel.title:
        out.append(_text(MARGIN, top + 13, cut(one_line(panel.title), small), "small quiet"))
        top += SMALL_LINE + 6
    for line in lines(panel.painting.segments(), columns):
        out += [_run(run, top, panel.painting) for run in line]
        top += LINE
    top += 8
    if panel.bars:
        out += _bars(panel.bars, small, top)
        top += SMALL_LINE * len(panel.bars) + 8
    out += _legend(panel, top)
    top += SMALL_LINE
    for fact in panel.facts:
        out.append(_text(MARGIN, top + 14, cut(visible(fact).replace("\n", " "), small), "small quiet"))
        top += SMALL_LINE
    return out, top


def _run(run: Run, top: float, painting: Painting) -> str:
    """One stretch of text on its ground, with the score as a tooltip."""
    x, length = MARGIN + run.column * CELL, run.cells * CELL
    segment = run.segment
    if not segment.seen:
        return _text(x, top + 19, run.text, "unseen", length)
    if segment.bucket == 0 or not length:
        return _text(x, top + 19, run.text, "", length or None)
    ground = (
        f'<rect class="g{_name(segment.bucket)}" x="{x:.1f}" y="{top + 1:.1f}" '
        f'width="{length - (0.8 if _ends(run, segment) else -0.3):.1f}" height="{LINE - 4}" rx="3"/>'
    )
    hint = f"{signed(segment.score or 0.0)} · {meaning(segment.bucket, signed=painting.signed)}"
    glyphs = _text(x, top + 19, run.text, f"x{_name(segment.bucket)}", length)
    return f"<g><title>{escape(hint)}</title>{ground}{glyphs}</g>"


def _ends(run: Run, segment: Segment) -> bool:
    """Whether a run is the last one of its segment: a hair of space is left before the next ground."""
    return segment.text.endswith(run.text)


def _bars(bars: Sequence[Bar], columns: int, top: float) -> list[str]:
    labels = [cut(one_line(bar.label), 24) for bar in bars]
    name_cells = max(map(width, labels))
    track = min(260.0, (columns - name_cells - 10) * SMALL_CELL)
    out = []
    for bar, label in zip(bars, labels, strict=True):
        look = "small strong" if bar.chosen else "small"
        x = MARGIN + (name_cells + 2) * SMALL_CELL
        out.append(_text(MARGIN, top + 14, label, look))
        out.append(_text(x, top + 14, pad(percent(bar.share), 6, right=True), look))
        for kind, share in (("track", 1.0), ("fill", min(1.0, max(0.0, bar.share)))):
            place = f'x="{x + 7 * SMALL_CELL:.1f}" y="{top + 4:.1f}"'
            out.append(f'<rect class="{kind}" {place} width="{track * share:.1f}" height="11" rx="3"/>')
        top += SMALL_LINE
    return out


def _legend(panel: Panel, top: float) -> list[str]:
    is_signed, target = panel.painting.signed, cut(one_line(panel.target), 24)
    before, after = (f"against {target}", f"for {target}") if is_signed else ("less important", "more important")
    x = MARGIN + width(before) * SMALL_CELL + 8
    out = [_text(MARGIN, top + 14, before, "small quiet")]
    for number in BUCKETS if is_signed else BUCKETS[3:]:
        out.append(f'<rect class="g{_name(number)}" x="{x:.1f}" y="{top + 3:.1f}" width="15" height="14" rx="2"/>')
        x += 20 if number == -1 else 16
    out.append(_text(x + 8, top + 14, after, "small quiet"))
    return out
