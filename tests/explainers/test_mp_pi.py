"""MP-PI: exact on set functions with known Shapley values, and on real decoders the game it says it plays."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from saliscope.explainers import Attribution, Question, drive, explain, load
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.errors import BadRequest, NonFinite, NotCapable
from saliscope.explainers.explaining import explaining
from saliscope.explainers.families.coalitions import class_law
from saliscope.explainers.families.multi_pass import reading_places
from saliscope.explainers.families.multi_pass_plan import MpPiParams, plan
from saliscope.explainers.families.passes import draw_passes, weigh
from saliscope.explainers.families.shapley_regression import Readings, regress
from saliscope.explainers.queries import Along, Evaluate, Solve
from saliscope.explainers.variants import Masked
from tests.explainers import tiny
from tests.explainers.fakes import ENCODER, FakeModel, table_game

exact = settings(deadline=None, derandomize=True, max_examples=15)


def words(count: int) -> str:
    return " ".join(f"w{k}" for k in range(count))


def linear_game(weights: Any) -> Any:
    """Outputs `[0, sum of the visible weights]`, also for the long row that stands for every empty text."""
    weights = np.asarray(weights, dtype=np.float64)
    return lambda visible: np.asarray([0.0, float(weights @ visible[: len(weights)])])


def run(model: Any, text: str, partials: list[Attribution] | None = None, **options: Any) -> Attribution:
    asked = {name: options.pop(name) for name in ("target", "seed", "granularity", "scale") if name in options}
    question = Question(text, "mp-pi", params=options, **asked)
    return drive(explaining(model, question), model.answer, None if partials is None else partials.append)


def shapley(n: int, value: Any) -> Any:
    """Shapley values by their definition, from `value(set of features)`."""
    total = 0.0
    for size in range(n):
        for others in combinations(range(n - 1), size):
            weight = math.factorial(size) * math.factorial(n - 1 - size) / math.factorial(n)
            gains = []
            for i in range(n):
                rest = tuple(other if other < i else other + 1 for other in others)
                gains.append(value(frozenset({*rest, i})) - value(frozenset(rest)))
            total = total + weight * np.stack(gains)
    return total


def of_game(game: Any, n: int) -> Any:
    """Shapley values `[n, C]` of a game over positions."""

    def value(coalition: frozenset[int]) -> Any:
        return game(np.isin(np.arange(n), list(coalition)))

    return shapley(n, value)


# -- set functions, no model ----------------------------------------------------------------------


@exact
@given(n=st.integers(1, 6), seed=st.integers(0, 99), p0=st.sampled_from(["auto", "mask"]))
def test_with_every_coalition_read_the_scores_are_the_shapley_values(n: int, seed: int, p0: str) -> None:
    game = table_game(n, seed, num_classes=3)
    model = FakeModel(game, ("a", "b", "c"))
    got = run(model, words(n), budget=2 ** (n - 1), seed=seed, p0=p0)
    want = of_game(game, n)
    for output in got.outputs:
        np.testing.assert_allclose(output.scores, want[:, output.target.index], atol=1e-6)
    assert got.outputs[0].stderr is not None
    assert not got.outputs[0].stderr.any()
    assert got.diagnostics["exact"] is True
    assert got.params["sampling"] == "every"
    assert model.rows == got.cost.forward_rows == got.cost.promised_forward_rows == 2 ** (n - 1) + 1


@pytest.mark.parametrize("options", [{"preset": "paper"}, {"weights": "exact"}, {"value": "end"}, {"antithetic": True}])
def test_what_is_read_in_full_is_exact_whatever_the_options(options: dict[str, Any]) -> None:
    game = table_game(5, 3)
    got = run(FakeModel(game), words(5), budget=16, target="yes", **options)
    np.testing.assert_allclose(got.scores, of_game(game, 5)[:, 1], atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_features_are_read_in_full_by_default(n: int) -> None:
    game = table_game(n, 8)
    got = run(FakeModel(game), words(n), target=0)
    np.testing.assert_allclose(got.scores, of_game(game, n)[:, 0], atol=1e-6)
    assert got.cost.forward_rows == 2 ** (n - 1) + 1


EVERY_WAY: list[dict[str, Any]] = [
    {},
    {"antithetic": True},
    {"value": "end"},
    {"p0": "mask"},
    {"sampling": "optimal"},
    {"weights": "exact"},
    {"weights": "exact", "constraint": "shift"},
    {"weights": "uniform", "constraint": "efficiency"},
    {"weights": "class", "budget": 40},
    {"preset": "paper", "budget": 40},
    {"preset": "paper", "budget": 40, "paper_formula": True},
    {"preset": "paper", "budget": 40, "weight_cap": 90.0},
]


@pytest.mark.parametrize("options", EVERY_WAY)
def test_a_linear_function_gives_its_weights_whatever_the_options(options: dict[str, Any]) -> None:
    weights = np.random.default_rng(4).normal(size=9)
    model = FakeModel(linear_game(weights))
    got = run(model, words(9), target="yes", seed=1, **options)
    np.testing.assert_allclose(got.scores, weights, atol=2e-5)
    assert got.diagnostics["r2"] == pytest.approx(1.0, abs=1e-6)
    assert got.gap == pytest.approx(0.0, abs=1e-5)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows
    assert model.rows == got.cost.forward_rows
    assert got.warnings == ()


@exact
@given(n=st.integers(5, 12), seed=st.integers(0, 99), way=st.integers(0, len(EVERY_WAY) - 1), fixed=st.integers(0, 2))
def test_scores_sum_to_the_value_less_the_empty_text(n: int, seed: int, way: int, fixed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(4096, 2))

    def game(visible: Any) -> Any:
        return table[int(visible[fixed : fixed + n] @ (1 << np.arange(n)))]

    got = run(FakeModel(game, leading=fixed, trailing=fixed), words(n), seed=seed, **EVERY_WAY[way])
    assert got.base_value == pytest.approx(table[0, got.target.index], abs=1e-6)
    assert got.value == pytest.approx(table[2**n - 1, got.target.index], abs=1e-6)
    for output in got.outputs:
        change = table[2**n - 1, output.target.index] - table[0, output.target.index]
        assert output.scores.sum() == pytest.approx(change, abs=1e-4)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows


@pytest.mark.parametrize("constraint", ["shift", "efficiency"])
def test_one_pass_is_single_pass_progressive_inference(constraint: str) -> None:
    game = table_game(7, 2)
    once = run(FakeModel(game), words(7), budget=1, target=1, constraint=constraint)
    question = Question(words(7), "sp-pi", target=1)
    model = FakeModel(game)
    np.testing.assert_allclose(once.scores, drive(explaining(model, question), model.answer).scores, atol=1e-5)
    assert once.cost.forward_rows == 2
    assert once.warnings == ()


def mixed(n: int, seed: int) -> tuple[Any, Any]:
    """Shapley values of a game of single words, pairs and triples, and its readings at every feature of a pass."""
    rng = np.random.default_rng(seed)
    terms = [((k,), rng.normal()) for k in range(n)]
    terms += [(tuple(rng.choice(n, 2, replace=False)), 0.5 * rng.normal()) for _ in range(n)]
    terms += [(tuple(rng.choice(n, 3, replace=False)), 0.5 * rng.normal()) for _ in range(n // 2)]
    want = np.zeros(n)
    for members, worth in terms:
        want[list(members)] += worth / len(members)

    def read(keep: Any) -> Any:
        values = np.zeros(keep.shape)
        for members, worth in terms:
            whole = keep[:, list(members)].all(axis=1)
            values[:, max(members) :] += worth * whole[:, None]
        return values[:, :, None]

    return want, read


def estimates(n: int, budget: int, scheme: Any, constraint: Any, seeds: int, antithetic: bool = False) -> Any:
    """Estimates `[seeds, n]` of the mixed game, its Shapley values, and the standard errors."""
    want, read = mixed(n, 5)
    full = read(np.ones((1, n), dtype=bool))[0, -1]
    fits = []
    for seed in range(seeds):
        passes = draw_passes(class_law(n), budget, np.random.default_rng(seed), antithetic)
        weights = weigh(passes, scheme)
        fits.append(regress(Readings(passes.keep, weights, read(passes.keep), np.zeros(1), full), constraint))
    return (
        np.stack([fit.scores[:, 0] for fit in fits]),
        want,
        np.stack([fit.stderr for fit in fits if fit.stderr is not None]),
    )


def error(found: Any, want: Any) -> float:
    return float(np.linalg.norm(found - want, axis=1).mean() / np.linalg.norm(want))


def test_more_passes_come_closer() -> None:
    errors = [error(*estimates(12, budget, "uniform", "shift", 10)[:2]) for budget in (6, 24, 240)]
    assert errors[0] > 1.3 * errors[1] > 1.3 * 1.3 * errors[2]
    assert errors[1] < 0.3


def test_exact_weights_win_in_the_long_run_and_lose_in_the_short() -> None:
    short = [error(*estimates(12, 24, scheme, "shift", 10)[:2]) for scheme in ("uniform", "exact")]
    long = [error(*estimates(12, 1200, scheme, "efficiency", 4)[:2]) for scheme in ("uniform", "exact")]
    assert short[0] < short[1]
    assert long[1] < 0.5 * long[0]
    assert long[1] < 0.03


@pytest.mark.parametrize("scheme", ["uniform", "exact"])
def test_standard_errors_have_the_size_of_the_scatter_over_seeds(scheme: str) -> None:
    found, _, stderr = estimates(14, 40, scheme, "shift" if scheme == "uniform" else "efficiency", 60)
    ratio = stderr.mean() / found.std(axis=0).mean()
    assert 0.5 < ratio < 1.5


def test_the_fit_is_the_one_written_out_coalition_by_coalition() -> None:
    n, rng = 7, np.random.default_rng(2)
    passes = draw_passes(class_law(n), 12, rng)
    values, full = rng.normal(size=(12, n, 2)), np.asarray([1.0, 2.0])
    empty = np.asarray([0.5, -0.5])
    weights = rng.random((12, n)) * (passes.keep & (passes.keep.cumsum(axis=1) < n))
    rows = np.stack([passes.keep[r] & (np.arange(n) <= at) for r, at in np.argwhere(weights > 0)]).astype(float)
    w, y = weights[weights > 0], values[weights > 0]
    ends = np.stack([np.zeros(n), np.ones(n)])
    design = np.hstack([np.ones((len(rows) + 2, 1)), np.vstack([rows, ends])])
    root = np.sqrt(np.append(w, [1.0, 1.0]))[:, None]
    free = np.linalg.lstsq(root * design, root * np.vstack([y, empty, full]), rcond=None)[0][1:]
    free = free + (full - empty - free.sum(axis=0)) / n
    readings = Readings(passes.keep, weights, values, empty, full)
    np.testing.assert_allclose(regress(readings, "shift").scores, free, atol=1e-6)
    root = np.sqrt(w)[:, None]
    reduced = root * (rows[:, :-1] - rows[:, -1:])
    rest = root * (y - empty - rows[:, -1:] * (full - empty))
    bound = np.linalg.lstsq(reduced, rest, rcond=None)[0]
    bound = np.vstack([bound, full - empty - bound.sum(axis=0)])
    np.testing.assert_allclose(regress(readings, "efficiency").scores, bound, atol=1e-6)


def test_features_that_no_pass_tells_apart_share_what_is_left() -> None:
    n = 4
    keep = np.asarray([[True, False, False, True]])
    weights = np.asarray([[1.0, 0.0, 0.0, 0.0]])
    values = np.ones((1, n, 1))
    fit = regress(Readings(keep, weights, values, np.zeros(1), np.full(1, 4.0)), "efficiency")
    np.testing.assert_allclose(fit.scores[:, 0], 1.0, atol=1e-6)
    assert fit.unseen == (1, 2, 3)
    assert fit.stderr is None


# -- steps, partial estimates, stopping -----------------------------------------------------------


def test_partial_estimates_start_with_one_pass_and_carry_standard_errors() -> None:
    n = 60
    weights = np.random.default_rng(1).normal(size=n)
    partials: list[Attribution] = []
    model = FakeModel(linear_game(weights))
    got = run(model, words(n), partials, target="yes")
    done = [part.diagnostics["done_rows"] for part in partials]
    assert done == [1, 33, 65, 97]
    assert got.diagnostics["done_rows"] == got.diagnostics["total_rows"] == 120
    np.testing.assert_allclose(partials[0].scores, weights, atol=1e-4)
    assert partials[0].outputs[0].stderr is None
    for part in [*partials[1:], got]:
        assert part.outputs[0].stderr is not None
        assert part.outputs[0].stderr.shape == (n,)
    for part in partials:
        assert part.estimate == "partial"
        assert part.cost.forward_rows == part.diagnostics["done_rows"] + 1
        assert part.gap == pytest.approx(0.0, abs=1e-4)


def test_a_class_weighted_estimate_waits_for_a_pass_that_counts() -> None:
    partials: list[Attribution] = []
    got = run(FakeModel(linear_game(np.arange(40))), words(40), partials, target="yes", preset="paper")
    assert partials
    assert all(part.scores.std() > 0 for part in [*partials, got])


def test_a_tolerance_ends_the_passes_early_and_says_so() -> None:
    n = 30
    want, read = mixed(n, 3)

    def game(visible: Any) -> Any:
        return np.asarray([0.0, float(read(visible[None])[0, -1, 0])])

    got = run(FakeModel(game), words(n), target="yes", budget=2000, tolerance=0.1, seed=2)
    stderr = got.outputs[0].stderr
    assert stderr is not None
    assert stderr.max() <= 0.1 * np.abs(got.scores).max()
    assert got.diagnostics["done_rows"] < got.diagnostics["total_rows"] == 2000
    assert "tolerance" in got.diagnostics["stopped"]
    assert got.cost.forward_rows == got.diagnostics["done_rows"] + 1 < got.cost.promised_forward_rows
    assert np.corrcoef(got.scores, want)[0, 1] > 0.95


def test_the_empty_text_is_asked_for_once_and_shared_with_sp_pi() -> None:
    model = FakeModel(linear_game(np.ones(6)))
    first = run(model, words(6))
    assert (first.cost.forward_rows, first.cost.promised_forward_rows) == (13, 13)
    drive(explaining(model, Question(words(6), "sp-pi")), model.answer)
    assert run(model, words(6)).cost.forward_rows == 12
    assert model.rows == 13 + 1 + 12
    assert run(model, words(6), p0="zero").cost.promised_forward_rows == 12


def test_every_pass_keeps_the_last_feature_and_is_read_at_the_feature_ends() -> None:
    model = FakeModel(linear_game(np.ones(12)), leading=1, trailing=2)
    run(model, "one two+ thr~ee four five six seven", granularity="word")
    passes = [query for query in model.queries if isinstance(query, Evaluate) and isinstance(query.rows, Masked)]
    assert passes
    for query in passes:
        assert isinstance(query.rows, Masked)
        assert query.rows.keep[:, -1].all()
        assert isinstance(query.read, Along)
        assert query.read.positions == (1, 3, 5, 6, 7, 8, 11)


def test_where_a_coalition_is_read() -> None:
    keep = np.asarray([[True, False, False, True, True], [False, True, True, False, True]])
    np.testing.assert_array_equal(reading_places(keep, "prefix")[0], [0, 1, 2, 3, 4])
    ends = reading_places(keep, "end")
    assert ends[0, [0, 3, 4]].tolist() == [2, 3, 4]
    assert ends[1, [1, 2, 4]].tolist() == [1, 3, 4]


def test_same_seed_same_scores_other_seed_other_passes() -> None:
    game = table_game(9, 1)
    a, b, c = (run(FakeModel(game), words(9), target=0, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.scores, b.scores)
    assert np.abs(a.scores - c.scores).max() > 1e-3


def test_laws_beyond_the_tables_are_solved_once_beside_the_device() -> None:
    model = FakeModel(linear_game(np.arange(9)))
    for _ in range(2):
        got = run(model, words(9), target="yes", preset="paper", paper_formula=True, budget=40)
        np.testing.assert_allclose(got.scores, np.arange(9), atol=1e-4)
    assert sum(isinstance(query, Solve) for query in model.queries) == 1
    run(model, words(9), preset="paper")
    assert sum(isinstance(query, Solve) for query in model.queries) == 1, "a shipped table needs no solver"
    other = FakeModel(linear_game(np.arange(66)))
    run(other, words(66), preset="paper", budget=4)
    assert sum(isinstance(query, Solve) for query in other.queries) == 1


def test_long_texts_are_fitted_beside_the_device() -> None:
    n = 140
    weights = np.random.default_rng(1).normal(size=n)
    model = FakeModel(linear_game(weights))
    got = run(model, words(n), target="yes", budget=20)
    assert any(isinstance(query, Solve) for query in model.queries)
    np.testing.assert_allclose(got.scores, weights, atol=1e-4)


def test_a_row_that_is_not_finite_is_an_error_that_names_what_was_hidden() -> None:
    def game(visible: Any) -> Any:
        return np.asarray([0.0, 1.0 if visible[1] or not visible[2] else math.nan])

    with pytest.raises(NonFinite, match=r"not finite with .*'w1'.* hidden"):
        run(FakeModel(game), words(4), target="yes")


# -- what is refused, what is resolved ------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"budget": 0}, "budget"),
        ({"budget": 2.5}, "budget"),
        ({"sampling": "kernel"}, "sampling"),
        ({"weights": "none"}, "weights"),
        ({"constraint": "sum"}, "constraint"),
        ({"tolerance": -1}, "tolerance"),
        ({"weight_cap": 20}, "weight_cap"),
        ({"value": "middle"}, "value"),
        ({"antithetic": True, "preset": "paper"}, "antithetic"),
        ({"antithetic": True, "sampling": "optimal"}, "antithetic"),
        ({"paper_formula": True}, "paper_formula"),
        ({"samples": 3}, "budget"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        run(FakeModel(linear_game(np.ones(3))), words(3), **options)


def test_an_encoder_is_refused() -> None:
    with pytest.raises(NotCapable, match="causal attention"):
        run(FakeModel(linear_game(np.ones(3)), capabilities=ENCODER), words(3))


def test_a_text_too_long_for_the_optimal_law_says_what_it_follows_instead() -> None:
    model = FakeModel(linear_game(np.ones(9)))
    got = run(model, words(9), preset="paper", optimal_up_to=8)
    assert got.params["sampling"] == "shapley"
    assert "optimal_up_to=8" in got.warnings[0]
    assert plan(65, MpPiParams(preset="paper", paper_formula=True)).printed is False
    assert plan(64, MpPiParams(preset="paper", paper_formula=True)).printed is True


def test_presets_and_the_automatic_weights_resolve_as_documented() -> None:
    default, paper = plan(20, MpPiParams()), plan(20, MpPiParams(preset="paper"))
    assert (default.budget, default.sampling, default.weights, default.constraint) == (
        40,
        "shapley",
        "uniform",
        "shift",
    )
    assert (paper.budget, paper.sampling, paper.weights, paper.constraint) == (40, "optimal", "class", "efficiency")
    assert plan(20, MpPiParams(weights="auto")).weights == "uniform"
    auto = plan(20, MpPiParams(weights="auto", budget=400))
    assert (auto.weights, auto.constraint) == ("exact", "efficiency")
    assert plan(5, MpPiParams(budget=15)).every is False
    assert plan(5, MpPiParams(budget=16)).every is True
    assert plan(4000, MpPiParams()).every is False


def test_capped_weights_change_what_few_passes_say() -> None:
    game = table_game(10, 6)
    free, capped = (run(FakeModel(game), words(10), target=1, preset="paper", weight_cap=cap) for cap in (100.0, 60.0))
    assert np.abs(free.scores - capped.scores).max() > 1e-3


# -- real decoders --------------------------------------------------------------------------------


class Brute:
    """The game itself, asked of the plain model: mask what is outside, cut after the last member, look at the end."""

    def __init__(self, model: Any, text: str, kind: str, granularity: str = "token") -> None:
        self.model, self.kind = model, kind
        self.encoding = model.encode(text)
        got = explain(model, text, method="sp-pi", granularity=granularity, target={"kind": kind})
        self.features, self.index = got.features, got.target.index
        self.groups = [list(feature.positions) for feature in got.features]
        self.known: dict[frozenset[int], Any] = {}

    def __call__(self, coalition: frozenset[int]) -> Any:
        if coalition not in self.known:
            self.known[coalition] = self.ask(coalition)
        return self.known[coalition]

    def ask(self, coalition: frozenset[int]) -> Any:
        ids = self.encoding.ids.copy()
        for feature, group in enumerate(self.groups):
            if feature not in coalition:
                ids[group] = self.model.facts.mask_id
        if coalition:
            ids = ids[: max(self.groups[max(coalition)]) + 1]
        row = torch.from_numpy(ids)[None]
        network = self.model.network
        with torch.no_grad():
            state = network.body(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False)[0][:, -1]
            outputs = network.heads[self.kind](state)[0].float()
        if self.kind == "class":
            return outputs.double().numpy()
        return outputs.log_softmax(0)[[self.index]].double().numpy()


@pytest.mark.parametrize(
    ("architecture", "task", "kind"),
    [
        ("gpt2", "ForSequenceClassification", "class"),
        ("llama", "ForSequenceClassification", "class"),
        ("gpt2", "ForCausalLM", "next-token"),
    ],
)
@pytest.mark.parametrize(("text", "granularity"), [("a dull film", "token"), ("a dull a film a dull", "word")])
def test_all_coalitions_give_the_shapley_values_of_the_game(
    architecture: str, task: str, kind: str, text: str, granularity: str, tiny_model: Any
) -> None:
    model = tiny_model(architecture, task)
    game = Brute(model, text, kind, granularity)
    n = len(game.groups)
    got = explain(model, text, method="mp-pi", granularity=granularity, budget=2 ** (n - 1), target={"kind": kind})
    want = shapley(n, game)
    assert 2 <= n <= 7
    assert got.diagnostics["exact"]
    for output in got.outputs:
        column = output.target.index if kind == "class" else 0
        np.testing.assert_allclose(output.scores, want[:, column], atol=1e-6)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "mistral"])
def test_a_pass_reads_the_prediction_on_each_of_its_prefixes(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    text = "the plot is a mess"
    game = Brute(model, text, "class", "word")
    keep = np.asarray([[True, True, True, True, True], [False, True, False, True, True]])
    ends = tuple(max(group) for group in game.groups)
    groups = tuple(tuple(group) for group in game.groups)
    scalar = explaining_scalar(model, text)
    got = model.answer(Evaluate(model.encode(text), Along(ends, scalar), Masked(keep, groups)))
    for row, kept in enumerate(keep):
        for at in np.flatnonzero(kept):
            coalition = frozenset(int(i) for i in np.flatnonzero(kept[: at + 1]))
            np.testing.assert_allclose(got.values[row, at], game(coalition), atol=1e-5)


def explaining_scalar(model: Any, text: str) -> Any:
    """The scalar that an explanation of the text asks for."""
    query = next(explaining(model, Question(text, "mp-pi")))
    assert isinstance(query, Evaluate)
    return query.read.scalar  # type: ignore[union-attr]


def test_a_coalition_met_in_several_passes_has_one_value(tiny_model: Any) -> None:
    model = tiny_model("gpt2")
    seen: dict[tuple[int, ...], list[Any]] = {}

    def answer(query: Any) -> Any:
        found = model.answer(query)
        if isinstance(query, Evaluate) and isinstance(query.rows, Masked) and isinstance(found, Evaluated):
            for row, kept in enumerate(query.rows.keep):
                for at in np.flatnonzero(kept):
                    seen.setdefault(tuple(np.flatnonzero(kept[: at + 1])), []).append(found.values[row, at])
        return found

    drive(explaining(model, Question("one of the best films of the year", "mp-pi", granularity="word")), answer)
    repeated = [values for values in seen.values() if len(values) > 1]
    assert len(repeated) > 5
    for values in repeated:
        np.testing.assert_allclose(values, np.broadcast_to(values[0], np.shape(values)), atol=1e-6)


def test_reading_before_the_next_kept_word_is_another_game(tiny_model: Any) -> None:
    model, text = tiny_model("gpt2"), "the plot is a mess but fine"
    prefix = explain(model, text, method="mp-pi", granularity="word", target=0)
    end = explain(model, text, method="mp-pi", granularity="word", target=0, value="end")
    assert np.abs(prefix.scores - end.scores).max() > 1e-3
    assert end.scores.sum() == pytest.approx(end.value - end.base_value, abs=1e-4)
    assert (end.value, end.base_value) == (prefix.value, prefix.base_value)


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_the_size_of_a_micro_batch_changes_nothing(preset: str, tiny_model: Any) -> None:
    model, text = tiny_model("llama"), "one of the best films of the year"
    found = []
    for budget in (1, 64 * len(model.encode(text))):
        question = Question(text, "mp-pi", target=1, seed=5, params={"preset": preset})
        found.append(drive(explaining(model, question), lambda query, most=budget: model.answer(query, most)))
    np.testing.assert_allclose(found[0].scores, found[1].scores, atol=1e-5)


def test_a_fixed_prefix_is_the_empty_text_and_is_never_masked(tmp_path: Path) -> None:
    core = Tokenizer.from_str(tiny.tokenizer(True).backend_tokenizer.to_str())
    fixed = [("<eos>", core.token_to_id("<eos>"))]
    core.post_processor = processors.TemplateProcessing(single="<eos> $A", special_tokens=fixed)
    tiny.build("gpt2").save_pretrained(tmp_path)
    PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<eos>", pad_token="<pad>", model_max_length=64
    ).save_pretrained(tmp_path)
    model = load(str(tmp_path), "cpu")
    single = explain(model, "a dull film", method="sp-pi", granularity="word", target=1)
    got = explain(model, "a dull film", method="mp-pi", granularity="word", target=1)
    assert (got.cost.forward_rows, got.cost.promised_forward_rows) == (4, 4)
    assert (got.base_value, got.value) == (single.base_value, single.value)
    assert "prefix" in got.baseline


@pytest.mark.parametrize("granularity", ["token", "word", "sentence"])
@pytest.mark.parametrize("scale", ["logit", "margin", "prob"])
def test_planted_words_win_on_the_demo_decoder(granularity: str, scale: str, demo_decoder: Any) -> None:
    text = "A dull and boring film. But the cast is wonderful!"
    got = explain(demo_decoder, text, method="mp-pi", granularity=granularity, scale=scale, target="positive")
    best = got.features[int(np.argmax(got.scores))].text
    worst = got.features[int(np.argmin(got.scores))].text
    assert "wonderful" in best
    assert "dull" in worst or "boring" in worst
    assert got.cost.forward_rows <= got.cost.promised_forward_rows
