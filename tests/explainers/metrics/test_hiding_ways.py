"""What `hide` puts in the place of features: known answers, and the rows of real models."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch

from saliscope.explainers import wrap, wrap_module
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.metrics.ordering import Hide
from saliscope.explainers.metrics.plan import make_plan
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.variants import Moved, Replaced
from tests.explainers import own
from tests.explainers.fakes import DECODER, UNKNOWN, FakeModel
from tests.explainers.games import words
from tests.explainers.metrics.studies import WEIGHTS, known_model, one, study, value

ABLE = DECODER | {"unknown", "vocabulary"}
WAYS = ["zero", "unk", "random-word"]
METRICS = ["hiding", "revealing", "activation", "inverse-activation", "comprehensiveness", "sufficiency"]


def asked_rows(model: FakeModel, kind: type) -> list[Any]:
    return [query.rows for query in model.queries if isinstance(getattr(query, "rows", None), kind)]


@pytest.mark.parametrize("hide", WAYS)
def test_delta_accuracy_is_that_worked_out_by_hand_however_features_go(hide: str) -> None:
    model = known_model((-2.0, 1.0, 1.5), bias=0.0, capabilities=ABLE)
    scores = {"good": (-2.0, 1.0, 1.5), "bad": (2.0, -1.0, -1.5)}
    found = study(model, "delta-accuracy", scores, fractions=[1 / 3], hide=hide)
    # The text itself is "yes" by 0.5: without the third it is not, without the first it is.
    assert value(found.cell("good", "delta-accuracy")) == 1.0
    assert value(found.cell("bad", "delta-accuracy")) == 0.0
    assert asked_rows(model, Moved if hide == "zero" else Replaced), "no other way did it"


@pytest.mark.parametrize("hide", WAYS)
@pytest.mark.parametrize("metric", METRICS)
def test_where_nothing_is_nothing_all_ways_agree(metric: str, hide: str) -> None:
    model = known_model(capabilities=ABLE)
    assert value(one(model, metric, WEIGHTS, hide=hide)) == value(one(model, metric, WEIGHTS, hide="replace"))


def test_random_words_are_ordinary_seeded_and_the_same_for_every_method() -> None:
    text, drawn = words(8), []
    for seed in (0, 0, 1):
        model = known_model(capabilities=ABLE)
        metric = [{"metric": "activation", "hide": "random-word"}]
        evaluate(model, [text], ["random", "occlusion"], metric, seed=seed, lanes=1)
        ids, rows = model.encode(text).ids, np.concatenate([rows.ids for rows in asked_rows(model, Replaced)])
        other = [np.unique(rows[rows[:, k] != ids[k], k]) for k in range(len(ids))]
        assert all(len(found) == 1 for found in other), "each place has one other word"
        drawn.append([int(found[0]) for found in other])
    assert drawn[0] == drawn[1] != drawn[2]
    assert min(drawn[0]) >= 10, "none is special"


def test_unknown_words_are_the_tokenizer_s_own() -> None:
    model = known_model(capabilities=ABLE)
    one(model, "comprehensiveness", WEIGHTS, hide="unk")
    ids = model.encode(words(8)).ids
    rows = np.concatenate([rows.ids for rows in asked_rows(model, Replaced)])
    assert set(rows[rows != ids].tolist()) == {UNKNOWN}


@pytest.mark.parametrize(
    ("hide", "lacks"), [("zero", "embeddings"), ("unk", "unknown words"), ("random-word", "drawn")]
)
def test_a_way_that_a_model_has_not_is_refused_with_the_reason(hide: str, lacks: str) -> None:
    def predict(texts: list[str]) -> Any:
        return np.zeros((len(texts), 2))

    with pytest.raises(NotCapable, match=rf"delta-accuracy needs .*{lacks}.*lacks"):
        make_plan(
            wrap(predict, labels=["no", "yes"]), [("a b", "yes")], ["occlusion"],
            [{"metric": "delta-accuracy", "hide": hide}],
        )  # fmt: skip


def test_an_end_of_text_is_no_unknown_word(demo_encoder: Any, demo_decoder: Any) -> None:
    assert demo_encoder.unknown_id == demo_encoder.tokenizer.unk_token_id
    assert demo_decoder.tokenizer.unk_token_id == demo_decoder.tokenizer.eos_token_id
    assert demo_decoder.unknown_id is None
    assert "unknown" in demo_encoder.facts.capabilities - demo_decoder.facts.capabilities


@pytest.mark.parametrize("name", ["demo_encoder", "demo_decoder"])
def test_ordinary_ids_hold_words_and_nothing_special(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    ids = set(model.ordinary_ids.tolist())
    assert not ids & set(model.tokenizer.all_special_ids)
    assert model.find_token("wonderful") in ids
    assert len(ids) > 0.9 * len(model.tokenizer)
    assert not [id for id in ids if str(model.tokenizer.convert_ids_to_tokens(id)).startswith("[unused")]


def test_zero_takes_the_words_out_of_a_sum_of_embeddings() -> None:
    torch.manual_seed(0)
    net = own.Bag()
    model = wrap_module(net, own.tokenize, embedding=net.emb, labels=own.LABELS, mask_id=own.UNKNOWN)
    text = "a dull film"
    scores = [3.0, 2.0, 1.0]
    found = evaluate(
        model, [text], ["random"], [{"metric": "comprehensiveness", "fractions": [1 / 3], "hide": "zero"}],
        precomputed={"given": [scores]}, lanes=1,
    )  # fmt: skip
    with torch.no_grad():
        states = net.emb(torch.tensor(own.tokenize(text)))
        whole = net.out(states).sum(0).softmax(0)
        states[0] = 0
        left = net.out(states).sum(0).softmax(0)
    index = int(whole.argmax())
    assert value(found.cell("given", "comprehensiveness")) == pytest.approx(float(whole[index] - left[index]), abs=1e-6)


@pytest.mark.parametrize("hide", [*WAYS, "replace"])
def test_a_real_encoder_is_measured_by_every_way(demo_encoder: Any, hide: str) -> None:
    assert hide in get_args(get_args(Hide)[0])
    records = [("a dull, lifeless and boring film", "negative"), ("a warm and funny film", "positive")]
    found = evaluate(demo_encoder, records, ["input-x-gradient"], [{"metric": "delta-accuracy", "hide": hide}])
    assert found.rows[0].cells["delta-accuracy"].number is not None
    assert not found.rows[0].failures
