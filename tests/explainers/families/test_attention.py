"""Attention methods against maps that the plain model hands out, and against flows solved otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from scipy.optimize import linprog
from transformers import AttentionInterface, AutoModelForSequenceClassification
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

from saliscope.explainers import ExplainerError, Question, drive, explain, load
from saliscope.explainers.answers import Answer, Attended, Solved
from saliscope.explainers.errors import NotCapable, TooLarge
from saliscope.explainers.explaining import explaining
from saliscope.explainers.families.attention import maximum_flows
from saliscope.explainers.models.attending import FUSED, find_pooling, weigh
from saliscope.explainers.models.packing import batch_key
from saliscope.explainers.queries import Attend, Evaluate, Outputs, Piece, Query, Solve
from saliscope.explainers.targets.scalar import Scalar
from tests.explainers.fakes import FakeModel, linear_game
from tests.explainers.tiny import ARCHITECTURES, DECODERS, TEXTS

WITHOUT_SDPA = ("deberta-v2", "mpnet", "gemma2")
MODES = [(name, "eager" if name in WITHOUT_SDPA else "sdpa") for name in ARCHITECTURES]
MODES += [("bert", "eager"), ("gpt2", "eager"), ("llama", "eager"), ("modernbert", "eager")]
FORMS = ("last", "rollout", "gae", "maps")
METHODS = ("attention-last", "attention-rollout", "attention-flow", "gae")
Array = np.ndarray[Any, Any]


@pytest.fixture(params=MODES, ids="-".join)
def model(request: pytest.FixtureRequest, tiny_model: Any) -> Any:
    architecture, mode = request.param
    return tiny_model(architecture, attention=mode)


def plain_maps(folder: Any, ids: Array, index: int) -> tuple[Array, Array]:
    """Weights and their gradients `[L, H, T, T]`, as the model itself returns them when it runs eagerly."""
    plain: Any = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    rows = torch.from_numpy(ids)[None]
    got = plain(input_ids=rows, attention_mask=torch.ones_like(rows), output_attentions=True)
    slopes = torch.autograd.grad(got.logits[0, index], got.attentions)
    return tuple(torch.cat(list(parts)).detach().numpy().astype(np.float64) for parts in (got.attentions, slopes))


# -- what the methods make of known maps ----------------------------------------------------------


def answering(maps: Array, pooled: Array, form: Callable[[Array], Array]) -> Callable[[Query], Answer]:
    def answer(query: Query) -> Answer:
        if isinstance(query, Solve):
            return Solved(query.function(*query.arguments))
        outputs = np.asarray([0.5, 2.0], dtype=np.float32)
        return Attended(outputs, 1, 2.0, np.float32(pooled), np.float32(form(maps)))

    return answer


def fake(**options: Any) -> FakeModel:
    return FakeModel(
        linear_game([1.0]), capabilities=frozenset({"class", "probabilities", "attention", "gradients"}), **options
    )


def test_scores_are_sums_over_the_positions_of_a_word_and_special_tokens_have_none() -> None:
    weights = np.asarray([0.4, 0.1, 0.2, 0.05, 0.25])
    steps = explaining(fake(leading=1, trailing=1), Question("a b~c", "attention-last", granularity="word"))
    got = drive(steps, answering(weights, weights, lambda maps: maps))
    np.testing.assert_allclose(got.scores, [0.1, 0.25], atol=1e-7)
    assert got.value == 2.0
    assert got.diagnostics["special_share"] == pytest.approx(0.65)
    assert (got.cost.forward_rows, got.cost.backward_rows) == (1, 0)
    assert not got.warnings


def test_relevance_without_any_gradient_is_said_to_be_nothing() -> None:
    steps = explaining(fake(), Question("a b", "gae"))
    got = drive(steps, answering(np.zeros(2), np.zeros(2), lambda maps: maps))
    assert not got.scores.any()
    assert "all scores are 0" in got.warnings[0]
    assert (got.cost.forward_rows, got.cost.backward_rows) == (1, 1)


def flow_by_linear_programme(maps: Array, pooled: Array, sink: int) -> float:
    """The largest flow as a linear programme over all edges."""
    num_layers, length, _ = maps.shape
    layers = 0.5 * maps + 0.5 * np.eye(length)
    layers /= layers.sum(-1, keepdims=True)
    edges = [("s", (num_layers, i), pooled[i]) for i in range(length)]
    edges += [
        ((layer + 1, i), (layer, j), layers[layer, i, j])
        for layer in range(num_layers)
        for i in range(length)
        for j in range(length)
    ]
    inner = [(layer, i) for layer in range(num_layers + 1) for i in range(length) if (layer, i) != (0, sink)]
    balance = np.asarray([[(end == node) - (start == node) for start, end, _ in edges] for node in inner], dtype=float)
    gain = [-float(start == "s") for start, _, _ in edges]
    solved = linprog(gain, A_eq=balance, b_eq=np.zeros(len(inner)), bounds=[(0, cap) for _, _, cap in edges])
    return float(-solved.fun)


@pytest.mark.parametrize(("num_layers", "length", "seed"), [(1, 1, 0), (1, 4, 1), (2, 3, 2), (3, 4, 3), (4, 5, 4)])
def test_a_flow_is_what_a_linear_programme_finds(num_layers: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps = rng.dirichlet(np.full(length, 0.4), size=(num_layers, length))
    for pooled in (np.eye(length)[0], np.eye(length)[-1], np.full(length, 1 / length)):
        flows = maximum_flows(np.float32(maps), np.float32(pooled), tuple(range(length)))
        expected = [flow_by_linear_programme(maps, pooled, sink) for sink in range(length)]
        np.testing.assert_allclose(flows, expected, atol=1e-5 * length * num_layers)


def test_flows_come_in_parts_and_the_parts_do_not_change_them() -> None:
    rng = np.random.default_rng(5)
    maps, pooled = rng.dirichlet(np.full(40, 0.1), size=(2, 40)), np.eye(40)[39]
    partials: list[Any] = []
    steps = explaining(fake(), Question(" ".join(f"w{k}" for k in range(40)), "attention-flow"))
    got = drive(steps, answering(maps, pooled, lambda given: given), partials.append)
    np.testing.assert_allclose(
        got.scores, maximum_flows(np.float32(maps), np.float32(pooled), tuple(range(40))), atol=1e-7
    )
    assert [part.diagnostics["done_tokens"] for part in partials] == [16, 32]
    assert got.diagnostics["done_tokens"] == 40


def test_what_would_take_too_long_or_too_much_memory_is_refused_before_it_starts() -> None:
    for method, count, match in (
        ("attention-flow", 65, "at most 64 tokens, this has 65"),
        ("gae", 3000, "explain 2896 at a time"),
    ):
        steps = explaining(fake(), Question(" ".join(["w"] * count), method))
        with pytest.raises(TooLarge, match=match):
            next(steps)


# -- what is read off a model ---------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["bert", "albert", "deberta-v2", "modernbert", "gpt2", "llama", "gemma2"])
def test_last_rollout_and_gae_are_the_papers_matrices_on_the_plain_models_maps(
    architecture: str, tiny_model: Any, tiny_folder: Any
) -> None:
    model = tiny_model(architecture)
    encoding = model.encode(TEXTS[1])
    maps, slopes = plain_maps(tiny_folder(architecture), encoding.ids, 2)
    length = len(encoding)
    pooled = length - 1 if architecture in DECODERS else 0
    rollout, relevance = np.eye(length), np.eye(length)
    for layer, slope in zip(maps, slopes, strict=True):
        mixed = 0.5 * layer.mean(0) + 0.5 * np.eye(length)
        rollout = mixed / mixed.sum(-1, keepdims=True) @ rollout
        relevance = relevance + np.maximum(layer * slope, 0).mean(0) @ relevance
    own = [position for token in encoding.tokens if not token.special for position in token.positions]
    expected = {
        "attention-last": maps[-1].mean(0)[pooled],
        "attention-rollout": rollout[pooled],
        "gae": (relevance - np.eye(length))[pooled],
    }
    for method, row in expected.items():
        got = explain(model, TEXTS[1], method=method, target=2)
        assert [position for feature in got.features for position in feature.positions] == own
        np.testing.assert_allclose(got.scores, row[own], atol=1e-5, err_msg=method)
        assert (got.scores >= 0).all()
    flow = explain(model, TEXTS[1], method="attention-flow")
    means = np.float32(maps.mean(1))
    np.testing.assert_allclose(
        flow.scores, maximum_flows(means, np.float32(np.eye(length)[pooled]), tuple(own)), atol=1e-4
    )


def test_a_padded_batch_equals_single_rows(model: Any) -> None:
    kind = model.facts.kinds[0]
    encodings = [model.encode(text) for text in (*TEXTS, "film")]
    for form in FORMS:
        queries = [Attend(encoding, Scalar(kind, None, "logit"), form) for encoding in encodings]
        merged = model.compute([Piece(query, 0, 1) for query in queries])
        for query, together in zip(queries, merged, strict=True):
            alone = model.answer(query)
            assert together.index == alone.index == int(np.argmax(alone.outputs))
            assert together.value == pytest.approx(alone.value, abs=1e-5)
            for name in ("outputs", "pooled", "weights"):
                np.testing.assert_allclose(getattr(together, name), getattr(alone, name), atol=1e-5)


def test_nothing_of_the_model_changes_not_even_when_a_pass_breaks(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, mode = model.fingerprint(), model.network.model.config._attn_implementation
    encoding = model.encode(TEXTS[0])
    plain = model.network.outputs

    def breaking(*args: Any) -> Any:
        plain(*args)
        raise RuntimeError("out of luck")

    for form in FORMS:
        query = Attend(encoding, Scalar("class", 1, "logit"), form)
        answered = model.answer(query)
        assert model.fingerprint() == before
        with monkeypatch.context() as patch:
            patch.setattr(model.network, "outputs", breaking)
            with pytest.raises(RuntimeError, match="out of luck"):
                model.answer(query)
        assert model.fingerprint() == before
        assert model.network.model.config._attn_implementation == mode
        np.testing.assert_array_equal(model.answer(query).weights, answered.weights)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_an_encoder_that_averages_is_found_out_and_its_rows_are_averaged(pooling: str, tiny_folder: Any) -> None:
    folder = tiny_folder("modernbert", classifier_pooling=pooling)
    model = load(str(folder), "cpu")
    assert find_pooling(model.network) == {"cls": "first", "mean": "mean"}[pooling]
    encoding = model.encode(TEXTS[1])
    maps, _ = plain_maps(folder, encoding.ids, 0)
    rows = maps[-1].mean(0)
    got = model.answer(Attend(encoding, Scalar("class", 0, "logit"), "last"))
    np.testing.assert_allclose(got.weights, rows[0] if pooling == "cls" else rows.mean(0), atol=1e-5)
    assert got.pooled.sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("architecture", DECODERS)
def test_a_decoder_reads_its_last_position_and_never_looks_ahead(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture, "ForCausalLM")
    encoding = model.encode(TEXTS[0])
    got = model.answer(Attend(encoding, Scalar("next-token", None, "logprob"), "maps"))
    np.testing.assert_array_equal(got.pooled, np.eye(len(encoding))[-1])
    np.testing.assert_allclose(got.weights.sum(-1), 1.0, atol=1e-5)
    assert not np.triu(got.weights, 1).any()


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "qwen2"])
@pytest.mark.parametrize("text", ["a", "a dull", "dull dull dull"])
def test_short_and_repeating_texts_have_one_score_a_token(architecture: str, text: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    for method in METHODS:
        got = explain(model, text, method=method)
        words = explain(model, text, method=method, granularity="word")
        assert np.isfinite(got.scores).all()
        assert len(words.scores) == len(text.split())
        assert words.scores.sum() == pytest.approx(got.scores.sum(), abs=1e-5)
        assert got.cost.forward_rows == got.cost.promised_forward_rows == 1
        assert got.cost.backward_rows == got.cost.promised_backward_rows == (method == "gae")


def test_half_precision_models_have_float32_scores_near_the_full_ones(tiny_folder: Any) -> None:
    for architecture in ("bert", "llama", "gemma2"):
        full, half = (load(str(tiny_folder(architecture)), "cpu", dtype=dtype) for dtype in ("float32", "bfloat16"))
        for method in ("attention-last", "attention-rollout"):
            near = explain(half, TEXTS[1], method=method).scores
            assert near.dtype == np.float32
            np.testing.assert_allclose(near, explain(full, TEXTS[1], method=method).scores, atol=0.05)
        assert np.isfinite(explain(half, TEXTS[1], method="gae").scores).all()


def test_forms_and_outputs_have_passes_of_their_own(demo_decoder: Any) -> None:
    encoding = demo_decoder.encode("a b")
    keys = {
        batch_key(Attend(encoding, Scalar(kind, 0, "logit"), form))
        for form in FORMS
        for kind in ("class", "next-token")
    }
    assert len(keys) == 8
    pieces = [Piece(Attend(encoding, Scalar("class", 0, "logit"), "last"), 0, 1)]
    pieces.append(Piece(Evaluate(encoding, Outputs("class")), 0, 1))
    with pytest.raises(TypeError, match="different kinds"):
        demo_decoder.compute(pieces)


# -- models without maps --------------------------------------------------------------------------


def opaque(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float, **options: Any) -> Any:
    """Attention whose weights no function of torch's computes, as a foreign kernel's."""
    scores = query @ key.transpose(-2, -1) * scaling + (0 if mask is None else mask)
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    return (powers / powers.sum(-1, keepdim=True) @ value).transpose(1, 2).contiguous(), None


def test_attention_that_cannot_be_watched_is_refused_with_the_methods_that_fit(tiny_folder: Any) -> None:
    AttentionInterface.register("opaque", opaque)
    AttentionMaskInterface.register("opaque", ALL_MASK_ATTENTION_FUNCTIONS["eager"])
    for architecture in ("bert", "gpt2"):
        model = load(str(tiny_folder(architecture)), "cpu", attention="opaque")
        assert not {"attention", "rules"} & model.facts.capabilities
        for method in (*METHODS, "lrp"):
            with pytest.raises(NotCapable, match="attention") as refused:
                explain(model, TEXTS[0], method=method)
            assert "input-x-gradient" in str(refused.value)
        assert np.isfinite(explain(model, TEXTS[0], method="occlusion").scores).all()
        with pytest.raises(NotCapable, match="0 attention maps were seen in 3 layers"):
            model.answer(Attend(model.encode(TEXTS[0]), Scalar("class", 0, "logit"), "last"))


def test_attention_methods_have_no_parameters(demo_encoder: Any) -> None:
    for method in METHODS:
        with pytest.raises(ExplainerError, match=f"params.heads: {method} has no such parameter"):
            explain(demo_encoder, "a", method=method, heads=2)


@pytest.mark.parametrize("mask", ["none", "causal", "bool", "float", "blind"])
@pytest.mark.parametrize("groups", [1, 2])
def test_fused_attention_written_out_gives_what_the_fused_one_does(mask: str, groups: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn((2, 4, 5, 8), generator=generator)
    key, value = (torch.randn((2, 4 // groups, 5, 8), generator=generator) for _ in range(2))
    options: dict[str, Any] = {"scale": 0.3, "enable_gqa": groups > 1, "is_causal": mask == "causal"}
    if mask in ("bool", "blind"):
        options["attn_mask"] = torch.rand((2, 1, 5, 5), generator=generator) > 0.4
        options["attn_mask"][..., 0] = mask == "bool"
        options["attn_mask"][:, :, 2] &= mask == "bool"
    if mask == "float":
        options["attn_mask"] = torch.randn((2, 1, 5, 5), generator=generator)
    weights, values = weigh(query, key, value, **options)
    assert FUSED is functional.scaled_dot_product_attention
    torch.testing.assert_close(weights @ values, FUSED(query, key, value, **options), atol=1e-6, rtol=1e-5)
