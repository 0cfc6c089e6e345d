"""`pi-gap` and `decode-rate`: what two families of methods take for granted, measured on the model itself."""

from __future__ import annotations

import math

import numpy as np

from saliscope.explainers.answers import Differentiated, Evaluated
from saliscope.explainers.families.decoding import paper_layer
from saliscope.explainers.metrics.registry import Measured, Measuring, Metric, NoParams
from saliscope.explainers.metrics.subject import Scores, Subject
from saliscope.explainers.queries import Along, Decoding, Differentiate, Evaluate
from saliscope.explainers.targets.scalar import Scalar


def _gap(subject: Subject, scores: Scores, params: NoParams) -> Measuring:
    """The class's probability read at the last token of each feature, against the text with the others masked."""
    count = len(subject.features)
    if count < 2:
        return Measured(skipped="one feature has no beginning that could be read")
    ends = tuple(max(group) for group in subject.groups[:-1])
    answer = yield Evaluate(subject.encoding, Along(ends, Scalar("class", subject.index, "prob")))
    assert isinstance(answer, Evaluated)
    read = answer.values[0, :, subject.index].astype(np.float64)
    keep = np.tril(np.ones((count, count), dtype=np.bool_))[:-1]
    masked = subject.probability((yield from subject.look(keep, "replace")))
    gaps = np.abs(read - masked)
    tenth = np.asarray([math.ceil(10 * (i + 1) / count) for i in range(count - 1)])
    parts = {f"{t / 10:g}": float(gaps[tenth == t].mean()) for t in range(1, 11) if (tenth == t).any()}
    return Measured(float(gaps.mean()), parts)


def _rate(subject: Subject, scores: Scores, params: NoParams) -> Measuring:
    """How much of its own token each position says, layer by layer, as the decoded methods read it."""
    layers = tuple(range(subject.facts.num_layers + 1))
    lens = Decoding("input" if "causal" in subject.facts.capabilities else "head")
    answer = yield Differentiate(subject.encoding, Scalar(subject.kind, subject.index, "logit"), layers, lens)
    assert isinstance(answer, Differentiated)
    rates = {layer: float(answer.decoded[layer].rate) for layer in layers}
    return Measured(rates[paper_layer(subject.facts.num_layers)], {f"layer {k}": rate for k, rate in rates.items()})


PI_GAP = Metric(
    name="pi-gap",
    summary="How far intermediate predictions are from predictions on the text whose rest is masked.",
    direction="neither",
    params=NoParams,
    run=_gap,
    scope="text",
    source="Kariyappa et al., ICML 2024, take them for equal; by tenths of the text: ours",
    needs=frozenset({"class", "causal", "mask", "probabilities"}),
)

DECODE_RATE = Metric(
    name="decode-rate",
    summary="The share of its own token that a position decodes to, at the decoded methods' layer and at every other.",
    direction="neither",
    params=NoParams,
    run=_rate,
    scope="text",
    source="Hou & Castanon, ICML 2023; as one number: ours",
    needs=frozenset({"gradients", "layers", "readable"}),
)
