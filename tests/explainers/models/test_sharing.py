"""Rows that share what they begin with come out as they do alone, and cost less."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saliscope.explainers import explain
from saliscope.explainers.models import sharing
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.sharing import Group, plan, refused
from tests.explainers.tiny import DECODERS

CASES = [(name, None) for name in DECODERS] + [("gpt2", "eager"), ("llama", "eager")]
TEXT = "the plot is a mess but the cast is wonderful and the music is warm and the film is good"


def leaves(group: Group) -> Iterator[Group]:
    if not group.parts:
        yield group
    for part in group.parts:
        assert part.known == group.shared
        yield from leaves(part)


def cost(group: Group, length: int, forward: int) -> int:
    found = forward + group.shared - group.known if group.shared > group.known else 0
    if group.parts:
        return found + sum(cost(part, length, forward) for part in group.parts)
    return found + forward + (group.stop - group.start) * (length - group.shared)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(1, 20), st.integers(0, 30))
def test_a_plan_computes_every_row_once_behind_what_it_shares(common: list[int], length: int, forward: int) -> None:
    common = [min(length, one) for one in common]
    found = plan(np.array(common), length, forward)
    if found is None:
        return
    ends = [(one.start, one.stop) for one in leaves(found)]
    assert ends[0][0] == 0
    assert ends[-1][1] == len(common) + 1
    assert all(one[1] == other[0] for one, other in pairwise(ends))
    for leaf in leaves(found):
        assert leaf.known <= leaf.shared < length
        inside = common[leaf.start : leaf.stop - 1]
        assert leaf.shared == leaf.known or leaf.shared <= min(inside)
    assert cost(found, length, forward) < forward + (len(common) + 1) * length


def test_rows_that_hide_one_feature_after_the_other_are_computed_for_little_more_than_half() -> None:
    found = plan(np.arange(64), 65, 0)
    assert found is not None
    assert cost(found, 65, 0) < 0.6 * 65 * 65
    assert plan(np.zeros(63, dtype=np.int64), 64, 0) is None
    assert plan(np.full(63, 2), 64, 200) is None


def rows_of(model: Any, rng: np.random.Generator) -> Batch:
    """Rows that go their own way somewhere, of several lengths, some with a position that nobody sees."""
    network = model.network
    length, count = int(rng.integers(4, 40)), int(rng.integers(2, 30))
    ids = np.repeat(rng.integers(2, model.facts.vocab_size, length)[None], count, axis=0)
    mask = np.ones_like(ids)
    for row in range(count):
        at = int(rng.integers(0, length))
        if rng.random() < 0.8:
            ids[row, at:] = rng.integers(2, model.facts.vocab_size, length - at)
        if row and rng.random() < 0.5:
            ids[row, :at] = ids[row - 1, :at]
        if rng.random() < 0.3:
            mask[row, int(rng.integers(1, length)) :] = 0
        if rng.random() < 0.2:
            mask[row, int(rng.integers(1, length))] = 0
    made, seen = torch.from_numpy(ids), torch.from_numpy(mask)
    return Batch(made, seen, None, network.embed(made), seen.sum(1) - 1, {})


@pytest.mark.parametrize(("architecture", "attention"), CASES)
def test_random_rows_are_what_the_plain_network_computes(
    architecture: str, attention: str | None, tiny_model: Any
) -> None:
    model = tiny_model(architecture, "ForSequenceClassification", attention)
    rng = np.random.default_rng(2)
    for _ in range(25):
        with torch.inference_mode():
            batch = rows_of(model, rng)
            found = sharing.hidden(model.network, batch, forward=0)
            wanted = model.network.hidden(batch.embeds, batch.mask)
        seen = batch.mask.bool()
        torch.testing.assert_close(found[seen], wanted[seen], atol=2e-5, rtol=1e-5)


@pytest.fixture
def counted(demo_decoder: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each forward of the bundled decoder computes from now on."""
    body, tokens = demo_decoder.network.body.forward, []

    def forward(*args: Any, **keywords: Any) -> Any:
        tokens.append(keywords["inputs_embeds"].shape[0] * keywords["inputs_embeds"].shape[1])
        return body(*args, **keywords)

    monkeypatch.setattr(demo_decoder.network.body, "forward", forward)
    return tokens


def run(model: Any, counted: list[int], shares: int, method: str, **params: Any) -> tuple[Any, int]:
    """Scores, and the tokens that they took, where rows of at most `shares` tokens may share."""
    before, model._executor.forward.shares = model._executor.forward.shares, shares
    counted.clear()
    try:
        return np.array(explain(model, TEXT, method=method, target=0, **params).scores), sum(counted)
    finally:
        model._executor.forward.shares = before


@pytest.mark.parametrize("mask", ["replace", "drop", "attention"])
def test_occlusion_is_the_same_and_computes_less(
    mask: str, demo_decoder: Any, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sharing.FORWARD, "cpu", 0)
    assert demo_decoder._executor.forward.shares == demo_decoder.facts.max_tokens
    plain, all_tokens = run(demo_decoder, counted, 0, "occlusion", mask=mask)
    scores, tokens = run(demo_decoder, counted, 1000, "occlusion", mask=mask)
    np.testing.assert_allclose(scores, plain, atol=1e-5)
    assert tokens < 0.75 * all_tokens


def test_rows_whose_embeddings_move_share_nothing(
    demo_decoder: Any, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sharing.FORWARD, "cpu", 0)
    plain, all_tokens = run(demo_decoder, counted, 0, "mase", samples=20)
    scores, tokens = run(demo_decoder, counted, 1000, "mase", samples=20)
    np.testing.assert_array_equal(scores, plain)
    assert tokens == all_tokens


def test_a_body_that_reads_common_keys_otherwise_is_found_out(
    demo_decoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = demo_decoder.network
    assert refused(network, 64) is None
    body = network.body.forward

    def forward(*args: Any, **keywords: Any) -> Any:
        found = body(*args, **keywords)
        many = keywords["inputs_embeds"].shape[0] > 1 and keywords.get("past_key_values") is not None
        return (found[0] + 0.01,) if many else found

    monkeypatch.setattr(network.body, "forward", forward)
    assert "differ" in str(refused(network, 64))

    def failing(*args: Any, **keywords: Any) -> Any:
        if keywords.get("past_key_values") is not None:
            raise ValueError("what cache")
        return body(*args, **keywords)

    monkeypatch.setattr(network.body, "forward", failing)
    assert "what cache" in str(refused(network, 64))
