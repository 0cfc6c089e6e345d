"""`partition-shap`: Owen values over a hierarchy of neighbouring features.

Owen 1977; budgeted as in the shap package's partition explainer: what sways the target most is divided first.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.families.hiding import (
    ROWS_PER_PARTIAL,
    Mask,
    Wide,
    named_baseline,
    nothing_kept,
    open_hiding,
    values_of,
)
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import BoolArray

_SENTENCE_END = re.compile(r"""[.!?…。！？]["'”’)\]]*$""")
_CLAUSE_END = re.compile(r"""[,;:—–、，；：]["'”’)\]]*$""")
_NEEDS_NO_BLANK = tuple("。！？，；：、")


class PartitionShapParams(msgspec.Struct):
    """`samples` rows beside the full and the empty text; a group that they do not divide shares its gain evenly."""

    samples: Annotated[int, msgspec.Meta(ge=2, le=100_000, description="most rows")] = 500
    mask: Mask = "replace"


@dataclass(frozen=True, eq=False)
class Group:
    """Features `start:stop` in a context: `keep [n]` of those outside, the target without and with the group."""

    start: int
    stop: int
    keep: BoolArray
    without: float
    value: float
    weight: float

    @property
    def gain(self) -> float:
        """What the group adds in this context, weighted."""
        return self.weight * (self.value - self.without)

    def with_only(self, start: int, stop: int) -> BoolArray:
        """The context and features `start:stop`, `[n]`."""
        keep = self.keep.copy()
        keep[start:stop] = True
        return keep

    def divided(self, middle: int, left: float, right: float) -> tuple[Group, ...]:
        """Both halves, each with the other absent and present, from the target with only the left or right one."""
        (a, b), half = (self.start, self.stop), self.weight / 2
        without, value = self.without, self.value
        return (
            Group(a, middle, self.keep, without, left, half),
            Group(a, middle, self.with_only(middle, b), right, value, half),
            Group(middle, b, self.keep, without, right, half),
            Group(middle, b, self.with_only(a, middle), left, value, half),
        )


def boundaries(asked: Asked) -> list[int]:
    """How strong the border before each feature is: 4 blank line, 3 sentence, 2 clause, 1 word, 0 inside a word."""
    strengths = [0]
    for before, after in zip(asked.features, asked.features[1:], strict=False):
        gap = asked.encoding.text[before.end : after.start]
        blanks = [char for char in before.text[-1:] + gap + after.text[:1] if char.isspace()]
        read = before.text.rstrip()
        apart = bool(blanks) or read[-1:] in _NEEDS_NO_BLANK
        if blanks.count("\n") > 1:
            strengths.append(4)
        elif apart and _SENTENCE_END.search(read):
            strengths.append(3)
        elif apart and _CLAUSE_END.search(read):
            strengths.append(2)
        else:
            strengths.append(1 if blanks else 0)
    return strengths


def middle_of(strengths: list[int], start: int, stop: int) -> int:
    """Where features `start:stop` part: at the strongest border, of several at the one nearest to the middle."""
    return max(range(start + 1, stop), key=lambda at: (strengths[at], -abs(2 * at - start - stop), -at))


def num_rows(strengths: list[int], most: int) -> int:
    """Rows that dividing everything takes, every group in each of its contexts, or `most` if it takes more."""
    rows, level, contexts = 0, [(0, len(strengths))], 2
    while rows < most and any(stop - start > 1 for start, stop in level):
        level = [(start, stop) for start, stop in level if stop - start > 1]
        rows += contexts * len(level)
        contexts *= 2
        parted = [(start, middle_of(strengths, start, stop), stop) for start, stop in level]
        level = [half for start, at, stop in parted for half in ((start, at), (at, stop))]
    return min(rows, most // 2 * 2)


def _run(problem: Problem, params: PartitionShapParams) -> Steps:
    count = len(problem.features)
    strengths = boundaries(problem.asked)
    total = num_rows(strengths, params.samples)
    full, empty = read_value(problem), (yield from nothing_kept(problem, params.mask))
    scores = np.zeros(count)
    waiting: list[tuple[float, int, Group]] = []
    made = 0

    def take_in(group: Group) -> None:
        nonlocal made
        if group.stop - group.start == 1:
            scores[group.start] += group.gain
            return
        made += 1
        heapq.heappush(waiting, (-abs(group.gain), made, group))

    take_in(Group(0, count, np.zeros(count, dtype=np.bool_), empty, full, 1.0))
    done = 0
    while done < total and waiting:
        size = min(len(waiting), (total - done) // 2, ROWS_PER_PARTIAL[params.mask] // 2)
        groups = [heapq.heappop(waiting)[2] for _ in range(size)]
        middles = [middle_of(strengths, group.start, group.stop) for group in groups]
        lefts = [group.with_only(group.start, at) for group, at in zip(groups, middles, strict=True)]
        rights = [group.with_only(at, group.stop) for group, at in zip(groups, middles, strict=True)]
        values = yield from values_of(problem, np.stack([*lefts, *rights]), params.mask)
        for row, (group, at) in enumerate(zip(groups, middles, strict=True)):
            for half in group.divided(at, float(values[row]), float(values[size + row])):
                take_in(half)
        done += 2 * size
        if done < total:
            yield _scored(problem, params, _evened(scores, waiting), full, empty, done, total)
    return _scored(problem, params, _evened(scores, waiting), full, empty, done, total, exact=not waiting)


def _evened(scores: Wide, waiting: list[tuple[float, int, Group]]) -> Wide:
    """The scores with what undivided groups add, in equal shares."""
    evened = scores.copy()
    for _, _, group in waiting:
        evened[group.start : group.stop] += group.gain / (group.stop - group.start)
    return evened


def _scored(
    problem: Problem,
    params: PartitionShapParams,
    scores: Wide,
    full: float,
    empty: float,
    done: int,
    total: int,
    exact: bool = False,
) -> Scored:
    return Scored(
        scores.astype(np.float32),
        value=full,
        base_value=empty,
        baseline=named_baseline(problem, params.mask),
        diagnostics={"exact": exact, "done_rows": done, "total_rows": total},
    )


def _promise(asked: Asked, params: PartitionShapParams) -> Promise:
    return Promise(2 + num_rows(boundaries(asked), params.samples))


PARTITION_SHAP = Method(
    name="partition-shap",
    summary="Owen values: credit is divided between halves of the text, and again between their halves.",
    group="perturbation",
    params=PartitionShapParams,
    opening=open_hiding,
    run=_run,
    promise=_promise,
    cost="at most 502 forwards",
    source="Owen 1977; Lundberg et al., the partition explainer of shap",
    formula="for halves A, B of a group in a context C:"
    "  A gains ½ [F(C∪A) - F(C)] + ½ [F(C∪A∪B) - F(C∪B)], and so on down",
    reading="The papers': Owen values, divided where most is at stake. Ours: the hierarchy, by borders in the text.",
    needs=frozenset({"mask"}),
    additive=True,
    caveats=(
        "Our hierarchy: a text parts at its strongest border (paragraph, sentence, clause, word) nearest its middle.",
        "Long texts are not divided down to every feature: neighbours with equal scores were judged together.",
    ),
)
