"""Texts beyond the model's length, explained in windows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import explain
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import BadRequest, NotCapable, TooLarge
from saliscope.explainers.explaining import drive, explaining
from saliscope.explainers.queries import Evaluate
from saliscope.explainers.question import Question
from saliscope.explainers.registry import fitting
from tests.explainers.fakes import FakeModel

SENTENCES = ["the plot is a mess. ", "the cast is wonderful! ", "funny, warm and clever. "]
LONG = "".join(SENTENCES[k % 3] for k in range(40)).strip()
"""Three or four windows of 64 tokens."""


class Short(FakeModel):
    """Words are tokens, at most 20 of them are read, and each word that ends in a digit d adds d."""

    def __init__(self, leading: int = 1, trailing: int = 1) -> None:
        super().__init__(lambda visible: np.zeros(2), leading=leading, trailing=trailing, max_tokens=20)
        self.lengths: list[int] = []

    def encode(self, text: str, most: int | None = None) -> Any:
        return super().encode(text)

    def answer(self, query: Any) -> Any:
        assert len(query.encoding) <= self.max_tokens
        self.lengths.append(len(query.encoding))
        weights = np.zeros(len(query.encoding))
        for token in query.encoding.tokens:
            if not token.special and token.text[-1].isdigit():
                weights[token.positions[0]] = int(token.text[-1])
        self.game = lambda visible: np.asarray([0.0, float(weights @ visible)])
        return super().answer(query)


def stitched(model: Any, text: str, method: str = "occlusion", **asked: Any) -> Attribution:
    return drive(explaining(model, Question(text, method, windows="stitch", **asked)), model.answer)


def words(count: int) -> str:
    return " ".join(f"w{k % 10}" for k in range(count))


@pytest.mark.parametrize("count", [19, 30, 31, 45, 100, 333])
@pytest.mark.parametrize(("leading", "trailing"), [(1, 1), (0, 0), (3, 0)])
def test_every_word_has_the_score_that_a_window_gives_it(count: int, leading: int, trailing: int) -> None:
    model = Short(leading, trailing)
    got = stitched(model, words(count), target="yes")
    np.testing.assert_allclose(got.scores, [k % 10 for k in range(count)])
    assert [feature.text for feature in got.features] == words(count).split()
    assert all(got.text[f.start : f.end] == f.text for f in got.features)
    assert got.text == words(count)
    assert got.truncated_at is None
    assert got.cost.forward_rows == got.cost.promised_forward_rows == model.rows


def test_neighbours_share_a_quarter_and_leave_nothing_out() -> None:
    got = stitched(Short(), words(100))
    spans = [(window["start"], window["end"]) for window in got.diagnostics["windows"]]
    assert spans[0][0] == 0
    assert spans[-1][1] == len(words(100))
    for (_, end), (start, _) in pairwise(spans):
        shared = got.text[start:end].split()
        assert 18 // 4 <= len(shared) <= 18 // 4 + 1
    assert any(f"the text is 102 tokens long: explained in {len(spans)} windows of 20" in w for w in got.warnings)


def test_a_score_comes_from_the_window_where_its_feature_is_farthest_from_an_edge() -> None:
    """Each window's scores carry its number: a word's window must be the best of those that hold it."""
    model = Short(0, 0)
    text = " ".join(f"{k}x" for k in range(60))
    starts: list[int] = []
    plain = model.answer

    def answer(query: Any) -> Any:
        first = next(token.start for token in query.encoding.tokens)
        if first not in starts:
            starts.append(first)
        model.number = starts.index(first)  # type: ignore[attr-defined]
        found = plain(query)
        if isinstance(query, Evaluate) and query.rows is not None:
            found.values[:] = -model.number  # type: ignore[attr-defined]
        return found

    got = drive(explaining(model, Question(text, "occlusion", target="yes", windows="stitch")), answer)
    windows = [(text[: w["start"]].count(" "), text[: w["end"]].count(" ")) for w in got.diagnostics["windows"]]
    last = len(windows) - 1
    for word, score in enumerate(got.scores):
        distances = {
            n: min(np.inf if n == 0 else word - a, np.inf if n == last else b - word)
            for n, (a, b) in enumerate(windows)
            if a <= word <= b
        }
        assert distances[int(score)] == max(distances.values())


@pytest.mark.parametrize("granularity", ["word", "sentence", "line", "regex:wonderful|mess"])
@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_a_feature_is_never_cut_and_values_are_means(architecture: str, granularity: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    text = LONG.replace(". ", ".\n")
    got = explain(model, text, "input-x-gradient", granularity=granularity, windows="stitch")
    assert len(got.tokens) > model.facts.max_tokens
    assert [got.text[f.start : f.end] for f in got.features] == [f.text for f in got.features]
    if granularity == "sentence":
        assert len(got.features) == 40
    windows = got.diagnostics["windows"]
    assert got.value == pytest.approx(np.mean([window["value"] for window in windows]))
    for label, probability in got.prediction.probabilities.items():
        mean = np.mean([window["prediction"]["probabilities"][label] for window in windows])
        assert probability == pytest.approx(mean)
    assert got.target.label == got.prediction.label
    assert got.prediction.probabilities[got.prediction.label] == max(got.prediction.probabilities.values())
    assert got.gap is None


def test_a_window_is_explained_as_its_text_alone_is(demo_encoder: Any) -> None:
    text = LONG * 4
    got = explain(demo_encoder, text, "input-x-gradient", windows="stitch", target="positive")
    window = got.diagnostics["windows"][0]
    alone = explain(demo_encoder, text[: window["end"]], "input-x-gradient", target="positive")
    assert window["value"] == pytest.approx(alone.value, abs=1e-4)
    assert window["prediction"]["probabilities"] == pytest.approx(dict(alone.prediction.probabilities), abs=1e-5)
    np.testing.assert_allclose(got.scores[:150], alone.scores[:150], atol=1e-5)


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_every_method_can_be_stitched(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    text = " ".join(LONG.split()[:90])
    for name in fitting(model.facts, "class"):
        got = explain(model, text, name, granularity="sentence", windows="stitch")
        assert np.isfinite(got.scores).all(), name
        assert len(got.diagnostics["windows"]) > 1
        assert got.cost.forward_rows <= got.cost.promised_forward_rows
        assert got.cost.backward_rows <= got.cost.promised_backward_rows
        assert all(len(output.scores) == len(got.features) for output in got.outputs)


def test_a_window_in_which_nothing_is_scored_still_counts_in_the_mean(tiny_model: Any) -> None:
    model = tiny_model("bert")
    got = explain(model, LONG + " dull", "occlusion", granularity="regex:dull", windows="stitch")
    assert [feature.text for feature in got.features] == ["dull"]
    windows = got.diagnostics["windows"]
    assert len(windows) > 2
    assert got.value == pytest.approx(np.mean([window["value"] for window in windows]))
    alone = explain(model, LONG[windows[0]["start"] : windows[0]["end"]], "random", target=got.target.label)
    assert windows[0]["value"] == pytest.approx(alone.value, abs=1e-4)


def test_a_text_that_fits_is_explained_as_ever(demo_encoder: Any) -> None:
    got, plain = (
        explain(demo_encoder, "a dull film", "occlusion", windows=windows)  # type: ignore[arg-type]
        for windows in ("stitch", "cut")
    )
    np.testing.assert_array_equal(got.scores, plain.scores)
    assert got.to_dict() | {"timing_ms": 0} == plain.to_dict() | {"timing_ms": 0}


def test_no_partial_of_one_window_is_shown_as_one_of_the_text() -> None:
    partials: list[Attribution] = []
    model = Short()
    drive(explaining(model, Question(words(100), "occlusion", windows="stitch")), model.answer, partials.append)
    assert partials == []


def test_what_cannot_be_stitched_says_why(tiny_model: Any) -> None:
    model = Short()
    with pytest.raises(TooLarge, match="82 windows, over the limit of 64"):
        stitched(model, words(64 * 18))
    with pytest.raises(TooLarge, match="more tokens than the 18 that fit a window"):
        stitched(model, words(40), granularity="line")
    with pytest.raises(NotCapable, match="follows the last window only"):
        explain(tiny_model("llama", "ForCausalLM"), LONG, windows="stitch")
    with pytest.raises(BadRequest, match="a pair or a chat goes with windows=cut"):
        explain(tiny_model("bert"), LONG, pair="a", windows="stitch")
    with pytest.raises(BadRequest, match="'slide' is none of cut, stitch"):
        explain(tiny_model("bert"), LONG, windows="slide")  # type: ignore[arg-type]


def test_windows_that_warn_of_the_same_with_other_numbers_are_heard_once(demo_encoder: Any) -> None:
    text = "The plot is a mess but the cast is wonderful. " * 60
    got = explain(demo_encoder, text, "mase", granularity="sentence", windows="stitch", samples=8)
    told = [warning for warning in got.warnings if "draws cannot tell" in warning]
    assert len(told) == 1
    assert len(got.diagnostics["windows"]) > 2
