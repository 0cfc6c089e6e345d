"""Text made safe to show: one visible character for each code point, so that spans stay valid."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import Final
from unicodedata import category

ZERO_WIDTH_JOINER: Final = "\u200d"

_REPLACEMENT: Final = "\ufffd"

#: Code points that a terminal, a browser or an XML parser would act on instead of showing them.
_VISIBLE: Final[dict[int, str]] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), _REPLACEMENT),
    **dict.fromkeys([0x2028, 0x2029], "\u2424"),
    # Embeddings, overrides and isolates can make a text read other than the model reads it.
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], _REPLACEMENT),
    **dict.fromkeys(range(0xD800, 0xE000), _REPLACEMENT),
    **dict.fromkeys([0xFFFE, 0xFFFF], _REPLACEMENT),
}


def visible(text: str) -> str:
    """The text with every control, surrogate and direction override replaced by one harmless character.

    Newlines and tabs stay; the length in code points does not change.
    """
    return text.translate(_VISIBLE)


def one_line(text: str) -> str:
    """The visible text on one line, for lists and tooltips: newline as ↵, tab as ⇥, outer spaces dropped.

    Nothing but spaces shows as ␣, nothing at all as ∅, lone joiners and marks by their number.
    """
    line = visible(text).strip(" ").replace("\n", "↵").replace("\t", "⇥")
    if line and all(category(char) in ("Mn", "Me", "Cf") for char in line):
        return " ".join(f"U+{ord(char):04X}" for char in line)
    return line or ("␣" if text else "∅")


def signed(score: float, peak: float | None = None) -> str:
    """A score with its sign, three significant places of `peak` (default: of itself); "-" for no number."""
    if not isfinite(score):
        return "-"
    size = abs(score if peak is None else peak)
    if size == 0 or not 1e-5 <= size < 1e6:
        return f"{score:+.2e}" if score else "0"
    return f"{score:+.{max(2 - floor(log10(size)), 0) if size < 100 else 0}f}"
