"""Targets behind the text, held against plain forwards of the model itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.queries import Differentiate, Evaluate, Piece, Value
from saliscope.explainers.registry import methods
from saliscope.explainers.targets.scalar import SCALES, Scalar
from saliscope.explainers.texts.encoding import extended
from saliscope.explainers.variants import INPUT, Masked

TEXT = "the plot is a mess but the cast"
TAIL = " is wonderful and the music"
OTHER = " is dull"
NAMES = ["gpt2", "llama"]
CLOSE = {"abs": 2e-4, "rel": 2e-4}


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest, tiny_model: Any) -> Any:
    return tiny_model(request.param, "ForCausalLM")


def network(model: Any) -> Any:
    return model.network.model


def logprobs(model: Any, ids: Any, mask: Any = None, places: Any = None) -> torch.Tensor:
    """Log-probabilities `[T, V]` of a plain forward."""
    rows = torch.as_tensor(np.asarray(ids))[None]
    seen = torch.ones_like(rows) if mask is None else torch.as_tensor(mask)[None]
    with torch.no_grad():
        logits = network(model)(input_ids=rows, attention_mask=seen, position_ids=places, use_cache=False).logits[0]
    return logits.double().log_softmax(-1)


def spelled(model: Any, text: str) -> list[int]:
    return list(model.continuation(text))


def value_of(model: Any, head: list[int], tail: list[int]) -> float:
    """The log-probability of a tail, one forward over everything."""
    table = logprobs(model, head + tail)
    return float(sum(table[len(head) - 1 + at, id] for at, id in enumerate(tail)))


def ids_of(model: Any, text: str = TEXT) -> list[int]:
    return [int(id) for id in model.encode(text).ids]


# -- values -----------------------------------------------------------------------------------------


def test_the_value_is_the_log_probability_of_the_whole_continuation(model: Any) -> None:
    got = explain(model, TEXT, method="input-x-gradient", target={"kind": "continuation", "text": TAIL})
    assert got.value == pytest.approx(value_of(model, ids_of(model), spelled(model, TAIL)), **CLOSE)
    assert (got.scale, got.target.kind, got.target.label) == ("logprob", "continuation", TAIL)
    assert got.prediction.kind == "next-token"
    assert got.prediction.index == int(logprobs(model, ids_of(model))[-1].argmax())


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_of_a_continuation(model: Any, scale: str) -> None:
    head, tail = ids_of(model), spelled(model, TAIL)
    with torch.no_grad():
        rows = network(model)(input_ids=torch.tensor([head + tail]), use_cache=False).logits[0].double()
    rows = rows[len(head) - 1 : -1]
    steps = [(row[id], row[torch.arange(len(row)) != id].logsumexp(-1)) for row, id in zip(rows, tail, strict=True)]
    logprob = sum(float(logit - torch.logaddexp(logit, rest)) for logit, rest in steps)
    wanted = {
        "logit": sum(float(logit) for logit, _ in steps),
        "margin": sum(float(logit - rest) for logit, rest in steps),
        "logprob": logprob,
        "prob": np.exp(logprob),
        "loss": -logprob,
    }
    got = explain(model, TEXT, method="occlusion", target={"kind": "continuation", "text": TAIL}, scale=scale)
    assert got.value == pytest.approx(wanted[scale], **CLOSE)


def test_a_hidden_token_changes_the_value_as_in_a_plain_forward(model: Any) -> None:
    head, tail = ids_of(model), spelled(model, TAIL)
    got = explain(model, TEXT, method="occlusion", target={"kind": "continuation", "text": TAIL})
    for feature, score in zip(got.features, got.scores, strict=True):
        masked = [model.facts.mask_id if at in feature.positions else id for at, id in enumerate(head)]
        assert score == pytest.approx(value_of(model, head, tail) - value_of(model, masked, tail), **CLOSE)


@pytest.mark.parametrize("hiding", ["attention", "drop"])
def test_hidden_tokens_at_the_end_leave_the_first_token_to_the_last_one_seen(model: Any, hiding: Any) -> None:
    encoding, tail = model.encode(TEXT), tuple(spelled(model, TAIL))
    count = len(encoding)
    keep = np.ones((3, count), dtype=bool)
    keep[0, 2], keep[1, -2:], keep[2, 1:-1] = False, False, False
    rows = Masked(keep, tuple((at,) for at in range(count)), hiding)
    longer = extended(encoding, tail, model.token_text)
    scalar = Scalar("next-token", 0, "logprob", tail=tail)
    values = model.answer(Evaluate(longer, Value(scalar), rows)).values
    places = torch.arange(len(longer))[None]
    for row, value in zip(keep, values, strict=True):
        table = logprobs(model, longer.ids, [*row.astype(int), *[1] * len(tail)], places)
        reads = [int(np.flatnonzero(row)[-1]), *range(count, count + len(tail) - 1)]
        assert value == pytest.approx(sum(float(table[at, id]) for at, id in zip(reads, tail, strict=True)), **CLOSE)


def test_rows_of_different_lengths_share_a_pass_and_change_nothing(model: Any) -> None:
    tail = tuple(spelled(model, TAIL))
    scalar = Scalar("next-token", 0, "logprob", tail=tail)
    longer = [extended(model.encode(text), tail, model.token_text) for text in ("a dull film", TEXT, "funny")]
    queries = [Evaluate(encoding, Value(scalar), outputs=True) for encoding in longer]
    together = model.compute([Piece(query, 0, 1) for query in queries])
    for query, answer in zip(queries, together, strict=True):
        alone = model.answer(query)
        np.testing.assert_allclose(answer.values, alone.values, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(answer.outputs, alone.outputs, atol=1e-5, rtol=1e-4)
    gradients = [Differentiate(encoding, scalar, (INPUT, 1)) for encoding in longer]
    for query, answer in zip(gradients, model.compute([Piece(query, 0, 1) for query in gradients]), strict=True):
        alone = model.answer(query)
        np.testing.assert_allclose(answer.values, alone.values, atol=1e-5, rtol=1e-5)
        for key, row in alone.products.items():
            np.testing.assert_allclose(answer.products[key], row, atol=1e-5, rtol=1e-4)


# -- gradients --------------------------------------------------------------------------------------


def gradient(model: Any, tails: list[list[int]], combine: Any) -> Any:
    """`<dF/dE, E>` at the text's positions, F a function of the tails' log-probabilities, by plain autograd."""
    head = ids_of(model)
    base = network(model).get_input_embeddings()(torch.tensor([head])).detach().requires_grad_(True)
    values = []
    for tail in tails:
        embeds = torch.cat([base, network(model).get_input_embeddings()(torch.tensor([tail])).detach()], 1)
        table = network(model)(inputs_embeds=embeds, use_cache=False).logits[0].log_softmax(-1)
        values.append(sum(table[len(head) - 1 + at, id] for at, id in enumerate(tail)))
    value = combine(values)
    (slope,) = torch.autograd.grad(value, base)
    return float(value.detach()), (slope * base).sum(-1)[0].detach().numpy()


def test_gradients_of_a_continuation_are_those_of_autograd(model: Any) -> None:
    value, products = gradient(model, [spelled(model, TAIL)], lambda values: values[0])
    got = explain(model, TEXT, method="input-x-gradient", target={"kind": "continuation", "text": TAIL})
    assert got.value == pytest.approx(value, **CLOSE)
    np.testing.assert_allclose(got.scores, products, atol=2e-4, rtol=2e-3)


def test_gradients_of_a_contrast_are_the_difference(model: Any) -> None:
    tails = [spelled(model, TAIL), spelled(model, OTHER)]
    value, products = gradient(model, tails, lambda values: values[0] - values[1])
    target = {"kind": "contrast-continuation", "text": TAIL, "against": OTHER}
    got = explain(model, TEXT, method="input-x-gradient", target=target)
    assert got.value == pytest.approx(value, **CLOSE)
    assert (got.target.label, got.target.against) == (TAIL, OTHER)
    np.testing.assert_allclose(got.scores, products, atol=2e-4, rtol=2e-3)


def test_gradients_of_labels_of_several_tokens_follow_the_chain_rule(model: Any) -> None:
    words = {"good": [" funny and warm", " wonderful"], "bad": [" dull and boring"]}
    tails = [spelled(model, word) for group in words.values() for word in group]
    assert max(map(len, tails)) > 1
    value, products = gradient(model, tails, lambda v: torch.logsumexp(torch.stack(v[:2]), 0) - v[2])
    target = {"kind": "label-words", "labels": words, "label": "good"}
    got = explain(model, TEXT, method="input-x-gradient", target=target)
    assert (got.scale, got.target.label) == ("margin", "good")
    assert got.value == pytest.approx(value, **CLOSE)
    np.testing.assert_allclose(got.scores, products, atol=2e-4, rtol=2e-3)


# -- labels and contrasts ---------------------------------------------------------------------------


def test_label_words_of_one_token_are_new_outputs_of_the_head(model: Any) -> None:
    words = {"good": [" wonderful", " funny"], "bad": [" dull"]}
    got = explain(model, TEXT, method="occlusion", target={"kind": "label-words", "labels": words})
    table = logprobs(model, ids_of(model))[-1]
    good, bad = (torch.logsumexp(table[[spelled(model, w)[0] for w in group]], 0) for group in words.values())
    best = "good" if good > bad else "bad"
    assert (got.target.label, got.prediction.kind, got.prediction.label) == (best, "label-words", best)
    assert got.value == pytest.approx(abs(float(good - bad)), **CLOSE)
    assert sum(got.prediction.probabilities.values()) == pytest.approx(1.0)
    assert got.cost.forward_rows == 1 + len(got.features)


def test_words_of_one_token_read_behind_the_text_say_the_same(model: Any) -> None:
    """The two ways to read labels, at once and tail by tail, agree where both are possible."""
    single = {"good": [" wonderful"], "bad": [" dull"]}
    whole = explain(model, TEXT, method="occlusion", target={"kind": "label-words", "labels": single, "label": "good"})
    pair = {"kind": "contrast-continuation", "text": " wonderful", "against": " dull"}
    apart = explain(model, TEXT, method="occlusion", target=pair)
    np.testing.assert_allclose(whole.scores, apart.scores, atol=2e-4, rtol=2e-3)


def test_progressive_inference_reads_every_label_at_once(model: Any) -> None:
    words = {"good": [" wonderful", " funny"], "bad": [" dull"]}
    got = explain(model, TEXT, method="sp-pi", target={"kind": "label-words", "labels": words, "label": "bad"})
    assert [output.target.label for output in got.outputs] == ["bad", "good"]
    assert got.gap == pytest.approx(0.0, abs=1e-4)
    np.testing.assert_allclose(got.outputs[0].scores, -got.outputs[1].scores, atol=1e-4)


def test_a_contrast_is_held_against_the_strongest_other(model: Any) -> None:
    first, second = logprobs(model, ids_of(model))[-1].argsort(descending=True)[:2].tolist()
    got = explain(model, TEXT, method="occlusion", target="contrast")
    assert (got.target.index, got.target.against) == (first, model.token_text(second))
    table = logprobs(model, ids_of(model))[-1]
    assert got.value == pytest.approx(float(table[first] - table[second]), **CLOSE)
    along = explain(model, TEXT, method="sp-pi", target="contrast")
    assert along.value == pytest.approx(got.value, **CLOSE)
    assert along.gap == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("method", ["occlusion", "input-x-gradient", "sp-pi", "decoded-grad-cam", "lrp", "gae"])
def test_a_contrast_of_classes_is_the_difference_of_the_two(method: str) -> None:
    name = "demo-decoder" if method == "sp-pi" else "demo-encoder"
    model = load(name, device="cpu")
    ask = {"method": method, "scale": "logit"}
    both = explain(model, TEXT, target={"kind": "contrast", "label": "positive", "against": "negative"}, **ask)
    one, other = (explain(model, TEXT, target=label, **ask) for label in ("positive", "negative"))
    assert both.value == pytest.approx(one.value - other.value, abs=1e-5)
    if method in ("occlusion", "input-x-gradient", "sp-pi", "lrp"):
        np.testing.assert_allclose(both.scores, one.scores - other.scores, atol=1e-4)
    swapped = explain(model, TEXT, target={"kind": "contrast", "label": "negative"}, **ask)
    assert (swapped.target.label, swapped.target.against) == ("negative", "positive")
    assert swapped.value == pytest.approx(-both.value, abs=1e-5)


# -- generation and steps ---------------------------------------------------------------------------


def test_without_a_text_the_model_s_own_continuation_is_explained(model: Any) -> None:
    head = torch.tensor([ids_of(model)])
    with torch.no_grad():
        theirs = network(model).generate(
            head, attention_mask=torch.ones_like(head), max_new_tokens=5, do_sample=False, pad_token_id=1
        )
    wanted = [int(id) for id in theirs[0, head.shape[1] :] if int(id) not in model.end_ids]
    got = explain(model, TEXT, method="input-x-gradient", target={"kind": "continuation", "max_tokens": 5})
    assert got.target.label == model.decode(wanted)
    assert got.value == pytest.approx(value_of(model, ids_of(model), wanted), **CLOSE)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows <= 6


def test_steps_are_outputs_of_their_own_and_add_up_to_the_whole(model: Any) -> None:
    target = {"kind": "continuation", "text": TAIL, "steps": True}
    got = explain(model, TEXT, method="kernel-shap", target=target, samples=64)
    tail = spelled(model, TAIL)
    whole, *steps = got.outputs
    assert [output.step for output in steps] == list(range(len(tail)))
    assert [output.target.index for output in steps] == tail
    np.testing.assert_allclose(sum(output.scores for output in steps), whole.scores, atol=1e-3)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows


# -- every method -----------------------------------------------------------------------------------

TARGETS = {
    "continuation": {"kind": "continuation", "text": OTHER},
    "contrast-continuation": {"kind": "contrast-continuation", "text": OTHER, "against": " and warm"},
    "label-words": {"kind": "label-words", "labels": {"good": [" funny"], "bad": [" dull and boring"]}},
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("method", [name for name, method in methods().items() if "continuation" in method.targets])
def test_methods_answer_or_say_why_not(kind: str, method: str, tiny_model: Any) -> None:
    model = tiny_model("gpt2", "ForCausalLM")
    before = model.fingerprint()
    known = methods()[method]
    if not known.needs <= model.facts.capabilities or kind not in known.targets:
        with pytest.raises(NotCapable, match="these"):
            explain(model, "a dull film", method=method, target=TARGETS[kind])
        return
    if method == "grad-l2" and kind == "label-words":
        with pytest.raises(NotCapable, match="norms of a gradient do not add up over several continuations; use"):
            explain(model, "a dull film", method=method, target=TARGETS[kind])
        return
    got = explain(model, "a dull film", method=method, target=TARGETS[kind])
    assert np.isfinite(got.scores).all()
    assert len(got.scores) == len(got.features) > 0
    assert got.cost.forward_rows <= got.cost.promised_forward_rows
    assert got.cost.backward_rows <= got.cost.promised_backward_rows
    assert model.fingerprint() == before


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"kind": "continuation", "text": ""}, "target.text: it is empty"),
        ({"kind": "continuation", "text": 3}, "target.text: expected a text"),
        ({"kind": "continuation", "max_tokens": 0}, "from 1 to 64"),
        ({"kind": "continuation", "label": "x"}, "has no such field; it has text, ids, part, max_tokens, steps"),
        ({"kind": "contrast-continuation", "text": "a"}, "needs two texts"),
        ({"kind": "label-words"}, "2 to 64 labels"),
        ({"kind": "label-words", "labels": {"good": ["a"]}}, "2 to 64 labels"),
        ({"kind": "label-words", "labels": {"good": ["a"], "bad": []}}, "labels.bad: expected 1 to 64 words"),
        ({"kind": "label-words", "labels": {"good": ["fine"], "bad": ["fine"]}}, "share a word"),
        ({"kind": "label-words", "labels": {"a": ["x"], "b": ["y"]}, "label": "c"}, "'c' is not a label"),
        ({"kind": "contrast", "label": 5, "against": 5}, "is the label itself"),
        ({"kind": "contrast", "of": "sentence"}, "target.of: expected one of"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused_by_name(model: Any, target: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said.replace("(", r"\(")):
        explain(model, TEXT, method="occlusion", target=target)


def test_a_model_without_a_next_token_says_what_it_answers() -> None:
    model = load("demo-encoder", device="cpu")
    with pytest.raises(NotCapable, match="it answers class, contrast"):
        explain(model, TEXT, target={"kind": "continuation", "text": " fine"})


def test_a_method_that_reads_the_text_alone_names_those_that_do_not(model: Any) -> None:
    with pytest.raises(NotCapable, match=r"cannot explain a continuation target; these can: .*occlusion"):
        explain(model, TEXT, method="sp-pi", target={"kind": "continuation", "text": TAIL})


def test_room_is_kept_for_what_follows(model: Any) -> None:
    long = "the film is fine and " * 40
    got = explain(model, long, method="input-x-gradient", target={"kind": "continuation", "text": TAIL})
    tail = len(spelled(model, TAIL))
    assert sum(len(token.positions) for token in got.tokens) == model.facts.max_tokens - tail
    assert got.truncated_at is not None
