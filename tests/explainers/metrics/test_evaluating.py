from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import wrap
from saliscope.explainers.answers import Answer
from saliscope.explainers.errors import BadRequest, NonFinite, NotCapable
from saliscope.explainers.metrics import METRICS
from saliscope.explainers.metrics.evaluating import evaluating
from saliscope.explainers.metrics.plan import TheModel, make_plan
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.running import drive_units, evaluate
from saliscope.explainers.metrics.tabulating import tabulate
from saliscope.explainers.queries import Evaluate, Query
from tests.explainers.fakes import FakeModel
from tests.explainers.games import smooth_game, words
from tests.explainers.metrics.studies import known_model, sized

FIVE = (2.0, -1.0, 0.5, 1.0, -0.75)
TEXTS = [(words(5), "yes"), ("a b c d e", "no"), ("v w x y z", "yes")]
METHODS = ["random", "occlusion", "lime", "sp-pi"]
#: Those that a model without embeddings can be measured by.
PLAIN = [m.name for m in METRICS if m.name not in ("infidelity", "sensitivity-max", "decode-rate", "time")]
SOME = ["activation", "hiding", "cost"]


@dataclass
class Failing(FakeModel):
    """Fails on the queries of a text that `fails` says so of."""

    fails: Callable[[Query], bool] = lambda query: False

    def answer(self, query: Query) -> Answer:
        if self.fails(query):
            raise NonFinite("this text is cursed")
        return super().answer(query)


def cursed(*texts: str, rows: bool) -> Any:
    """Whether a query is about one of the texts, with hidden features if `rows`."""
    return lambda query: (
        isinstance(query, Evaluate) and query.encoding.text in texts and (query.rows is not None) == rows
    )


def failing(fails: Any) -> Failing:
    return Failing(known_model(FIVE).game, fails=fails)


def test_every_unit_is_recorded_once_and_progress_is_exact() -> None:
    seen: list[tuple[int, int, str]] = []
    found = evaluate(
        known_model(FIVE), TEXTS, METHODS, PLAIN, lanes=1,
        on_progress=lambda done, total, record: seen.append((done, total, record.name)),
    )  # fmt: skip
    assert [done for done, _, _ in seen] == list(range(1, 16))
    assert {total for _, total, _ in seen} == {15}, "three texts, four methods and the model itself"
    assert found.num_done == 15
    assert [name for _, _, name in seen[:5]] == [TheModel, *METHODS]


def test_a_result_is_plain_data_and_every_number_has_an_interval() -> None:
    found = evaluate(known_model(FIVE), TEXTS, METHODS, PLAIN, lanes=1)
    plain = json.loads(json.dumps(found.to_dict()))
    for row in plain["rows"]:
        for name, cell in row["cells"].items():
            assert cell["value"] is None or cell["n"] == 3, name
            assert cell["value"] is None or cell["low"] <= cell["value"] <= cell["high"], name
    assert plain["interval"].startswith("95 %")
    lines = found.to_csv().splitlines()
    assert lines[0].startswith("method,metric,part,value,low,high,n")
    assert sum(line.startswith("occlusion,activation,,") for line in lines) == 1
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(2 / 3)


def test_interrupted_and_resumed_is_the_same_table_as_in_one_go() -> None:
    model, metrics = FakeModel(sized(smooth_game(5, 1), 5)), [name for name in PLAIN if name != "time"]
    plan = make_plan(model, TEXTS, METHODS, metrics)
    first: list[Record] = []
    steps = evaluating(plan)
    reply: Any = None
    while len(first) < 7:
        step = steps.send(reply)
        reply = None if isinstance(step, Record) else model.answer(step)
        first += [step] if isinstance(step, Record) else []
    steps.close()
    stored = [Record.from_dict(json.loads(json.dumps(record.to_dict()))) for record in first]
    rest: list[Record] = []
    drive_units(evaluating(plan, {record.unit for record in stored}), model.answer, rest.append)
    assert len(rest) == plan.num_units - 7
    whole = evaluate(FakeModel(sized(smooth_game(5, 1), 5)), TEXTS, METHODS, metrics, lanes=1)
    halves, once = tabulate(plan, [*rest, *stored]).to_dict(), whole.to_dict()
    for row in (*halves["rows"], *once["rows"]):
        row["seconds"] = None
    assert halves == once


