"""Heads of one output, names that occur twice, and what a model is said to lack."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import explain, load
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.models.labels import Labelling, distinct, read_labelling
from saliscope.explainers.registry import default_method, fitting

TEXT = "the plot is a mess but the cast is wonderful"
EVERY = ("input-x-gradient", "integrated-gradients", "occlusion", "grad-cam", "gae", "attention-last", "mase")


def config(labels: list[str], problem_type: str | None = None) -> Any:
    return SimpleNamespace(num_labels=len(labels), id2label=dict(enumerate(labels)), problem_type=problem_type)


def one_output(tiny_folder: Any, architecture: str, label: str, problem_type: str | None = None) -> Any:
    options: dict[str, Any] = {"num_labels": 1, "id2label": {0: label}, "label2id": {label: 0}}
    return load(str(tiny_folder(architecture, problem_type=problem_type, **options)), "cpu")


@pytest.mark.parametrize(
    ("labels", "problem_type", "wanted"),
    [
        (["LABEL_0"], None, Labelling(("LABEL_0",), "identity")),
        (["stars"], "regression", Labelling(("stars",), "identity")),
        (["toxic"], None, Labelling(("toxic", "not toxic"), "sigmoid", True)),
        (["LABEL_0"], "multi_label_classification", Labelling(("LABEL_0", "not LABEL_0"), "sigmoid", True)),
        (["a", "b"], None, Labelling(("a", "b"), "softmax")),
        (["a", "b"], "multi_label_classification", Labelling(("a", "b"), "sigmoid")),
    ],
)
def test_what_a_head_means_is_read_off_its_configuration(labels: Any, problem_type: Any, wanted: Any) -> None:
    assert read_labelling(config(labels, problem_type)) == wanted


def test_names_that_occur_twice_are_made_distinct() -> None:
    assert distinct(["x", "y", "x", "x"]) == ("x", "y", "x (2)", "x (3)")
    assert distinct(["x", "x", "x (1)"]) == ("x", "x (1) (1)", "x (1)")
    assert len(set(distinct(["x", "x", "x (1)", "x (1)", "x"]))) == 5


def test_classes_of_one_name_keep_a_probability_each(tiny_folder: Any) -> None:
    twice = {0: "same", 1: "same", 2: "other"}
    model = load(str(tiny_folder("bert", id2label=twice, label2id={"same": 1, "other": 2})), "cpu")
    got = explain(model, TEXT, method="random")
    assert list(got.prediction.probabilities) == ["same", "same (1)", "other"]
    assert sum(got.prediction.probabilities.values()) == pytest.approx(1)
    assert explain(model, TEXT, method="random", target="same (1)").target.index == 1


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_a_sigmoid_of_one_output_offers_its_label_and_the_negation_with_the_sign_flipped(
    architecture: str, tiny_folder: Any
) -> None:
    model = one_output(tiny_folder, architecture, "toxic")
    assert model.facts.labels == ("toxic", "not toxic")
    for method in EVERY:
        for_it = explain(model, TEXT, method=method, target="toxic", scale="logit")
        against = explain(model, TEXT, method=method, target="not toxic", scale="logit")
        assert for_it.value == pytest.approx(-against.value, abs=1e-6)
        if for_it.signed:
            assert np.abs(for_it.scores).max() > 1e-5
            np.testing.assert_allclose(for_it.scores, -against.scores, atol=1e-5)
        assert sum(for_it.prediction.probabilities.values()) == pytest.approx(1, abs=1e-6)
        likely = for_it.value > 0
        assert for_it.prediction.label == ("toxic" if likely else "not toxic")
        assert explain(model, TEXT, method=method).target.label == for_it.prediction.label


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
@pytest.mark.parametrize(("label", "problem_type"), [("LABEL_0", None), ("stars", "regression")])
def test_a_regression_says_its_value_and_no_probability(
    architecture: str, label: str, problem_type: str | None, tiny_folder: Any
) -> None:
    model = one_output(tiny_folder, architecture, label, problem_type)
    got = explain(model, TEXT, method="occlusion")
    assert got.prediction.probabilities == {}
    assert got.prediction.value == pytest.approx(got.value)
    assert got.to_dict()["prediction"]["value"] == pytest.approx(got.value)
    assert explain(model, TEXT, method="occlusion", scale="margin").value == pytest.approx(got.value)
    for scale in ("prob", "logprob", "loss"):
        with pytest.raises(NotCapable, match=r"probability.*has scale logit"):
            explain(model, TEXT, method="occlusion", scale=scale)
    with pytest.raises(NotCapable, match=r"needs an output that is a probability.*regression.*these fit: .*occlusion"):
        explain(model, TEXT, method="simple")
    for method in fitting(model.facts, "class"):
        assert np.isfinite(explain(model, TEXT, method=method).scores).all()


def test_a_checkpoint_without_a_language_model_head_says_why(tiny_folder: Any, demo_encoder: Any) -> None:
    model = load(str(tiny_folder("bert")), "cpu")
    assert model.facts.lacking["lm-head"] == "the checkpoint holds no language-model head"
    (why,) = explain(model, TEXT).why
    assert why.startswith("method input-x-gradient: ")
    assert why.endswith("not decoded-grad-cam: the checkpoint holds no language-model head")
    assert "lm-head" not in demo_encoder.facts.lacking


def test_a_head_that_could_not_be_used_says_what_was_wrong_with_it(tmp_path: Any) -> None:
    from safetensors.torch import load_file, save_file

    from tests.explainers import tiny

    folder = tiny.save(tiny.build("bert"), tmp_path, causal=False)
    weights = load_file(folder / "model.safetensors")
    weights["cls.predictions.bias"] = weights["bert.embeddings.word_embeddings.weight"][:, 0].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model = load(str(folder), "cpu")
    assert "cls.predictions.transform" in model.facts.lacking["lm-head"]
    assert model.facts.lacking["lm-head"] in explain(model, TEXT).why[0]


def test_where_embeddings_are_normalised_at_once_another_default_is_chosen(tiny_model: Any) -> None:
    modern = tiny_model("modernbert")
    assert modern.facts.scale_free
    got = explain(modern, TEXT)
    assert got.method == "grad-cam"
    assert "normalises its word embeddings at once" in got.why[0]
    plain = explain(modern, TEXT, method="input-x-gradient")
    assert np.abs(plain.scores).max() < 1e-2 * np.abs(got.scores).max()


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "albert", "deberta-v2", "gpt2", "llama", "opt"])
def test_other_families_keep_their_default(architecture: str, tiny_model: Any) -> None:
    facts = tiny_model(architecture).facts
    assert not facts.scale_free
    assert default_method(facts, "class")[0] in ("input-x-gradient", "sp-pi")


def test_label_words_called_like_the_classes_are_still_label_words() -> None:
    labels = {"negative": [" bad"], "positive": [" good"]}
    model = load("demo-decoder", "cpu")
    assert model.facts.labels == tuple(labels)
    asked = explain(model, TEXT, method="random", target={"kind": "label-words", "labels": labels})
    classified = explain(model, TEXT, method="random")
    assert (asked.prediction.kind, classified.prediction.kind) == ("label-words", "class")
    assert asked.prediction.probabilities != classified.prediction.probabilities
