"""Sentence pairs: the tokenizer's own template, token types where the model reads them, features on one side only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.queries import Differentiate, Evaluate, Outputs, Piece
from saliscope.explainers.registry import fitting
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.texts.features import GRANULARITIES, build_features
from saliscope.explainers.texts.segments import encode_pair, share_room
from saliscope.explainers.texts.tokenizing import Tokenizing
from saliscope.explainers.variants import INPUT, Masked
from tests.explainers import tiny
from tests.explainers.tokenizers_zoo import NAMES_OF_ALL, TEXTS, get

PREMISE, HYPOTHESIS = "the plot is a mess but the cast is wonderful", "it is a dull film"
SHORT = ("a dull film", "the music is fine")
CASES = ["bert", "deberta-v2", "electra", "roberta", "distilbert", "gpt2", "llama"]


def pair_tokenizer(architecture: str) -> Any:
    """The tiny tokenizer of an architecture with its family's template for pairs."""
    causal = architecture in tiny.DECODERS
    source = tiny.tokenizer(causal)
    core = type(source._tokenizer).from_str(source._tokenizer.to_str())
    names = ["input_ids", "attention_mask"]
    if not causal:
        ends = [(name, core.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
        typed = architecture in ("bert", "deberta-v2", "electra")
        second = "$B:1 [SEP]:1" if typed else "$B [SEP]"
        core.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair=f"[CLS] $A [SEP] {second}", special_tokens=ends
        )
        names += ["token_type_ids"] if typed else []
    special = {
        name: getattr(source, name) for name in ("cls_token", "sep_token", "mask_token", "unk_token") if not causal
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=core, model_max_length=64, pad_token=source.pad_token, model_input_names=names,
        eos_token=source.eos_token, **special,
    )  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made: dict[str, Any] = {}

    def make(architecture: str) -> Any:
        if architecture not in made:
            folder: Path = tmp_path_factory.mktemp(architecture)
            types = {"type_vocab_size": 2} if architecture in ("bert", "deberta-v2", "electra") else {}
            tiny.build(architecture, **types).save_pretrained(folder)
            pair_tokenizer(architecture).save_pretrained(folder)
            made[architecture] = load(str(folder), "cpu")
        return made[architecture]

    return make


def plain_logits(model: Any, *texts: str) -> np.ndarray[Any, Any]:
    """What `model(**tokenizer(a, b))` of transformers says."""
    with torch.no_grad():
        found = model.network.model(**model.tokenizer(*texts, return_tensors="pt"))
    return np.asarray(found.logits[0])


@pytest.mark.parametrize("architecture", CASES)
def test_a_pair_is_read_as_transformers_reads_it_alone_and_in_a_padded_batch(architecture: str, models: Any) -> None:
    model = models(architecture)
    encodings = [model.encode_pair(PREMISE, HYPOTHESIS), model.encode_pair(*SHORT), model.encode(SHORT[0])]
    expected = [plain_logits(model, PREMISE, HYPOTHESIS), plain_logits(model, *SHORT), plain_logits(model, SHORT[0])]
    queries = [Evaluate(encoding, Outputs("class"), outputs=True) for encoding in encodings]
    together = model.compute([Piece(query, 0, 1) for query in queries])
    for query, merged, logits in zip(queries, together, expected, strict=True):
        np.testing.assert_allclose(model.answer(query).outputs, logits, atol=1e-5)
        np.testing.assert_allclose(merged.outputs, logits, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize("architecture", ["bert", "deberta-v2", "electra"])
def test_token_types_change_the_answer_so_they_must_arrive(architecture: str, models: Any) -> None:
    from dataclasses import replace

    model = models(architecture)
    encoding = model.encode_pair(PREMISE, HYPOTHESIS)
    assert encoding.type_ids is not None
    typed, untyped = (
        model.answer(Evaluate(one, Outputs("class"), outputs=True)).outputs
        for one in (encoding, replace(encoding, type_ids=None))
    )
    assert np.abs(typed - untyped).max() > 1e-4


@pytest.mark.parametrize("architecture", ["roberta", "distilbert", "gpt2", "llama"])
def test_a_model_without_token_types_gets_none(architecture: str, models: Any) -> None:
    assert models(architecture).encode_pair(PREMISE, HYPOTHESIS).type_ids is None


@pytest.mark.parametrize("architecture", ["bert", "deberta-v2"])
@pytest.mark.parametrize("hiding", ["drop", "attention"])
def test_a_token_that_is_left_out_takes_its_type_with_it(architecture: str, hiding: str, models: Any) -> None:
    """Without the first word of the text, the others keep type and place, as the plain model is told to."""
    model = models(architecture)
    if hiding == "drop" and "drop" not in model.facts.capabilities:
        pytest.skip("its position ids do not place tokens")
    encoding = model.encode_pair(*SHORT)
    keep = np.ones((1, 1), dtype=bool)
    hidden = Masked(~keep, ((1,),), hiding)  # type: ignore[arg-type]
    ours = model.answer(Evaluate(encoding, Outputs("class"), hidden, outputs=True)).outputs
    got = model.tokenizer(*SHORT, return_tensors="pt")
    got["attention_mask"][0, 1] = 0
    with torch.no_grad():
        expected = model.network.model(**got).logits[0].numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_gradients_of_a_typed_pair_are_those_of_plain_autograd(models: Any) -> None:
    model = models("bert")
    encoding = model.encode_pair(*SHORT)
    answer = model.answer(Differentiate(encoding, Scalar("class", 1, "logit"), (INPUT, 2)))
    embeds = model.network.embed(torch.from_numpy(encoding.ids)[None]).detach().requires_grad_(True)
    types = torch.from_numpy(encoding.type_ids)[None]
    logits = model.network.model(
        inputs_embeds=embeds, attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long), token_type_ids=types
    ).logits[0]
    (gradient,) = torch.autograd.grad(logits[1], embeds)
    np.testing.assert_allclose(answer.inner[INPUT], (embeds * gradient).sum(-1)[0].detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_every_method_explains_a_pair_and_says_where_each_text_lies(architecture: str, models: Any) -> None:
    model = models(architecture)
    for name in fitting(model.facts, "class"):
        got = explain(model, SHORT[0], name, granularity="word", pair=SHORT[1])
        assert got.text == "a dull film\nthe music is fine"
        assert [(one.name, got.text[one.start : one.end]) for one in got.segments] == [
            ("text", SHORT[0]),
            ("pair", SHORT[1]),
        ]
        assert [feature.text for feature in got.features] == ["a", "dull", "film", "the", "music", "is", "fine"]
        assert np.isfinite(got.scores).all()
        assert got.cost.forward_rows <= got.cost.promised_forward_rows
        assert got.truncated_at is None


def test_a_decoder_without_a_template_says_that_nothing_is_between_the_texts(models: Any) -> None:
    assert any("nothing between" in warning for warning in explain(models("gpt2"), SHORT[0], pair=SHORT[1]).warnings)
    assert not any("between" in warning for warning in explain(models("bert"), SHORT[0], pair=SHORT[1]).warnings)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", NAMES_OF_ALL)
@given(text=TEXTS, pair=TEXTS, max_tokens=st.integers(8, 40))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_features_of_a_pair_never_cross_and_every_span_is_its_text(
    name: str, granularity: str, text: str, pair: str, max_tokens: int
) -> None:
    try:
        encoding = encode_pair(Tokenizing(get(name)), text, pair, max_tokens)
    except NotCapable:
        return
    source = encoding.text
    assert source == f"{text}\n{pair}"
    assert [position for token in encoding.tokens for position in token.positions] == list(range(len(encoding)))
    assert len(encoding) <= max_tokens
    for token in encoding.tokens:
        if not token.special:
            assert token.text == source[token.start : token.end] != ""
            assert sum(one.start <= token.start and token.end <= one.end for one in encoding.segments) == 1
    found = build_features(encoding, granularity)
    plain = [index for index, token in enumerate(encoding.tokens) if not token.special]
    assert [index for feature in found for index in feature.tokens] == plain
    for feature in found:
        assert feature.text == source[feature.start : feature.end] != ""
        assert sum(one.start <= feature.start and feature.end <= one.end for one in encoding.segments) == 1


@given(first=st.integers(1, 80), second=st.integers(1, 80), room=st.integers(2, 100))
@settings(deadline=None, derandomize=True)
def test_room_is_shared_as_longest_first_shares_it(first: int, second: int, room: int) -> None:
    tokenizer = pair_tokenizer("bert")
    got = tokenizer("a " * first, "a " * second, truncation="longest_first", max_length=room + 3)
    owners = got.sequence_ids(0)
    assert share_room(first, second, room) == (owners.count(0), owners.count(1))


@pytest.mark.parametrize(("first", "second"), [(80, 5), (5, 80), (80, 80)])
def test_a_cut_text_is_said_and_the_other_stays_whole(models: Any, first: int, second: int) -> None:
    model = models("bert")
    text, pair = ("film " * first).strip(), ("cast " * second).strip()
    got = explain(model, text, "input-x-gradient", pair=pair)
    plain = model.tokenizer(text, pair, truncation=True)["input_ids"]
    assert [id for token in got.tokens for id in token.ids] == plain
    cut = {one.name: one.truncated_at for one in got.segments}
    assert (cut["text"] is not None) == (first > 5)
    assert (cut["pair"] is not None) == (second > 5)
    assert got.truncated_at == min(at for at in cut.values() if at is not None)
    assert got.seen_to == cut["pair"]
    for name, at in cut.items():
        assert any(f"{name!r} at character {at}" in warning for warning in got.warnings) == (at is not None)


@pytest.mark.parametrize(
    ("text", "pair", "says"),
    [("a", " ", "pair: it is empty"), (" ", "a", "text: it is empty"), ("a", 3, "pair: expected")],
)
def test_a_pair_needs_two_texts(models: Any, text: str, pair: Any, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        explain(models("bert"), text, pair=pair)
