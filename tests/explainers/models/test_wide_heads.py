"""Another next token of a text that is known costs one column of the head, and says what a fresh run says."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn

from saliscope.explainers.models.continuing import find_continuable
from saliscope.explainers.models.heads import Head
from saliscope.explainers.models.wide import has_columns
from saliscope.explainers.queries import Along, Evaluate
from saliscope.explainers.targets.scalar import RUNNER_UP, Scalar
from saliscope.explainers.targets.scales import Scale
from tests.explainers.models.test_continuing import assert_same, encoded
from tests.explainers.tiny import DECODERS

LENGTH = 14


def row(model: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(4).integers(2, model.facts.vocab_size, LENGTH)


def along(model: Any, scalar: Scalar) -> Evaluate:
    return Evaluate(encoded(row(model)), Along(tuple(range(LENGTH)), scalar), outputs=True)


@pytest.mark.parametrize("architecture", DECODERS)
def test_every_scale_of_every_token_is_what_a_fresh_run_says(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture, "ForCausalLM")
    assert model.continuable.has_columns
    line = model.new_line()
    likeliest = int(model.answer(along(model, Scalar("next-token", None, "logit"))).outputs.argmax())
    for scale in get_args(Scale):
        scalars = [Scalar("next-token", index, scale) for index in (likeliest, 3, model.facts.vocab_size - 1, None)]
        scalars += [Scalar("next-token", 3, scale, against=5), Scalar("next-token", None, scale, against=RUNNER_UP)]
        for scalar in scalars:
            assert_same(model.continued(along(model, scalar), line), model.answer(along(model, scalar)))


def test_margins_of_a_sure_model_keep_their_digits(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("gpt2", "ForCausalLM")
    head = model.network.model.get_output_embeddings()
    monkeypatch.setattr(head, "weight", nn.Parameter(head.weight * 400, requires_grad=False))
    line = model.new_line()
    best = int(model.answer(along(model, Scalar("next-token", None, "logit"))).outputs.argmax())
    for index in (best, 3):
        query = along(model, Scalar("next-token", index, "margin"))
        fresh = model.answer(query)
        assert np.abs(fresh.values).max() > 50
        assert_same(model.continued(query, line), fresh)


class Counted:
    """Counts the positions that go through the layers, and the outputs of the head that are read."""

    def __init__(self, model: Any, patch: pytest.MonkeyPatch) -> None:
        self.layers = self.outputs = 0
        network = model.network
        body, call = network.body.forward, Head.__call__

        def forward(*args: Any, **keywords: Any) -> Any:
            self.layers += keywords["inputs_embeds"].shape[1]
            return body(*args, **keywords)

        def read(head: Head, states: torch.Tensor) -> torch.Tensor:
            logits = call(head, states)
            self.outputs += logits.numel()
            return logits

        patch.setattr(network.body, "forward", forward)
        patch.setattr(Head, "__call__", read)

    def taken(self) -> tuple[int, int]:
        """What was counted since the last time."""
        found, self.layers, self.outputs = (self.layers, self.outputs), 0, 0
        return found


def test_another_token_costs_its_column_and_no_layer(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama", "ForCausalLM")
    assert model.continuable.has_columns
    size, line, counted = model.facts.vocab_size, model.new_line(), Counted(model, monkeypatch)
    taken = []
    for scalar in (
        Scalar("next-token", 3, "logprob"),
        Scalar("next-token", 5, "logprob"),
        Scalar("next-token", 5, "margin"),
        Scalar("next-token", 7, "logit"),
    ):
        model.continued(along(model, scalar), line)
        taken.append(counted.taken())
    # The whole head at every position, and at the end for the prediction; then a column each, of a known token none.
    assert taken == [(LENGTH, (LENGTH + 1) * size + LENGTH), (0, LENGTH), (0, 0), (0, LENGTH)]


def test_the_words_of_a_prompt_are_read_without_the_rest_of_the_vocabulary(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model("llama", "ForCausalLM")
    line, groups = model.new_line(), ((3, 5), (7,), (11, 12, 13))
    query = along(model, Scalar("next-token", 1, "margin", groups=groups))
    fresh, counted = model.answer(query), Counted(model, monkeypatch)
    assert_same(model.continued(query, line), fresh)
    assert counted.taken() == (LENGTH, LENGTH * 6)


def test_an_edit_reads_only_what_is_new(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama", "ForCausalLM")
    size, line, ids = model.facts.vocab_size, model.new_line(), row(model)
    scalar = Scalar("next-token", 3, "logprob")
    first = Evaluate(encoded(ids[:-1]), Along(tuple(range(LENGTH - 1)), scalar), outputs=True)
    model.continued(first, line)
    counted = Counted(model, monkeypatch)
    query = along(model, scalar)
    found = model.continued(query, line)
    assert counted.taken() == (1, 2 * size + 1)
    monkeypatch.undo()
    assert_same(found, model.answer(query))


def test_a_head_whose_columns_say_something_else_is_read_whole(
    tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model("llama", "ForCausalLM")
    call = Head.__call__

    def centred(head: Head, states: torch.Tensor) -> torch.Tensor:
        logits = call(head, states)
        return logits - logits.mean(-1, keepdim=True)

    monkeypatch.setattr(Head, "__call__", centred)
    found = find_continuable(model.network, LENGTH)
    assert not isinstance(found, str)
    assert not found.has_columns
    monkeypatch.setattr(model, "continuable", found)
    line = model.new_line()
    for index in (3, 5):
        query = along(model, Scalar("next-token", index, "margin"))
        assert_same(model.continued(query, line), model.answer(query))


def test_a_head_that_ends_in_no_plain_layer_has_no_columns(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama", "ForCausalLM")
    head, states = model.network.heads["next-token"], torch.zeros(2, model.network.model.config.hidden_size)
    assert has_columns(head, states)
    assert not has_columns(None, states)
    monkeypatch.setattr(type(model.network.model), "get_output_embeddings", lambda _: None)
    other = Head(model.network.model, "own")
    assert other.columns([1]) is None
    assert not has_columns(other, states)
