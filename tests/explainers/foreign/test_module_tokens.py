"""What a torch module of one's own must come with: a tokenizer that fits it, an embedding, labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saliscope.explainers import explain, wrap_module
from saliscope.explainers.errors import BadRequest, NotCapable
from tests.explainers import tiny
from tests.explainers.own import LABELS, UNKNOWN, VOCABULARY, Bag, tokenize

TEXT = "a dull film, but the music is wonderful and warm"


def test_a_hugging_face_tokenizer_brings_its_special_tokens_and_mask() -> None:
    pieces = tiny.tokenizer(causal=False)
    torch.manual_seed(0)
    embedding = nn.Embedding(len(pieces), 6)
    module = nn.Sequential(embedding, nn.Flatten(0, 1), nn.Linear(6, 2))
    model = wrap_module(
        module,
        pieces,
        embedding=embedding,
        labels=LABELS,
        forward=lambda ids: module(ids).reshape(*ids.shape, 2).sum(1),
    )
    assert model.facts.mask_text == "[MASK]"
    got = explain(model, "a dull film", method="occlusion", target=1)
    assert [token.text for token in got.tokens] == ["[CLS]", "a", "dull", "film", "[SEP]"]
    weight = module[2].weight[1] @ (embedding.weight[got.tokens[2].ids[0]] - embedding.weight[model.facts.mask_id])
    assert got.scores[1] == pytest.approx(float(weight.detach()), abs=1e-5)


def test_a_function_may_give_the_spans_of_its_tokens() -> None:
    def letters(text: str) -> list[tuple[int, int, int]]:
        return [(UNKNOWN, 0, 0), *((2 + ord(char) % 20, at, at + 1) for at, char in enumerate(text) if char != " ")]

    module = Bag()
    model = wrap_module(module, letters, embedding=module.emb, labels=LABELS)
    got = explain(model, "ab c", method="occlusion", granularity="word")
    assert [feature.text for feature in got.features] == ["ab", "c"]
    assert [token.special for token in got.tokens] == [True, False, False, False]


@pytest.mark.parametrize(
    ("tokenizer", "said"),
    [
        (lambda text: [2, 3], r"2 ids for 10 words; let it give \(id, start, end\)"),
        (lambda text: [(2, 0, 9999)], "outside a text of 48 characters"),
        (lambda text: ["a", "b"], "expected an id a word"),
    ],
)
def test_a_tokenizer_that_does_not_say_where_its_tokens_are_is_refused(tokenizer: Any, said: str) -> None:
    module = Bag()
    model = wrap_module(module, tokenizer, embedding=module.emb, labels=LABELS)
    with pytest.raises(NotCapable, match=said):
        explain(model, TEXT)


def test_an_id_without_an_embedding_is_refused() -> None:
    module = Bag()
    model = wrap_module(module, lambda text: [999] * len(text.split()), embedding=module.emb, labels=LABELS)
    with pytest.raises(NotCapable, match="do not belong together"):
        explain(model, TEXT)


class Twice(Bag):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) + self.emb(ids).sum(1)[:, :2]


class ReadsIds(Bag):
    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) + ids.sum(1, keepdim=True)


class Wide(Bag):
    def forward(self, ids: Tensor) -> Tensor:
        return torch.cat([super().forward(ids)] * 2, 1)


@pytest.mark.parametrize(
    ("kind", "options", "error", "said"),
    [
        (Twice, {}, NotCapable, "must be looked up once"),
        (ReadsIds, {}, NotCapable, "answers otherwise"),
        (Wide, {}, NotCapable, r"answered \(2, 4\) to 2 rows of ids; expected \(2, 2\)"),
        (Bag, {"labels": "planted"}, BadRequest, r"labels: .*\['negative', 'positive'\]"),
        (Bag, {"labels": []}, BadRequest, "at least one name"),
        (Bag, {"embedding": nn.Embedding(5, 5)}, BadRequest, "no part of the module"),
        (Bag, {"embedding": nn.Linear(5, 5)}, BadRequest, "expected the module's nn.Embedding"),
        (Bag, {"mask_id": 10_000}, BadRequest, "mask_id: 10000 is out of range"),
        (Bag, {"pad_id": -1}, BadRequest, "pad_id: -1 is out of range"),
        (Bag, {"outputs": "scores"}, BadRequest, "logits, probabilities"),
        (Bag, {"activation": "tanh"}, BadRequest, "softmax, sigmoid, identity"),
        (Bag, {"activation": "identity"}, BadRequest, "identity is for one label"),
    ],
)
def test_a_module_that_cannot_be_explained_is_refused_at_once(kind: Any, options: Any, error: Any, said: str) -> None:
    module = kind()
    with pytest.raises(error, match=said):
        wrap_module(module, tokenize, **{"embedding": module.emb, "labels": LABELS, **options})


def test_what_is_no_module_and_an_embedding_that_changes_are_refused() -> None:
    module = Bag()
    with pytest.raises(BadRequest, match=r"got function; wrap\(predict, labels=…\)"):
        wrap_module(tokenize, tokenize, embedding=module.emb, labels=LABELS)
    with pytest.raises(BadRequest, match="tokenizer: expected"):
        wrap_module(module, VOCABULARY, embedding=module.emb, labels=LABELS)
    module.emb.max_norm = 1.0
    with pytest.raises(NotCapable, match="max_norm"):
        wrap_module(module, tokenize, embedding=module.emb, labels=LABELS)
