"""Functions of texts as models: what they are asked, how texts are written, and what they may answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, wrap
from saliscope.explainers.errors import BadRequest, NonFinite, NotCapable
from saliscope.explainers.facts import CAPABILITIES
from saliscope.explainers.queries import Evaluate, Outputs
from saliscope.explainers.registry import methods
from saliscope.explainers.variants import Masked
from tests.explainers.own import LABELS, PLANTED, count_words

TEXT = "A  dull film,\n\tbut the music is wonderful  and warm. "
FITTING = ("occlusion", "lime", "kernel-shap", "shapley-sampling", "partition-shap", "permutation", "random")
EXACT = ("occlusion", "lime", "kernel-shap", "shapley-sampling", "partition-shap")
TRUTH = {"dull": -2.0, "wonderful": 3.0, "warm.": 1.0}


class Recorder:
    """Counts words, and keeps what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> Any:
        self.batches.append(texts)
        return count_words(texts)

    @property
    def texts(self) -> list[str]:
        """Every text that it was asked."""
        return [text for batch in self.batches for text in batch]


def test_exactly_the_methods_that_ask_for_outputs_fit() -> None:
    model = wrap(count_words, LABELS)
    assert tuple(name for name, method in methods().items() if method.needs <= model.facts.capabilities) == FITTING


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("mask", ["…", None])
@pytest.mark.parametrize("hiding", ["replace", "drop"])
def test_a_sum_over_words_is_taken_apart_exactly(method: str, mask: str | None, hiding: str) -> None:
    params = {"ridge": 0.0} if method == "lime" else {}
    model = wrap(count_words, LABELS, mask=mask)
    got = explain(model, TEXT, method=method, target="planted", scale="logit", mask=hiding, **params)
    wanted = [TRUTH.get(feature.text, 0.0) for feature in got.features]
    np.testing.assert_allclose(got.scores, wanted, atol=1e-4)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows


def test_tokens_are_words_and_scripts_without_blanks_give_one_a_character() -> None:
    got = explain(wrap(count_words, LABELS), "wonderful 映画 x", method="random")
    assert [token.text for token in got.tokens] == ["wonderful", "映", "画", "x"]
    assert all(got.text[token.start : token.end] == token.text for token in got.tokens)


def test_a_hidden_word_gives_way_in_place_and_nothing_else_moves() -> None:
    asked = Recorder()
    explain(wrap(asked, LABELS, mask="…"), "a  dull\tfilm ", method="occlusion")
    assert asked.texts == ["a  dull\tfilm ", "…  dull\tfilm ", "a  …\tfilm ", "a  dull\t… "]


@pytest.mark.parametrize(("mask", "hiding"), [("…", "drop"), (None, "replace"), (None, "drop")])
def test_a_word_left_out_leaves_its_blanks(mask: str | None, hiding: str) -> None:
    asked = Recorder()
    got = explain(wrap(asked, LABELS, mask=mask), "a  dull\tfilm ", method="occlusion", mask=hiding)
    assert asked.texts == ["a  dull\tfilm ", "  dull\tfilm ", "a  \tfilm ", "a  dull\t "]
    assert got.baseline.startswith("hidden features are left out")


def test_a_text_with_nothing_left_is_the_mask_or_empty() -> None:
    for mask, hiding, nothing in (("…", "replace", " … …\n"), ("…", "drop", " … \n"), (None, "drop", "  \n")):
        asked = Recorder()
        explain(wrap(asked, LABELS, mask=mask), " a film\n", method="kernel-shap", mask=hiding)
        assert nothing in asked.texts


def test_a_sentence_is_hidden_word_by_word() -> None:
    asked = Recorder()
    got = explain(wrap(asked, LABELS, mask="_"), "A dull film. Warm!", method="occlusion", granularity="sentence")
    assert [feature.text for feature in got.features] == ["A dull film.", "Warm!"]
    assert asked.texts[1:] == ["_ _ _ Warm!", "A dull film. _"]


