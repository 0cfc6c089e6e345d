"""Rows with some features kept and the others hidden: how they are asked for, answered and named."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.errors import NonFinite, listing
from saliscope.explainers.families.openings import whole_text
from saliscope.explainers.masking import check_hiding
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Evaluate, Query, Value
from saliscope.explainers.texts.encoding import BoolArray
from saliscope.explainers.variants import Hiding

Wide = np.ndarray[Any, np.dtype[np.float64]]
Valued = Generator[Query | Scored, Answer, Wide]

Mask = Annotated[
    Hiding,
    msgspec.Meta(
        description="replace: hidden tokens become the mask token; attention: nobody may look at them;"
        " drop: they are left out, so fewer tokens are computed"
    ),
]

#: Rows between two partial results. Rows of different lengths are sorted among each other, so there it takes more.
ROWS_PER_PARTIAL: Final[dict[Hiding, int]] = {"replace": 64, "attention": 64, "drop": 256}


def open_hiding(asked: Asked, params: Any) -> Evaluate:
    """The prediction on the text itself, one forward row; `params.mask` must suit the model, else `NotCapable`."""
    check_hiding(asked.facts, len(asked.encoding), params.mask, "params.mask")
    return whole_text(asked, params)


def named_baseline(problem: Problem, mask: Hiding) -> str:
    """What a hidden feature is, in words."""
    token = problem.facts.mask_text
    if mask == "replace" and token:
        return f"hidden features hold {token!r}"
    gone = "are not looked at" if mask == "attention" else "are left out"
    return f"hidden features {gone}; a text with nothing left is {f'one {token!r}' if token else 'empty'}"


def values_of(problem: Problem, keep: BoolArray, mask: Hiding) -> Valued:
    """The target `[B]` with only the features of each row `keep [B, n]` visible, float64."""
    # Rows of like length share a micro-batch: its width is that of its longest row.
    order = np.argsort(keep.sum(axis=1), kind="stable") if mask == "drop" else np.arange(len(keep))
    answer = yield Evaluate(problem.encoding, Value(problem.scalar), problem.keep(keep[order], mask))
    assert isinstance(answer, Evaluated)
    values = np.empty(len(keep))
    values[order] = answer.values
    for row in np.flatnonzero(~np.isfinite(values)):
        hidden = listing(repr(problem.features[i].text) for i in np.flatnonzero(~keep[row]))
        raise NonFinite(f"the model's output is not finite with {hidden} hidden; try float32 weights")
    return values


def nothing_kept(problem: Problem, mask: Hiding) -> Generator[Query | Scored, Answer, float]:
    """The target with every feature hidden, one forward row."""
    values = yield from values_of(problem, np.zeros((1, len(problem.features)), dtype=np.bool_), mask)
    return float(values[0])
