"""Torch modules of one's own: known scores of a linear one, a planted word in an LSTM, and what is left untouched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from saliscope.explainers import explain, wrap_module
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.facts import CAPABILITIES
from saliscope.explainers.queries import Differentiate, Evaluate, Outputs, Piece
from saliscope.explainers.registry import fitting, methods
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT, Masked
from tests.explainers.own import LABELS, PAD, PLANTED, UNKNOWN, Bag, Convolution, Lstm, tokenize, train

TEXT = "a dull film, but the music is wonderful and warm"
SAME = ("occlusion", "lime", "kernel-shap", "shapley-sampling", "partition-shap", "integrated-gradients",
        "gradient-shap", "mase")  # fmt: skip
# grad-l2 says where a word would matter, not what the word that stands there does; permutation is asked with words.
RANKED = [name for name in methods() if name not in ("random", "permutation", "grad-l2")]


@pytest.fixture(scope="module")
def bag() -> Any:
    module = Bag()
    return wrap_module(module, tokenize, embedding=module.emb, labels=LABELS, mask_id=UNKNOWN)


@pytest.fixture(scope="module")
def lstm() -> Any:
    module = train(Lstm())
    return wrap_module(module, tokenize, embedding=module.emb, labels=LABELS, mask_id=UNKNOWN)


def true_scores(module: Any, index: int, base: Tensor) -> Any:
    embeds = module.emb.weight[tokenize(TEXT)]
    return ((embeds - base) @ module.out.weight[index]).detach().numpy()


@pytest.mark.parametrize("method", SAME)
@pytest.mark.parametrize("label", [0, 1])
def test_a_sum_over_words_is_taken_apart_exactly(method: str, label: int, bag: Any) -> None:
    wanted = true_scores(bag.network.model, label, bag.network.model.emb.weight[UNKNOWN])
    params = {"ridge": 0.0} if method == "lime" else {}
    got = explain(bag, TEXT, method=method, target=label, scale="logit", **params)
    np.testing.assert_allclose(got.scores, wanted, atol=1e-4)


@pytest.mark.parametrize("reference", ["zero", "mean", "pad"])
def test_references_are_those_of_the_modules_own_embedding(reference: str, bag: Any) -> None:
    weight = bag.network.model.emb.weight
    base = {"zero": torch.zeros(5), "mean": weight.mean(0), "pad": weight[PAD]}[reference]
    for method in ("mase", "integrated-gradients"):
        got = explain(bag, TEXT, method=method, target=1, scale="logit", reference=reference)
        np.testing.assert_allclose(got.scores, true_scores(bag.network.model, 1, base), atol=1e-4)


def test_gradients_are_those_of_plain_autograd(bag: Any, lstm: Any) -> None:
    for model in (bag, lstm):
        module = model.network.model
        embeds = module.emb(torch.tensor([tokenize(TEXT)])).detach().requires_grad_(True)
        hook = module.emb.register_forward_hook(lambda *args, given=embeds: given)
        logits = module(torch.ones(embeds.shape[:2], dtype=torch.long))
        hook.remove()
        (gradient,) = torch.autograd.grad(logits[0, 1], [embeds])
        got = explain(model, TEXT, method="input-x-gradient", target=1, scale="logit")
        np.testing.assert_allclose(got.scores, (embeds * gradient).sum(-1)[0].detach().numpy(), atol=1e-6)
        assert got.value == pytest.approx(float(logits[0, 1].detach()), abs=1e-5)


def fits_lstm(name: str) -> bool:
    return methods()[name].needs <= {"class", "probabilities", "embeddings", "gradients", "mask", "drop"}


@pytest.mark.parametrize("method", [name for name in RANKED if fits_lstm(name)])
def test_the_word_that_an_lstm_was_taught_comes_first(method: str, lstm: Any) -> None:
    got = explain(lstm, TEXT, method=method, target="planted")
    assert got.prediction.label == "planted"
    scores = np.abs(got.scores) if method == "simple" else got.scores
    assert got.features[int(np.argmax(scores))].text == PLANTED
    if got.signed:
        assert explain(lstm, TEXT, method=method, target="plain").scores[int(np.argmax(scores))] < 0


def test_the_words_that_replace_a_planted_one_cost_it_its_place(lstm: Any) -> None:
    got = explain(lstm, TEXT, method="permutation", target="planted", words=["dull", "film"])
    assert got.top(1)[0][0] == PLANTED


@pytest.mark.parametrize("method", [name for name in methods() if not fits_lstm(name)])
def test_what_needs_more_than_embeddings_is_refused_with_what_fits(method: str, lstm: Any) -> None:
    with pytest.raises(NotCapable) as refusal:
        explain(lstm, TEXT, method=method)
    said = refusal.value.message
    assert any(CAPABILITIES[need] in said for need in methods()[method].needs)
    assert "only its word embeddings and its outputs are known" in said
    assert "these fit: input-x-gradient" in said


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("simple", {"layer": 0}, "leave params.layer out"),
        ("mase", {"layer": 1}, "leave params.layer out"),
        ("integrated-gradients", {"at": "embedding-block"}, "at=embedding fits"),
        ("occlusion", {"mask": "attention"}, "use replace or drop"),
    ],
)
def test_parameters_that_need_more_are_refused_before_any_row(method: str, params: Any, said: str, lstm: Any) -> None:
    with pytest.raises(NotCapable, match=said):
        explain(lstm, TEXT, method=method, **params)


@pytest.mark.parametrize("hiding", ["replace", "drop"])
def test_rows_of_different_lengths_together_equal_single_ones(hiding: Any, lstm: Any) -> None:
    texts = [TEXT, "wonderful", "a film of fine music", "the plot is a mess"]
    rng = np.random.default_rng(0)
    queries = []
    for text in texts:
        encoding = lstm.encode(text)
        groups = tuple((position,) for position in range(len(encoding)))
        rows = Masked(rng.uniform(size=(6, len(encoding))) < 0.6, groups, hiding)
        queries.append(Evaluate(encoding, Outputs("class"), rows, outputs=True))
    together = lstm.compute([Piece(query, 0, 6) for query in queries])
    for query, merged in zip(queries, together, strict=True):
        for row in range(6):
            (alone,) = lstm.compute([Piece(query, row, row + 1)])
            np.testing.assert_allclose(merged.values[row], alone.values[0], atol=1e-5)
    backward = [Differentiate(lstm.encode(text), Scalar("class", 1, "logprob"), (INPUT,)) for text in texts]
    for query, merged in zip(backward, lstm.compute([Piece(q, 0, 1) for q in backward]), strict=True):
        alone = lstm.answer(query)
        np.testing.assert_allclose(merged.inner[INPUT], alone.inner[INPUT], atol=1e-5)
        np.testing.assert_allclose(merged.outputs, alone.outputs, atol=1e-5)


def test_rows_that_hide_words_from_attention_are_never_computed_otherwise(lstm: Any) -> None:
    keep = np.asarray([[True, False, True]])
    rows = Masked(keep, ((0,), (1,), (2,)), "attention")
    with pytest.raises(NotCapable, match="use mask=replace or mask=drop"):
        lstm.answer(Evaluate(lstm.encode("a dull film"), Outputs("class"), rows))


def test_a_dropped_word_is_as_if_it_had_never_been_written(lstm: Any) -> None:
    got = explain(lstm, "a wonderful film", method="occlusion", mask="drop", target="planted", scale="logit")
    without = explain(lstm, "a film", method="random", target="planted", scale="logit")
    assert got.scores[1] == pytest.approx(got.value - without.value, abs=1e-5)


def test_nothing_of_the_module_is_changed() -> None:
    module = train(Lstm(), steps=2)
    before = {name: weight.clone() for name, weight in module.state_dict().items()}
    model = wrap_module(module, tokenize, embedding=module.emb, labels=LABELS)
    assert not any(part.training for part in module.modules())
    fingerprint = model.fingerprint()
    for method in fitting(model.facts, "class"):
        explain(model, TEXT, method=method)
    assert model.fingerprint() == fingerprint == model.facts.fingerprint
    assert all(torch.equal(weight, before[name]) for name, weight in module.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in module.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_a_module_in_training_is_explained_as_in_evaluation_and_goes_on_training() -> None:
    module = train(Lstm(), steps=2)
    model = wrap_module(module, tokenize, embedding=module.emb, labels=LABELS)
    plain = explain(model, TEXT, method="input-x-gradient")
    module.train()
    module.rnn.eval()
    again = explain(model, TEXT, method="input-x-gradient")
    np.testing.assert_array_equal(plain.scores, again.scores)
    assert module.training
    assert module.dropout.training
    assert not module.rnn.training


def test_a_failing_module_keeps_no_hook_and_its_mode() -> None:
    class Failing(Bag):
        broken = False

        def forward(self, ids: Tensor) -> Tensor:
            if self.broken:
                raise RuntimeError("out of coffee")
            return super().forward(ids)

    module = Failing()
    model = wrap_module(module, tokenize, embedding=module.emb, labels=LABELS)
    module.train()
    module.broken = True
    with pytest.raises(RuntimeError, match="coffee"):
        explain(model, TEXT, method="occlusion")
    assert module.training
    assert not module.emb._forward_hooks


def test_a_forward_of_ones_own_and_probabilities_are_read() -> None:
    module = Convolution()
    model = wrap_module(
        module,
        tokenize,
        embedding=module.emb,
        labels=LABELS,
        forward=lambda ids: module(ids.T),
        outputs="probabilities",
    )
    with torch.no_grad():
        shares = module(torch.tensor([tokenize(TEXT)]).T)[0][0].numpy()
    got = explain(model, TEXT, method="occlusion", scale="logit", target=1)
    np.testing.assert_allclose(list(got.prediction.probabilities.values()), shares, atol=1e-5)
    assert got.value == pytest.approx(float(np.log(shares[1])), abs=1e-5)
    assert any("logarithms of the model's probabilities" in line for line in got.why)
    for method in fitting(model.facts, "class"):
        assert np.isfinite(explain(model, TEXT, method=method).scores).all()


def test_one_output_is_its_label_and_the_negation_or_a_number() -> None:
    class Single(Bag):
        def forward(self, ids: Tensor) -> Tensor:
            return super().forward(ids)[:, 1]

    module = Single()
    spam = wrap_module(module, tokenize, embedding=module.emb, labels=["spam"])
    for_it, against = (explain(spam, TEXT, method="mase", target=label) for label in ("spam", "not spam"))
    np.testing.assert_allclose(for_it.scores, -against.scores, atol=1e-5)
    stars = wrap_module(module, tokenize, embedding=module.emb, labels=["stars"], activation="identity")
    assert explain(stars, TEXT, method="occlusion").prediction.value == pytest.approx(for_it.value, abs=1e-5)


def test_a_module_that_no_gradient_goes_through_keeps_the_other_methods() -> None:
    class Counting(Bag):
        def forward(self, ids: Tensor) -> Tensor:
            return super().forward(ids).detach().round(decimals=1)

    module = Counting()
    model = wrap_module(module, tokenize, embedding=module.emb, labels=LABELS)
    assert explain(model, TEXT).method == "occlusion"
    with pytest.raises(NotCapable, match="no gradient of its outputs reaches the embedding"):
        explain(model, TEXT, method="input-x-gradient")
    assert np.isfinite(explain(model, TEXT, method="mase").scores).all()


def test_a_norm_right_behind_the_embedding_chooses_another_default() -> None:
    class Normed(Bag):
        def forward(self, ids: Tensor) -> Tensor:
            return self.out(nn.functional.layer_norm(self.emb(ids), (5,), eps=1e-9)).sum(1)

    module = Normed()
    model = wrap_module(module, tokenize, embedding=module.emb, labels=LABELS)
    got = explain(model, TEXT)
    assert got.method == "integrated-gradients"
    assert "normalises its word embeddings" in got.why[0]


def test_gradients_are_taken_without_cudnn_whose_recurrent_layers_only_go_back_in_training_mode() -> None:
    kernels: list[bool] = []

    class Watched(Bag):
        def forward(self, ids: Tensor) -> Tensor:
            kernels.append(torch.is_grad_enabled() and torch.backends.cudnn.enabled)
            return super().forward(ids)

    module = Watched()
    model = wrap_module(module, tokenize, embedding=module.emb, labels=LABELS)
    explain(model, TEXT, method="integrated-gradients")
    assert len(kernels) > 3
    assert not any(kernels)
    assert torch.backends.cudnn.enabled
