"""Rows of one text, of many texts and of many methods in shared passes: the same numbers as alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from saliscope.explainers import Question, drive, explain, load
from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.explaining import explaining
from saliscope.explainers.models.packing import batch_key, cut
from saliscope.explainers.queries import Along, Decoding, Differentiate, Evaluate, Outputs, Piece, Query, Value, join
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.variants import INPUT, Masked
from tests.explainers import tiny
from tests.explainers.core import core

TEXTS = [
    "a dull film",
    "the plot is a mess but the cast is wonderful and the music is fine",
    "funny",
    "one of the best films of the year: funny, warm and clever",
]
MODELS = ["demo-encoder", "demo-decoder", "bert", "roberta", "deberta-v2", "modernbert", "gpt2", "llama", "mistral"]
FEW = ["demo-encoder", "demo-decoder", "modernbert", "mistral"]


@pytest.fixture
def model(request: pytest.FixtureRequest, demo_encoder: Any, demo_decoder: Any, tiny_model: Any) -> Any:
    demo = {"demo-encoder": demo_encoder, "demo-decoder": demo_decoder}
    return demo.get(request.param) or tiny_model(request.param)


def halves(encoding: Encoding) -> Masked:
    """Rows that mask the first k ordinary tokens, for every k."""
    groups = tuple(token.positions for token in encoding.tokens if not token.special)
    return Masked(np.triu(np.ones((len(groups), len(groups)), dtype=bool)), groups)


def assert_same(one: Answer, other: Answer, atol: float = 1e-5) -> None:
    """Every number of two answers agrees."""
    if isinstance(one, Evaluated):
        assert isinstance(other, Evaluated)
        assert (one.outputs is None) == (other.outputs is None)
        np.testing.assert_allclose(one.values, other.values, atol=atol)
        if one.outputs is not None:
            np.testing.assert_allclose(one.outputs, other.outputs, atol=atol)
        return
    assert not isinstance(other, Evaluated)
    assert one.index == other.index
    assert one.value == pytest.approx(other.value, abs=atol)
    assert one.inner.keys() == other.inner.keys()
    assert one.decoded.keys() == other.decoded.keys()
    np.testing.assert_allclose(one.outputs, other.outputs, atol=atol)
    for layer in one.inner:
        np.testing.assert_allclose(one.inner[layer], other.inner[layer], atol=atol)
    for layer, decoded in one.decoded.items():
        np.testing.assert_array_equal(decoded.unique, other.decoded[layer].unique)
        np.testing.assert_allclose(decoded.share, other.decoded[layer].share, atol=atol)
        assert decoded.rate == pytest.approx(other.decoded[layer].rate, abs=atol)


# -- cutting and joining --------------------------------------------------------------------------


def described(length: int, num_rows: int) -> Evaluate:
    encoding = Encoding("", np.arange(length, dtype=np.int64), ())
    return Evaluate(encoding, Outputs("class"), Masked(np.ones((num_rows, length), dtype=bool), ((0,),) * length))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(length=st.integers(1, 40), num_rows=st.integers(1, 60), budget=st.integers(1, 400))
def test_pieces_cover_every_row_once_within_the_budget(length: int, num_rows: int, budget: int) -> None:
    query = described(length, num_rows)
    pieces = cut(query, budget)
    assert [row for piece in pieces for row in range(piece.start, piece.stop)] == list(range(num_rows))
    for piece in pieces:
        assert piece.num_tokens == (piece.stop - piece.start) * length
        assert piece.num_tokens <= budget or piece.stop - piece.start == 1
    assert len(pieces) == -(-num_rows // max(1, budget // length))
    assert pieces[0].num_tokens - pieces[-1].num_tokens <= length * (len(pieces) - 1)
    assert not cut(described(length, 0), budget)


def test_joined_pieces_keep_the_row_order_and_the_raw_outputs_of_the_first_row() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    parts: list[Answer] = [Evaluated(rows[:1], rows[0]), Evaluated(rows[1:4], rows[1]), Evaluated(rows[4:], rows[4])]
    query = described(2, 6)
    joined = join(query, parts)
    assert isinstance(joined, Evaluated)
    np.testing.assert_array_equal(joined.values, rows)
    np.testing.assert_array_equal(joined.outputs, rows[0])
    assert join(query, parts[:1]) is parts[0]


@pytest.mark.parametrize("model", FEW, indirect=True)
def test_a_query_in_pieces_answers_all_that_it_answers_in_one(model: Any) -> None:
    encoding = model.encode(TEXTS[1])
    for read in (Outputs("class"), Value(Scalar("class", 1, "margin"))):
        query = Evaluate(encoding, read, halves(encoding), outputs=True)
        assert len(cut(query, 1)) == query.num_rows > 5
        whole = model.answer(query, 10**9)
        assert len(whole.values) == query.num_rows
        for budget in (1, 2 * len(encoding), 5 * len(encoding) + 3):
            assert_same(model.answer(query, budget), whole)


# -- micro-batches --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, indirect=True)
def test_the_size_of_a_micro_batch_changes_no_score(model: Any) -> None:
    length = len(model.encode(TEXTS[3]))
    for kind in model.facts.kinds:
        for method in core(model, kind):
            assert_one_row_at_a_time_is_the_same(
                model, Question(TEXTS[3], method, target=None if kind == "class" else kind, seed=5), length
            )


@pytest.mark.parametrize("model", ["bert", "gpt2"], indirect=True)
def test_it_changes_no_score_of_any_method(model: Any) -> None:
    for method in fitting(model.facts, "class"):
        assert_one_row_at_a_time_is_the_same(model, Question(TEXTS[0], method, seed=5), len(model.encode(TEXTS[0])))


def assert_one_row_at_a_time_is_the_same(model: Any, question: Question, length: int) -> None:
    """Micro-batches of one row and of 64 give the same scores, for every output."""
    one, many = (
        drive(explaining(model, question), lambda query, budget=rows * length: model.answer(query, budget))
        for rows in (1, 64)
    )
    assert one.cost.forward_rows <= one.cost.promised_forward_rows
    assert len(one.outputs) == len(many.outputs)
    for ours, theirs in zip(one.outputs, many.outputs, strict=True):
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-5, err_msg=str(question.method))


@pytest.mark.parametrize("model", MODELS, indirect=True)
def test_queries_of_different_texts_and_methods_share_a_pass(model: Any) -> None:
    queries: list[Query] = []
    for number, text in enumerate(TEXTS):
        encoding = model.encode(text)
        queries.append(Evaluate(encoding, Outputs("class"), outputs=True))
        queries.append(Evaluate(encoding, Value(Scalar("class", number % 2, "logprob")), halves(encoding)))
        if model.network.causal:
            places = tuple(range(0, len(encoding), 2))
            queries.append(Evaluate(encoding, Along(places, Scalar("class", None, "margin")), outputs=True))
    assert len({batch_key(query) for query in queries}) == 1
    merged = model.compute([Piece(query, 0, query.num_rows) for query in queries])
    assert len(merged) == len(queries)
    for query, together in zip(queries, merged, strict=True):
        assert_same(together, model.answer(query))


@pytest.mark.parametrize("model", ["demo-decoder", "llama"], indirect=True)
def test_next_token_queries_of_different_texts_share_a_pass(model: Any, tiny_model: Any) -> None:
    if "next-token" not in model.facts.capabilities:
        model = tiny_model("llama", "ForCausalLM")
    queries: list[Query] = []
    for text in TEXTS:
        encoding = model.encode(text)
        places = tuple(range(len(encoding)))
        queries += [
            Evaluate(encoding, Along(places, Scalar("next-token", None, "logprob")), outputs=True),
            Evaluate(encoding, Along(places, Scalar("next-token", 11, "logit"))),
            Evaluate(encoding, Value(Scalar("next-token", 7, "logprob")), halves(encoding)),
        ]
    for query, together in zip(
        queries, model.compute([Piece(query, 0, query.num_rows) for query in queries]), strict=True
    ):
        assert_same(together, model.answer(query))


@pytest.mark.parametrize("model", MODELS, indirect=True)
def test_gradients_at_different_layers_and_targets_share_a_pass(model: Any) -> None:
    depth = model.facts.num_layers
    wishes: list[tuple[tuple[int, ...], Decoding | None]] = [
        ((INPUT,), None),
        ((0,), None),
        ((depth,), None),
        ((1, depth), None),
        ((2,), Decoding("input") if model.network.embedding_size == model.network.model.config.hidden_size else None),
        ((1,), Decoding("head")),
    ]
    queries: list[Query] = [
        Differentiate(model.encode(TEXTS[k % 4]), Scalar("class", (None, 0, 1)[k % 3], "logit"), layers, decoding)
        for k, (layers, decoding) in enumerate(wishes)
    ]
    assert len({batch_key(query) for query in queries}) == 1
    merged = model.compute([Piece(query, 0, 1) for query in queries])
    for query, together in zip(queries, merged, strict=True):
        assert_same(together, model.answer(query))


def test_queries_of_different_kinds_cannot_share_a_pass(demo_decoder: Any) -> None:
    encoding = demo_decoder.encode("a dull film")
    forward = Evaluate(encoding, Outputs("class"))
    backward = Differentiate(encoding, Scalar("class", 0, "logit"), (INPUT,))
    following = Evaluate(encoding, Outputs("next-token"))
    after = Differentiate(encoding, Scalar("next-token", 0, "logit"), (INPUT,))
    assert len({batch_key(query) for query in (forward, backward, following, after)}) == 4
    for pair in ([forward, backward], [backward, forward]):
        with pytest.raises(TypeError, match="cannot share a pass"):
            demo_decoder.compute([Piece(query, 0, 1) for query in pair])


def test_an_encoder_has_no_intermediate_predictions(demo_encoder: Any) -> None:
    query = Evaluate(demo_encoder.encode("a dull film"), Along((1, 2), Scalar("class", None, "logit")))
    with pytest.raises(TypeError, match="no intermediate predictions"):
        demo_encoder.answer(query)


# -- padding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["demo-decoder", "gpt2", "gpt-neox", "opt", "llama", "qwen2", "phi3"], indirect=True)
def test_rows_padded_on_the_right_are_pooled_at_their_own_end(model: Any) -> None:
    """Given embeddings, a decoder classifier of transformers reads position -1: the trap that this avoids."""
    encodings = [model.encode(text) for text in TEXTS]
    merged = model.compute([Piece(Evaluate(encoding, Outputs("class"), outputs=True), 0, 1) for encoding in encodings])
    for encoding, together in zip(encodings, merged, strict=True):
        ids = torch.from_numpy(encoding.ids)[None]
        with torch.no_grad():
            plain = model.network.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        np.testing.assert_allclose(together.outputs, plain.numpy(), atol=1e-5)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "opt"])
def test_rows_padded_on_the_left_by_others_are_the_same_rows(architecture: str, tmp_path: Path) -> None:
    """A tokenizer that pads on the left, as for generation, changes nothing here; nor does it there, with places."""
    folder = tiny.save(tiny.build(architecture), tmp_path, True)
    core_tokenizer = Tokenizer.from_str(tiny.tokenizer(True).backend_tokenizer.to_str())
    pieces = PreTrainedTokenizerFast(
        tokenizer_object=core_tokenizer, eos_token="<eos>", pad_token="<pad>", model_max_length=64, padding_side="left"
    )
    pieces.save_pretrained(folder)
    model = load(str(folder), "cpu")
    assert model.tokenizer.padding_side == "left"
    queries = [Evaluate(model.encode(text), Outputs("class"), outputs=True) for text in TEXTS]
    merged = model.compute([Piece(query, 0, 1) for query in queries])
    batch = pieces(TEXTS, padding=True, return_tensors="pt")
    mask = batch["attention_mask"]
    assert not mask[0, 0]
    # OPT reckons its places from the mask by itself.
    places = {} if architecture == "opt" else {"position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
    with torch.no_grad():
        plain = model.network.model(batch["input_ids"], attention_mask=mask, **places).logits
    np.testing.assert_allclose(np.stack([answer.outputs for answer in merged]), plain.numpy(), atol=1e-5)


@pytest.mark.parametrize("model", ["gpt2", "llama", "opt", "bert", "roberta"], indirect=True)
@pytest.mark.parametrize("where", ["{pad} a dull film", "a dull {pad} film", "a dull film {pad}", "{pad}"])
def test_the_pad_token_inside_a_text_is_a_token_like_any_other(model: Any, where: str) -> None:
    pad = model.tokenizer.pad_token
    text = where.format(pad=pad)
    encoding = model.encode(text)
    assert model.tokenizer.pad_token_id in encoding.ids
    ids = torch.from_numpy(encoding.ids)[None]
    ones = torch.ones_like(ids)
    network = model.network
    with torch.no_grad():
        embeds = network.model.get_input_embeddings()(ids)
        if network.causal:
            state = network.model.base_model(inputs_embeds=embeds, attention_mask=ones, use_cache=False)[0][:, -1]
            wanted = network.heads["class"](state)[0]
        else:
            wanted = network.model(inputs_embeds=embeds, attention_mask=ones).logits[0]
    alone = Evaluate(encoding, Outputs("class"), outputs=True)
    other = Evaluate(model.encode(TEXTS[1]), Outputs("class"), outputs=True)
    for answer in (model.answer(alone), model.compute([Piece(alone, 0, 1), Piece(other, 0, 1)])[0]):
        np.testing.assert_allclose(answer.outputs, wanted.numpy(), atol=1e-5)
    got = explain(model, text, method="occlusion")
    assert len(got.features) == sum(not token.special for token in got.tokens)
    assert got.value == pytest.approx(float(wanted[got.target.index]), abs=1e-5)


@pytest.mark.parametrize("model", FEW, indirect=True)
def test_one_text_again_and_again_gives_the_same_bytes(model: Any) -> None:
    for method in core(model):
        first, again = (explain(model, TEXTS[1], method=method, seed=9) for _ in range(2))
        np.testing.assert_array_equal(first.scores, again.scores)
        assert (first.value, first.base_value, first.fingerprint) == (again.value, again.base_value, again.fingerprint)


@pytest.mark.parametrize("model", ["bert", "gpt2"], indirect=True)
def test_any_method_is_the_same_again_with_the_same_seed(model: Any) -> None:
    for method in fitting(model.facts, "class"):
        first, again = (explain(model, TEXTS[0], method=method, seed=9).scores for _ in range(2))
        np.testing.assert_array_equal(first, again, err_msg=method)
