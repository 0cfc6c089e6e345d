from __future__ import annotations

import pytest

from saliscope.render.buckets import BUCKETS
from saliscope.render.palettes import CHROME, PALETTES, Palette, Theme, contrast

THEMES = ("light", "dark")


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
@pytest.mark.parametrize("theme", THEMES)
def test_text_is_readable_on_every_ground(palette: Palette, theme: Theme) -> None:
    for number in BUCKETS:
        ink = palette.inks(theme)[number]
        assert contrast(ink.ground, ink.text) >= 4.5, (number, ink)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
@pytest.mark.parametrize("theme", THEMES)
def test_deeper_buckets_stand_out_more(palette: Palette, theme: Theme) -> None:
    page = CHROME[theme].page
    for side in ((1, 2, 3), (-1, -2, -3)):
        found = [contrast(palette.inks(theme)[number].ground, page) for number in side]
        assert found == sorted(found)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
@pytest.mark.parametrize("theme", THEMES)
def test_256_colours_stay_apart_and_readable(palette: Palette, theme: Theme) -> None:
    inks = palette.inks(theme)
    sides = ([inks[n].number for n in (1, 2, 3)], [inks[n].number for n in (-1, -2, -3)])
    assert all(len(set(side)) == 3 for side in sides)
    for ink in inks.values():
        assert contrast(_xterm(ink.number), _xterm(ink.text_number)) >= 4.5, ink


@pytest.mark.parametrize("theme", THEMES)
def test_page_texts_are_readable(theme: Theme) -> None:
    chrome = CHROME[theme]
    assert contrast(chrome.page, chrome.text) >= 7
    assert contrast(chrome.page, chrome.quiet) >= 4.5
    assert contrast(chrome.bar, chrome.line) >= 1.9


def _xterm(number: int) -> str:
    """The #rrggbb of a colour number from 16 on."""
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    levels = (0, 95, 135, 175, 215, 255)
    red, rest = divmod(number - 16, 36)
    return "#" + "".join(f"{levels[part]:02x}" for part in (red, rest // 6, rest % 6))
