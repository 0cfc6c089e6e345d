"""What a model writes on, beside plain forwards; and what caused a part of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain
from saliscope.explainers.errors import BadRequest, NotCapable, TooLarge
from saliscope.explainers.targets.writing import Writing, Written, writing

TEXT = "the plot is a mess but the cast"


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request: pytest.FixtureRequest, tiny_model: Any) -> Any:
    return tiny_model(request.param, "ForCausalLM")


def run(model: Any, wish: Writing, text: str = TEXT) -> tuple[Written, list[Written]]:
    steps, partials, reply = writing(model, model.encode(text), wish), [], None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return end.value, partials
        if isinstance(step, Written):
            partials.append(step)
            reply = None
        else:
            reply = model.answer(step)


def test_the_likeliest_tokens_are_those_of_plain_forwards(model: Any) -> None:
    written, partials = run(model, Writing(6, top=3))
    ids = [int(id) for id in model.encode(TEXT).ids]
    for token in written.tokens:
        with torch.no_grad():
            logits = model.network.model(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits[0, -1]
        shares = logits.double().softmax(-1)
        assert token.id == int(shares.argmax())
        assert token.probability == pytest.approx(float(shares.max()), rel=1e-4)
        assert next(iter(token.likely)) == model.token_text(token.id)
        assert max(token.likely.values()) == pytest.approx(token.probability, rel=1e-5)
        ids.append(token.id)
    assert [len(one.tokens) for one in partials] == list(range(1, len(written.tokens) + 1))[: len(partials)]
    assert written.finish == "length"
    assert written.text == model.decode([token.id for token in written.tokens])


def test_places_cover_the_text_in_order(model: Any) -> None:
    written, _ = run(model, Writing(20, temperature=5.0, seed=3))
    assert "".join(written.text[start:end] for start, end in written.places) == written.text
    assert len(written.places) == len(written.tokens)


def test_draws_depend_on_the_seed_alone(model: Any) -> None:
    def ids(seed: int) -> list[int]:
        return [token.id for token in run(model, Writing(12, temperature=3.0, seed=seed))[0].tokens]

    assert ids(1) == ids(1)
    assert len({tuple(ids(seed)) for seed in range(4)}) > 1


def test_draws_are_as_likely_as_the_model_says(model: Any) -> None:
    """At temperature 1 the share of a token among many draws is its probability."""
    first = run(model, Writing(1, top=5))[0].tokens[0]
    draws = [run(model, Writing(1, temperature=1.0, seed=seed))[0].tokens[0].id for seed in range(300)]
    share = np.mean([id == first.id for id in draws])
    assert abs(share - first.probability) < 4 * np.sqrt(first.probability / 300) + 0.01


def test_what_the_model_reads_no_more_is_not_written(model: Any) -> None:
    room = model.facts.max_tokens - len(model.encode(TEXT))
    assert len(run(model, Writing(512))[0].tokens) <= room
    with pytest.raises(TooLarge, match="shorten"):
        run(model, Writing(1), "the plot " * 60)


def test_a_model_without_the_head_says_so(tiny_model: Any) -> None:
    with pytest.raises(NotCapable, match="writing on needs"):
        run(tiny_model("bert"), Writing(1))


# -- targets of what was written ----------------------------------------------------------------------


def target(written: Written, **more: Any) -> dict[str, Any]:
    return {"kind": "continuation", "ids": [token.id for token in written.tokens], **more}


def test_ids_are_explained_as_their_text_is(model: Any) -> None:
    text = " is wonderful and the music"
    ids = list(model.continuation(text))
    by_text = explain(model, TEXT, method="occlusion", target={"kind": "continuation", "text": text})
    by_ids = explain(model, TEXT, method="occlusion", target={"kind": "continuation", "ids": ids})
    np.testing.assert_allclose(by_ids.scores, by_text.scores, atol=1e-5)
    assert by_ids.target.label == text


@pytest.mark.parametrize("method", ["occlusion", "input-x-gradient"])
def test_parts_add_up_to_the_whole(model: Any, method: str) -> None:
    written, _ = run(model, Writing(6))
    whole = explain(model, TEXT, method=method, target=target(written))
    parts = [
        explain(model, TEXT, method=method, target=target(written, part=part)) for part in ([0, 2], [2, 5], [5, 6])
    ]
    assert sum(part.value for part in parts) == pytest.approx(whole.value, abs=1e-3)
    np.testing.assert_allclose(np.sum([part.scores for part in parts], axis=0), whole.scores, atol=1e-3)


def test_steps_of_a_part_are_its_own(model: Any) -> None:
    written, _ = run(model, Writing(5))
    found = explain(model, TEXT, method="occlusion", target=target(written, part=[2, 4], steps=True))
    steps = [output for output in found.outputs if output.step is not None]
    assert [output.step for output in steps] == [2, 3]
    np.testing.assert_allclose(np.sum([output.scores for output in steps], axis=0), found.scores, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ids": []}, "target.ids"),
        ({"ids": [10**6]}, "out of range"),
        ({"ids": ["a"]}, "target.ids"),
        ({"ids": [5, 6], "part": [1, 3]}, "target.part"),
        ({"ids": [5, 6], "part": [1, 1]}, "target.part"),
        ({"part": [0, 1]}, "target.part"),
        ({"ids": [5], "text": " a"}, "target.ids"),
    ],
)
def test_ids_that_are_none_are_refused(model: Any, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        explain(model, TEXT, method="occlusion", target={"kind": "continuation", **fields})
