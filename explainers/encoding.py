"""A text as the model sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source: `text == source[start:end]` in code points, at model `positions`.

    Pieces that share a character (byte-level vocabularies) are one token with several positions.
    A special token has the vocabulary's text and an empty span.
    """

    text: str
    start: int
    end: int
    special: bool
    positions: tuple[int, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Encoding:
    """An encoded text: `ids [T]` with special tokens, the `tokens` over them, and where the text was cut.

    `truncated_at` is the first code point that the model does not see, or None.
    """

    text: str
    ids: IntArray
    tokens: tuple[Token, ...]
    truncated_at: int | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def special(self) -> BoolArray:
        """`[T]`, true at special tokens: these are fixed, never masked and never scored."""
        mask = np.zeros(len(self.ids), dtype=np.bool_)
        for token in self.tokens:
            if token.special:
                mask[list(token.positions)] = True
        return mask
