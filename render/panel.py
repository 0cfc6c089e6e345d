"""What a picture shows beside the coloured text: a title, the prediction and a few facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from saliscope.render.painting import Painting


class Bar(NamedTuple):
    """One label with its probability; `chosen` where the explanation is about it."""

    label: str
    share: float
    chosen: bool = False


class Row(NamedTuple):
    """One scored piece of text in the list of the strongest."""

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One explanation ready to be drawn: the painting, title, target, prediction, strongest features and facts."""

    painting: Painting
    title: str = ""
    target: str = "the target"
    bars: tuple[Bar, ...] = ()
    rows: tuple[Row, ...] = ()
    facts: tuple[str, ...] = ()
