"""Several explanations of one text side by side: a coloured line each, features by methods, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence

from saliscope.cli.explained import MAX_LABEL, cost_of, number_of, reasons, show_prediction, value_of
from saliscope.cli.tables import columns, wrapped
from saliscope.cli.targets import target_name
from saliscope.cli.terminal import Terminal
from saliscope.protocol.explanation import Explanation
from saliscope.render.agreement import rank_agreement
from saliscope.render.ansi import codes_of, legend, paint, style
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.explained import by_span, names_of, painting_of, together
from saliscope.render.graphemes import cut, pad, width
from saliscope.render.text import one_line, visible


def compare(explanations: Sequence[Explanation], terminal: Terminal, top: int) -> list[str]:
    """The lines that `saliscope explain` prints for several methods."""
    first = explanations[0]
    lines = [*_paintings(explanations, terminal), ""]
    lines += [*show_prediction(first.prediction, first.target.label, terminal), ""]
    if top:
        lines += [*_table(explanations, terminal, top), ""]
    key = legend(
        terminal.palette, terminal.depth, terminal.theme,
        signed=any(one.signed for one in explanations), target=target_name(first.target),
    )  # fmt: skip
    lines += [f"  {key}", ""] if key else []
    return lines + [terminal.quiet(line) for line in _footer(explanations, terminal)]


def agreement(one: Explanation, other: Explanation) -> float | None:
    """Spearman's rank correlation of two explanations over the features they share; None for fewer than three."""
    return rank_agreement(by_span(one), by_span(other))


def _paintings(explanations: Sequence[Explanation], terminal: Terminal) -> list[str]:
    """One coloured text a method: beside its name if it fits there, else below."""
    names = [one.method for one in explanations]
    room = max(map(width, names))
    text = visible(explanations[0].text)
    beside = "\n" not in text and "\t" not in text and room + 2 + width(text) <= terminal.columns
    lines = []
    for one in explanations:
        painted = paint(painting_of(one), terminal.palette, terminal.depth, terminal.theme)
        if beside:
            lines.append(terminal.quiet(pad(one.method, room)) + "  " + painted)
        else:
            lines += [*([""] if lines else []), terminal.quiet(one.method), painted]
    return lines


def _table(explanations: Sequence[Explanation], terminal: Terminal, top: int) -> list[str]:
    """Features by methods: those first that matter most on average, each score as a share of its method's peak."""
    scores = [by_span(one) for one in explanations]
    peaks = [peak_of(one.scores) for one in explanations]
    texts = together(explanations)
    spans = list(texts)
    named = names_of([(texts[span], span[0]) for span in spans[:top]])
    names = {span: cut(one_line(name), MAX_LABEL) for span, name in zip(spans, named, strict=False)}
    name_room = max([len("feature"), *map(width, names.values())])
    room = max(7, (terminal.columns - 2 - name_room) // len(scores) - 2)
    rows = [[terminal.quiet("feature"), *(terminal.quiet(cut(one.method, room)) for one in explanations)]]
    for span, name in names.items():
        row = [name]
        for one, found, peak in zip(explanations, scores, peaks, strict=True):
            score = found.get(span)
            codes = codes_of(bucket(score, peak), terminal.palette, terminal.depth, terminal.theme)
            row.append("" if score is None else style(number_of(one, score, peak), codes, terminal.depth))
        rows.append(row)
    right = frozenset(range(1, len(scores) + 1))
    lines = ["  " + line for line in columns(rows, terminal.columns - 2, right=right)]
    hidden = len(spans) - top
    return [*lines, terminal.quiet(f"  and {hidden} more")] if hidden > 0 else lines


def _footer(explanations: Sequence[Explanation], terminal: Terminal) -> list[str]:
    first = explanations[0]
    parts = [f"{first.model} · {value_of(first)}", *(f"{one.method}: {cost_of(one)}" for one in explanations)]
    others = [(one.method, agreement(first, one)) for one in explanations[1:]]
    known = [f"{name} {value:+.2f}" for name, value in others if value is not None]
    if known:
        parts.append(f"rank agreement with {first.method}: {', '.join(known)}")
    lines = [line for part in parts for line in wrapped(visible(part), terminal.columns, "  ")]
    return [*lines, *reasons(first, terminal)]
