"""Evaluations of sentence pairs and chats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import explain, load, wrap
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.metrics.evaluating import evaluating
from saliscope.explainers.metrics.plan import make_plan
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.running import drive_units, evaluate
from tests.explainers import tiny
from tests.explainers.metrics.studies import known_model

PAIR = {"text": "a dull film", "pair": "the cast is wonderful", "label": "negative", "source": "ignored"}
CHAT = [{"role": "user", "content": "the plot is a mess"}, {"role": "assistant", "content": "a dull film"}]
TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
METRICS = ["activation", "comprehensiveness", "token-overlap", "infidelity", "stability", "cost"]


@pytest.fixture
def chatty(tiny_folder: tiny.Builder, tmp_path: Path) -> Any:
    """A classifier whose tokenizer has a template for chats."""
    model = tiny.build("gpt2", "ForSequenceClassification")
    folder = tiny.save(model, tmp_path / "chatty", True)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return load(str(folder), "cpu")


def records_of(model: Any, records: list[Any], methods: list[str]) -> list[Record]:
    found: list[Record] = []
    drive_units(evaluating(make_plan(model, records, methods, METRICS)), model.answer, found.append)
    return found


def test_a_pair_is_explained_as_a_pair(tiny_model: Any) -> None:
    model = tiny_model("bert")
    alone = {name: PAIR[name] for name in ("text", "label")}
    whole, part = records_of(model, [PAIR, alone], ["occlusion"])
    both = explain(model, PAIR["text"], pair=PAIR["pair"], method="occlusion")
    assert not whole.error
    assert whole.num_features == len(both.features) > part.num_features
    assert whole.label == both.target.label
    assert not [name for name, found in whole.metrics.items() if "error" in found]


def test_a_chat_is_explained_as_a_chat(chatty: Any) -> None:
    (record,) = records_of(chatty, [{"messages": CHAT, "label": 0}], ["occlusion"])
    whole = explain(chatty, messages=CHAT, method="occlusion")
    assert not record.error
    assert record.num_features == len(whole.features)
    assert not [name for name, found in record.metrics.items() if "error" in found]


def test_texts_pairs_and_chats_stand_in_one_table(chatty: Any) -> None:
    records = ["a dull film", PAIR, {"messages": CHAT}, ("funny, warm and clever", "positive")]
    found = evaluate(chatty, records, ["random", "sp-pi", "mp-pi", "lime"], ["hiding", "activation", "token-overlap"])
    assert not [row.failures for row in found.rows if row.failures]
    cell = found.cell("lime", "activation")
    assert cell.number is not None
    assert cell.number.n == 4
    assert "2 of 4 texts have no label" in found.notes


def test_scores_of_a_pair_from_elsewhere_are_taken(tiny_model: Any) -> None:
    model = tiny_model("bert")
    both = explain(model, PAIR["text"], pair=PAIR["pair"], method="occlusion")
    mine = {"mine": [both.scores.tolist()]}
    found = evaluate(model, [PAIR], ["occlusion"], ["activation"], precomputed=mine)
    own, theirs = (found.cell(name, "activation").number for name in ("occlusion", "mine"))
    assert own is not None
    assert theirs is not None
    assert own.value == pytest.approx(theirs.value)


def test_models_that_read_no_pairs_or_chats_refuse_them_at_once(tiny_model: Any) -> None:
    model = wrap(lambda texts: np.zeros((len(texts), 2)), labels=["no", "yes"])
    with pytest.raises(NotCapable, match="reads no pairs: pair: a function of texts reads one text"):
        make_plan(model, ["a", {"text": "a", "pair": "b"}])
    for other in (model, tiny_model("bert")):
        with pytest.raises(NotCapable, match="has no chat template"):
            make_plan(other, ["a", {"messages": CHAT}])


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"text": "a", "pair": 3}, r"records\[1\].pair: expected a second text, got int"),
        ({"pair": "b"}, r"records\[1\]: expected a text"),
        ({"text": "a", "messages": CHAT}, r"records\[1\].messages: a chat comes alone"),
        ({"messages": [{"role": "user"}]}, r"records\[1\].messages\[0\]: .*content"),
        ({"messages": "hello"}, r"records\[1\].messages"),
    ],
)
def test_what_is_no_input_is_refused_by_its_number(record: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        make_plan(known_model((1.0,)), ["a", record])
