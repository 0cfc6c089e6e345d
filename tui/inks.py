"""How a scored piece of text looks in the terminal: palette, ground and depth to styles."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.color import Color
from rich.style import Style

from saliscope.render.ansi import Depth
from saliscope.render.palettes import BLUE_ORANGE, CHROME, Palette, Theme, rgb

#: How much of a colour is left where the text has changed since it was scored.
STALE: Final = 0.4
#: Where there are few colours or none: bold speaks for the target, underlined against it.
_STYLES: Final = {
    -3: Style(underline=True, bold=True),
    -2: Style(underline=True),
    2: Style(bold=True),
    3: Style(bold=True, reverse=True),
}
#: The 16 colours as RGB, from which a terminal that has no more gets exactly these back; Textual's own are a theme's.
_VGA: Final = (
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
    (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
    (255, 255, 255),
)  # fmt: skip


class Inks(NamedTuple):
    """The styles of one palette on one ground."""

    palette: Palette = BLUE_ORANGE
    theme: Theme = "dark"
    depth: Depth = "truecolor"

    def style(self, bucket: int, *, stale: bool = False, seen: bool = True) -> Style:
        """The style of a bucket; `stale` where the text has changed since, not `seen` where the model stopped."""
        if not seen:
            return Style(dim=True, italic=True)
        if bucket == 0:
            return Style.null()
        if self.depth in ("plain", "styles"):
            return _STYLES.get(bucket, Style.null()) + Style(dim=stale)
        underline = True if self.palette.underline_negative and bucket < 0 else None
        if self.depth == "16":
            look = _STYLES.get(bucket, Style.null()) + Style(reverse=False, dim=stale)
            return _basic(self.palette.basic[bucket]) + look
        ink = self.palette.inks(self.theme)[bucket]
        if stale:
            page, plain = CHROME[self.theme].page, CHROME[self.theme].text
            return Style(color=plain, bgcolor=mixed(ink.ground, page, STALE), underline=underline)
        if self.depth == "256":
            ground = Color.from_ansi(ink.number)
            return Style(color=Color.from_ansi(ink.text_number), bgcolor=ground, underline=underline)
        return Style(color=ink.text, bgcolor=ink.ground, underline=underline)

    def bar(self, chosen: bool) -> Style:
        """The style of a plain bar; the chosen one has the colour for the target."""
        if self.depth in ("plain", "styles", "16"):
            return Style(bold=chosen)
        return Style(color=self.palette.inks(self.theme)[3].ground if chosen else CHROME[self.theme].bar)


def mixed(colour: str, ground: str, share: float) -> str:
    """A #rrggbb colour of which only a share is left on the ground."""
    pairs = zip(rgb(colour), rgb(ground), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def _basic(codes: str) -> Style:
    """SGR codes of 16-colour terminals as a style; reverse and underline come from the bucket itself."""
    style = Style.null()
    for code in map(int, codes.split(";")):
        for first, base, is_ground in ((30, 0, False), (90, 8, False), (40, 0, True), (100, 8, True)):
            if first <= code < first + 8:
                colour = Color.from_rgb(*_VGA[code - first + base])
                style += Style(bgcolor=colour) if is_ground else Style(color=colour)
    return style
