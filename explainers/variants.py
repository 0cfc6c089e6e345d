"""Variants of a text, described and not built: what of it is hidden, moved or replaced in each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from saliscope.explainers.texts.encoding import BoolArray, FloatArray, IntArray

Layer = int
"""0 is what enters the first block, l the output of block l; `INPUT` are the word embeddings themselves."""

INPUT: Layer = -1

STATE_ROWS = 2
"""What the states of a text and of its reference at a layer cost, once for all rows that are `Moved` there."""


Hiding = Literal["replace", "drop", "attention"]
"""What hiding a feature means: another id in its place, its tokens left out, or nobody may look at them."""

Reference = Literal["mask", "mean", "zero", "pad"]
"""What a word embedding is compared with: the mask token's, the vocabulary's mean, nothing, or the pad token's."""


@dataclass(frozen=True, eq=False)
class Masked:
    """Rows with hidden features: `keep [B, n]` over the `groups` of positions.

    Under "drop" and "attention" a row ends at its last visible token, so no output depends on what is hidden; a row
    with nothing left is one mask token. "drop" rows can be read at their end only.
    """

    keep: BoolArray
    groups: tuple[tuple[int, ...], ...]
    hiding: Hiding = "replace"

    def __len__(self) -> int:
        return len(self.keep)

    def hidden(self, num_positions: int, start: int, stop: int) -> BoolArray:
        """Which positions rows `start:stop` hide, `[rows, T]`."""
        hidden = np.zeros((stop - start, num_positions), dtype=np.bool_)
        for feature, positions in enumerate(self.groups):
            hidden[:, list(positions)] = ~self.keep[start:stop, feature, None]
        return hidden


@dataclass(frozen=True, slots=True)
class Noise:
    """Gaussian noise on every position of the features, drawn row by row from `seed` and the row's number.

    `unit` gives `sigma` its size: "range" (largest less smallest embedding value of the text), "norm" (mean length of
    its embeddings over sqrt(K)). With `antithetic` row 2k+1 has the noise of row 2k with the other sign.
    """

    sigma: float
    seed: int
    unit: Literal["range", "norm"] = "norm"
    antithetic: bool = False


@dataclass(frozen=True, eq=False)
class Moved:
    """Rows whose features move away from or towards a reference B: `E_i + z_i D_i`, `D_i = nu_i (E_i - B_i)`.

    `z [B, n]` over the `groups`; z = -1 is the reference itself. nu is 1 ("relative") or gives every feature the median
    length ("unit"). `layer` says where: the word embeddings, or a layer's states; there B is what the referenced text
    gives, its special tokens kept, and "zero" no state at all.
    """

    z: FloatArray
    groups: tuple[tuple[int, ...], ...]
    reference: Reference = "mask"
    normalise: Literal["relative", "unit"] = "relative"
    layer: Layer = INPUT
    noise: Noise | None = None

    def __len__(self) -> int:
        return len(self.z)


@dataclass(frozen=True, eq=False)
class Replaced:
    """Rows with other ids: `ids [B, T]`, as long as the text."""

    ids: IntArray

    def __len__(self) -> int:
        return len(self.ids)


Rows = Masked | Moved | Replaced