def test_a_table_of_half_the_records_is_a_table() -> None:
    plan = make_plan(known_model(FIVE), TEXTS, METHODS, SOME)
    records: list[Record] = []
    drive_units(evaluating(plan), known_model(FIVE).answer, records.append)
    half = tabulate(plan, records[:6])
    assert (half.num_done, half.num_texts) == (6, 3)
    assert tabulate(plan, []).num_done == 0


def test_methods_share_the_rows_of_a_text() -> None:
    apart = 0
    for method in METHODS:
        model = known_model(FIVE)
        evaluate(model, TEXTS, [method], ["activation", "inverse-activation", "comprehensiveness"], lanes=1)
        apart += model.rows
    model = known_model(FIVE)
    evaluate(model, TEXTS, METHODS, ["activation", "inverse-activation", "comprehensiveness"], lanes=1)
    assert model.rows < apart
    hidden = [q for q in model.queries if isinstance(q, Evaluate) and q.encoding.text == TEXTS[0][0]]
    assert len({id(query.encoding) for query in hidden}) == 1, "a text is encoded once"


def test_a_method_that_fails_on_one_text_is_reported_and_the_run_goes_on() -> None:
    text = TEXTS[1][0]
    model = failing(cursed(text, rows=True))
    found = evaluate(model, TEXTS, ["random", "occlusion", "lime"], SOME, lanes=1)
    row = next(row for row in found.rows if row.name == "occlusion")
    assert row.failures == ((1, "this text is cursed"),)
    assert found.num_done == 9
    control = found.cell("random", "activation")
    assert control.failed == 1, "its scores need no rows, its metrics do"
    assert control.number is not None
    assert control.number.n == 2
    assert any(line == "occlusion: 1 of 3 texts failed" for line in found.warnings)


def test_a_text_that_the_model_cannot_read_is_recorded_for_every_method() -> None:
    model = failing(cursed(TEXTS[0][0], rows=False))
    records: list[Record] = []
    plan = make_plan(model, [*TEXTS, "  "], METHODS, SOME)
    drive_units(evaluating(plan), model.answer, records.append)
    assert [(r.text, r.code) for r in records if r.error] == [(0, "internal")] * 4 + [(3, "bad_request")] * 4
    assert len(records) == plan.num_units


def test_methods_are_compared_on_the_texts_that_all_of_them_have() -> None:
    scores = {"whole": [[1.0] * 5] * 3, "gap": [[1.0] * 5, [float("nan")] * 5, [1.0] * 5], "short": [[1.0]] * 3}
    found = evaluate(known_model(FIVE), TEXTS, [], ["activation"], precomputed=scores, lanes=1)
    numbers = {row.name: row.cells["activation"].number for row in found.rows}
    assert numbers["whole"] is not None
    assert numbers["whole"].n == 2
    assert numbers["short"] is None
    assert found.rows[1].failures == ((1, "the score of feature 0 is not finite"),)
    assert found.rows[2].failures[0] == (0, "1 scores were given for 5 features")
    assert any("compared on the 2 texts" in line for line in found.warnings)


def test_a_method_with_too_few_texts_does_not_shrink_the_comparison() -> None:
    few = [[1.0] * 5, [float("inf")] * 5, [float("nan")] * 5]
    found = evaluate(
        known_model(FIVE), TEXTS, [], ["activation"], precomputed={"whole": [list(FIVE)] * 3, "few": few}, lanes=1
    )
    whole, rare = found.cell("whole", "activation"), found.cell("few", "activation")
    assert whole.number is not None
    assert rare.number is not None
    assert (whole.number.n, rare.number.n, rare.best) == (3, 1, False)
    assert (rare.number.low, rare.number.high) == (None, None)
    assert any("few has values for 1 texts only" in line for line in found.warnings)


def test_labels_that_the_model_does_not_have_are_listed() -> None:
    with pytest.raises(BadRequest, match=r"'spam' \(2 texts\), 'ham' \(1 texts\); it has no, yes"):
        make_plan(known_model(FIVE), [("a", "spam"), ("b", "ham"), ("c", "spam"), ("d", "yes")])


