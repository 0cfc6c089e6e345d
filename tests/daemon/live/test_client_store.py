"""The client's document beside the daemon's records, through any edits: what both say of a place is the same."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.daemon.live.desk import explained
from tests.daemon.live.test_any_edits import DOCUMENTS, PIECES

from saliscope.daemon.front.documents.formats import find_format
from saliscope.daemon.front.documents.store import Located, Store
from saliscope.daemon.front.live.places import Places
from saliscope.protocol.documents import (
    DocumentChanged,
    DocumentFindings,
    DocumentState,
    RecordAttribution,
    RecordFinding,
    RecordFindings,
)
from saliscope.protocol.edits import Edit
from saliscope.protocol.live import LiveDocument
from saliscope.protocol.live.choices import Choices

#: The number of this opening.
OPENING: Final = 7


def attribution(store: Store, located: Located, name: str = "a") -> RecordAttribution:
    """What the daemon tells of a record that it has explained."""
    said = explained(located.record.input)
    places = Places(located, said)
    fields = {
        "document": name, "opening": OPENING, "version": store.version, "record": located.id, "start": located.start,
        "end": located.start + located.record.length, "label": located.record.label, "state": "final",
        "tokens": places.spans(said["tokens"]), "features": places.spans(said["features"]), "truncated_at": None,
        "findings": msgspec.to_builtins(findings(located)), "explanation": said,
    }  # fmt: skip
    return msgspec.convert(fields, RecordAttribution)


def findings(located: Located) -> list[RecordFinding]:
    at = located.start
    return [RecordFinding(one.kind, one.message, at + one.span[0], at + one.span[1]) for one in located.findings]


def tell(client: LiveDocument, store: Store, located: Located) -> None:
    if located.record.explained:
        client.take(attribution(store, located))
        return
    end = located.start + located.record.length
    row = RecordFindings(located.id, located.start, end, located.record.label, findings(located))
    client.take(DocumentFindings("a", OPENING, store.version, [row]))


def opened(name: str, text: str) -> tuple[LiveDocument, Store]:
    client = LiveDocument(name, text, Choices(None, {}))
    store = Store(client.begin(), find_format(None, name))
    client.opened(DocumentState(name, OPENING, 0, store.format.name, len(store), len(store), len(store), 0))
    return client, store


def known(client: LiveDocument) -> list[tuple[Any, ...]]:
    """All that a client says of its records, but for their ids."""
    return [
        (record.start, record.end, record.state, record.tokens, record.features, record.findings, record.label)
        for record in client.records
    ]


class Editing(RuleBasedStateMachine):
    """A client edits; the daemon makes the edits, answers, and tells of records, in any order that the wire allows."""

    num_edits: ClassVar[int] = 0

    @initialize(name=st.sampled_from(sorted(DOCUMENTS)))
    def open(self, name: str) -> None:
        self.name = name
        self.client, self.store = opened(name, DOCUMENTS[name])
        self.answer: DocumentChanged | None = None
        self.untold: set[int] = set()
        for located in self.store:
            tell(self.client, self.store, located)

    @rule(data=st.data(), length=st.sampled_from((0, 0, 0, 1, 5, 40)), piece=st.sampled_from(PIECES))
    def edit(self, data: st.DataObject, length: int, piece: str) -> None:
        text = self.client.text
        start = data.draw(st.integers(0, len(text)))
        # Now and then what stands there already, which changes nothing.
        is_same = data.draw(st.integers(0, 9)) == 0
        end = min(len(text), start + length)
        before = self.client.version
        self.client.edit([Edit(start, end, text[start:end] if is_same else piece)])
        assert self.client.version == before + 1
        type(self).num_edits += 1

    @precondition(lambda self: self.client.has_unsent and self.answer is None)
    @rule()
    def send(self) -> None:
        made = self.store.change(self.store.version, self.store.version + 1, self.client.next_batch())
        self.answer = DocumentChanged(
            "a", made.version, list(made.changed), list(made.touched), list(made.added), list(made.removed),
            len(self.store), 0, 0, list(made.moved),
        )  # fmt: skip

    @precondition(lambda self: self.answer is not None)
    @rule()
    def hear(self) -> None:
        assert self.answer is not None
        self.client.changed(self.answer)
        self.untold |= {*self.answer.changed, *self.answer.touched}
        self.answer = None
        if not self.client.has_unsent:
            # Of the others nothing will be told, so they must not wait for it.
            assert {record.id for record in self.client.records if record.stale} <= self.untold

    @precondition(lambda self: len(self.store) > 0)
    @rule(number=st.integers(0, 1000))
    def explain(self, number: int) -> None:
        located = list(self.store)[number % len(self.store)]
        tell(self.client, self.store, located)
        if self.answer is None:
            self.untold.discard(located.id)

    @precondition(lambda self: any(located.record.explained for located in self.store))
    @rule(number=st.integers(0, 1000))
    def predict(self, number: int) -> None:
        some = [located for located in self.store if located.record.explained]
        located = some[number % len(some)]
        whole = attribution(self.store, located)
        nothing: dict[str, Any] = {"tokens": [], "features": [], "explanation": None}
        said = msgspec.structs.replace(whole, state="predicted", prediction=whole.explanation.prediction, **nothing)
        self.client.take(said)
        self.untold.add(located.id)
        record = self.client.record(located.id)
        if self.answer is None and not self.client.has_unsent:
            assert (record.state, record.prediction) == ("predicted", said.prediction)
            assert (record.start, record.end) == (said.start, said.end)

    @invariant()
    def what_is_not_stale_says_what_it_said(self) -> None:
        starts = [record.start for record in self.client.records]
        assert starts == sorted(starts)
        assert starts == [] or 0 <= starts[0] <= starts[-1] <= len(self.client.text)
        if self.answer is not None:
            return
        for record in self.client.records:
            # Unknown to the daemon only while it has not answered.
            assert record.id in self.store
            located = self.store[record.id]
            source = self.store.text[located.start : located.start + located.record.length]
            if not record.stale:
                assert self.client.text[record.start : record.end] == source
                if record.explanation is not None:
                    assert record.explanation.text == "\n".join(located.record.input.values())

    @invariant()
    def what_only_moved_stands_where_a_fresh_opening_finds_it(self) -> None:
        if self.client.has_unsent or self.answer is not None:
            return
        assert self.client.text == self.store.text
        for record in self.client.records:
            located = self.store[record.id]
            if not record.stale and record.explanation is not None:
                told = attribution(self.store, located)
                assert (record.start, record.end) == (told.start, told.end)
                assert (record.tokens, record.features) == (told.tokens, told.features)

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        while self.answer is not None or self.client.has_unsent:
            (self.hear if self.answer is not None else self.send)()
            self.what_is_not_stale_says_what_it_said()
        for located in self.store:
            tell(self.client, self.store, located)
        fresh_client, fresh = opened(self.name, self.client.text)
        for located in fresh:
            tell(fresh_client, fresh, located)
        assert [(one.start, one.record, one.findings) for one in self.store] == [
            (one.start, one.record, one.findings) for one in fresh
        ]
        assert known(self.client) == known(fresh_client)


def _run(most: int, steps: int) -> int:
    Editing.num_edits = 0
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    limits = settings(max_examples=most, stateful_step_count=steps, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Editing, settings=limits)
    return Editing.num_edits


def test_after_any_edits_client_and_daemon_say_what_a_fresh_opening_says() -> None:
    assert _run(60, 30) > 100


@pytest.mark.load
@pytest.mark.timeout(1500)
def test_so_it_is_after_10_000_edits() -> None:
    num_edits = 0
    while num_edits < 10_000:
        num_edits += _run(300, 60)
