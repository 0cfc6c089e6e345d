"""Methods of one pass beside one forward of the plain model (F1), and the tables that `mp-pi` may need."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from bench.peers.clock import NO_GOAL, Goal, Run, cpu_seconds, race, ratios, spread
from bench.peers.subjects import TARGET, Subject
from saliscope.explainers import explain
from saliscope.explainers.families.sampling_tables import solve
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.targets.scalar import Scalar

TITLE = f"{'what':<40}{'model':<8}{'n':>4}  {'ms':>18}  {'in F1':<20}goal"
TABLES = (100, 200)


def compare(subject: Subject, repetitions: int) -> Iterator[str]:
    """One line for each thing measured against a forward."""
    goals, runs = _runs(subject)

    def forward() -> object:
        with torch.inference_mode():
            return subject.plain(input_ids=subject.ids, attention_mask=torch.ones_like(subject.ids))

    times = race({"one forward": forward, **runs}, repetitions)
    for name, values in times.items():
        found = ratios(values, times["one forward"])
        cells = f"{name:<40}{subject.shape:<8}{subject.num_tokens:>4}  "
        cells += f"{spread([1e3 * value for value in values], '.1f'):>18}  {spread(found):<20}"
        yield (cells + goals.get(name, NO_GOAL).judge(statistics.median(found))).rstrip()


def _runs(subject: Subject) -> tuple[dict[str, Goal], dict[str, Run]]:
    model, layers = subject.model, subject.model.facts.num_layers
    middle = round(7 * layers / 12)
    scalar = Scalar("class", TARGET, "logit")
    own, every = (middle,), tuple(range(layers + 1))

    def saliency(**params: Any) -> Run:
        return lambda: explain(model, subject.text, method="decoded-grad-cam", target=TARGET, **params)

    goals = {"grad-cam body, middle layer": Goal(at_most=1.6), "grad-cam body, all layers": Goal(at_most=2.6)}
    runs: dict[str, Run] = {
        "grad-cam body, middle layer": lambda: model.answer(Differentiate(subject.encoding, scalar, own)),
        "grad-cam body, all layers": lambda: model.answer(Differentiate(subject.encoding, scalar, every)),
        "decoded-grad-cam with its head": saliency(),
        "decoded-grad-cam, all layers and heads": saliency(layers="all"),
    }
    if model.network.causal:
        goals["sp-pi"] = Goal(at_most=1.06)
        runs["sp-pi"] = lambda: explain(model, subject.text, method="sp-pi", target=TARGET)
    return goals, runs


def tables() -> Iterator[str]:
    """Seconds that the law of passes takes for texts longer than the package has tables for."""
    # The solver is read from disk once, which is nobody's law.
    solve(5)
    for n in TABLES:
        seconds = cpu_seconds(partial(solve, n))
        yield f"mp-pi sampling=optimal, law for n = {n}: {seconds:.1f} s, once for each n"