def test_words_are_replaced_by_others_of_the_text_or_by_those_given() -> None:
    asked = Recorder()
    model = wrap(asked, LABELS)
    explain(model, "one two", method="permutation", repeats=3)
    assert set(asked.texts) == {"one two", "two two", "one one"}
    asked.batches.clear()
    explain(model, "one two", method="permutation", repeats=20, words=["red", "deep blue"])
    assert set(asked.texts) == {"one two", "red two", "deep blue two", "one red", "one deep blue"}


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_a_function_is_never_asked_more_texts_than_it_takes(most: int) -> None:
    asked = Recorder()
    got = explain(wrap(asked, LABELS, max_batch=most), TEXT, method="lime", samples=25)
    assert max(map(len, asked.batches)) <= most
    assert len(asked.texts) == got.cost.forward_rows == 26
    wanted = explain(wrap(count_words, LABELS), TEXT, method="lime", samples=25)
    np.testing.assert_array_equal(got.scores, wanted.scores)


@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor, lambda rows: torch.tensor(rows, requires_grad=True)])
def test_lists_arrays_and_tensors_are_all_answers(kind: Any) -> None:
    got = explain(wrap(lambda texts: kind(count_words(texts)), LABELS), TEXT)
    assert (got.method, got.top(1)[0][0]) == ("occlusion", PLANTED)
    assert "only the model's outputs can be seen" in got.why[0]


def softmax(texts: list[str]) -> Any:
    powers = np.exp(np.asarray(count_words(texts)))
    return powers / powers.sum(axis=1, keepdims=True)


def test_probabilities_become_logits_by_their_logarithm_and_the_result_says_so() -> None:
    model = wrap(softmax, LABELS, outputs="probabilities")
    got = explain(model, TEXT, method="occlusion", target="planted", scale="margin")
    wanted = explain(wrap(count_words, LABELS), TEXT, method="occlusion", target="planted", scale="margin")
    np.testing.assert_allclose(got.scores, wanted.scores, atol=1e-5)
    assert got.prediction.probabilities == pytest.approx(wanted.prediction.probabilities)
    assert any("none counts as less than 1e-07" in line for line in got.why)
    assert not any("1e-07" in line for line in wanted.why)


def test_a_probability_of_zero_is_held_at_the_floor() -> None:
    model = wrap(lambda texts: [[1.0, 0.0]] * len(texts), LABELS, outputs="probabilities")
    got = explain(model, "a film", target="planted", scale="logit")
    assert got.value == pytest.approx(np.log(1e-7))
    assert got.scores.tolist() == [0, 0]


def test_labels_that_do_not_exclude_each_other_have_log_odds_each() -> None:
    model = wrap(lambda texts: [[0.9, 0.8]] * len(texts), ["a", "b"], outputs="probabilities", activation="sigmoid")
    got = explain(model, "a film", target="b", scale="logit")
    assert got.value == pytest.approx(np.log(0.8 / 0.2), abs=1e-6)
    assert got.prediction.probabilities == pytest.approx({"a": 0.9, "b": 0.8}, abs=1e-6)


@pytest.mark.parametrize("flat", [True, False])
def test_one_label_is_explained_with_its_negation(flat: bool) -> None:
    def predict(texts: list[str]) -> Any:
        shares = softmax(texts)[:, 1]
        return shares if flat else shares[:, None]

    model = wrap(predict, ["planted"], outputs="probabilities")
    for_it, against = (explain(model, TEXT, target=label) for label in ("planted", "not planted"))
    np.testing.assert_allclose(for_it.scores, -against.scores, atol=1e-5)
    assert for_it.prediction.probabilities["planted"] == pytest.approx(softmax([TEXT])[0, 1], abs=1e-6)


def test_a_number_of_its_own_is_no_probability() -> None:
    model = wrap(lambda texts: [float(len(text)) for text in texts], ["length"], activation="identity", mask="")
    got = explain(model, "a long film")
    assert got.scores.tolist() == [1, 4, 4]
    assert (got.prediction.value, got.prediction.probabilities) == (11.0, {})
    with pytest.raises(NotCapable, match="has scale logit"):
        explain(model, "a long film", scale="prob")


