"""The colours of the buckets, for light and dark grounds, with text that stays readable on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from saliscope.render.buckets import BUCKETS

Theme = Literal["light", "dark"]

_NIGHT: Final = "#0a121b"


class Ink(NamedTuple):
    """How one bucket looks: ground and text on it as #rrggbb, and the ground's number among 256 colours."""

    ground: str
    text: str
    number: int

    @property
    def text_number(self) -> int:
        """The number of the text's colour among 256: nearly black or white."""
        return 233 if self.text == _NIGHT else 231


class Palette(NamedTuple):
    """One set of colours: an ink for each bucket on either theme, and SGR codes for 16-colour terminals."""

    name: str
    positive: str
    negative: str
    light: Mapping[int, Ink]
    dark: Mapping[int, Ink]
    basic: Mapping[int, str]
    underline_negative: bool = False

    def inks(self, theme: Theme) -> Mapping[int, Ink]:
        """The inks for a ground that is light or dark."""
        return self.light if theme == "light" else self.dark


class Chrome(NamedTuple):
    """The colours around the text: page, plain text, quiet text, lines, and the plain bars."""

    page: str
    text: str
    quiet: str
    line: str
    bar: str


CHROME: Final[dict[Theme, Chrome]] = {
    "light": Chrome("#ffffff", "#1b2430", "#5b6776", "#d9dfe6", "#8a97a6"),
    "dark": Chrome("#10151c", "#dfe6ee", "#94a2b3", "#2b3643", "#66758a"),
}


def _inks(*inks: tuple[str, str, int]) -> dict[int, Ink]:
    return {bucket: Ink(*ink) for bucket, ink in zip(BUCKETS, inks, strict=True)}


def _basic(*codes: str) -> dict[int, str]:
    return dict(zip(BUCKETS, codes, strict=True))


#: Safe for the common kinds of colour blindness; the default.
BLUE_ORANGE: Final = Palette(
    "blue-orange",
    "blue",
    "orange",
    light=_inks(
        ("#b85000", "#ffffff", 130), ("#f6b26b", _NIGHT, 215), ("#fde6cf", _NIGHT, 223),
        ("#d8e8f8", _NIGHT, 189), ("#90bfec", _NIGHT, 111), ("#1c66ac", "#ffffff", 25),
    ),
    dark=_inks(
        ("#ffad61", _NIGHT, 215), ("#a0500f", "#ffffff", 130), ("#46290f", "#f6e4d2", 58),
        ("#15324e", "#dcebfa", 17), ("#1f62a4", "#ffffff", 25), ("#74bcff", _NIGHT, 111),
    ),
    basic=_basic("30;103", "30;43", "33", "94", "97;44", "30;104"),
)  # fmt: skip

#: The familiar pair; not for everyone's eyes.
RED_GREEN: Final = Palette(
    "red-green",
    "green",
    "red",
    light=_inks(
        ("#b3261e", "#ffffff", 124), ("#f29b94", _NIGHT, 210), ("#fbe0de", _NIGHT, 224),
        ("#d9f0dc", _NIGHT, 194), ("#86cf93", _NIGHT, 114), ("#1f7a37", "#ffffff", 22),
    ),
    dark=_inks(
        ("#ff8b82", _NIGHT, 210), ("#a3302a", "#ffffff", 124), ("#47201e", "#f8dedc", 52),
        ("#173a22", "#daf3df", 22), ("#216e36", "#ffffff", 28), ("#6fdc8c", _NIGHT, 114),
    ),
    basic=_basic("30;101", "97;41", "31", "32", "30;42", "30;102"),
)  # fmt: skip

#: Greys only: darker (on dark: brighter) means stronger, underlined means against the target.
MONO: Final = Palette(
    "mono",
    "plain",
    "underlined",
    light=_inks(
        ("#3c4653", "#ffffff", 238), ("#aab4c0", _NIGHT, 249), ("#e3e8ed", _NIGHT, 254),
        ("#e3e8ed", _NIGHT, 254), ("#aab4c0", _NIGHT, 249), ("#3c4653", "#ffffff", 238),
    ),
    dark=_inks(
        ("#d5dde6", _NIGHT, 252), ("#566372", "#ffffff", 241), ("#27313c", "#e6ecf2", 236),
        ("#27313c", "#e6ecf2", 236), ("#566372", "#ffffff", 241), ("#d5dde6", _NIGHT, 252),
    ),
    basic=_basic("4;7", "4;1", "4", "0", "1", "7"),
    underline_negative=True,
)  # fmt: skip

#: Every palette by name, the default first.
PALETTES: Final[dict[str, Palette]] = {palette.name: palette for palette in (BLUE_ORANGE, RED_GREEN, MONO)}


def rgb(colour: str) -> tuple[int, int, int]:
    """The channels 0-255 of a #rrggbb colour."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