def test_labels_may_be_names_or_numbers() -> None:
    records = [("a b", "YES"), ("a b", 0), ("a b", "1"), ("a b", np.int64(1)), {"text": "a b", "label": "no"}]
    assert [item.gold for item in make_plan(known_model(FIVE[:2]), records).items] == [1, 0, 1, 1, 0]


def test_without_labels_accuracy_is_left_out_and_said() -> None:
    found = evaluate(known_model(FIVE), [text for text, _ in TEXTS], ["occlusion"], SOME, lanes=1)
    assert set(found.directions) == {"activation", "cost"}
    assert any(line.startswith("hiding was left out: no text has a label") for line in found.notes)
    with pytest.raises(BadRequest, match=r"labels are needed for hiding, delta-accuracy, and no text has one"):
        make_plan(known_model(FIVE), ["a"], ["occlusion"], ["hiding", {"metric": "delta-accuracy"}])
    with pytest.raises(BadRequest, match="gold needs labels"):
        make_plan(known_model(FIVE), ["a"], target="gold")


def test_a_text_without_a_label_among_others_takes_no_part_in_accuracy() -> None:
    found = evaluate(known_model(FIVE), [*TEXTS, words(5)], ["occlusion"], SOME, lanes=1)
    counts = {name: cell.number.n for name, cell in found.rows[0].cells.items() if cell.number is not None}
    assert counts == {"activation": 4, "hiding": 3, "cost": 4}
    assert "1 of 4 texts have no label" in found.notes


def test_classes_that_do_not_occur_are_named() -> None:
    found = evaluate(known_model(FIVE), TEXTS[::2], ["occlusion"], SOME, lanes=1)
    assert "no text has the label no" in found.notes
    assert "no text is predicted as no" in found.notes


@pytest.mark.parametrize("text", ["word", "one+"])
def test_a_text_of_one_feature_is_measured(text: str) -> None:
    model = known_model((2.0, 1.0)[: text.count("+") + 1], bias=-1.0)
    found = evaluate(model, [(text, "yes")], ["random", "occlusion", "kernel-shap", "sp-pi"], PLAIN, lanes=1)
    assert not any(row.failures for row in found.rows)
    # Hidden at a half and more of the text, shown up to there.
    cell = found.cell("occlusion", "hiding")
    assert cell.number is not None
    assert cell.number.value == pytest.approx(0.475)
    assert found.cell("occlusion", "stability").why_not == "one feature has no rank"


def test_no_texts_no_methods_and_unknown_names_are_refused() -> None:
    model = known_model(FIVE)
    for arguments, said in [
        (([],), "give at least one text"),
        ((TEXTS, []), "name at least one"),
        ((TEXTS, ["occlusion", "occlusion"]), "more than one row"),
        ((TEXTS, ["occlusion"], ["beauty"]), "there are hiding, revealing"),
        ((TEXTS, ["occlusion"], ["hiding", {"metric": "hiding"}]), "asked for twice"),
        ((TEXTS, ["occlusion"], [{"metric": "hiding", "stepz": 3}]), "no such parameter"),
        ((TEXTS, ["occlusion"], [{"metric": "hiding", "steps": 0}]), "metrics.hiding"),
        (([("a", 1.5)],), "expected a name or an index"),
        (([{"label": "yes"}],), r"records\[0\]"),
    ]:
        with pytest.raises(BadRequest, match=said):
            make_plan(model, *arguments)
    with pytest.raises(BadRequest, match="2 rows of scores for 3 texts"):
        make_plan(model, TEXTS, precomputed={"mine": [[1.0]] * 2})


def test_what_the_model_cannot_do_is_refused_with_what_fits() -> None:
    with pytest.raises(NotCapable, match=r"pi-gap needs causal attention.*these fit: hiding"):
        make_plan(FakeModel(smooth_game(5, 0), capabilities=frozenset({"class", "mask"})), TEXTS, ["lime"], ["pi-gap"])
    with pytest.raises(NotCapable, match="input-x-gradient needs gradients"):
        make_plan(known_model(FIVE), TEXTS, ["input-x-gradient"])


