from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.daemon.documents.texts import opened

from saliscope.daemon.front.documents.formats import FORMATS, find_format
from saliscope.daemon.front.documents.store import Changes, Store
from saliscope.protocol.edits import Edit

SNIPPETS = (
    '{"text": "a"}', '{"text": "b \\ud83d\\ude00", "label": 1}', "{", '"', "---", "- text: |", "  x", "text,label",
    "a;b", "```", "> q", "user:", "messages:", "  - role: user", "    content: >-", "[", "]", "{}", ",", "\n", "\r",
    "\r\n", "\n\n", "\ufeff", " ", "\t", "é", "😀", "a", "b", "``", "# h", "...", "'",
)  # fmt: skip


class Editing(RuleBasedStateMachine):
    """Random edits beside a fresh open of the same text."""

    edits = 0

    @initialize(format=st.sampled_from([one.name for one in FORMATS]), text=st.lists(st.sampled_from(SNIPPETS)))
    def opening(self, format: str, text: list[str]) -> None:
        self.store = Store("".join(text), find_format(format))
        self.known = {one.id: one.record.key for one in self.store}

    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        edits = []
        length = len(self.store.text)
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, length))
            end = data.draw(st.integers(start, min(length, start + 12)))
            edits.append(Edit(start, end, "".join(data.draw(st.lists(st.sampled_from(SNIPPETS), max_size=3)))))
            length += edits[-1].shift
        Editing.edits += len(edits)
        version = self.store.version
        self.told(self.store.change(version, version + 1, edits))

    def told(self, changes: Changes) -> None:
        """What is told is what happened: nobody else's content changed, came or went."""
        now = {one.id: one.record.key for one in self.store}
        assert set(changes.added) == now.keys() - self.known.keys()
        assert set(changes.removed) == self.known.keys() - now.keys()
        assert set(changes.changed) == {id for id in now.keys() & self.known.keys() if now[id] != self.known[id]}
        self.known = now

    @invariant()
    def the_store_is_as_one_opened_afresh(self) -> None:
        if not hasattr(self, "store"):
            return
        fresh = opened(self.store.text, self.store.format.name)
        assert [one[1:] for one in self.store] == [one[1:] for one in fresh]
        for one in self.store:
            assert self.store[one.id] == one

    @invariant()
    def lines_are_counted(self) -> None:
        if not hasattr(self, "store"):
            return
        text = self.store.text
        for place in {0, len(text) // 2, len(text)}:
            if text[max(place - 1, 0) : place + 1] == "\r\n":
                continue
            before = text[:place].replace("\r\n", "\n").replace("\r", "\n")
            line, column = self.store.line_and_column(place)
            assert (line, column) == (before.count("\n"), len(before) - before.rfind("\n") - 1)
            assert self.store.place(line, column) == place


def run(examples: int, steps: int) -> None:
    kept = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Editing, settings=kept)


def test_edits_leave_the_same_store_as_a_fresh_open() -> None:
    Editing.edits = 0
    run(20, 20)
    assert Editing.edits >= 100


@pytest.mark.load
@pytest.mark.timeout(3600)
def test_ten_thousand_edits_leave_the_same_store_as_a_fresh_open() -> None:
    Editing.edits = 0
    run(200, 50)
    assert Editing.edits >= 10_000
