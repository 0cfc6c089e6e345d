"""Captum's infidelity as an oracle, on the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from torch import Tensor

from saliscope.explainers.metrics.infidelity import error_of
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.queries import Evaluate
from saliscope.explainers.variants import Masked, Moved
from tests.explainers.fakes import FakeModel
from tests.explainers.games import smooth_game, words
from tests.explainers.soft import SoftModel

N = 6


def captums(forward: Any, scores: Any, perturbations: Any, normalise: bool) -> float:
    """Captum's value; x is all ones, and it hands out our perturbations."""
    inputs = torch.ones((1, N), dtype=torch.float64)
    draws = torch.from_numpy(np.asarray(perturbations, dtype=np.float64))

    def perturb(x: Tensor) -> tuple[Tensor, Tensor]:
        return draws, x - draws

    found = captum_infidelity(
        forward, perturb, inputs, torch.from_numpy(np.asarray(scores))[None],
        n_perturb_samples=len(draws), normalize=normalise,
    )  # fmt: skip
    return float(found[0])


@pytest.mark.parametrize("normalise", ["none", "scale"])
def test_errors_are_captums_on_the_same_draws(normalise: Any) -> None:
    rng = np.random.default_rng(0)
    scores, perturbations = rng.normal(size=N), rng.normal(size=(300, N))

    def function(x: Any) -> Any:
        return torch.tanh(x @ torch.arange(1.0, N + 1, dtype=torch.float64) / 7) + x[:, 0] * x[:, 1]

    ones = torch.ones((1, N), dtype=torch.float64)
    changes = (function(ones) - function(ones - torch.from_numpy(perturbations))).numpy()
    ours = error_of(scores, perturbations, changes, normalise).mean()
    assert ours == pytest.approx(captums(function, scores, perturbations, normalise == "scale"), rel=1e-9)


@pytest.mark.parametrize("normalise", ["none", "scale"])
@pytest.mark.parametrize("law", ["mask", "occlusion"])
def test_the_metric_is_captums_where_features_are_hidden(law: str, normalise: str) -> None:
    game = smooth_game(N, 3)
    model, scores = FakeModel(game), np.random.default_rng(1).normal(size=N)
    found = evaluate(
        model, [words(N)], [], [{"metric": "infidelity", "law": law, "samples": 400, "normalise": normalise}],
        precomputed={"given": [scores.tolist()]}, target="predicted", lanes=1,
    )  # fmt: skip
    sign = 1 if game(np.ones(N, dtype=bool))[1] > 0 else 0
    hidden = np.eye(N) if law == "occlusion" else (np.random.default_rng((0, 0, 2)).random((400, N)) < 0.5) * 1.0

    def forward(x: Tensor) -> Tensor:
        return torch.tensor([game(row > 0.5)[sign] for row in x.numpy()], dtype=torch.float64)

    wanted = captums(forward, scores, hidden, normalise == "scale")
    number = found.cell("given", "infidelity").number
    assert number is not None
    assert number.value == pytest.approx(wanted, rel=1e-4)
    asked = [query for query in model.queries if isinstance(query, Evaluate) and isinstance(query.rows, Masked)]
    assert sum(query.num_rows for query in asked) < 2**N, "every row is asked for once"


@pytest.mark.parametrize("normalise", ["none", "scale"])
def test_the_metric_is_captums_where_embeddings_move(normalise: str) -> None:
    model = SoftModel(lambda rows: float(np.tanh(rows[:, 0].sum()) + rows[0, 1] * rows[1, 2]) + 9.0)
    scores = np.random.default_rng(2).normal(size=N)
    found = evaluate(
        model, [words(N)], [], [{"metric": "infidelity", "samples": 300, "normalise": normalise}],
        precomputed={"given": [scores.tolist()]}, lanes=1,
    )  # fmt: skip
    moved = next(q for q in model.queries if isinstance(q, Evaluate) and isinstance(q.rows, Moved))
    assert isinstance(moved.rows, Moved)
    z = moved.rows.z.astype(np.float64)
    base, mask = model.embeddings(words(N)), model.reference()

    def forward(x: Tensor) -> Tensor:
        # x is 1 + z: one is the text itself, zero the mask.
        rows = base[None] + (x.numpy()[:, :, None] - 1) * (base - mask)[None]
        return torch.tensor([model.function(row) for row in rows], dtype=torch.float64)

    number = found.cell("given", "infidelity").number
    assert number is not None
    assert number.value == pytest.approx(captums(forward, scores, -z, normalise == "scale"), rel=1e-5)
    assert z.std() == pytest.approx(0.5, rel=0.1)


def test_the_fit_to_a_law_is_the_least_unfaithful_under_it() -> None:
    model = SoftModel(lambda rows: float(np.tanh(rows[:, 0].sum() / 3) + 0.3 * rows[1, 2]))
    methods = ["mase", "occlusion", "random"]
    found = evaluate(model, [words(N)] * 3, methods, ["infidelity"], lanes=1)
    assert found.ranking("infidelity")[0][0] == "mase"
    assert found.ranking("infidelity")[-1][0] == "random"