@pytest.mark.parametrize(
    ("answer", "options", "error", "said"),
    [
        (
            lambda texts: [[0.0, 1.0, 2.0]] * len(texts),
            {},
            BadRequest,
            r"shape \(1, 3\) for 1 texts; expected \(1, 2\)",
        ),
        (lambda texts: [[0.0, 1.0]], {}, BadRequest, r"shape \(1, 2\) for 4 texts; expected \(4, 2\)"),
        (lambda texts: [0.5] * len(texts), {}, BadRequest, r"shape \(1,\)"),
        (lambda texts: ["good"] * len(texts), {}, BadRequest, "expected an array of numbers"),
        (lambda texts: None, {}, BadRequest, r"shape \(\) for 1 texts"),
        (lambda texts: [[3.0, -1.0]] * len(texts), {"outputs": "probabilities"}, BadRequest, "use outputs='logits'"),
        (lambda texts: [[0.5, 0.7]] * len(texts), {"outputs": "probabilities"}, BadRequest, "activation='sigmoid'"),
    ],
)
def test_an_answer_of_another_shape_is_refused(answer: Any, options: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        explain(wrap(answer, LABELS, **options), "one two three four", method="occlusion")


def test_a_row_that_is_not_finite_is_named() -> None:
    def predict(texts: list[str]) -> Any:
        return [
            [0.0, np.inf if "…" in text and text.endswith("film") and "dull" not in text else 1.0] for text in texts
        ]

    with pytest.raises(NonFinite, match=r"mine: predict gave \[0\.0, inf\] for row 1, 'a … film'"):
        explain(wrap(predict, LABELS, mask="…", name="mine", max_batch=1), "a dull film", method="occlusion")


def test_what_a_function_raises_comes_through() -> None:
    def predict(texts: list[str]) -> Any:
        raise ConnectionError("the model is asleep")

    with pytest.raises(ConnectionError, match="asleep"):
        explain(wrap(predict, LABELS), "a film")


def test_a_function_may_do_to_its_texts_what_it_likes() -> None:
    def predict(texts: list[str]) -> Any:
        answers = count_words(texts)
        texts.clear()
        return answers

    np.testing.assert_array_equal(
        explain(wrap(predict, LABELS), TEXT).scores, explain(wrap(count_words, LABELS), TEXT).scores
    )


@pytest.mark.parametrize("method", [name for name in methods() if name not in FITTING])
def test_what_needs_more_than_outputs_is_refused_with_what_fits(method: str) -> None:
    with pytest.raises(NotCapable) as refusal:
        explain(wrap(count_words, LABELS), TEXT, method=method)
    said = refusal.value.message
    assert any(CAPABILITIES[need] in said for need in methods()[method].needs)
    assert "a function of texts shows nothing but its answers" in said
    assert "these fit: occlusion, lime" in said


def test_unseen_words_are_refused_before_any_row() -> None:
    asked = Recorder()
    with pytest.raises(NotCapable, match=r"params\.mask: attention needs an attention mask.*use replace or drop"):
        explain(wrap(asked, LABELS), TEXT, method="lime", mask="attention")
    assert asked.batches == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": "planted"}, "labels: expected"),
        ({"labels": []}, "at least one name"),
        ({"max_batch": 0}, "max_batch: expected a whole number from 1"),
        ({"outputs": "values"}, "logits, probabilities"),
        ({"activation": "identity"}, "identity is for one label"),
        ({"labels": ["a"], "activation": "softmax"}, "a softmax of one label is always 1"),
        ({"predict": "model.pkl"}, "expected a function"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(options: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        wrap(**{"predict": count_words, "labels": LABELS, **options})


@pytest.mark.parametrize("model", [count_words, "demo-encoder", torch.nn.Linear(2, 2)])
def test_what_was_not_loaded_or_wrapped_is_no_model(model: Any) -> None:
    with pytest.raises(BadRequest, match=rf"got {type(model).__name__}; wrap\(predict, labels=…\)"):
        explain(model, TEXT)


def test_rows_that_hide_words_from_attention_are_never_written_otherwise() -> None:
    model = wrap(count_words, LABELS)
    encoding = model.encode("a film")
    rows = Masked(np.zeros((1, 2), dtype=np.bool_), ((0,), (1,)), "attention")
    with pytest.raises(TypeError, match="no attention"):
        model.answer(Evaluate(encoding, Outputs("class"), rows))


def test_blank_replacements_and_blank_texts_are_refused() -> None:
    model = wrap(count_words, LABELS)
    with pytest.raises(BadRequest, match="has no word"):
        explain(model, "a film", method="permutation", words=[" "])
    with pytest.raises(BadRequest, match="empty or blank"):
        explain(model, " ")
