"""Many texts at once on real models."""

from __future__ import annotations

import math
from typing import Any

import pytest

from saliscope.explainers import methods
from saliscope.explainers.metrics import METRICS
from saliscope.explainers.metrics.evaluating import evaluating_text
from saliscope.explainers.metrics.plan import make_plan
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.running import evaluate
from saliscope.explainers.metrics.together import run_together
from saliscope.explainers.queries import Piece

RECORDS = [
    ("a dull and lifeless film", "negative"),
    ("the music is wonderful", "positive"),
    ("boring", "negative"),
    ("it is a charming, funny and very moving little film about a boy and his dog", "positive"),
]
CHEAP = ["random", "input-x-gradient", "decoded-grad-cam", "occlusion", "gae", "mase-sparse"]
FEW = ["hiding", "activation", "infidelity", "token-overlap", "cost"]


def numbers(found: Any) -> dict[tuple[str, str], float]:
    return {
        (row.name, metric): cell.number.value
        for row in found.rows
        for metric, cell in row.cells.items()
        if cell.number is not None
    }


def test_texts_that_run_together_get_the_numbers_they_get_alone(demo_encoder: Any) -> None:
    alone = numbers(evaluate(demo_encoder, RECORDS, CHEAP, FEW, lanes=1))
    together = numbers(evaluate(demo_encoder, RECORDS, CHEAP, FEW, lanes=3))
    assert len(alone) == len(CHEAP) * len(FEW)
    assert together == pytest.approx(alone, abs=2e-3)


def test_texts_share_passes_and_none_is_larger_than_the_budget(demo_encoder: Any, monkeypatch: Any) -> None:
    passes: list[list[Piece]] = []
    compute = demo_encoder.compute

    def watched(pieces: list[Piece]) -> Any:
        passes.append(pieces)
        return compute(pieces)

    monkeypatch.setattr(demo_encoder, "compute", watched)
    plan = make_plan(demo_encoder, RECORDS, CHEAP, FEW)
    records: list[Record] = []
    starts = [lambda clock, k=k: evaluating_text(plan, k, (), clock) for k in range(len(RECORDS))]
    run_together(demo_encoder, starts, records.append, budget=256)
    assert len(records) == plan.num_units
    assert any(len({id(piece.query.encoding) for piece in one}) > 1 for one in passes)
    for one in passes:
        rows = sum(piece.stop - piece.start for piece in one)
        assert rows * max(len(piece.query.encoding) for piece in one) <= 256


def test_a_pass_that_fails_costs_only_the_text_that_made_it_fail(demo_encoder: Any, monkeypatch: Any) -> None:
    compute = demo_encoder.compute

    def breaking(pieces: list[Piece]) -> Any:
        if any(piece.query.encoding.text == "boring" and piece.query.rows is not None for piece in pieces):
            raise MemoryError("no room for boring texts")
        return compute(pieces)

    monkeypatch.setattr(demo_encoder, "compute", breaking)
    found = evaluate(demo_encoder, RECORDS, ["random", "occlusion"], ["activation"], lanes=4)
    assert [row.failures for row in found.rows] == [(), ((2, "MemoryError: no room for boring texts"),)]
    assert found.cell("random", "activation").failed == 1
    assert found.num_done == 8


def test_seconds_of_texts_that_run_together_add_up_to_no_more_than_all_of_it(demo_encoder: Any) -> None:
    import time

    records: list[Record] = []
    started = time.perf_counter()
    evaluate(
        demo_encoder, RECORDS, CHEAP, ["time"], lanes=4, on_progress=lambda done, total, record: records.append(record)
    )
    whole = time.perf_counter() - started
    spent = [record.seconds for record in records if record.seconds is not None]
    assert len(spent) == len(records)
    assert min(spent) > 0
    assert sum(spent) <= whole


@pytest.mark.parametrize(
    ("name", "task"), [("bert", "ForSequenceClassification"), ("gpt2", "ForSequenceClassification")]
)
def test_every_method_and_every_metric_go_through(name: str, task: str, tiny_model: Any) -> None:
    model = tiny_model(name, task)
    labels = model.facts.labels
    records = [("the plot is a mess", labels[0]), ("boring", labels[1]), ("the cast is wonderful", labels[1])]
    small = [{"metric": "sensitivity-max", "draws": 1, "texts": 1}, {"metric": "infidelity", "samples": 20}]
    names = [metric.name for metric in METRICS if metric.name not in ("sensitivity-max", "infidelity")]
    fits = [one for one in names if one != "pi-gap" or "causal" in model.facts.capabilities]
    found = evaluate(model, records, None, [*fits, *small], lanes=3)
    assert not any(row.failures for row in found.rows), [row.failures for row in found.rows if row.failures]
    assert {row.name for row in found.rows} >= set(methods()) - {"sp-pi", "mp-pi"}
    for row in found.rows:
        for metric, cell in row.cells.items():
            assert not cell.failed, (row.name, metric, cell.why_not)
            assert cell.number is None or math.isfinite(cell.number.value)


def test_a_language_model_is_evaluated_on_the_token_it_predicts(tiny_model: Any) -> None:
    model = tiny_model("gpt2", "ForCausalLM")
    wanted = ["random", "occlusion", "input-x-gradient", "kernel-shap"]
    found = evaluate(model, ["the plot is a", "the cast is"], wanted, lanes=2)
    assert not any(row.failures for row in found.rows)
    assert "activation" in found.directions
    assert any(line.startswith("hiding was left out: it needs a classification head") for line in found.notes)
    assert all(cell.failed == 0 for row in found.rows for cell in row.cells.values())
    assert found.cell("kernel-shap", "shap-similarity").number.value > 0.99


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_leaving_tokens_out_is_not_looking_at_them(name: str, tiny_model: Any) -> None:
    model = tiny_model(name)
    scores = {"given": [[float(k % 3) for k in range(len(model.encode(text).tokens) - 2)] for text, _ in RECORDS]}
    records = [(text, model.facts.labels[0]) for text, _ in RECORDS]
    found = [
        evaluate(
            model, records, [], [{"metric": "activation", "hide": hide}], precomputed=scores, lanes=2
        ).cell("given", "activation")
        for hide in ("auto", "drop", "attention", "replace")
    ]  # fmt: skip
    auto, drop, attention, replace = (cell.curve for cell in found)
    assert auto == drop
    assert drop == pytest.approx(attention, abs=1e-5)
    assert replace != pytest.approx(attention, abs=1e-4)


@pytest.mark.parametrize("granularity", ["word", "sentence"])
def test_larger_features_keep_the_same_share_of_tokens(granularity: str, demo_encoder: Any) -> None:
    texts = ["A dull film. The plot is a mess, but the cast is wonderful! Boring.", "Lifeless. I was moved to tears."]
    found = evaluate(
        demo_encoder, texts, ["occlusion", "input-x-gradient"], ["activation"], granularity=granularity, lanes=2
    )
    kept = [row.cells["activation"].parts["retained"].value for row in found.rows]
    assert kept == pytest.approx([0.5, 0.5], abs=1e-6)
    assert not found.warnings
