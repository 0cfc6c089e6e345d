"""An explanation as what renderers draw: painting, bars, rows; whatever has these parts can be drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from saliscope.render.buckets import peak_of
from saliscope.render.labels import shown_label, target_name
from saliscope.render.painting import Mark, Painting
from saliscope.render.panel import Bar, Panel, Row

#: How many labels (or next tokens) a prediction shows.
MAX_BARS: Final = 5

Span = tuple[int, int]


class Placed(Protocol):
    """A scored piece of the text."""

    @property
    def text(self) -> str:
        """Its characters."""

    @property
    def start(self) -> int:
        """Its first code point."""

    @property
    def end(self) -> int:
        """The code point behind it."""


class Cut(Protocol):
    """A text, or a part of one, of which the model did not see what lies behind `truncated_at`."""

    @property
    def truncated_at(self) -> int | None:
        """The first code point that the model does not see; None: it sees all."""


class Said(Protocol):
    """A prediction."""

    @property
    def kind(self) -> str:
        """Which kind it is of."""

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Labels with their probabilities."""


class Aimed(Protocol):
    """What was explained."""

    @property
    def kind(self) -> str:
        """Which kind it is of."""

    @property
    def label(self) -> str:
        """Its name."""

    @property
    def against(self) -> str | None:
        """What it is held against."""


class Explained(Cut, Protocol):
    """One explanation."""

    @property
    def text(self) -> str:
        """Its characters."""

    @property
    def model(self) -> str:
        """Whose prediction it is."""

    @property
    def method(self) -> str:
        """What explained it."""

    @property
    def scale(self) -> str:
        """In what the scores are measured."""

    @property
    def signed(self) -> bool:
        """Whether a sign means for or against."""

    @property
    def target(self) -> Aimed:
        """What was explained."""

    @property
    def prediction(self) -> Said:
        """What the model says."""

    @property
    def features(self) -> Sequence[Placed]:
        """What has scores, in reading order."""

    @property
    def scores(self) -> Sequence[float]:
        """One score a feature."""

    @property
    def segments(self) -> Sequence[Cut]:
        """The texts of a pair or the messages of a chat."""


def goal_of(explanation: Explained) -> str:
    """The target as people read it."""
    target = explanation.target
    return target_name(target.kind, target.label, target.against)


def painting_of(explanation: Explained) -> Painting:
    """The explanation in the positions of its own text."""
    pairs = zip(explanation.features, explanation.scores, strict=True)
    marks = [Mark(feature.start, feature.end, score) for feature, score in pairs]
    # Where an earlier segment was cut, a later one was still read.
    last: Cut = explanation.segments[-1] if explanation.segments else explanation
    return Painting(explanation.text, marks, signed=explanation.signed, seen_to=last.truncated_at)


def labels_of(prediction: Said, chosen: str | None = None) -> list[str]:
    """The likeliest labels, and the explained one if it is not among them."""
    ranked = sorted(prediction.probabilities, key=lambda label: -prediction.probabilities[label])
    return ranked[:MAX_BARS] + [label for label in ranked[MAX_BARS:] if label == chosen]


def bars_of(prediction: Said, chosen: str | None = None) -> list[Bar]:
    """The labels of `labels_of` with their probabilities."""
    labels, shares = labels_of(prediction, chosen), prediction.probabilities
    return [Bar(shown_label(prediction.kind, label), shares[label], label == chosen) for label in labels]


def strongest(explanation: Explained, count: int) -> list[int]:
    """The indices of the features of largest magnitude, strongest first."""
    return sorted(range(len(explanation.scores)), key=lambda at: -abs(explanation.scores[at]))[:count]


def rows_of(explanation: Explained, count: int) -> list[Row]:
    """The strongest features, with a place where a text occurs twice among them."""
    found = strongest(explanation, count)
    names = names_of([(explanation.features[at].text, explanation.features[at].start) for at in found])
    return [Row(name, explanation.scores[at]) for name, at in zip(names, found, strict=True)]


def names_of(places: Sequence[tuple[str, int]]) -> list[str]:
    """What lists call the texts at these places: with the place where one occurs twice."""
    counts = Counter(text.strip() for text, _ in places)
    return [f"{text} @{start}" if counts[text.strip()] > 1 else text for text, start in places]


def panel_of(explanation: Explained, count: int, facts: Sequence[str]) -> Panel:
    """The explanation as pictures and pages show it, with `count` of its strongest features."""
    goal = goal_of(explanation)
    return Panel(
        painting_of(explanation),
        title=f"{explanation.model} · {explanation.method} · {explanation.scale} of {goal}",
        target=goal,
        bars=tuple(bars_of(explanation.prediction, explanation.target.label)),
        rows=tuple(rows_of(explanation, count)),
        facts=tuple(facts),
    )


def by_span(explanation: Explained) -> dict[Span, float]:
    """The scores by the places of their features."""
    pairs = zip(explanation.features, explanation.scores, strict=True)
    return {(feature.start, feature.end): score for feature, score in pairs}


def together(explanations: Sequence[Explained]) -> dict[Span, str]:
    """The texts of all features by place, those first that matter most on average, as shares of each one's peak."""
    scores = [(by_span(one), peak_of(one.scores)) for one in explanations]
    texts = {(feature.start, feature.end): feature.text for one in explanations for feature in one.features}

    def weight(span: Span) -> float:
        return sum(abs(found.get(span, 0.0)) / peak for found, peak in scores if peak > 0)

    return {span: texts[span] for span in sorted(texts, key=lambda span: (-weight(span), span))}