def test_a_method_may_stand_there_twice_with_other_parameters() -> None:
    rows = [{"method": "lime", "params": {"samples": 20}, "name": "lime 20"}, "lime"]
    found = evaluate(known_model(FIVE), TEXTS, rows, SOME, lanes=1)
    assert [(row.name, row.method, dict(row.params)) for row in found.rows] == [
        ("lime 20", "lime", {"samples": 20}),
        ("lime", "lime", {}),
    ]
    assert found.rows[0].cost == 21.0


def test_the_best_of_all_and_the_best_of_the_cheap_are_marked() -> None:
    model = FakeModel(sized(smooth_game(6, 4), 6))
    records, methods = [(words(6), "yes")] * 3, ["sp-pi", "kernel-shap", "random"]
    found = evaluate(model, records, methods, ["shap-similarity"], target="gold", lanes=1)
    marks = {
        row.name: (row.cost, row.cells["shap-similarity"].best, row.cells["shap-similarity"].best_cheap)
        for row in found.rows
    }
    assert marks["kernel-shap"][1:] == (True, False)
    assert marks["sp-pi"][1:] == (False, True)
    assert marks["random"] == (1.0, False, False)
    assert marks["sp-pi"][0] <= 1.0


def test_a_control_is_not_marked_even_where_it_is_the_best() -> None:
    bad = {"bad": [[-weight for weight in FIVE]]}
    found = evaluate(known_model(FIVE), TEXTS[:1], ["random"], ["activation"], precomputed=bad, lanes=1)
    assert found.ranking("activation")[0][0] == "random"
    marks = {row.name: (row.cells["activation"].best, row.cells["activation"].best_cheap) for row in found.rows}
    assert marks == {"random": (False, False), "bad": (True, False)}


def test_a_gradient_takes_one_pass_and_is_cheap(tiny_model: Any) -> None:
    methods = ["sp-pi", "input-x-gradient", "gae", "lrp", "smooth-grad", "occlusion"]
    found = evaluate(tiny_model("gpt2"), ["a dull film", "the plot is a mess", "funny, warm"] * 2, methods, ["cost"])
    costs = {row.name: row.cost for row in found.rows}
    assert [costs[name] for name in methods[:5]] == [1, 1, 1, 1, 11]
    assert {row.name for row in found.rows if row.cells["cost"].best_cheap} >= {"input-x-gradient", "gae", "lrp"}
    cell = found.cell("input-x-gradient", "cost")
    assert (cell.parts["forward"].value, cell.parts["backward"].value) == (1.0, 1.0)
    assert found.about["cost_unit"] == "passes of the median text; a row forward, or forward and back, is one"
    assert not found.cell("occlusion", "cost").best_cheap


def test_matches_of_a_pattern_and_lines_are_features_too() -> None:
    model = known_model((1.0, 2.0, -0.5, 1.0), bias=-1.0)
    found = evaluate(model, [("a b c d", "yes")], ["occlusion"], PLAIN, granularity="regex:[ac]", lanes=1)
    assert not found.rows[0].failures
    assert found.about["background"] == "none"
    found = evaluate(model, [("a b\nc d", "yes")], ["occlusion"], PLAIN, granularity="line", lanes=1)
    assert not found.rows[0].failures
    with pytest.raises(BadRequest, match="regex:PATTERN"):
        make_plan(model, TEXTS, granularity="phrase")


def test_a_function_of_texts_is_evaluated_by_what_it_can_do() -> None:
    model = wrap(lambda texts: [[0.9, 0.1] if "dull" in text else [0.2, 0.8] for text in texts], labels=["neg", "pos"])
    records = [("a dull film", "neg"), ("a good film", "pos")]
    found = evaluate(model, records, ["occlusion", "kernel-shap", "random"])
    assert {"hiding", "activation", "stability"} <= set(found.directions)
    assert any(line.startswith("sensitivity-max was left out: it needs word embeddings") for line in found.notes)
    assert any(line.startswith("infidelity was left out") for line in found.notes)
    assert not any(row.failures or cell.failed for row in found.rows for cell in row.cells.values())
