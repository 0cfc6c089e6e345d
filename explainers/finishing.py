"""The result of an explanation: scores with everything that belongs to them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Differentiated
from saliscope.explainers.attribution import Attribution, Cost, Output
from saliscope.explainers.errors import NonFinite
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.problem import Problem, Scored
from saliscope.explainers.question import Question
from saliscope.explainers.targets.scalar import Target
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.texts.segments import pair_notes
from saliscope.explainers.working import Work


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything of a result that does not change from one estimate to the next."""

    facts: ModelFacts
    question: Question
    why: tuple[str, ...]
    started: float

    def attribution(self, work: Work, scored: Scored, cost: Cost, estimate: Literal["partial", "final"]) -> Attribution:
        """The result with these scores; anything that is not finite is `NonFinite`."""
        problem, facts = work.problem, self.facts
        assert problem is not None
        for scores in (scored.scores, *scored.layers.values()):
            if not np.isfinite(scores).all():
                where = int(np.argmax(~np.isfinite(scores)))
                raise NonFinite(f"the score of feature {where} is not finite; try float32 weights or another method")
        first = Output(problem.target, scored.scores.astype(np.float32), scored.layer, scored.stderr)
        value = scored.value
        if value is None:
            value = problem.opening.value if isinstance(problem.opening, Differentiated) else float("nan")
        return Attribution(
            text=problem.encoding.text,
            model=facts.name,
            method=work.method.name,
            params={**msgspec.to_builtins(work.params), **scored.params},
            target=problem.target,
            scale=work.aim.scale,
            granularity=self.question.granularity,
            prediction=work.prediction,
            tokens=problem.encoding.tokens,
            features=problem.features,
            outputs=(first, *_other_layers(problem, scored), *_other_classes(problem, scored, work.aim.names)),
            value=float(value),
            base_value=scored.base_value,
            signed=work.method.signed if scored.signed is None else scored.signed,
            additive=work.method.additive if scored.additive is None else scored.additive,
            baseline=scored.baseline,
            seed=self.question.seed,
            estimate=estimate,
            cost=cost,
            timing_ms={"total": (time.perf_counter() - self.started) * 1e3},
            truncated_at=problem.encoding.truncated_at,
            fingerprint=facts.fingerprint,
            why=(*self.why, *facts.notes),
            diagnostics=scored.diagnostics,
            warnings=(*facts.warnings, *_truncation(problem.encoding), *work.aim.warnings, *scored.warnings),
            segments=problem.encoding.segments,
        )


def _other_layers(problem: Problem, scored: Scored) -> tuple[Output, ...]:
    return tuple(
        Output(problem.target, scores.astype(np.float32), layer) for layer, scores in sorted(scored.layers.items())
    )


def _other_classes(problem: Problem, scored: Scored, labels: tuple[str, ...] | None) -> tuple[Output, ...]:
    if scored.every is None or labels is None:
        return ()
    return tuple(
        Output(Target(problem.target.kind, labels[c], c), scored.every[:, c].astype(np.float32), scored.layer)
        for c in range(scored.every.shape[1])
        if c != problem.target.index
    )


def _truncation(encoding: Encoding) -> tuple[str, ...]:
    if encoding.segments:
        return pair_notes(encoding)
    if encoding.truncated_at is None:
        return ()
    return (f"the model's length ends the text at character {encoding.truncated_at}; the rest was not seen",)
