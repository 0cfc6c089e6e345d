"""What hiding a feature means: replaced, left out or not looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.models.rows import materialise
from saliscope.explainers.queries import Along, Differentiate, Evaluate, Piece, Value
from saliscope.explainers.registry import find_method
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.variants import INPUT, Masked
from tests.explainers.fakes import DECODER, FakeModel, linear_game, table_game
from tests.explainers.games import ask, words
from tests.explainers.tiny import DECODERS, TEXTS, build, save

SCALAR = Scalar("class", 1, "logit")
METHODS = ("occlusion", "lime", "kernel-shap", "shapley-sampling", "partition-shap")
PLACED = ["bert", "roberta", "distilbert", "gpt2", "opt", "llama", "qwen2", "gemma2"]


def loaded(architecture: str, tiny_model: Any) -> Any:
    return tiny_model(architecture, attention="eager" if architecture in ("gemma2", "deberta-v2", "mpnet") else None)


def groups_of(encoding: Encoding) -> tuple[tuple[int, ...], ...]:
    return tuple(token.positions for token in encoding.tokens if not token.special)


def value(model: Any, encoding: Encoding, keep: Any, hiding: Any) -> Any:
    return model.answer(Evaluate(encoding, Value(SCALAR), Masked(keep, groups_of(encoding), hiding))).values


@pytest.mark.parametrize("hiding", ["attention", "drop"])
@pytest.mark.parametrize("architecture", PLACED)
def test_what_is_hidden_has_no_say_wherever_it_stands(architecture: str, hiding: str, tiny_model: Any) -> None:
    """A decoder reads its answer at the last token: hidden, it must not answer for the text."""
    model = loaded(architecture, tiny_model)
    encoding = model.encode(TEXTS[1])
    groups = groups_of(encoding)
    keep = ~np.eye(len(groups), dtype=bool)
    plain = value(model, encoding, keep, hiding)
    for feature in (0, 3, len(groups) - 1):
        ids = encoding.ids.copy()
        ids[list(groups[feature])] = ids[groups[1][0]] if feature != 1 else ids[groups[2][0]]
        other = replace(encoding, ids=ids)
        assert value(model, other, keep[[feature]], hiding)[0] == pytest.approx(plain[feature], abs=1e-6)


@pytest.mark.parametrize("architecture", PLACED)
def test_left_out_and_not_looked_at_are_the_same_for_every_coalition(architecture: str, tiny_model: Any) -> None:
    model = loaded(architecture, tiny_model)
    encoding = model.encode(TEXTS[1])
    count = len(groups_of(encoding))
    keep = np.random.default_rng(2).random((12, count)) < 0.5
    keep[0], keep[1], keep[2] = True, False, np.arange(count) == 0
    keep[3] = np.arange(count) != count - 1
    np.testing.assert_allclose(
        value(model, encoding, keep, "drop"), value(model, encoding, keep, "attention"), atol=1e-4
    )
    everything = model.answer(Evaluate(encoding, Value(SCALAR))).values[0]
    assert value(model, encoding, keep[:1], "attention")[0] == pytest.approx(everything, abs=1e-5)


@pytest.mark.parametrize("hiding", ["attention", "drop"])
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_decoder_answers_for_a_text_without_its_end_as_for_its_beginning(
    architecture: str, hiding: str, tiny_model: Any
) -> None:
    model = tiny_model(architecture)
    encoding = model.encode(TEXTS[1])
    count = len(groups_of(encoding))
    prefixes = np.tri(count, dtype=bool)
    along = model.answer(Evaluate(encoding, Along(tuple(g[-1] for g in groups_of(encoding)), SCALAR))).values[0, :, 1]
    np.testing.assert_allclose(value(model, encoding, prefixes, hiding), along, atol=1e-4)


@pytest.mark.parametrize("architecture", ["gpt2", "opt", "llama", "qwen2"])
def test_a_text_with_nothing_left_is_one_mask_token(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding = model.encode(TEXTS[1])
    nothing = np.zeros((1, len(groups_of(encoding))), dtype=bool)
    alone = model.answer(
        Evaluate(Encoding("", np.asarray([model.facts.mask_id], dtype=np.int64), ()), Value(SCALAR))
    ).values[0]
    for hiding in ("attention", "drop"):
        assert value(model, encoding, nothing, hiding)[0] == pytest.approx(alone, abs=1e-5)
        both = np.concatenate([nothing, ~nothing])
        assert value(model, encoding, both, hiding)[0] == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("hiding", ["replace", "attention", "drop"])
@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_hiding_does_not_depend_on_the_batch(architecture: str, hiding: Any, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    encoding = model.encode(TEXTS[1])
    keep = np.random.default_rng(3).random((10, len(groups_of(encoding)))) < 0.4
    keep[4] = False
    query = Evaluate(encoding, Value(SCALAR), Masked(keep, groups_of(encoding), hiding))
    other = model.encode("a dull film")
    short = Evaluate(other, Value(SCALAR), Masked(np.eye(len(groups_of(other)), dtype=bool), groups_of(other), hiding))
    merged = model.compute([Piece(short, 0, 2), Piece(query, 0, 10)])
    np.testing.assert_allclose(model.answer(query, budget=1).values, merged[1].values, atol=1e-5)
    np.testing.assert_allclose(model.answer(short, budget=1).values[:2], merged[0].values, atol=1e-5)


def test_a_first_token_that_is_never_hidden_keeps_the_pooler_of_an_encoder(tiny_model: Any) -> None:
    model = tiny_model("bert")
    encoding = model.encode(TEXTS[0])
    rows = Masked(np.zeros((1, len(groups_of(encoding))), dtype=bool), groups_of(encoding), "drop")
    query = Evaluate(encoding, Value(SCALAR), rows)
    with torch.no_grad():
        batch = materialise([Piece(query, 0, 1)], model.network, model.facts.mask_id)
    assert batch.ids.tolist() == [[encoding.ids[0], encoding.ids[-1]]]
    assert batch.places is not None
    assert batch.places.tolist() == [[0, len(encoding) - 1]]


def test_rows_with_tokens_left_out_are_read_at_their_end_only(tiny_model: Any) -> None:
    model = tiny_model("gpt2")
    encoding = model.encode(TEXTS[0])
    rows = Masked(np.ones((1, len(groups_of(encoding))), dtype=bool), groups_of(encoding), "drop")
    for query in (
        Evaluate(encoding, Along((0, 1), SCALAR), rows),
        Differentiate(encoding, SCALAR, (INPUT,), rows=rows),
    ):
        with pytest.raises(TypeError, match="at its end only"):
            model.answer(query)


# -- the parameter --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "llama"])
def test_every_method_gives_the_same_scores_for_drop_and_attention(
    method: str, architecture: str, tiny_model: Any
) -> None:
    model = tiny_model(architecture)
    got = [
        explain(model, TEXTS[2], method=method, granularity="word", mask=mask)
        for mask in ("drop", "attention", "replace")
    ]
    np.testing.assert_allclose(got[0].scores, got[1].scores, atol=2e-4)
    assert np.abs(got[0].scores - got[2].scores).max() > 1e-3
    assert [got[k].baseline[: len("hidden features are")] for k in (0, 1)] == ["hidden features are"] * 2
    assert got[2].baseline == f"hidden features hold {model.facts.mask_text!r}"
    assert all(a.cost.forward_rows == b.cost.forward_rows for a, b in [(got[0], got[1]), (got[0], got[2])])


@pytest.mark.parametrize("method", METHODS)
def test_sorting_rows_by_length_does_not_change_the_scores(method: str) -> None:
    game = table_game(6, 4)
    got = [ask(FakeModel(game), words(6), method, mask=mask) for mask in ("replace", "drop", "attention")]
    np.testing.assert_allclose(got[0].scores, got[1].scores, atol=1e-6)
    np.testing.assert_allclose(got[0].scores, got[2].scores, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_drop_is_refused_before_any_row_where_position_ids_do_not_place_tokens(method: str) -> None:
    model = FakeModel(linear_game([1.0, 2.0]), capabilities=DECODER - {"drop"})
    with pytest.raises(NotCapable, match=r"params\.mask: drop needs a way to leave tokens out.*replace"):
        ask(model, "a b", method, mask="drop")
    assert model.rows == 0
    assert len(ask(model, "a b", method, mask="attention").scores) == 2


@pytest.mark.parametrize(
    ("architecture", "can"), [("bert", True), ("llama", True), ("deberta-v2", False), ("mpnet", False)]
)
def test_the_facts_say_whether_tokens_can_be_left_out(architecture: str, can: bool, tiny_model: Any) -> None:
    assert ("drop" in loaded(architecture, tiny_model).facts.capabilities) is can


def test_drop_is_refused_for_texts_longer_than_the_window_of_a_layer(tiny_model: Any) -> None:
    """Windows count tokens, not places: with some left out, others would come into sight."""
    model = tiny_model("mistral")
    assert model.facts.window == 16
    assert tiny_model("llama").facts.window is None
    short, long = TEXTS[0], " ".join(TEXTS)
    assert len(model.encode(short)) <= 16 < len(model.encode(long))
    assert len(explain(model, short, method="occlusion", mask="drop").scores)
    with pytest.raises(NotCapable, match="look 16 tokens far"):
        explain(model, long, method="occlusion", mask="drop")
    encoding = model.encode(long)
    with pytest.raises(NotCapable, match="mask=attention"):
        value(model, encoding, np.ones((1, len(groups_of(encoding))), dtype=bool), "drop")


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_way_to_hide_is_refused_with_its_path(method: str) -> None:
    with pytest.raises(BadRequest, match=r"params\.mask: "):
        ask(FakeModel(linear_game([1.0])), "a", method, mask="blur")


# -- presets --------------------------------------------------------------------------------------


def test_the_preset_of_occlusion_hides_three_features_at_once() -> None:
    game = table_game(5, 1)
    preset = ask(FakeModel(game), words(5), "occlusion", preset="thermostat")
    window = ask(FakeModel(game), words(5), "occlusion", window=3)
    np.testing.assert_array_equal(preset.scores, window.scores)
    assert preset.params == {"preset": "thermostat", "window": 3, "mask": "replace"}


def test_what_is_given_wins_over_the_preset() -> None:
    params = find_method("occlusion").parse({"preset": "thermostat", "window": 2})
    assert (params.preset, params.window) == ("thermostat", 2)
    with pytest.raises(BadRequest, match=r"params\.preset: "):
        find_method("occlusion").parse({"preset": "allennlp"})
    with pytest.raises(BadRequest, match=r"params\.preset: "):
        find_method("occlusion").parse({"preset": ["thermostat"]})


def test_every_preset_is_a_value_of_the_parameter_and_sets_known_ones() -> None:
    for name in METHODS:
        method = find_method(name)
        for preset, values in method.presets.items():
            parsed = method.parse({"preset": preset})
            assert {key: getattr(parsed, key) for key in values} == dict(values)


def test_a_real_padded_position_table_is_not_run_over_by_dropped_rows(tmp_path: Any) -> None:
    from saliscope.explainers import load

    model = load(str(save(build("roberta"), tmp_path, "roberta" in DECODERS)), "cpu")
    text = " ".join([TEXTS[1]] * 8)
    encoding = model.encode(text)
    assert len(encoding) == model.facts.max_tokens
    keep = np.ones((2, len(groups_of(encoding))), dtype=bool)
    keep[1, :-1] = False
    got = value(model, encoding, keep, "drop")
    np.testing.assert_allclose(got, value(model, encoding, keep, "attention"), atol=1e-4)
