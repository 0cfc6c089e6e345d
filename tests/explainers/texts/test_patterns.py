"""Lines and patterns: what is a feature, what stays fixed, and that no pattern holds anybody up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from saliscope.explainers import explain
from saliscope.explainers.answers import Solved
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.queries import Solve
from saliscope.explainers.registry import fitting
from saliscope.explainers.texts.features import Feature, build_features, line_spans
from saliscope.explainers.texts.patterns import find_matches, grouping
from saliscope.explainers.texts.tokenizing import Tokenizing
from tests.explainers.tokenizers_zoo import NAMES_OF_ALL, TEXTS, get

TEXT = "the plot is a mess but the cast is wonderful"


def grouped(encoding: Any, granularity: str) -> tuple[Feature, ...]:
    steps = grouping(encoding, granularity)
    try:
        query = next(steps)
        assert isinstance(query, Solve)
        steps.send(Solved(query.function(*query.arguments)))
    except StopIteration as end:
        return tuple(end.value)
    raise AssertionError("it asked twice")


def texts(name: str, text: str, granularity: str) -> list[str]:
    return [feature.text for feature in grouped(Tokenizing(get(name)).encode(text, 1 << 20), granularity)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\n\n  three  \n", ["one", "two", "three"]),
        ("1\r\n\r\n2\r3\u20284\u20295\x856\x0b7\x0c8", list("12345678")),
        ("\n\n a. b. \n", ["a. b."]),
        (" \n\t\r\n", []),
    ],
)  # fmt: skip
def test_lines_are_what_lies_between_line_breaks_of_any_kind(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in line_spans(text)] == expected


def test_a_line_is_a_feature_and_a_blank_one_is_none() -> None:
    assert texts("bytes", "the plot\r\n\r\n \n is a mess\n", "line") == ["the plot", "is a mess"]


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("one, two,, three", "[^,]+", ["one", " two", " three"]),
        ("one two three", "two", ["two"]),
        ("one two three", r"x*", []),
        ("one two three", r"(?<=ne )\w+|th", ["two", "th"]),
        ("one\ntwo", "(?s)e.t", ["e\nt"]),
        ("one (two)", r"\(two\)$", ["(two)"]),
    ],
)
def test_every_match_that_is_not_empty_is_found(text: str, pattern: str, expected: list[str]) -> None:
    (found,) = find_matches(pattern, [text])
    assert [text[start:end] for start, end in found] == expected


def test_a_feature_is_a_match_as_far_as_its_tokens_go() -> None:
    assert texts("wordpiece", "the plot is, the cast is", "regex:[^,]+") == ["the plot is", "the cast is"]
    assert texts("bytes", "the plot is a mess", "regex:plot|mess") == ["plot", "mess"]


@pytest.mark.parametrize("name", NAMES_OF_ALL)
@given(text=TEXTS)
@settings(max_examples=4, deadline=None, derandomize=True)
def test_matches_take_the_tokens_that_begin_in_them_and_leave_the_others_out(name: str, text: str) -> None:
    encoding = Tokenizing(get(name)).encode(text, 60)
    try:
        found = grouped(encoding, r"regex:[^\W_]+|\n")
    except BadRequest:
        return
    taken = [index for feature in found for index in feature.tokens]
    assert taken == sorted(set(taken))
    for feature in found:
        assert feature.text == text[feature.start : feature.end] != ""
        first = encoding.tokens[feature.tokens[0]]
        assert first.text[0] == "\n" or first.text[0].isalnum()
    for index, token in enumerate(encoding.tokens):
        if index not in taken and not token.special:
            assert not token.text[0].isalnum()
            assert token.text[0] != "\n"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "nothing follows"),
        ("[", "unterminated character set"),
        ("(?P<", "no pattern of Python's re"),
        ("z", "matches nothing in this text"),
        ("x*", "matches nothing in this text"),
        ("a" * 1001, "over the limit of 1,000"),
        ("(?<=p)lot", "no token begins in a match"),
    ],
)
def test_a_pattern_that_does_not_serve_is_refused_with_the_reason(demo_encoder: Any, pattern: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        explain(demo_encoder, TEXT, "occlusion", granularity=f"regex:{pattern}")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(?:a?){40}a{40}b"])
def test_a_catastrophic_pattern_is_stopped(demo_encoder: Any, pattern: str) -> None:
    with pytest.raises(BadRequest, match="was stopped"):
        explain(demo_encoder, "a" * 40 + "!", "random", granularity=f"regex:{pattern}")


def test_granularities_that_are_none_are_refused_with_those_that_are(demo_encoder: Any) -> None:
    with pytest.raises(BadRequest, match="token, word, sentence, line, regex:PATTERN"):
        explain(demo_encoder, TEXT, granularity="paragraph")
    with pytest.raises(BadRequest, match="expected a string"):
        explain(demo_encoder, TEXT, granularity=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_every_method_scores_matches_and_additive_ones_still_add_up(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    for name in fitting(model.facts, "class"):
        if name == "mp-pi":
            with pytest.raises(NotCapable, match="kernel-shap"):
                explain(model, TEXT, name, granularity="regex:plot|mess|cast")
            continue
        got = explain(model, TEXT, name, granularity="regex:plot|mess|cast")
        assert [feature.text for feature in got.features] == ["plot", "mess", "cast"]
        assert np.isfinite(got.scores).all()
        assert got.cost.forward_rows <= got.cost.promised_forward_rows
        if got.gap is not None and name in ("sp-pi", "kernel-shap", "shapley-sampling", "partition-shap"):
            assert got.gap == pytest.approx(0.0, abs=1e-4), name


def test_a_match_scores_what_its_tokens_score_with_a_gradient(demo_encoder: Any) -> None:
    tokens = explain(demo_encoder, TEXT, "input-x-gradient")
    match = explain(demo_encoder, TEXT, "input-x-gradient", granularity="regex:cast is")
    by_text = dict(zip([feature.text for feature in tokens.features], tokens.scores, strict=True))
    second = [score for f, score in zip(tokens.features, tokens.scores, strict=True) if f.text == "is"][1]
    assert match.scores[0] == pytest.approx(by_text["cast"] + second, abs=1e-5)


def test_reading_through_unscored_text_gives_each_match_its_own_step_and_the_rest_to_the_base(tiny_model: Any) -> None:
    model = tiny_model("gpt2")
    words = explain(model, TEXT, "sp-pi", granularity="word")
    found = explain(model, TEXT, "sp-pi", granularity="regex:plot|cast")
    by_text = {feature.text: score for feature, score in zip(words.features, words.scores, strict=True)}
    np.testing.assert_allclose(found.scores, [by_text["plot"], by_text["cast"]], atol=1e-5)
    assert found.value == pytest.approx(words.value)
    rest = words.scores.sum() - found.scores.sum()
    assert words.base_value is not None
    assert found.base_value == pytest.approx(words.base_value + rest, abs=1e-4)
    assert found.gap == pytest.approx(0.0, abs=1e-5)
    assert "in no feature" in (found.baseline or "")


def test_perturbation_leaves_unmatched_text_as_it_is(demo_encoder: Any) -> None:
    """Hiding the one match is hiding that word of the text."""
    word = explain(demo_encoder, TEXT, "occlusion", granularity="word")
    match = explain(demo_encoder, TEXT, "occlusion", granularity="regex:wonderful")
    assert match.scores[0] == pytest.approx(float(word.scores[-1]), abs=1e-5)
    assert match.cost.forward_rows == 2


def test_the_last_line_begins_where_the_one_before_ends() -> None:
    encoding = Tokenizing(get("bytes")).encode("a film\nthe cast", 1 << 20)
    assert [f.text for f in build_features(encoding, "line")] == ["a film", "the cast"]
