"""Our methods beside Captum's: tuned, and with its own batching."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.peers.clock import NO_GOAL, Goal, race, ratios, spread
from bench.peers.rivals import DRAWS, SIGMA, STEPS, Rival, integrated_gradients, kernel_shap, occlusion, smooth_grad
from bench.peers.rivals import tuned as tuned_rows
from bench.peers.subjects import TARGET, Subject
from saliscope.explainers import Attribution, explain

TITLE = (
    f"{'method':<22}{'model':<8}{'n':>4}  {'we, ms':>18}  {'x tuned':<20}{'goal':<16}{'x default':<20}{'goal':<16}same"
)


NOTE = """tuned: the fastest of several batch sizes; default: its own batching.
The rows are the same in number: 10 draws, 32 points, as many coalitions, and one forward for the prediction, which
Captum's FeatureAblation and KernelShap make anyway and which is added to its gradient methods: our answers hold it.
same: the largest difference of two scores, as a share of the value or the largest score, if that is more than 1."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A method of ours with `params` against a rival of `rows` rows; with a `tolerance` both compute the same."""

    method: str
    params: dict[str, Any]
    rival: Callable[[Subject], Rival]
    rows: int
    tuned: dict[int, float]
    default: dict[int, float]
    tolerance: float | None = None

    @property
    def name(self) -> str:
        """The method, with the way of hiding where it matters."""
        return f"{self.method} {self.params.get('mask', '')}".rstrip()


def contests(subject: Subject, samples: int) -> list[Contest]:
    """Everything that is compared on a subject."""
    n = subject.num_tokens
    even, unbatched = {64: 0.95, 128: 0.95}, {16: 2.5, 64: 1.3}

    def shap(subject: Subject) -> Rival:
        return kernel_shap(subject, samples)

    integral = {"steps": STEPS, "max_steps": 1}
    return [
        Contest("occlusion", {}, occlusion, n, even, unbatched, 1e-5),
        Contest("integrated-gradients", integral, integrated_gradients, STEPS, even, {}, 1e-5),
        Contest("smooth-grad", {"samples": DRAWS, "sigma": SIGMA}, smooth_grad, DRAWS, even, {}),
        Contest("kernel-shap", {"samples": samples, "mask": "replace"}, shap, samples, {}, {}),
        Contest("kernel-shap", {"samples": samples, "mask": "drop"}, shap, samples, {64: 1.4, 128: 1.6}, {}),
    ]


def compare(subject: Subject, samples: int, repetitions: int, names: Collection[str] | None = None) -> Iterator[str]:
    """One line a contest; only those of these names, where some are given."""
    for contest in contests(subject, samples):
        if names is None or contest.name in names:
            yield _line(subject, contest, repetitions)


def _line(subject: Subject, contest: Contest, repetitions: int) -> str:
    rival = contest.rival(subject)
    rows = tuned_rows(rival, subject, contest.rows)

    def ours() -> Attribution:
        return explain(subject.model, subject.text, method=contest.method, target=TARGET, **contest.params)

    times = race({"ours": ours, "tuned": lambda: rival(rows), "default": lambda: rival(None)}, repetitions)
    cells = [f"{contest.name:<22}{subject.shape:<8}{subject.num_tokens:>4}"]
    cells.append(f"  {spread([1e3 * value for value in times['ours']], '.0f'):>18}  ")
    for name, goals in (("tuned", contest.tuned), ("default", contest.default)):
        found = ratios(times[name], times["ours"])
        limit = goals.get(subject.num_tokens)
        goal = NO_GOAL if limit is None else Goal(at_least=limit)
        cells.append(f"{spread(found):<20}{goal.judge(statistics.median(found)):<16}")
    return "".join(cells) + _sameness(ours(), rival(rows), contest.tolerance)


def _sameness(ours: Attribution, theirs: np.ndarray[Any, Any], tolerance: float | None) -> str:
    if tolerance is None:
        return "other draws"
    gap = float(np.abs(ours.scores - theirs).max()) / max(1.0, abs(ours.value), float(np.abs(theirs).max()))
    if np.abs(theirs).max() < 1000 * tolerance:
        raise SystemExit(f"{ours.method}: all scores are next to 0, so that nothing can be compared")
    return f"to {gap:.0e}" if gap <= tolerance else f"DIFFERS by {gap:.1e}, more than {tolerance:.0e}"
