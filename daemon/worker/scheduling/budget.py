"""How many tokens of a model go into one micro-batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The tokens of a micro-batch where nothing was measured.
DEFAULT_TOKENS: Final = 2048

#: After an out-of-memory, so many micro-batches go well before more tokens are tried again.
RECOVERY: Final = 32
GROWTH: Final = 1.25


#: In a good micro-batch the fixed cost of a pass is this part of what its tokens cost.
OVERHEAD: Final = 0.1
#: A pass of so many times the time of one row counts as no slower.
NO_SLOWER: Final = 1.25
LEAST_TOKENS: Final = 256
MOST_TOKENS: Final = 16_384


@dataclass(slots=True)
class Budget:
    """At most `tokens` padded tokens, of one row at least; up to `free` of them a pass takes about as long as one row.

    `most` is what was measured when the model was loaded; `tokens` is less for a while after an out-of-memory.
    """

    most: int = DEFAULT_TOKENS
    free: int = 0
    tokens: int = 0
    _went_well: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.most

    @classmethod
    def measured(cls, seconds: dict[int, float]) -> Budget:
        """The budget that times of passes by their tokens speak for; the smallest of them is a pass of one row.

        More tokens than `tokens` would not make a token much cheaper.
        """
        least, most = min(seconds), max(seconds)
        if seconds[most] <= seconds[least]:
            return cls(min(max(most, LEAST_TOKENS), MOST_TOKENS), most)
        per_token = (seconds[most] - seconds[least]) / (most - least)
        fixed = max(0.0, seconds[least] - per_token * least)
        tokens = min(max(int(fixed / (per_token * OVERHEAD)), LEAST_TOKENS), MOST_TOKENS)
        free = int((NO_SLOWER * seconds[least] - fixed) / per_token)
        return cls(tokens, min(free, tokens))

    def shrink(self, tried: int) -> None:
        """A micro-batch of `tried` padded tokens did not fit in memory."""
        self.tokens = max(1, min(self.tokens, tried) // 2)
        self._went_well = 0

    def went_well(self) -> None:
        """A micro-batch was computed."""
        if self.tokens < self.most:
            self._went_well += 1
            if self._went_well >= RECOVERY:
                self.tokens = min(self.most, max(self.tokens + 1, int(self.tokens * GROWTH)))
                self._went_well = 0
