"""95 % intervals of a mean over texts."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import numpy as np
from scipy.special import ndtr, stdtrit

from saliscope.explainers.metrics.subject import Wide

Kind = Literal["bootstrap", "normal"]
RESAMPLES: Final = 1000

#: Each kind in words, for results.
DESCRIBED: Final[dict[Kind, str]] = {
    "bootstrap": "95 % by 1000 bootstrap resamples of the texts, expanded for small samples (Hesterberg 2015)",
    "normal": "95 % as 1.96 sd / sqrt(n)",
}


@lru_cache(maxsize=2)
def _shares(count: int, seed: int) -> Wide:
    """How much of each resample every text is, `[RESAMPLES, count]`: a table asks for the same ones again and again."""
    picks = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    rows = np.repeat(np.arange(RESAMPLES), count)
    counts = np.bincount(rows * count + picks.ravel(), minlength=RESAMPLES * count)
    return counts.reshape(RESAMPLES, count) / count


def interval(values: Wide, kind: Kind = "bootstrap", seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of the mean of `values [n]`; None for fewer than two.

    "bootstrap" takes percentiles of resampled means, a little outside of 2.5 and 97.5 so that few texts do not make
    the interval too narrow; "normal" is mean +- 1.96 sd/sqrt(n).
    """
    count = len(values)
    if count < 2:
        return None
    mean = float(values.mean())
    if kind == "normal":
        half = 1.96 * float(values.std(ddof=1)) / count**0.5
        return mean - half, mean + half
    means = _shares(count, seed) @ values
    tail = 100 * float(ndtr((count / (count - 1)) ** 0.5 * stdtrit(count - 1, 0.025)))
    low, high = np.percentile(means, [tail, 100 - tail])
    # Of values that are all the same, resampled means may miss theirs by a rounding.
    return min(float(low), mean), max(float(high), mean)
