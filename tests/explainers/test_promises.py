"""What a method says beforehand that it will cost is what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from saliscope.explainers import explain, load
from saliscope.explainers.registry import fitting

#: Their promise is the most they may take, and why.
AT_MOST = {
    "integrated-gradients": "steps double until the scores add up",
    "decoded-integrated-gradients": "steps double until the scores add up",
    "shapley-sampling": "a coalition that several orders meet is computed once",
    "sp-pi": "the empty text is asked for once a model",
    "mp-pi": "the empty text is asked for once a model",
}
TEXTS = ["film", "a dull film", "the plot is a mess but the cast is wonderful"]


@pytest.mark.parametrize(
    ("architecture", "task"),
    [("bert", "ForSequenceClassification"), ("gpt2", "ForSequenceClassification"), ("gpt2", "ForCausalLM")],
)
def test_the_promise_is_kept_to_the_row(architecture: str, task: str, tiny_model: Any) -> None:
    model = tiny_model(architecture, task)
    for name in fitting(model.facts, model.facts.kinds[0]):
        for text in TEXTS:
            cost = explain(model, text, name, granularity="word").cost
            counted = cost.forward_rows, cost.backward_rows
            promised = cost.promised_forward_rows, cost.promised_backward_rows
            if name in AT_MOST:
                assert counted <= promised, name
            else:
                assert counted == promised, (name, text)


@pytest.mark.parametrize("name", ["sp-pi", "mp-pi"])
def test_a_model_that_was_never_asked_takes_all_that_was_promised(name: str, tiny_folder: Any) -> None:
    model = load(str(tiny_folder("gpt2")), "cpu")
    first, again = (explain(model, TEXTS[2], name, granularity="word").cost for _ in range(2))
    assert first.forward_rows == first.promised_forward_rows
    assert again.forward_rows == again.promised_forward_rows - 1


def test_points_that_need_no_doubling_are_promised_to_the_row(tiny_model: Any) -> None:
    cost = explain(tiny_model("bert"), TEXTS[1], "integrated-gradients", max_steps=1).cost
    assert (cost.forward_rows, cost.backward_rows) == (cost.promised_forward_rows, cost.promised_backward_rows)
