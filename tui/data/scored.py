"""The scores of a row as the table and its panel draw them, whoever has found them."""

from __future__ import annotations

from typing import Final, NamedTuple

from saliscope.protocol.explanation import Explanation
from saliscope.render.explained import bars_of, goal_of, painting_of
from saliscope.render.painting import Mark, Painting, Segment
from saliscope.sources.outputs import Scored

#: Characters of a text that a line of the table may show.
SHOWN: Final = 400


class Bar(NamedTuple):
    """A label with its probability."""

    label: str
    share: float
    is_chosen: bool


class Look(NamedTuple):
    """A text with its scores: `words` are its features with their scores, `of` says what they speak for."""

    painting: Painting
    words: tuple[tuple[str, float], ...]
    bars: tuple[Bar, ...]
    model: str
    method: str
    of: str
    #: The beginning of the text, cut where its colours change.
    line: tuple[Segment, ...]
    is_of_job: bool = False


def look_of(found: Explanation) -> Look:
    """An explanation, without what nobody looks at in a table."""
    words = tuple((feature.text, score) for feature, score in zip(found.features, found.scores, strict=True))
    bars = tuple(Bar(one.label, one.share, one.chosen) for one in bars_of(found.prediction, found.target.label))
    painting = painting_of(found)
    line = tuple(beginning(painting, SHOWN).segments())
    return Look(painting, words, bars, found.model, found.method, goal_of(found), line)


def look_of_job(found: Scored, model: str) -> Look | None:
    """A row of a job's output; None for one that failed."""
    if found.code is not None or found.text is None:
        return None
    marks = [Mark(*mark) for mark in zip(found.starts, found.ends, found.scores, strict=True)]
    painting = Painting(found.text, marks, any(score < 0 for score in found.scores), found.truncated_at)
    share = found.probability
    bars = () if share is None else (Bar(found.prediction or "", share, found.prediction == found.target),)
    words = tuple(zip(found.features, found.scores, strict=True))
    line = tuple(beginning(painting, SHOWN).segments())
    return Look(painting, words, bars, model, found.method or "", found.target or "", line, is_of_job=True)


def beginning(painting: Painting, most: int) -> Painting:
    """The first `most` code points of a painting, in the colours of the whole."""
    if len(painting.text) <= most:
        return painting
    marks = [mark for mark in painting.marks if mark.start < most]
    return Painting(painting.text[:most], marks, painting.signed, painting.seen_to, painting.depth)
