"""The themes of the app: the grounds and inks of `render`, so that the text looks as in pictures and on the page."""

from __future__ import annotations

from collections.abc import Iterator

from textual.theme import Theme

from saliscope.render.palettes import CHROME, PALETTES, Palette
from saliscope.render.palettes import Theme as Ground
from saliscope.tui.inks import mixed


def themes() -> Iterator[Theme]:
    """A dark and a light theme for each palette; the first is the default."""
    grounds: tuple[Ground, ...] = ("dark", "light")
    for palette in PALETTES.values():
        for ground in grounds:
            yield theme(palette, ground)


def theme_name(palette: str, ground: Ground) -> str:
    """The name of the theme of a palette on a ground."""
    return f"saliscope-{palette}-{ground}"


def theme(palette: Palette, ground: Ground) -> Theme:
    """The theme of one palette: its colour for the target is the app's own, that against it the accent."""
    chrome, inks = CHROME[ground], palette.inks(ground)
    return Theme(
        name=theme_name(palette.name, ground),
        primary=inks[3].ground,
        secondary=inks[2].ground,
        accent=inks[-3].ground,
        warning=inks[-3].ground,
        error="#ff8b82" if ground == "dark" else "#b3261e",
        success="#6fdc8c" if ground == "dark" else "#1f7a37",
        foreground=chrome.text,
        background=chrome.page,
        surface=mixed(chrome.line, chrome.page, 0.4),
        panel=mixed(chrome.line, chrome.page, 0.75),
        dark=ground == "dark",
        variables={
            "quiet": chrome.quiet,
            "line": chrome.line,
            "footer-background": mixed(chrome.line, chrome.page, 0.4),
            "footer-key-foreground": inks[3].ground,
            "footer-description-foreground": chrome.text,
            "block-cursor-background": mixed(inks[3].ground, chrome.page, 0.3),
            "block-cursor-foreground": chrome.text,
            "block-cursor-text-style": "bold",
            "scrollbar": chrome.line,
            "scrollbar-background": chrome.page,
        },
    )
