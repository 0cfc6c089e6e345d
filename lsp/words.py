"""Scores and predictions in words, as hovers, lenses and diagnostics say them."""

from __future__ import annotations

import re
from typing import Final

from saliscope.lsp.painting import Piece
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.render import one_line, signed, visible

_LONGEST: Final = 60
#: What Markdown reads as its own; an underscore within a word it does not.
_MARKS: Final = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)")


def short(text: str) -> str:
    """A text on one line, cut where it is long."""
    line = one_line(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def score_of(explanation: Explanation, score: float) -> str:
    """A score with its sign, or without one where the method knows none."""
    text = signed(score, max(map(abs, explanation.scores), default=0.0))
    return text if explanation.signed else text.removeprefix("+")


def share_of(explanation: Explanation, score: float) -> float:
    """The magnitude of a score as a share of all, 0 to 1."""
    total = sum(map(abs, explanation.scores))
    return abs(score) / total if total > 0 else 0.0


def side_of(explanation: Explanation, score: float) -> str:
    """Which class a score speaks for."""
    label = short(explanation.target.label)
    if not explanation.signed:
        return f"matters for {label}"
    against = explanation.target.against
    if score >= 0:
        return f"speaks for {label}"
    return f"speaks for {short(against)}" if against else f"speaks against {label}"


def aim_of(explanation: Explanation) -> str:
    """What is explained, where that is another than the predicted class; else nothing."""
    target = explanation.target
    if target.against:
        return f"{short(target.label)} against {short(target.against)}"
    is_other = target.kind == "class" and target.label != explanation.prediction.label
    return short(target.label) if is_other else ""


def prediction_of(prediction: Prediction) -> str:
    """The likeliest answer and its probability, or its value."""
    label = short(prediction.label)
    if prediction.value is not None:
        return f"{label} {prediction.value:.3g}"
    share = prediction.probabilities.get(prediction.label)
    return label if share is None else f"{label} {share:.2f}"


def cost_of(explanation: Explanation) -> str:
    """Rows through the model, and the time."""
    rows = explanation.cost.forward_rows + explanation.cost.backward_rows
    parts = [f"{rows} row{'' if rows == 1 else 's'}"]
    if "total" in explanation.timing_ms:
        parts.append(f"{explanation.timing_ms['total']:.0f} ms")
    return ", ".join(parts)


def named(text: str, piece: Piece) -> str:
    """The text of a piece, on one line."""
    return short(text[piece.start : piece.end])


def literal(text: str) -> str:
    """Any text in Markdown, as it is: labels come from the document and the model."""
    return _MARKS.sub(r"\\\g<0>", text)


def quoted(text: str) -> str:
    """Any text as inline code of Markdown."""
    text = visible(text)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"
