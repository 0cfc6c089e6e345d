"""Coloured text for terminals: truecolor, 256, 16, bold and underline only, or plain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from saliscope.render.buckets import BUCKETS
from saliscope.render.painting import Painting, Segment
from saliscope.render.palettes import BLUE_ORANGE, Palette, Theme, rgb
from saliscope.render.text import visible

#: What a terminal can show; "styles" is bold and underline (NO_COLOR), "plain" no escape at all.
Depth = Literal["plain", "styles", "16", "256", "truecolor"]

_ESCAPE: Final = re.compile("\x1b\\[[0-9;]*m")
_STYLES: Final[dict[int, str]] = {-3: "4", -2: "4", 2: "1", 3: "1"}


def depth_of(environ: Mapping[str, str], *, is_tty: bool, choice: str = "auto") -> Depth:
    """What to send to a stream: `choice` is auto, always or never; then NO_COLOR, FORCE_COLOR, TERM, COLORTERM."""
    if choice == "never":
        return "plain"
    if choice == "auto":
        forced = environ.get("FORCE_COLOR", "") not in ("", "0")
        if not forced and (not is_tty or environ.get("TERM") == "dumb"):
            return "plain"
        if environ.get("NO_COLOR"):
            return "styles"
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    term = environ.get("TERM", "")
    if "direct" in term:
        return "truecolor"
    return "256" if "256" in term else "16"


def theme_of(environ: Mapping[str, str]) -> Theme:
    """The ground of the terminal: SALISCOPE_THEME, else what COLORFGBG says, else dark."""
    light = environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
    return "light" if environ.get("SALISCOPE_THEME", "light" if light else "dark") == "light" else "dark"


def style(text: str, codes: str, depth: Depth) -> str:
    """The text in the given SGR codes, line by line; without codes or colours the text alone.

    "styles" lets bold, dim and underline through and drops the colours.
    """
    if depth == "styles":
        codes = ";".join(code for code in codes.split(";") if code in ("1", "2", "4", "7"))
    if depth == "plain" or not codes or not text:
        return text
    return "\n".join(f"\x1b[{codes}m{line}\x1b[0m" if line else "" for line in text.split("\n"))


def codes_of(number: int, palette: Palette, depth: Depth, theme: Theme = "dark") -> str:
    """The SGR codes of a bucket; empty for neutral."""
    if number == 0 or depth == "plain":
        return ""
    if depth == "styles":
        return _STYLES.get(number, "")
    if depth == "16":
        return palette.basic[number]
    ink = palette.inks(theme)[number]
    line = "4;" if palette.underline_negative and number < 0 else ""
    if depth == "256":
        return f"{line}38;5;{ink.text_number};48;5;{ink.number}"
    text, ground = (";".join(map(str, rgb(colour))) for colour in (ink.text, ink.ground))
    return f"{line}38;2;{text};48;2;{ground}"


def paint(painting: Painting, palette: Palette = BLUE_ORANGE, depth: Depth = "truecolor", theme: Theme = "dark") -> str:
    """The visible text in colours; what the model did not read is dim."""
    return "".join(
        style(segment.text, _codes(segment, palette, depth, theme), depth) for segment in painting.segments()
    )


def _codes(segment: Segment, palette: Palette, depth: Depth, theme: Theme) -> str:
    return codes_of(segment.bucket, palette, depth, theme) if segment.seen else "2"


def strip(painted: str) -> str:
    """The text without the escapes that this module writes."""
    return _ESCAPE.sub("", painted)


def legend(palette: Palette, depth: Depth, theme: Theme = "dark", *, signed: bool = True, target: str = "") -> str:
    """One line that explains the colours, from against to for; empty where nothing is coloured."""
    if depth == "plain":
        return ""
    name = visible(target) or "the target"
    if depth == "styles":
        against = f"{style('underlined', '4', depth)} speaks against {name}"
        return f"{style('bold', '1', depth)} {f'supports {name}, ' + against if signed else 'is important'}"
    swatches = [style("  ", codes_of(number, palette, depth, theme), depth) for number in BUCKETS]
    if depth == "16":
        swatches = [style("••", codes_of(number, palette, depth, theme), depth) for number in BUCKETS]
    if not signed:
        return f"less important {''.join(swatches[3:])} more important"
    return f"against {name} {''.join(swatches[:3])} {''.join(swatches[3:])} for {name}"
