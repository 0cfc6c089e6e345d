"""A page of its own or a fragment in HTML: coloured text, tooltips with scores, prediction bars, a legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from saliscope.render.bars import percent
from saliscope.render.buckets import BUCKETS, meaning
from saliscope.render.painting import Painting, Segment
from saliscope.render.palettes import BLUE_ORANGE, CHROME, Palette, Theme
from saliscope.render.panel import Bar, Panel, Row
from saliscope.render.text import one_line, signed, visible

_LAYOUT: Final = """
.saliscope{background:var(--page);color:var(--text);color-scheme:light dark;
font:16px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
.saliscope *{box-sizing:border-box}
.saliscope h2{font-size:1rem;font-weight:600;margin:0 0 .5rem;color:var(--quiet)}
.saliscope article{max-width:46rem;margin:0 auto;padding:1.5rem 1.25rem}
.saliscope article+article{border-top:1px solid var(--line)}
.saliscope .text{white-space:pre-wrap;font-size:1.25rem;line-height:1.9;margin:0 0 1rem}
.saliscope .text span{border-radius:.2em;padding:.12em 0;
-webkit-box-decoration-break:clone;box-decoration-break:clone}
.saliscope .text span+span{margin-left:1px}
.saliscope .unseen{opacity:.55}
.saliscope table{border-collapse:collapse;margin:0 0 1rem;font-variant-numeric:tabular-nums}
.saliscope th,.saliscope td{text-align:left;font-weight:400;padding:.1rem .75rem .1rem 0;white-space:pre-wrap}
.saliscope td.number{text-align:right}
.saliscope tr.chosen th{font-weight:600}
.saliscope .track{display:block;width:14rem;max-width:40vw;height:.7rem;border-radius:.2rem;background:var(--line)}
.saliscope .fill{display:block;height:100%;border-radius:.2rem;background:var(--bar)}
.saliscope .score{border-radius:.2em;padding:0 .4em}
.saliscope .legend,.saliscope .facts{color:var(--quiet);font-size:.875rem;margin:.25rem 0}
.saliscope .legend i{display:inline-block;width:1.1em;height:1.1em;vertical-align:-.2em;margin-left:1px}
@media print,(forced-colors:active){.saliscope .text span[class],.saliscope .legend i{
forced-color-adjust:none;print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def _variables(palette: Palette, theme: Theme) -> str:
    chrome = CHROME[theme]
    names = "".join(f"--{name}:{colour};" for name, colour in chrome._asdict().items())
    inks = "".join(f"--g{number}:{ink.ground};--t{number}:{ink.text};" for number, ink in palette.inks(theme).items())
    return names + inks


def styles(palette: Palette = BLUE_ORANGE, theme: Theme | None = None) -> str:
    """The style sheet; without a theme it follows the reader's setting."""
    rules = [f".saliscope{{{_variables(palette, theme or 'light')}}}"]
    if theme is None:
        rules.append(f"@media (prefers-color-scheme:dark){{.saliscope{{{_variables(palette, 'dark')}}}}}")
    for number in BUCKETS:
        line = ";text-decoration:underline" if palette.underline_negative and number < 0 else ""
        rules.append(f".saliscope .{_class(number)}{{background:var(--g{number});color:var(--t{number}){line}}}")
    return "\n".join(rules) + _LAYOUT


def page(
    panels: Iterable[Panel], palette: Palette = BLUE_ORANGE, *, title: str = "saliscope", theme: Theme | None = None
) -> str:
    """A whole document that needs nothing else: no scripts, no fonts, no network."""
    return (
        '<!doctype html>\n<html lang="">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(one_line(title))}</title>\n"
        f"<style>body{{margin:0;min-height:100vh}}{styles(palette, theme)}</style>\n</head>\n"
        f'<body class="saliscope">\n<main>\n{_articles(panels)}</main>\n</body>\n</html>\n'
    )


def fragment(panels: Iterable[Panel], palette: Palette = BLUE_ORANGE, theme: Theme | None = None) -> str:
    """The same as one element with its style sheet, for notebooks."""
    return f'<div class="saliscope"><style>{styles(palette, theme)}</style>\n{_articles(panels)}</div>'


def text_of(painting: Painting) -> str:
    """The coloured text as inline elements; parsing it gives the visible text back."""
    return "".join(_span(segment, painting.signed) for segment in painting.segments())


def _class(number: int) -> str:
    return f"{'p' if number > 0 else 'n'}{abs(number)}"


def _span(segment: Segment, is_signed: bool) -> str:
    text = escape(segment.text)
    if not segment.seen:
        return f'<span class="unseen" title="not read by the model">{text}</span>'
    if segment.score is None:
        return text
    hint = escape(f"{signed(segment.score)} · {meaning(segment.bucket, signed=is_signed)}")
    look = f' class="{_class(segment.bucket)}"' if segment.bucket else ""
    return f'<span{look} title="{hint}">{text}</span>'


def _articles(panels: Iterable[Panel]) -> str:
    return "".join(_article(panel) for panel in panels)


def _article(panel: Panel) -> str:
    parts = [
        f"<h2>{escape(one_line(panel.title))}</h2>" if panel.title else "",
        f'<div class="text" dir="auto">{text_of(panel.painting)}</div>',
        _bars(panel.bars),
        _rows(panel.rows, panel.painting),
        _legend(panel.painting.signed, escape(one_line(panel.target))),
        *(f'<p class="facts">{escape(visible(fact))}</p>' for fact in panel.facts),
    ]
    return "<article>\n" + "\n".join(part for part in parts if part) + "\n</article>\n"


def _bars(bars: Sequence[Bar]) -> str:
    if not bars:
        return ""
    rows = (
        f'<tr{" class=chosen" if bar.chosen else ""}><th scope="row">{escape(one_line(bar.label))}</th>'
        f'<td class="number">{escape(percent(bar.share).strip())}</td>'
        f'<td><span class="track"><span class="fill" style="width:{100 * bar.share:.2f}%"></span></span></td></tr>'
        for bar in bars
    )
    return f'<table aria-label="Prediction">{"".join(rows)}</table>'


def _rows(rows: Sequence[Row], painting: Painting) -> str:
    if not rows:
        return ""
    lines = []
    for row in rows:
        look = _class(painting.bucket(row.score)) if painting.bucket(row.score) else "n0"
        score = f'<span class="score {look}">{_score(row.score, painting)}</span>'
        lines.append(f'<tr><th scope="row">{escape(one_line(row.text))}</th><td class="number">{score}</td></tr>')
    return f'<table aria-label="Strongest features">{"".join(lines)}</table>'


def _score(score: float, painting: Painting) -> str:
    text = signed(score, painting.depth)
    return text if painting.signed else text.removeprefix("+")


def _legend(is_signed: bool, target: str) -> str:
    def swatches(numbers: Iterable[int]) -> str:
        return "".join(
            f'<i class="{_class(number)}" title="{meaning(number, signed=is_signed)}"></i>' for number in numbers
        )

    if not is_signed:
        return f'<p class="legend">less important {swatches(BUCKETS[3:])} more important</p>'
    return (
        f'<p class="legend">speaks against {target} {swatches(BUCKETS[:3])} '
        f"{swatches(BUCKETS[3:])} supports {target}</p>"
    )
