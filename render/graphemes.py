"""Graphemes and their width in terminal cells, close to Unicode's UAX 29 and UAX 11, without their tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from unicodedata import category, east_asian_width

from saliscope.render.text import ZERO_WIDTH_JOINER

_EMOJI_STYLE: Final = "\ufe0f"


def _extends(char: str) -> bool:
    """Whether a character belongs to the one before it: marks, selectors, skin tones, flag tags."""
    if char < "\u0300":
        return False
    return (
        category(char) in ("Mn", "Me", "Mc")
        or char in (ZERO_WIDTH_JOINER, "\u200c", "\uff9e", "\uff9f")
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_pictograph(char: str) -> bool:
    return char >= "\u203c" and category(char) in ("So", "Sm", "Cn", "Po")


def _jamo(char: str) -> str:
    """The kind of a Hangul character: L, V, T, or LV and LVT for a whole syllable; empty for all others."""
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "L"
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return "V"
    if "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb":
        return "T"
    if "\uac00" <= char <= "\ud7a3":
        return "LV" if (ord(char) - 0xAC00) % 28 == 0 else "LVT"
    return ""


_SYLLABLES: Final[dict[str, frozenset[str]]] = {
    "L": frozenset({"L", "V", "LV", "LVT"}),
    "V": frozenset({"V", "T"}),
    "LV": frozenset({"V", "T"}),
    "T": frozenset({"T"}),
    "LVT": frozenset({"T"}),
}


def _joins(text: str, start: int, at: int) -> bool:
    """Whether the character at `at` continues the grapheme that began at `start`."""
    char, before = text[at], text[at - 1]
    if char < "\u0300" or category(before) in ("Cc", "Zl", "Zp"):
        return False
    if _extends(char):
        return True
    if before == ZERO_WIDTH_JOINER:
        return _is_pictograph(char)
    if _is_flag_letter(char):
        return at - start == 1 and _is_flag_letter(before)
    return _jamo(char) in _SYLLABLES.get(_jamo(before), ())


def graphemes(text: str) -> Iterator[tuple[int, int]]:
    """The spans (start, end) of the graphemes, in order; together they cover the text."""
    start = 0
    for at in range(1, len(text)):
        if not _joins(text, start, at):
            yield start, at
            start = at
    if text:
        yield start, len(text)


def cells(grapheme: str) -> int:
    """The number of terminal cells that one grapheme fills: 0, 1 or 2 (a tab counts 1)."""
    first = grapheme[0]
    if first < "\u0300":
        return 2 if _EMOJI_STYLE in grapheme and first > "\x7f" else 1
    if east_asian_width(first) in "WF" or _EMOJI_STYLE in grapheme:
        return 2
    if _is_flag_letter(first) and len(grapheme) > 1:
        return 2
    return 0 if category(first) in ("Mn", "Me", "Cf") else 1


def width(text: str) -> int:
    """The number of terminal cells that a text of one line fills."""
    if text.isascii():
        return len(text)
    return sum(cells(text[start:end]) for start, end in graphemes(text))


def cut(text: str, columns: int) -> str:
    """The text shortened with … to at most `columns` cells, never inside a grapheme."""
    if width(text) <= columns:
        return text
    used, end_of_fit = 0, 0
    for start, end in graphemes(text):
        used += cells(text[start:end])
        if used > columns - 1:
            break
        end_of_fit = end
    return text[:end_of_fit] + "…" if columns > 0 else ""


def cut_inside(text: str, columns: int) -> str:
    """The text shortened to at most `columns` cells with … in its middle, where names of one family are alike."""
    if width(text) <= columns:
        return text
    room = max(columns - 1, 0) // 2
    head = cut(text, columns - room)
    tail = len(text)
    for start, end in reversed(list(graphemes(text))):
        room -= cells(text[start:end])
        if room < 0:
            break
        tail = start
    return head + text[tail:]


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """The text filled with spaces to `columns` cells; with `right` the spaces come first."""
    spaces = " " * max(0, columns - width(text))
    return spaces + text if right else text + spaces
