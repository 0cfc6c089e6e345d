"""Differences of semantic tokens through any edits, answers and news: what the client has is what a full pass says."""

from __future__ import annotations

import random
from typing import Any

import pytest
from lsprotocol import types

from saliscope.lsp.positions import Lines
from saliscope.lsp.tokens import Encoder
from saliscope.protocol.documents import DocumentChanged, DocumentState
from saliscope.protocol.edits import Edit
from tests.daemon.live.test_any_edits import DOCUMENTS, PIECES
from tests.daemon.live.test_client_store import OPENING, attribution, opened, tell
from tests.lsp.test_tokens import applied


class Session:
    """One document, edited here, answered and told of by the store of the daemon, in any order."""

    def __init__(self, seed: int, name: str) -> None:
        self.chance = random.Random(seed)
        # Many records, so that most of them lie outside of what changes.
        rows = ('{"text": "one"}', '{"text": "two\\n film"}', '\n{"text": "three"}') * 3
        self.text = DOCUMENTS[name] * 3 if name != "a.json" else f"[{', '.join(rows)}]"
        self.client, self.store = opened(name, self.text)
        self.lines, self.encoder = Lines(self.client.text, "utf-16"), Encoder()
        self.answer: DocumentChanged | None = None
        self.data: list[int] = []
        self.name: str | None = None
        for located in self.store:
            tell(self.client, self.store, located)

    def step(self) -> None:
        """Whatever may happen next."""
        kind = self.chance.choices(("edit", "send", "hear", "tell", "predict", "configure"), (8, 4, 4, 6, 2, 0.3))[0]
        getattr(self, kind)()

    def edit(self) -> None:
        text = self.client.text
        if any(located.record.explained for located in self.store) and self.chance.random() < 0.97:
            start = self.chance.randrange(len(text) + 1)
            end = min(len(text), start + self.chance.choice((0, 0, 1, 6, 40)))
            edit = Edit(start, end, self.chance.choice(PIECES))
        else:
            edit = Edit(0, len(text), self.text)
        self.lines.edit(edit)
        self.encoder.forget(self.client.edit([edit], self.lines.text))

    def send(self) -> None:
        if self.answer is None and self.client.has_unsent:
            made = self.store.change(self.store.version, self.store.version + 1, self.client.next_batch())
            self.answer = DocumentChanged(
                "a", made.version, list(made.changed), list(made.touched), list(made.added), list(made.removed),
                len(self.store), 0, 0, list(made.moved),
            )  # fmt: skip

    def hear(self) -> None:
        if self.answer is not None:
            self.encoder.forget(self.client.changed(self.answer))
            self.answer = None

    def tell(self) -> None:
        if len(self.store):
            located = self.chance.choice(list(self.store))
            tell(self.client, self.store, located)
            self.encoder.forget([located.id])

    def predict(self) -> None:
        explained = [located for located in self.store if located.record.explained]
        if explained:
            told = attribution(self.store, self.chance.choice(explained))
            told.state, told.prediction = "predicted", told.explanation and told.explanation.prediction
            told.tokens, told.features, told.explanation = [], [], None
            self.encoder.forget(self.client.take(told))

    def configure(self) -> None:
        if self.answer is None and not self.client.has_unsent:
            size = len(self.store)
            state = DocumentState("a", OPENING, self.store.version, self.store.format.name, size, size, size, 0)
            self.client.opened(state, same_records=self.chance.random() < 0.5)
            self.encoder.forget(None)

    def ask(self) -> None:
        """The client asks for the difference to what it has, and has then what a full pass says."""
        if self.name is None or self.chance.random() < 0.05:
            found: Any = self.encoder.full(self.client.records, self.lines)
            self.data = list(found.data)
        else:
            found = self.encoder.delta(self.client.records, self.lines, self.name)
            assert isinstance(found, types.SemanticTokensDelta)
            self.data = applied(self.data, found)
        self.name = found.result_id
        # Nothing has happened in between, so it takes nothing away that the next difference needs.
        assert self.data == list(Encoder().full(self.client.records, self.lines).data)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("seed", range(6))
def test_differences_are_those_of_a_full_pass(name: str, seed: int) -> None:
    session, num_drawn = Session(seed, name), 0
    for _ in range(80):
        for _ in range(session.chance.choice((0, 1, 1, 2, 5))):
            session.step()
        session.ask()
        num_drawn += bool(session.data)
    assert num_drawn > 5


def test_far_from_an_edit_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f'{{"text": "film {number}"}}\n' for number in range(500))
    client, store = opened("a.jsonl", text)
    for located in store:
        tell(client, store, located)
    lines, encoder = Lines(text), Encoder()
    first = encoder.full(client.records, lines)
    seen: list[int] = []
    known = Encoder._known
    monkeypatch.setattr(Encoder, "_known", lambda self, one, lines: seen.append(one.id) or known(self, one, lines))
    edit = Edit(lines.line(250)[0] + 12, lines.line(250)[0] + 12, "x")
    lines.edit(edit)
    encoder.forget(client.edit([edit], lines.text))
    assert first.result_id is not None
    delta = encoder.delta(client.records, lines, first.result_id)
    assert isinstance(delta, types.SemanticTokensDelta)
    assert len(delta.edits) == 1
    assert len(seen) < 12
