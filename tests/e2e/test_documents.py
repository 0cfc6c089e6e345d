"""A document opened and edited: every explanation that is pushed is that of a fresh run of the library."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from saliscope.explainers import explain, load
from saliscope.protocol.client import Client
from saliscope.protocol.documents import RecordAttribution
from saliscope.protocol.edits import Edit
from tests.e2e.words import WORDS


@pytest.fixture
def fresh() -> Callable[[str, str], Any]:
    """What the library says of a text by itself."""
    model = load("demo-decoder")
    return lambda text, method: explain(model, text, method=method)


def test_every_pushed_attribution_is_that_of_a_fresh_explanation(
    client: Client, fresh: Callable[[str, str], Any]
) -> None:
    rng = random.Random(5)
    lines = [json.dumps({"text": " ".join(rng.choices(WORDS, k=8)) + f" {n}", "label": "positive"}) for n in range(20)]
    text, sources = "\n".join(lines) + "\n", {}
    told: list[RecordAttribution] = []
    state = client.open_document(
        "reviews.jsonl", text, model="demo-decoder", method="input-x-gradient", on_attribution=told.append
    )
    assert (state.num_records, state.num_explainable) == (20, 20)
    sources[0] = text
    finals = 20
    for version in range(10):
        at = text.index(" ", rng.choice([at for at in range(len(text)) if text.startswith('{"text": "', at)]) + 12)
        edit = Edit(at, at, " " + json.dumps(rng.choice(WORDS))[1:-1])
        changed = client.change_document("reviews.jsonl", version, version + 1, [edit])
        assert (len(changed.changed), changed.touched, changed.added, changed.removed) == (1, [], [], [])
        assert changed.num_computing + changed.num_known == 1
        text = edit.applied(text)
        sources[version + 1] = text
    client.focus_document("reviews.jsonl", 10, 0)
    last: dict[int, RecordAttribution] = {}
    while len(last) < finals or {json.loads(line)["text"] for line in text.splitlines()} != {
        each.explanation.text for each in last.values()
    }:
        assert client.listen(timeout=60)
        last.update({each.record: each for each in told if each.state == "final"})
    # Two requests a record at most: an estimate, and the method.
    assert client.close_document("reviews.jsonl").num_asked <= 2 * (20 + 10)
    assert {each.explanation.method for each in told if each.state == "partial"} == {"sp-pi"}
    for each in told:
        if each.state != "predicted":
            check(each, sources[each.version], fresh)


def check(told: RecordAttribution, source: str, fresh: Callable[[str, str], Any]) -> None:
    got = told.explanation
    # The record as it stood in that version, and each token of it, read from the source.
    assert json.loads(source[told.start : told.end])["text"] == got.text
    for span, feature in zip(told.features, got.features, strict=True):
        assert span is not None
        assert json.loads(f'"{source[slice(*span)]}"') == feature.text
    expected = fresh(got.text, got.method)
    assert got.scores == pytest.approx(list(expected.scores), abs=1e-5)
    assert got.prediction.label == expected.prediction.label
    is_mismatch = got.prediction.label != "positive"
    assert ("mismatch" in {one.kind for one in told.findings}) == is_mismatch
