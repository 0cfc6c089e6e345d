"""Which output is explained, and on which scale."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.targets.scalar import DEFAULT_SCALE, KINDS, SCALES, find_label, parse_scale
from saliscope.explainers.targets.scales import scaled, scaled_every
from saliscope.explainers.targets.wishes import Wish, parse_target
from tests.explainers import tiny

TEXT = "the plot is a mess but the cast is wonderful"
CLASS, LM = ("class",), ("next-token",)
BOTH = ("class", "next-token")
LABELS = ("Negative", "neutral", "POSITIVE", "1 star")

exact = settings(deadline=None, derandomize=True, max_examples=60)
outputs_of = st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=6)
wild_outputs = st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=6)


# -- targets as asked -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "kinds", "wish"),
    [
        (None, CLASS, Wish("class")),
        (None, LM, Wish("next-token")),
        (None, BOTH, Wish("class")),
        ("positive", CLASS, Wish("class", "positive")),
        (2, BOTH, Wish("class", 2)),
        (0, CLASS, Wish("class", 0)),
        (" good", LM, Wish("next-token", " good")),
        ("predicted", CLASS, Wish("class")),
        ("next-token", BOTH, Wish("next-token")),
        ("class", BOTH, Wish("class")),
        ({}, BOTH, Wish("class")),
        ({"kind": "next-token"}, BOTH, Wish("next-token")),
        ({"kind": "next-token", "label": 9}, BOTH, Wish("next-token", 9)),
        ({"kind": "class", "label": "predicted"}, CLASS, Wish("class")),
        ({"label": "neutral"}, CLASS, Wish("class", "neutral")),
    ],
)
def test_a_target_is_read_from_a_label_an_index_or_a_map(asked: Any, kinds: Any, wish: Wish) -> None:
    assert parse_target(asked, kinds) == wish


@pytest.mark.parametrize("asked", [1.5, True, [0], b"positive", {"label": True}, {"label": 1.5}, {"label": ["x"]}])
def test_anything_else_is_a_bad_request(asked: Any) -> None:
    with pytest.raises(BadRequest, match="target"):
        parse_target(asked, CLASS)


@pytest.mark.parametrize("kind", ["klass", "", 3, ["class"]])
def test_an_unknown_kind_lists_the_known_ones(kind: Any) -> None:
    with pytest.raises(BadRequest, match="class, contrast, next-token"):
        parse_target({"kind": kind}, BOTH)


@pytest.mark.parametrize(("kind", "kinds"), [("next-token", CLASS), ("class", LM)])
def test_a_kind_that_the_model_does_not_answer_is_not_capable(kind: str, kinds: Any) -> None:
    with pytest.raises(NotCapable, match=f"it answers {kinds[0]}"):
        parse_target({"kind": kind}, kinds)


@pytest.mark.parametrize(
    ("label", "index"),
    [("Negative", 0), ("nEGATIVE", 0), ("positive", 2), (2, 2), ("2", 2), ("1 Star", 3), (0, 0), ("3", 3)],
)
def test_a_label_is_found_in_any_case_or_by_its_index(label: Any, index: int) -> None:
    assert find_label(label, LABELS) == index


def test_a_label_that_looks_like_an_index_is_a_label_first() -> None:
    assert find_label("1", ("2", "1", "0")) == 1
    assert find_label("2", ("2", "1", "0")) == 0
    assert find_label(2, ("2", "1", "0")) == 2


@pytest.mark.parametrize("label", ["positiv", "", "-1", "4", "²", "١٢", "1.0", "0" * 9, "9" * 5000, 4, -1, 10**9])
def test_an_unknown_label_lists_the_valid_ones(label: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        find_label(label, LABELS)
    assert refused.value.message.endswith("it has Negative (0), neutral (1), POSITIVE (2), 1 star (3)") or (
        refused.value.message.endswith("there are Negative (0), neutral (1), POSITIVE (2), 1 star (3)")
    )


def test_of_very_many_labels_the_first_are_listed() -> None:
    with pytest.raises(BadRequest, match=r"L11 \(11\), … \(300 in all\)"):
        find_label("x", tuple(f"L{k}" for k in range(300)))


def test_scales_default_by_kind_and_unknown_ones_list_the_known() -> None:
    assert [parse_scale(None, kind) for kind in KINDS] == [DEFAULT_SCALE[kind] for kind in KINDS]
    assert (parse_scale(None, "class"), parse_scale(None, "next-token")) == ("logit", "logprob")
    assert [parse_scale(scale, "class") for scale in SCALES] == list(SCALES)
    with pytest.raises(BadRequest, match="logit, margin, logprob, prob, loss"):
        parse_scale("log-odds", "class")


# -- targets on models ----------------------------------------------------------------------------


def test_the_same_class_by_name_index_and_prediction_is_the_same_explanation(demo_encoder: Any) -> None:
    predicted = explain(demo_encoder, TEXT, method="input-x-gradient")
    name, index = predicted.prediction.label, predicted.prediction.index
    for target in (name, name.upper(), index, str(index), "predicted", {"kind": "class", "label": name}, "class"):
        got = explain(demo_encoder, TEXT, method="input-x-gradient", target=target)
        assert (got.target.kind, got.target.label, got.target.index) == ("class", name, index)
        np.testing.assert_array_equal(got.scores, predicted.scores)
    other = explain(demo_encoder, TEXT, method="input-x-gradient", target=1 - index)
    assert other.target.index == 1 - index
    assert other.prediction.index == index
    assert not np.allclose(other.scores, predicted.scores)


def test_an_unknown_label_of_a_model_lists_its_labels(demo_encoder: Any) -> None:
    with pytest.raises(BadRequest, match=r"'fine' is not a label of this model; it has negative \(0\), positive \(1\)"):
        explain(demo_encoder, TEXT, target="fine")
    with pytest.raises(BadRequest, match=r"positive \(1\); did you mean 'positive' alone\?"):
        explain(demo_encoder, TEXT, target="lable: Positive")
    with pytest.raises(BadRequest, match=r"'kontra' is no kind of target either: those are class, contrast"):
        explain(demo_encoder, TEXT, target="kontra:a|b")
    with pytest.raises(NotCapable, match="it answers class"):
        explain(demo_encoder, TEXT, target={"kind": "next-token"})


@pytest.mark.parametrize("method", ["input-x-gradient", "occlusion", "sp-pi", "random"])
def test_a_next_token_by_text_by_id_and_by_default(method: str, demo_decoder: Any) -> None:
    got = explain(demo_decoder, TEXT, method=method, target="next-token")
    assert got.prediction.kind == got.target.kind == "next-token"
    assert got.target.index == got.prediction.index
    assert len(got.prediction.probabilities) <= 10
    by_id = explain(demo_decoder, TEXT, method=method, target={"kind": "next-token", "label": got.target.index})
    np.testing.assert_allclose(by_id.scores, got.scores, atol=1e-6)
    word = explain(demo_decoder, TEXT, method=method, target={"kind": "next-token", "label": "good"})
    (good,) = demo_decoder.tokenizer(" good")["input_ids"]
    assert (word.target.index, word.target.label) == (good, " good")
    same = explain(demo_decoder, TEXT, method=method, target={"kind": "next-token", "label": good})
    np.testing.assert_allclose(same.scores, word.scores, atol=1e-6)
    assert same.value == word.value


def test_a_token_id_out_of_range_is_refused(demo_decoder: Any) -> None:
    for label in (-1, 8000):
        with pytest.raises(BadRequest, match="there are 8000"):
            explain(demo_decoder, TEXT, method="sp-pi", target={"kind": "next-token", "label": label})


def test_a_language_model_takes_bare_labels_for_next_tokens(tiny_model: Any) -> None:
    model = tiny_model("qwen2", "ForCausalLM")
    assert explain(model, TEXT, target=7).target.index == 7
    (film,) = model.tokenizer(" film")["input_ids"]
    assert explain(model, TEXT, target="film").target.index == film
    with pytest.raises(NotCapable, match="it answers next-token"):
        explain(model, TEXT, target={"kind": "class", "label": 0})


def test_the_prediction_of_a_language_model_names_the_likeliest_tokens(tiny_model: Any) -> None:
    model = tiny_model("qwen2", "ForCausalLM")
    got = explain(model, TEXT, method="random")
    ids = torch.from_numpy(model.encode(TEXT).ids)[None]
    with torch.no_grad():
        probabilities = model.network.model(input_ids=ids).logits[0, -1].softmax(-1)
    best = probabilities.topk(10)
    assert got.prediction.index == int(best.indices[0])
    assert sum(got.prediction.probabilities.values()) == pytest.approx(float(best.values.sum()), abs=1e-5)
    assert next(iter(got.prediction.probabilities.values())) == pytest.approx(float(best.values[0]), abs=1e-5)


# -- scales ---------------------------------------------------------------------------------------


@exact
@given(outputs=outputs_of, data=st.data())
def test_the_scales_of_a_softmax_head_are_one_number_in_five_dresses(outputs: list[float], data: Any) -> None:
    index = data.draw(st.integers(0, len(outputs) - 1))
    logits = np.asarray(outputs, dtype=np.float64)
    logit, margin, logprob, prob, loss = (scaled(logits, index, scale) for scale in SCALES)
    others = np.delete(logits, index)
    assert logit == logits[index]
    assert margin == pytest.approx(logit - math.log(sum(math.exp(other) for other in others)), abs=1e-9)
    assert prob == pytest.approx(math.exp(logit) / sum(math.exp(x) for x in logits), abs=1e-12)
    assert logprob == pytest.approx(-math.log1p(math.exp(-margin)), abs=1e-9)
    assert prob == pytest.approx(1 / (1 + math.exp(-margin)), abs=1e-12)
    assert loss == -logprob
    assert scaled_every(logits, "prob").sum() == pytest.approx(1.0, abs=1e-12)


@exact
@given(outputs=outputs_of, data=st.data())
def test_the_scales_of_a_sigmoid_head_look_at_one_logit_alone(outputs: list[float], data: Any) -> None:
    index = data.draw(st.integers(0, len(outputs) - 1))
    logits = np.asarray(outputs, dtype=np.float64)
    logit, margin, logprob, prob, loss = (scaled(logits, index, scale, "sigmoid") for scale in SCALES)
    assert logit == margin == logits[index]
    assert prob == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-12)
    assert logprob == pytest.approx(math.log(prob), abs=1e-9)
    assert loss == -logprob
    single = logits[index : index + 1]
    assert [scaled(single, 0, scale, "sigmoid") for scale in SCALES] == [logit, margin, logprob, prob, loss]


@exact
@given(outputs=wild_outputs, activation=st.sampled_from(["softmax", "sigmoid"]), scale=st.sampled_from(SCALES))
def test_numpy_and_torch_agree_and_stay_finite_even_for_extreme_logits(
    outputs: list[float], activation: Any, scale: Any
) -> None:
    wide = np.asarray([outputs, outputs[::-1]], dtype=np.float64)
    for index in range(len(outputs)):
        ours = scaled(wide, index, scale, activation)
        assert ours.shape == (2,)
        assert np.isfinite(ours).all()
        double = torch.tensor(wide, requires_grad=True)
        theirs = scaled(double, index, scale, activation, torch)
        np.testing.assert_allclose(theirs.detach().numpy(), ours, rtol=1e-12, atol=1e-12)
        (gradient,) = torch.autograd.grad(theirs.sum(), double)
        assert torch.isfinite(gradient).all()
        single = scaled(torch.tensor(wide, dtype=torch.float32), index, scale, activation, torch).numpy()
        np.testing.assert_allclose(single, ours, rtol=1e-5, atol=1e-4)
    every = scaled_every(wide, scale, activation)
    assert every.shape == wide.shape
    np.testing.assert_array_equal(every[:, -1], scaled(wide, len(outputs) - 1, scale, activation))


@exact
@given(outputs=outputs_of, data=st.data())
def test_gradients_of_the_scales_are_those_of_torchs_own_functions(outputs: list[float], data: Any) -> None:
    index = data.draw(st.integers(0, len(outputs) - 1))
    logits = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    others = torch.cat([logits[:index], logits[index + 1 :]])
    plain = {
        "logit": logits[index],
        "margin": logits[index] - others.logsumexp(0),
        "logprob": logits.log_softmax(0)[index],
        "prob": logits.softmax(0)[index],
        "loss": torch.nn.functional.cross_entropy(logits[None], torch.tensor([index])),
    }
    for scale in SCALES:
        (wanted,) = torch.autograd.grad(plain[scale], logits, retain_graph=True)
        (got,) = torch.autograd.grad(scaled(logits, index, scale, "softmax", torch), logits)
        torch.testing.assert_close(got, wanted, atol=1e-10, rtol=1e-8)


def test_saturated_probabilities_keep_their_differences_in_the_margin() -> None:
    logits = np.asarray([[40.0, 0.0], [60.0, 0.0]])
    assert scaled(logits, 0, "prob").tolist() == [1.0, 1.0]
    np.testing.assert_allclose(scaled(logits, 0, "margin"), [40.0, 60.0])
    np.testing.assert_allclose(scaled(logits, 1, "logprob"), [-40.0, -60.0])
    np.testing.assert_allclose(scaled(logits, 0, "loss"), np.exp([-40.0, -60.0]))


# -- heads that are no softmax --------------------------------------------------------------------


@pytest.fixture(scope="module")
def single_logit(tiny_folder: Any) -> Any:
    return load(str(tiny_folder("bert", num_labels=1, id2label={0: "score"}, label2id={"score": 0})), "cpu")


@pytest.fixture(scope="module")
def multi_label(tiny_folder: Any) -> Any:
    return load(str(tiny_folder("llama", problem_type="multi_label_classification")), "cpu")


def plain_logits(model: Any, text: str) -> Any:
    ids = torch.from_numpy(model.encode(text).ids)[None]
    with torch.no_grad():
        return model.network.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].double().numpy()


def test_a_head_with_one_logit_is_explained_by_its_output(single_logit: Any) -> None:
    (logit,) = plain_logits(single_logit, TEXT)
    sigmoid = 1 / (1 + math.exp(-logit))
    wanted = {
        "logit": logit,
        "margin": logit,
        "prob": sigmoid,
        "logprob": math.log(sigmoid),
        "loss": -math.log(sigmoid),
    }
    for method in ("input-x-gradient", "occlusion", "grad-cam", "decoded-grad-cam", "random"):
        for scale, value in wanted.items():
            got = explain(single_logit, TEXT, method=method, scale=scale, target="score")
            assert got.value == pytest.approx(value, abs=1e-5)
            assert (got.target.label, got.target.index) == ("score", 0)
            assert got.prediction.label == ("score" if logit > 0 else "not score")
            assert got.prediction.probabilities == pytest.approx({"score": sigmoid, "not score": 1 - sigmoid}, abs=1e-6)
    with pytest.raises(BadRequest, match=r"it has score \(0\), not score \(1\)"):
        explain(single_logit, TEXT, target="positive")


def test_a_regression_head_is_explained_in_its_own_units(tiny_folder: Any) -> None:
    options = {"num_labels": 1, "problem_type": "regression", "id2label": {0: "stars"}, "label2id": {"stars": 0}}
    model = load(str(tiny_folder("gpt2", **options)), "cpu")
    (stars,) = plain_logits(model, TEXT)
    got = explain(model, TEXT)
    assert (got.method, got.scale, got.target.label) == ("sp-pi", "logit", "stars")
    assert got.value == pytest.approx(stars, abs=1e-5)
    assert got.scores.sum() == pytest.approx(got.value - got.base_value, abs=1e-4)
    assert got.prediction.to_dict()["probabilities"] == {}
    assert got.prediction.value == pytest.approx(stars, abs=1e-5)


def test_each_class_of_a_multi_label_head_has_a_probability_of_its_own(multi_label: Any) -> None:
    logits = plain_logits(multi_label, TEXT)
    sigmoids = 1 / (1 + np.exp(-logits))
    got = explain(multi_label, TEXT, method="sp-pi", scale="prob", target="neutral")
    np.testing.assert_allclose(list(got.prediction.probabilities.values()), sigmoids, atol=1e-6)
    assert abs(sum(sigmoids) - 1) > 0.01
    assert got.value == pytest.approx(sigmoids[1], abs=1e-5)
    for scale, value in (("margin", logits[1]), ("logprob", math.log(sigmoids[1])), ("loss", -math.log(sigmoids[1]))):
        for method in ("input-x-gradient", "occlusion", "sp-pi"):
            one = explain(multi_label, TEXT, method=method, scale=scale, target="neutral")
            assert one.value == pytest.approx(value, abs=1e-5)


def test_labels_without_names_are_called_as_the_checkpoint_calls_them(tmp_path: Path) -> None:
    folder = tiny.save(tiny.build("bert"), tmp_path, causal=False)
    config = json.loads((folder / "config.json").read_text())
    for name in ("id2label", "label2id"):
        del config[name]
    (folder / "config.json").write_text(json.dumps({**config, "num_labels": 3}))
    model = load(str(folder), "cpu")
    assert model.facts.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert explain(model, TEXT, method="random", target="label_2").target.index == 2


def test_a_label_of_thousands_of_digits_is_no_index(demo_encoder: Any) -> None:
    with pytest.raises(BadRequest, match=r"negative \(0\), positive \(1\)"):
        explain(demo_encoder, "a film", target="9" * 5000)


def test_a_next_token_of_several_pieces_says_that_only_the_first_is_explained(demo_decoder: Any) -> None:
    got = explain(demo_decoder, "the film was", target={"kind": "next-token", "label": "unremittingly awful"})
    assert any("more than one token" in warning for warning in got.warnings)
    whole = explain(demo_decoder, "the film was", target={"kind": "next-token", "label": "great"})
    assert whole.warnings == ()
