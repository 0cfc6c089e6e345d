"""Whatever is edited, and whenever the model answers: in the end the client knows what a fresh opening would tell."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from tests.daemon.live.desk import Desk, on_a_desk, settle

from saliscope.daemon.front.documents.formats import find_format
from saliscope.daemon.front.documents.store import Store
from saliscope.protocol.edits import Edit

#: Findings that the model's answer gives, not the text.
JUDGED = {"mismatch", "low-margin", "truncated"}
DOCUMENTS = {
    "a.txt": "one film\ntwo films\n\none film\n",
    "a.jsonl": '{"text": "one", "label": "negative"}\n{"text": "two \\u00e9"}\n{"text": 5}\n{"text": "one"}\n',
    "a.csv": 'text,label\none,positive\n"two\nlines",negative\nthree\n',
    "a.json": '[{"text": "one"}, {"text": "two"}, {"text": ""}]',
}
PIECES = ("", "a", " ", "\n", '"', ",", "{", "}", "\\", "\u00e9", "film", '{"text": "new"}\n', "new,positive\n")


class Reader:
    """A client that keeps the last that it was told of each record."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.findings: dict[int, list[str]] = {}

    def hear(self, desk: Desk, sources: dict[int, str]) -> None:
        for method, told in desk.told:
            if method == "document/attribution":
                if told["explanation"] is not None:
                    check_places(told, sources[told["version"]])
                if told["state"] == "final":
                    self.texts[told["record"]] = told["explanation"]["text"]
                self.findings[told["record"]] = [one["kind"] for one in told["findings"]]
            elif method == "document/findings":
                for row in told["records"]:
                    self.findings[row["record"]] = [one["kind"] for one in row["findings"]]
        desk.told.clear()


def check_places(told: dict[str, Any], source: str) -> None:
    """Each word of the explanation stands where it is said to stand, as it is spelled there."""
    for span, feature in zip(told["features"], told["explanation"]["features"], strict=True):
        spelled, word = source[slice(*span)], feature["text"]
        # A quote within a word of a table may open or close the cell.
        is_said = word == spelled or word.replace('"', "") == spelled.replace('"', "")
        assert is_said or json.loads(f'"{spelled}"') == word


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("seed", range(25))
def test_after_any_edits_the_client_knows_what_a_fresh_opening_would_tell(name: str, seed: int) -> None:
    rng = random.Random(seed)

    async def run(desk: Desk) -> None:
        text, reader = DOCUMENTS[name], Reader()
        sources = {0: text}
        await desk.open(text, name, method=rng.choice((None, "slow")))
        for version in range(12):
            edits = []
            for _ in range(rng.choice((1, 1, 1, 3))):
                start = rng.randint(0, len(text))
                edit = Edit(start, min(len(text), start + rng.choice((0, 0, 1, 5))), rng.choice(PIECES))
                edits.append((edit.start, edit.end, edit.text))
                text = edit.applied(text)
            sources[version + 1] = text
            changed = await desk.change(version, *edits, document=name)
            for id in changed.removed:
                reader.texts.pop(id, None)
                reader.findings.pop(id, None)
            if rng.random() < 0.3:
                await desk.focus(rng.randint(0, len(text)), version + 1, name)
            for question in rng.sample(desk.waiting, rng.randint(0, len(desk.waiting))):
                if question.params.get("stream") and rng.random() < 0.3:
                    question.partial()
                else:
                    question.answer()
            await settle()
            reader.hear(desk, sources)
        await desk.answer_all()
        reader.hear(desk, sources)
        compare(reader, desk, Store(text, find_format(None, name)), name)

    on_a_desk(run, explaining=3)


def compare(reader: Reader, desk: Desk, fresh: Store, name: str) -> None:
    ids = [located.id for located in desk.documents._documents[name].store]
    assert len(ids) == len(fresh)
    for id, located in zip(ids, fresh, strict=True):
        told = [kind for kind in reader.findings.get(id, []) if kind not in JUDGED]
        assert told == [finding.kind for finding in located.findings]
        if located.record.explained:
            assert reader.texts[id] == located.record.input["text"]
