"""Texts longer than the model reads: each window explained alone, their scores put side by side."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.attribution import Attribution, Cost, Output, Prediction
from saliscope.explainers.errors import BadRequest, NotCapable, TooLarge
from saliscope.explainers.explaining import Explaining, Prepared, explaining_prepared, parse_wish
from saliscope.explainers.facts import ModelView
from saliscope.explainers.queries import Evaluate, Outputs, Query
from saliscope.explainers.question import Question
from saliscope.explainers.steps import without
from saliscope.explainers.targets.predicting import predict_class
from saliscope.explainers.targets.scalar import find_label, parse_scale
from saliscope.explainers.targets.scales import scaled
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.texts.features import Feature
from saliscope.explainers.texts.inputs import reading
from saliscope.explainers.texts.patterns import grouping
from saliscope.explainers.texts.windows import Window, windows_of

MOST_WINDOWS = 64


def stitching(model: ModelView, question: Question) -> Explaining:
    """Explain each window of a text that is too long, for the class of their mean prediction unless one is asked for.

    A feature's score is that of the window in which it is farthest from an edge. More than 64 windows, or a feature
    longer than a window, are `TooLarge`; a chat, a pair or a next-token target is refused.
    """
    started = time.perf_counter()
    if question.pair is not None or question.messages is not None:
        raise BadRequest("windows: stitch is for one long text; a pair or a chat goes with windows=cut")
    whole = yield from reading(model, question.input, "explain", MOST_WINDOWS * model.facts.max_tokens)
    features = yield from grouping(whole, question.granularity)
    if len(whole) <= model.facts.max_tokens:
        return (yield from explaining_prepared(model, question, Prepared(whole, features, started)))
    wish = parse_wish(model, question)
    if wish.kind != "class":
        raise NotCapable("windows: a next token follows the last window only; stitch explains classes, use windows=cut")
    if whole.truncated_at is not None:
        raise TooLarge(f"text: it needs more than {MOST_WINDOWS} windows of {model.facts.max_tokens}; explain a part")
    windows = list(windows_of(whole, features, model.facts.max_tokens))
    if len(windows) > MOST_WINDOWS:
        raise TooLarge(f"text: it needs {len(windows)} windows, over the limit of {MOST_WINDOWS}; explain a part of it")

    outputs = yield from _outputs(windows)
    predictions = [predict_class(model, row) for row in outputs]
    mean = _mean_prediction(predictions)
    index = mean.index if wish.label is None else find_label(wish.label, model.facts.labels)
    asked = replace(question, target={"kind": "class", "label": index}, windows="cut")
    results: dict[int, Attribution] = {}
    for number, window in enumerate(windows):
        if window.features:
            prepared = Prepared(window.encoding, window.features, started)
            results[number] = yield from without(Attribution, explaining_prepared(model, asked, prepared))
    first = next(iter(results.values()))
    values = [
        results[n].value if n in results else float(_value(model, row, index, first.scale))
        for n, row in enumerate(outputs)
    ]
    notice = (
        f"the text is {len(whole)} tokens long: explained in {len(windows)} windows of {model.facts.max_tokens},"
        " scores of different windows are of different forward passes"
    )
    said = _said_once([warning for result in results.values() for warning in result.warnings])
    rows = zip(windows, values, predictions, strict=True)
    return replace(
        first,
        text=whole.text,
        prediction=mean,
        tokens=whole.tokens,
        features=features,
        outputs=_stitch(windows, features, results),
        value=float(np.mean(values)),
        base_value=_mean_base(results, len(windows)),
        additive=False,
        cost=_sum_costs([result.cost for result in results.values()], len(windows)),
        timing_ms={"total": (time.perf_counter() - started) * 1e3},
        truncated_at=None,
        diagnostics={"windows": [_described(window, value, one) for window, value, one in rows]},
        warnings=(notice, *said),
    )


def _said_once(warnings: list[str]) -> list[str]:
    """Warnings of all windows, each once; of those that differ in nothing but their numbers the first, and a count."""
    alike: dict[str, list[str]] = {}
    for warning in dict.fromkeys(warnings):
        alike.setdefault(re.sub(r"[0-9]+", "0", warning), []).append(warning)
    return [one if not rest else f"{one} (and {len(rest)} more like it)" for one, *rest in alike.values()]


def _outputs(windows: list[Window]) -> Generator[Query, Answer, list[FloatArray]]:
    """What the model says of each window, `[C]`."""
    outputs: list[FloatArray] = []
    for window in windows:
        answer = yield Evaluate(window.encoding, Outputs("class"), outputs=True)
        assert isinstance(answer, Evaluated)
        assert answer.outputs is not None
        outputs.append(answer.outputs)
    return outputs


def _best_windows(windows: list[Window], features: tuple[Feature, ...]) -> list[int]:
    """For each feature the window in which it is whole and farthest from an edge; the text's own ends are none."""
    last = windows[-1].stop
    best: list[tuple[float, int]] = [(-1.0, -1)] * len(features)
    for number, window in enumerate(windows):
        for which in window.numbers:
            tokens = features[which].tokens
            left = float("inf") if number == 0 else tokens[0] - window.start
            right = float("inf") if window.stop == last else window.stop - 1 - tokens[-1]
            distance = float(min(left, right))
            if distance > best[which][0]:
                best[which] = (distance, number)
    return [number for _, number in best]


