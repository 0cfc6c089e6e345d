"""Methods without any model: their queries are answered from known set functions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.explainers import Attribution, ExplainerError, Question, methods
from saliscope.explainers.answers import Decoded
from saliscope.explainers.explaining import explaining
from saliscope.explainers.queries import Differentiate, Evaluate, Outputs
from saliscope.explainers.variants import INPUT, Masked
from tests.explainers.fakes import ENCODER, MASK, FakeModel, linear_game, run, table_game, words

exact = settings(deadline=None, derandomize=True, max_examples=25)


# -- occlusion ------------------------------------------------------------------------------------


@exact
@given(count=st.integers(1, 7), window=st.integers(1, 9), seed=st.integers(0, 99), fixed=st.integers(0, 2))
def test_occlusion_is_the_mean_drop_over_the_windows_that_hide_a_feature(
    count: int, window: int, seed: int, fixed: int
) -> None:
    game = table_game(count + 2 * fixed, seed)
    model = FakeModel(game, leading=fixed, trailing=fixed)
    got = run(model, words(count), "occlusion", window=window, target="yes")
    everything = np.ones(count + 2 * fixed, dtype=bool)
    drops: list[list[float]] = [[] for _ in range(count)]
    width = min(window, count)
    for start in range(count - width + 1):
        hidden = everything.copy()
        hidden[fixed + start : fixed + start + width] = False
        for feature in range(start, start + width):
            drops[feature].append(game(everything)[1] - game(hidden)[1])
    np.testing.assert_allclose(got.scores, [np.mean(row) for row in drops], atol=1e-6)
    assert got.value == pytest.approx(game(everything)[1], abs=1e-6)
    assert got.cost.forward_rows == got.cost.promised_forward_rows == model.rows == count - width + 2
    assert got.cost.backward_rows == got.cost.promised_backward_rows == 0


def test_occlusion_of_a_linear_function_gives_its_weights() -> None:
    weights = [0.5, -2.0, 0.0, 3.0, 1.25]
    got = run(FakeModel(linear_game(weights)), words(5), "occlusion", target="yes")
    np.testing.assert_allclose(got.scores, weights, atol=1e-6)


def test_occlusion_hides_a_word_with_all_its_positions() -> None:
    model = FakeModel(linear_game([1.0, 2.0, 4.0, 8.0, 16.0]))
    got = run(model, "a+b c~d e", "occlusion", target="yes", granularity="word")
    assert [feature.text for feature in got.features] == ["a+b", "c~d", "e"]
    assert [feature.positions for feature in got.features] == [(0, 1), (2, 3), (4,)]
    np.testing.assert_allclose(got.scores, [3.0, 12.0, 16.0], atol=1e-6)


def test_occlusion_on_the_loss_turns_the_signs_of_the_log_probability() -> None:
    game = table_game(4, 3)
    loss = run(FakeModel(game), words(4), "occlusion", target="yes", scale="loss")
    logprob = run(FakeModel(game), words(4), "occlusion", target="yes", scale="logprob")
    np.testing.assert_allclose(loss.scores, -logprob.scores, atol=1e-6)


def test_partial_results_of_occlusion_stream_and_grow_towards_the_final_one() -> None:
    weights = np.random.default_rng(5).normal(size=200)
    partials: list[Attribution] = []
    got = run(FakeModel(linear_game(weights)), words(200), "occlusion", target="yes", partials=partials)
    assert got.estimate == "final"
    assert len(partials) == 3
    done = [part.diagnostics["done_rows"] for part in partials]
    assert done == sorted(set(done))
    for part in partials:
        rows = part.diagnostics["done_rows"]
        assert part.estimate == "partial"
        assert rows < part.diagnostics["total_rows"] == 200
        assert part.cost.forward_rows == rows + 1
        np.testing.assert_array_equal(part.scores[:rows], got.scores[:rows])
        assert not part.scores[rows:].any()
    assert got.diagnostics["done_rows"] == got.diagnostics["total_rows"] == got.cost.forward_rows - 1


def test_a_short_occlusion_has_no_partial_results() -> None:
    partials: list[Attribution] = []
    run(FakeModel(linear_game(np.ones(64))), words(64), "occlusion", partials=partials)
    assert partials == []


def test_an_explanation_can_be_cancelled_between_two_queries() -> None:
    model = FakeModel(linear_game(np.ones(200)))
    steps = explaining(model, Question(words(200), "occlusion"))
    opening = next(steps)
    assert not isinstance(opening, Attribution)
    query = steps.send(model.answer(opening))
    assert isinstance(query, Evaluate)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)
    assert model.rows == 1


# -- progressive inference ------------------------------------------------------------------------


@exact
@given(count=st.integers(1, 6), seed=st.integers(0, 99), leading=st.integers(0, 2), trailing=st.integers(0, 2))
def test_sp_pi_gives_the_differences_between_prefixes_for_every_class(
    count: int, seed: int, leading: int, trailing: int
) -> None:
    width = leading + count + trailing
    game = table_game(width, seed, 3)
    model = FakeModel(game, ("a", "b", "c"), leading=leading, trailing=trailing, max_tokens=width)
    got = run(model, words(count), "sp-pi", target="b")
    everything, nothing = np.ones(width, dtype=bool), np.ones(width, dtype=bool)
    nothing[leading : leading + count] = False
    if leading:
        nothing[leading:] = False
    prefixes = [np.arange(width) <= leading + k for k in range(count - 1)] + [everything]
    curve = np.stack([game(nothing), *map(game, prefixes)])
    by_class = {output.target.label: output.scores for output in got.outputs}
    assert list(by_class) == ["b", "a", "c"]
    for index, label in enumerate("abc"):
        np.testing.assert_allclose(by_class[label], np.diff(curve[:, index]), atol=1e-5)
    assert got.base_value == pytest.approx(curve[0, 1], abs=1e-6)
    assert got.gap == pytest.approx(0.0, abs=1e-5)
    assert got.cost.forward_rows == got.cost.promised_forward_rows == (1 if leading else 2)


def test_sp_pi_of_one_feature_is_the_text_less_the_empty_text() -> None:
    got = run(FakeModel(linear_game([0.5]), max_tokens=1), "word", "sp-pi", target="yes")
    np.testing.assert_allclose(got.scores, [0.5], atol=1e-6)


def test_sp_pi_asks_for_the_masked_text_once_per_model_and_scale() -> None:
    model = FakeModel(lambda visible: np.asarray([0.1 * len(visible), visible.sum(dtype=float)]))
    costs = [run(model, words(count), "sp-pi", target=label).cost for count, label in ((5, 0), (9, 1), (64, 0))]
    assert [cost.forward_rows for cost in costs] == [2, 1, 1]
    assert {cost.promised_forward_rows for cost in costs} == {2}
    assert run(model, words(5), "sp-pi", target=1, scale="prob").cost.forward_rows == 2
    assert run(model, words(65), "sp-pi", target=1).cost.forward_rows == 2
    assert run(FakeModel(model.game), words(5), "sp-pi").cost.forward_rows == 2


def test_the_masked_row_of_sp_pi_never_exceeds_the_models_length() -> None:
    model = FakeModel(lambda visible: np.asarray([0.0, visible.sum(dtype=float)]), max_tokens=7)
    run(model, words(5), "sp-pi")
    assert [len(query.encoding) for query in model.queries] == [5, 7]
    assert set(model.queries[1].encoding.ids) == {MASK}


def test_a_fixed_token_between_two_words_is_read_with_the_first_and_never_masked() -> None:
    game = table_game(4, 8)
    model = FakeModel(game)
    got = run(model, "a | b c", "sp-pi", target="yes")
    assert [feature.positions for feature in got.features] == [(0,), (2,), (3,)]
    steps = [[False, True, False, False], [True, True, False, False], [True, True, True, False], [True] * 4]
    curve = [game(np.asarray(step))[1] for step in steps]
    np.testing.assert_allclose(got.scores, np.diff(curve), atol=1e-6)
    assert got.cost.forward_rows == 2


def test_sp_pi_starts_from_nothing_if_told_so() -> None:
    model = FakeModel(linear_game([2.0, 3.0]))
    got = run(model, words(2), "sp-pi", target="yes", p0="zero")
    np.testing.assert_allclose(got.scores, [2.0, 3.0], atol=1e-6)
    assert (got.base_value, got.baseline, model.rows) == (0.0, "zero", 1)
    assert got.cost.promised_forward_rows == 1


def test_sp_pi_can_be_told_to_mask_in_spite_of_a_fixed_prefix() -> None:
    model = FakeModel(linear_game([10.0, 1.0, 2.0]), leading=1)
    auto, mask = (run(model, words(2), "sp-pi", target="yes", p0=p0) for p0 in ("auto", "mask"))
    assert auto.base_value == mask.base_value == 10.0
    assert (auto.cost.forward_rows, mask.cost.forward_rows) == (1, 2)
    assert auto.baseline != mask.baseline


# -- gradients ------------------------------------------------------------------------------------


def test_input_x_gradient_sums_positions_into_words_and_leaves_fixed_tokens_out() -> None:
    inner = {INPUT: [100.0, 1.0, -2.0, 4.0, 8.0, -16.0, 100.0]}
    model = FakeModel(table_game(7, 0), capabilities=ENCODER, leading=1, trailing=1, inner=inner)
    by_token = run(model, "a+b c~d e", "input-x-gradient")
    by_word = run(model, "a+b c~d e", "input-x-gradient", granularity="word")
    np.testing.assert_allclose(by_token.scores, [-1.0, 4.0, 8.0, -16.0])
    np.testing.assert_allclose(by_word.scores, [-1.0, 12.0, -16.0])
    assert by_word.cost.forward_rows == by_word.cost.backward_rows == 1
    assert by_word.cost.promised_backward_rows == 1


def test_grad_cam_takes_the_positive_part_before_it_sums() -> None:
    inner = {2: [5.0, 1.0, -2.0, 4.0, -8.0, 5.0]}
    model = FakeModel(table_game(6, 0), capabilities=ENCODER, leading=1, trailing=1, inner=inner)
    got = run(model, "a+b c~d", "grad-cam", granularity="word", layer=2)
    np.testing.assert_allclose(got.scores, [1.0, 4.0])
    assert got.outputs[0].layer == 2
    assert got.diagnostics["special_share"] == pytest.approx(10 / 25)
    assert got.warnings == ()


def test_grad_cam_says_when_everything_speaks_against_the_target() -> None:
    model = FakeModel(table_game(2, 0), capabilities=ENCODER, inner={0: [-1.0, -2.0]})
    got = run(model, "a b", "grad-cam")
    assert not got.scores.any()
    assert "speaks against the target" in got.warnings[0]


def test_decoded_grad_cam_keeps_the_signs_in_reserve_where_nothing_is_positive() -> None:
    encoding = FakeModel(table_game(2, 0)).encode("a b")
    unique = np.unique(encoding.ids)
    share = np.asarray([[0.5, 0.25], [0.25, 0.5]], dtype=np.float32)
    decoded = {2: Decoded(unique, share, 0.5, "own")}
    model = FakeModel(table_game(2, 0), capabilities=ENCODER, inner={2: [-1.0, -2.0]}, decoded=decoded)
    inner, signed = run(model, "a b", "decoded-grad-cam"), run(model, "a b", "decoded-grad-cam", relu="none")
    assert not inner.scores.any()
    assert any("relu=none shows the signs" in text for text in inner.warnings)
    np.testing.assert_allclose(signed.scores, [-1.0, -1.25])
    np.testing.assert_allclose(inner.diagnostics["signed_scores"], signed.scores)


def test_special_tokens_compete_for_the_decoded_mass_only_if_asked() -> None:
    encoding = FakeModel(table_game(3, 0), leading=1).encode("a b")
    ids = encoding.ids.tolist()
    assert ids == sorted(ids)
    share = np.asarray([[0.9, 0.6, 0.1], [0.1, 0.3, 0.2], [0.0, 0.1, 0.7]], dtype=np.float32)
    decoded = {2: Decoded(np.asarray(ids), share, 0.5, "own")}
    inner = {2: [4.0, 2.0, 1.0]}
    model = FakeModel(table_game(3, 0), capabilities=ENCODER, leading=1, inner=inner, decoded=decoded)
    without, competing = (run(model, "a b", "decoded-grad-cam", tau=1, include_special=flag) for flag in (False, True))
    np.testing.assert_allclose(without.scores, [4 * 0.1 + 2 * 0.3, 0.7], atol=1e-6)
    np.testing.assert_allclose(competing.scores, [0.0, 0.7], atol=1e-6)
    unfiltered = run(model, "a b", "decoded-grad-cam", include_special=True)
    np.testing.assert_allclose(unfiltered.scores, share[1:] @ inner[2], atol=1e-6)
    assert unfiltered.diagnostics["special_share"] == pytest.approx(4 / 7)


def test_a_decoder_credits_no_token_before_it_is_read_and_no_attention_sink() -> None:
    encoding = FakeModel(table_game(3, 0), leading=1).encode("a b")
    decoded = {2: Decoded(encoding.ids, np.full((3, 3), 0.25, dtype=np.float32), 0.5, "own")}
    capabilities = ENCODER | {"causal"}
    inner = {2: [64.0, 2.0, 1.0]}
    model = FakeModel(table_game(3, 0), capabilities=capabilities, leading=1, inner=inner, decoded=decoded)
    got = run(model, "a b", "decoded-grad-cam")
    np.testing.assert_allclose(got.scores, [0.25 * 3, 0.25 * 1], atol=1e-6)


def test_an_attention_sink_credits_not_even_its_own_id_where_a_person_typed_it() -> None:
    encoding = FakeModel(table_game(3, 0), leading=1).encode("^ a")
    unique = np.unique(encoding.ids)
    assert len(unique) == 2
    decoded = {2: Decoded(unique, np.full((2, 3), 0.25, dtype=np.float32), 0.5, "own")}
    capabilities = ENCODER | {"causal"}
    inner = {2: [64.0, 2.0, 1.0]}
    model = FakeModel(table_game(3, 0), capabilities=capabilities, leading=1, inner=inner, decoded=decoded)
    got = run(model, "^ a", "decoded-grad-cam")
    np.testing.assert_allclose(got.scores, [0.25 * 3, 0.25 * 1], atol=1e-6)


# -- random ---------------------------------------------------------------------------------------


def test_random_scores_come_from_the_seed_alone() -> None:
    model = FakeModel(table_game(6, 0))
    first, again, other = (run(model, words(6), "random", seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, other.scores)
    assert (np.abs(first.scores) <= 1).all()
    assert (first.scores > 0).any()
    assert (first.scores < 0).any()
    assert (first.seed, other.seed) == (3, 4)
    assert first.cost.forward_rows == 1


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ExplainerError, match=r"seed: .*-1"):
        run(FakeModel(table_game(2, 0)), "a b", "random", seed=-1)


# -- what every method owes -----------------------------------------------------------------------


def test_the_opening_finds_the_predicted_class_without_a_row_of_its_own() -> None:
    model = FakeModel(lambda visible: np.asarray([1.0, 5.0, 2.0]), ("a", "b", "c"))
    got = run(model, words(3), "random")
    assert (got.target.label, got.prediction.label, got.value) == ("b", "b", 5.0)
    assert sum(got.prediction.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
    assert isinstance(model.queries[0].read, Outputs)
    assert model.rows == 1


def test_a_repeated_word_is_two_features() -> None:
    got = run(FakeModel(linear_game([1.0, 2.0, 4.0])), "so so good", "occlusion", target="yes")
    assert [feature.text for feature in got.features] == ["so", "so", "good"]
    np.testing.assert_allclose(got.scores, [1.0, 2.0, 4.0], atol=1e-6)


def test_masked_rows_are_described_and_built_piece_by_piece() -> None:
    encoding = FakeModel(table_game(3, 0)).encode("a b+c d")
    keep = np.asarray([[True, False, True], [False, True, True], [True, True, True]])
    rows = Masked(keep, ((0,), (1, 2), (3,)))
    np.testing.assert_array_equal(rows.hidden(4, 0, 2), [[False, True, True, False], [True, False, False, False]])
    np.testing.assert_array_equal(rows.hidden(4, 2, 3), [[False] * 4])
    assert Evaluate(encoding, Outputs("class"), rows).num_rows == 3


def test_no_method_asks_for_a_gradient_that_it_did_not_promise() -> None:
    encoding = FakeModel(table_game(3, 0)).encode("a b c")
    decoded = {2: Decoded(np.unique(encoding.ids), np.full((3, 3), 0.2, dtype=np.float32), 0.2, "own")}
    inner = {layer: [1.0, 2.0, 3.0] for layer in (INPUT, 0, 2)}
    for method in ("random", "occlusion", "sp-pi", "input-x-gradient", "grad-cam", "decoded-grad-cam"):
        model = FakeModel(
            table_game(3, 0), capabilities=ENCODER | {"causal"}, inner=inner, decoded=decoded, max_tokens=3
        )
        got = run(model, "a b c", method)
        backward = sum(isinstance(query, Differentiate) for query in model.queries)
        assert got.cost.backward_rows == backward <= got.cost.promised_backward_rows
        assert got.cost.forward_rows == model.rows <= got.cost.promised_forward_rows


def test_the_catalogue_is_a_function_whatever_was_imported_before() -> None:
    lines = "import saliscope.explainers as library; library.methods(); print(*library.methods())"
    found = subprocess.run([sys.executable, "-c", lines], check=True, capture_output=True, text=True)
    assert found.stdout.split() == list(methods())
