"""An explanation to keep: picture, page, JSON, ANSI, Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from saliscope.protocol.explanation import Explanation
from saliscope.render.ansi import paint
from saliscope.render.bars import percent
from saliscope.render.explained import bars_of, goal_of, painting_of, panel_of, strongest
from saliscope.render.html import page
from saliscope.render.palettes import BLUE_ORANGE, Palette
from saliscope.render.svg import picture
from saliscope.render.text import signed, visible

#: So many of the strongest tokens are listed.
MAX_ROWS: Final = 12

Make = Callable[[Explanation, Palette], str]


class Form(NamedTuple):
    """One way to keep an explanation: its suffix (empty: only to copy), its name, and how it is made."""

    suffix: str
    name: str
    note: str
    make: Make


def svg(explanation: Explanation, palette: Palette = BLUE_ORANGE) -> str:
    """A picture."""
    return picture([panel_of(explanation, MAX_ROWS, explanation.warnings)], palette)


def html(explanation: Explanation, palette: Palette = BLUE_ORANGE) -> str:
    """A page of its own."""
    return page([panel_of(explanation, MAX_ROWS, explanation.warnings)], palette, title=explanation.text[:80])


def json(explanation: Explanation, palette: Palette = BLUE_ORANGE) -> str:
    """The explanation as it is on the wire (docs/protocol.md)."""
    return msgspec.json.format(msgspec.json.encode(explanation), indent=2).decode() + "\n"


def ansi(explanation: Explanation, palette: Palette = BLUE_ORANGE) -> str:
    """The coloured text for a terminal."""
    return paint(painting_of(explanation), palette) + "\n"


def markdown(explanation: Explanation, palette: Palette = BLUE_ORANGE) -> str:
    """The text with its strongest support in bold, and a table of scores."""
    lines = [_emphasised(explanation), "", f"*{explanation.model} · {explanation.method} · {goal_of(explanation)}*", ""]
    lines += [f"- {_plain(bar.label)}: {percent(bar.share).strip()}" for bar in bars_of(explanation.prediction)]
    lines += ["", "| token | score |", "| --- | ---: |"]
    for at in strongest(explanation, MAX_ROWS):
        lines.append(f"| {_plain(explanation.features[at].text)} | {signed(explanation.scores[at])} |")
    return "\n".join(lines) + "\n"


def _emphasised(explanation: Explanation) -> str:
    """Strong support is bold, what speaks strongly against is struck out."""
    parts = []
    for segment in painting_of(explanation).segments():
        text = _plain(segment.text)
        mark = "**" if segment.bucket >= 2 else "~~" if segment.bucket <= -2 else ""
        core = text.strip()
        parts.append(text.replace(core, f"{mark}{core}{mark}", 1) if mark and core else text)
    return "".join(parts)


def _plain(text: str) -> str:
    """Text in which Markdown sees no marks of its own."""
    return "".join(f"\\{char}" if char in "\\`*_~[]<>|#" else char for char in visible(text)).strip("\n")


FORMS: Final = (
    Form(".svg", "picture", "SVG, light and dark", svg),
    Form(".html", "page", "HTML of its own", html),
    Form(".json", "JSON", "the explanation with all scores", json),
    Form(".ansi", "terminal", "text with colours", ansi),
    Form(".md", "Markdown", "bold for, struck out against, a table of scores", markdown),
)