def _mean_prediction(predictions: list[Prediction]) -> Prediction:
    if predictions[0].value is not None:
        return replace(predictions[0], value=float(np.mean([one.value for one in predictions])))
    labels = list(predictions[0].probabilities)
    means = np.mean([[one.probabilities[label] for label in labels] for one in predictions], axis=0)
    index = int(np.argmax(means))
    return Prediction("class", labels[index], index, dict(zip(labels, map(float, means), strict=True)))


def _value(model: ModelView, outputs: FloatArray, index: int, scale: str) -> float:
    """The target of a window in which nothing is scored."""
    return float(scaled(outputs.astype(np.float64), index, parse_scale(scale, "class"), model.facts.activation))


def _stitch(
    windows: list[Window], features: tuple[Feature, ...], results: dict[int, Attribution]
) -> tuple[Output, ...]:
    """The outputs of all windows as those of the text, each feature's score from its best window."""
    sources = _best_windows(windows, features)

    def gather(rows: dict[int, FloatArray]) -> FloatArray:
        scores = {number: dict(zip(windows[number].numbers, row, strict=True)) for number, row in rows.items()}
        return np.asarray([scores[source][which] for which, source in enumerate(sources)], dtype=np.float32)

    outputs = []
    for members in zip(*(result.outputs for result in results.values()), strict=True):
        scores = gather({number: output.scores for number, output in zip(results, members, strict=True)})
        errors = {n: output.stderr for n, output in zip(results, members, strict=True) if output.stderr is not None}
        stderr = gather(errors) if len(errors) == len(results) else None
        outputs.append(Output(members[0].target, scores, members[0].layer, stderr))
    return tuple(outputs)


def _mean_base(results: dict[int, Attribution], count: int) -> float | None:
    bases = [result.base_value for result in results.values() if result.base_value is not None]
    return float(np.mean(bases)) if len(bases) == count else None


def _described(window: Window, value: float, prediction: Prediction) -> dict[str, Any]:
    """A window for the diagnostics: the code points it spans, and what the model says of it."""
    inner = [token for token in window.encoding.tokens if not token.special]
    return {"start": inner[0].start, "end": inner[-1].end, "value": value, "prediction": prediction.to_dict()}


def _sum_costs(costs: list[Cost], predictions: int) -> Cost:
    """All windows together, and the row of each for its prediction."""
    return Cost(
        sum(cost.forward_rows for cost in costs) + predictions,
        sum(cost.backward_rows for cost in costs),
        sum(cost.promised_forward_rows for cost in costs) + predictions,
        sum(cost.promised_backward_rows for cost in costs),
    )
