"""An explanation as the widgets show it."""

from __future__ import annotations

from typing import Final, NamedTuple

from saliscope.protocol.results import Explanation, Prediction
from saliscope.render.labels import shown_label, target_name
from saliscope.render.painting import Mark, Painting
from saliscope.render.panel import Bar, Panel, Row

#: How many labels (or next tokens) a prediction shows.
MAX_BARS: Final = 5


class TokenFacts(NamedTuple):
    """What is known of one feature: `share` of all magnitude, `rank` from 1 `of` how many, `pieces` with ids."""

    text: str
    score: float
    stderr: float | None
    share: float
    rank: int
    of: int
    pieces: tuple[tuple[str, tuple[int, ...]], ...]


def goal_of(explanation: Explanation) -> str:
    """The target as people read it."""
    target = explanation.target
    return target_name(target.kind, target.label, target.against)


def facts_of(explanation: Explanation, index: int) -> TokenFacts:
    """The facts of feature number `index`."""
    scores, feature = explanation.scores, explanation.features[index]
    total = sum(map(abs, scores))
    stderr = explanation.outputs[0].stderr if explanation.outputs else None
    pieces = [explanation.tokens[at] for at in feature.tokens]
    return TokenFacts(
        feature.text,
        scores[index],
        None if stderr is None else stderr[index],
        abs(scores[index]) / total if total else 0.0,
        1 + sum(abs(other) > abs(scores[index]) for other in scores),
        len(scores),
        tuple((piece.text, tuple(piece.ids)) for piece in pieces),
    )


def painting_of(explanation: Explanation) -> Painting:
    """The explanation in the positions of its own text, as renderers take it."""
    pairs = zip(explanation.features, explanation.scores, strict=True)
    marks = [Mark(feature.start, feature.end, score) for feature, score in pairs]
    # Where an earlier segment was cut, a later one was still read.
    last = explanation.segments[-1] if explanation.segments else explanation
    return Painting(explanation.text, marks, signed=explanation.signed, seen_to=last.truncated_at)


def labels_of(prediction: Prediction, chosen: str | None = None) -> list[str]:
    """The likeliest labels, and the explained one if it is not among them."""
    ranked = sorted(prediction.probabilities, key=lambda label: -prediction.probabilities[label])
    return ranked[:MAX_BARS] + [label for label in ranked[MAX_BARS:] if label == chosen]


def bars_of(prediction: Prediction, chosen: str | None = None) -> list[Bar]:
    """The labels of `labels_of` with their probabilities."""
    labels, shares = labels_of(prediction, chosen), prediction.probabilities
    return [Bar(shown_label(prediction.kind, label), shares[label], label == chosen) for label in labels]


def strongest(explanation: Explanation, count: int) -> list[int]:
    """The indices of the features of largest magnitude, strongest first."""
    order = sorted(range(len(explanation.scores)), key=lambda at: (-abs(explanation.scores[at]), at))
    return order[:count]


def panel_of(explanation: Explanation, count: int = 12) -> Panel:
    """The explanation as pictures and pages show it."""
    goal = goal_of(explanation)
    rows = [Row(explanation.features[at].text, explanation.scores[at]) for at in strongest(explanation, count)]
    return Panel(
        painting_of(explanation),
        title=f"{explanation.model} · {explanation.method} · {explanation.scale} of {goal}",
        target=goal,
        bars=tuple(bars_of(explanation.prediction, explanation.target.label)),
        rows=tuple(rows),
        facts=tuple(explanation.warnings),
    )
