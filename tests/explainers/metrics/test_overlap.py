from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from saliscope.explainers.errors import BadRequest
from saliscope.explainers.metrics.background import Background, from_corpus, shipped, type_of
from saliscope.explainers.metrics.overlap import OverlapParams, overlap
from saliscope.explainers.metrics.plan import make_plan
from saliscope.explainers.metrics.running import evaluate
from tests.explainers.fakes import FakeModel, linear_game
from tests.explainers.metrics.studies import sized

FLAT = Background("nothing", 0, {})
BAGS = [
    ("neg", {"bad": 2.0, "film": 1.0, "good": -1.0}),
    ("pos", {"good": 1.5, "film": 1.0, "bad": -2.0}),
    ("neg", {"dull": 0.5}),
    ("pos", {"fine": 0.5}),
]


def test_what_classes_share_is_counted_at_every_depth() -> None:
    found = overlap(BAGS, FLAT, OverlapParams(top=3))
    assert [kind for kind, _ in found.tops["neg"]] == ["bad", "film", "dull"], "nothing that speaks against the class"
    assert [kind for kind, _ in found.tops["pos"]] == ["good", "film", "fine"]
    assert found.curve == pytest.approx((0.0, 1 / 2, 1 / 3))
    assert found.value == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert found.pairs == {("neg", "pos"): 1}


def test_with_three_classes_every_pair_is_counted_and_averaged() -> None:
    bags = [("a", {"x": 2.0, "y": 1.0}), ("b", {"x": 2.0, "z": 1.0}), ("c", {"q": 2.0, "y": 1.0})]
    found = overlap(bags, FLAT, OverlapParams(top=2))
    assert found.pairs == {("a", "b"): 1, ("a", "c"): 1, ("b", "c"): 0}
    assert found.curve == pytest.approx((1 / 3, 2 / 6))


def test_common_types_weigh_less() -> None:
    background = Background("b", 99, {"film": 99, "bad": 9})
    assert background.idf("film") == pytest.approx(1.0)
    assert background.idf("bad") == pytest.approx(math.log(10) + 1)
    assert background.idf("unseen") == pytest.approx(math.log(100) + 1)
    found = overlap(BAGS, background, OverlapParams(top=3))
    assert dict(found.tops["neg"])["film"] == pytest.approx(1.0)
    assert [kind for kind, _ in found.tops["neg"]] == ["bad", "dull", "film"]


def test_a_cloud_has_sizes_in_proportion_and_at_most_fifty_types() -> None:
    bag = {f"t{k:02d}": 60.0 - k for k in range(60)}
    found = overlap([("a", bag), ("b", {"t00": 1.0})], FLAT, OverlapParams(top=5))
    assert len(found.clouds["a"]) == 50
    assert found.clouds["a"][0] == ("t00", 1.0)
    assert found.clouds["a"][30][1] == pytest.approx(0.5)
    assert len(found.tops["a"]) == 5
    assert json.loads(json.dumps(found.to_dict()))["clouds"]["b"] == [{"text": "t00", "size": 1.0}]


def test_one_class_alone_has_no_overlap_and_says_so() -> None:
    model = FakeModel(sized(linear_game((1.0, 2.0)), 2))
    found = evaluate(model, ["a b", "c d"], ["occlusion"], ["token-overlap"], lanes=1)
    cell = found.cell("occlusion", "token-overlap")
    assert cell.number is None
    assert cell.why_not == "fewer than two classes were explained, or one has no top types"
    assert cell.overlap is not None
    assert [kind for kind, _ in cell.overlap.tops["yes"]] == ["<108>", "<110>", "<107>", "<109>"]


@pytest.mark.parametrize(("normalise", "wanted"), [("l1", 0.75), ("none", 3.0)])
def test_each_text_weighs_the_same_unless_asked_otherwise(normalise: str, wanted: float) -> None:
    model = FakeModel(sized(linear_game((1.0, 3.0)), 2))
    metric = {"metric": "token-overlap", "normalise": normalise}
    records: list[Any] = []
    evaluate(
        model, ["a b"], ["occlusion"], [metric], lanes=1, granularity="word",
        on_progress=lambda done, total, record: records.append(record),
    )  # fmt: skip
    assert records[0].metrics["token-overlap"]["bag"]["b"] == pytest.approx(wanted)


def test_types_are_told_apart_by_more_than_case_and_blanks_only_when_merged() -> None:
    assert type_of(" Good", merge=True) == type_of("good", merge=True)
    assert type_of(" Good", merge=False) == " Good"
    assert type_of("\n", merge=True) == "\n"


def test_a_background_of_ones_own_counts_texts_not_occurrences() -> None:
    model = FakeModel(linear_game(()))
    found = from_corpus(model, ["dull dull film", "Film"], "word", True, "mine")
    assert (found.total, dict(found.frequencies)) == (2, {"dull": 1, "film": 2})
    with pytest.raises(BadRequest, match="background"):
        make_plan(model, ["a"], ["random"], ["token-overlap"], background=[])


def test_bundled_models_have_a_background_that_knows_common_words(demo_encoder: Any, demo_decoder: Any) -> None:
    for model in (demo_encoder, demo_decoder):
        found = shipped(model, merge=True)
        assert found is not None
        assert found.total == 10_000
        assert found.idf("the") < 1.1 < 3.0 < found.idf("lifeless")
        assert found.frequencies["film"] > 3_000
        special = [model.token_text(token_id) for token_id in model.tokenizer.all_special_ids]
        assert not any(type_of(text, True) in found.frequencies for text in special)
    assert Path(demo_encoder.tokenizer.name_or_path).is_dir()


def test_without_a_background_the_texts_themselves_are_counted_and_it_is_said() -> None:
    plan = make_plan(FakeModel(linear_game(())), ["a b", "a"], ["random"], ["token-overlap"])
    assert plan.background is not None
    assert plan.background.name == "the 2 texts themselves"
    assert any("give a `background`" in line for line in plan.notes)


def test_scores_on_the_words_of_a_class_share_less_than_equal_or_random_ones() -> None:
    records, oracle = [], []
    for k in range(60):
        own = ("awful", "boring") if k % 2 else ("lovely", "moving")
        text = [own[k % 4 // 2], *(f"film{number}" for number in range(11))]
        records.append((" ".join(text), "no" if k % 2 else "yes"))
        oracle.append([1.0 if word in own else 0.0 for word in text])
    model = FakeModel(sized(linear_game((1.0,) * 12), 12))
    scores = {"oracle": oracle, "equal": [[1.0] * 12] * 60}
    found = evaluate(
        model, records, ["random"], ["token-overlap"], precomputed=scores, target="gold", granularity="word", lanes=1
    )
    share = dict(found.ranking("token-overlap"))
    assert share["oracle"] == 0.0
    assert share["random"] > 0.02
    assert share["equal"] > 0.1
    cell = found.cell("oracle", "token-overlap")
    assert cell.best
    assert cell.overlap is not None
    assert {kind for kind, _ in cell.overlap.tops["yes"]} == {"lovely", "moving"}
