"""Rows that are looked at are predicted at once and explained then; who looks elsewhere takes it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.targets import read_target
from saliscope.protocol.verbs.explaining import ExplainOptions
from saliscope.tui.choices import Choices
from saliscope.tui.data.data_set import DataSet, Record
from saliscope.tui.data.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from saliscope.protocol.aclient import AsyncClient

#: Rows that are explained together: what is in work when the reader looks elsewhere is lost.
TOGETHER: Final = 4
#: Characters of a row beyond which it is explained only when the cursor is on it.
LONG: Final = 4_000
#: Errors that another row need not have.
_OF_A_ROW: Final = ("bad_request", "too_large", "not_capable")


class Asking:
    """Asks about rows of a data set; cancelling the awaiting task cancels what is asked."""

    def __init__(self, data: DataSet, client: AsyncClient, choices: Choices) -> None:
        self._data, self._client, self._choices = data, client, choices

    async def predict(self, rows: Sequence[int]) -> None:
        """Know what the model says of rows; one of which it cannot say anything has failed."""
        wanted = [row for row in rows if row not in self._data.known and not self._data.record(row).problem]
        for same in self._alike(wanted):
            await self._predict(same)

    async def _predict(self, rows: list[int]) -> None:
        records = [self._data.record(row) for row in rows]
        try:
            answer = await self._client.predict(
                **_source("texts", records), model=self._choices.model, priority="interactive", supersede="tui-table"
            )
        except SaliscopeError as error:
            if error.code not in _OF_A_ROW:
                raise
            if len(rows) == 1:
                label = "" if records[0].label is None else str(records[0].label)
                self._data.judged(rows[0], Verdict("", None, label, ("failed",)), error.message)
                return
            # One of them is at fault.
            for row in rows:
                await self._predict([row])
            return
        for row, record, said, cut in zip(rows, records, answer.predictions, answer.truncated_at, strict=True):
            self._data.judged(row, verdict_of(said, record.label, cut))

    async def explain(self, rows: Sequence[int], *, is_read: bool = False) -> None:
        """Know the scores of rows that have none yet; `is_read`: the reader waits for them, however long they are."""
        data = self._data
        wanted = [row for row in rows if data.look_at(row) is None and not data.why_not(row)]
        if not is_read:
            wanted = [row for row in wanted if len(data.record(row).shown) <= LONG]
        for same in self._alike(wanted):
            for at in range(0, len(same), TOGETHER):
                await self._explain(same[at : at + TOGETHER], is_read)

    async def _explain(self, rows: list[int], is_read: bool) -> None:
        records, choices = [self._data.record(row) for row in rows], self._choices
        options = ExplainOptions(granularity=choices.granularity, priority="interactive" if is_read else "request")
        options["model"], options["method"] = choices.model, choices.method
        options["params"] = choices.params or None
        options["target"] = self._target(records[0])
        source = _source("text", records)
        try:
            if "messages" in source:
                found = [await self._client.explain(**source, **options)]
            else:
                found = await self._client.explain(**source, **options)
        except SaliscopeError as error:
            if error.code not in _OF_A_ROW:
                raise
            if len(rows) == 1:
                self._data.refused(rows[0], f"{error.message} {error.advice}")
                return
            for row in rows:
                await self._explain([row], is_read)
            return
        for row, one in zip(rows, found, strict=True):
            self._data.explained(row, one)

    def _target(self, record: Record) -> Any:
        if self._choices.target != "gold":
            return read_target(self._choices.target)
        if record.label is None:
            return None
        is_index = isinstance(record.label, str) and record.label.isdecimal()
        return {"kind": "class", "label": int(record.label) if is_index else record.label}

    def _alike(self, rows: Sequence[int]) -> Iterator[list[int]]:
        """Rows that may be asked about in one request."""

        def kind(row: int) -> tuple[Any, ...]:
            record = self._data.record(row)
            alone = row if record.messages is not None else -1
            return alone, record.pair is not None, str(record.label) if self._choices.target == "gold" else ""

        for _, same in groupby(sorted(rows, key=kind), kind):
            yield list(same)


def _source(name: str, records: Sequence[Record]) -> dict[str, Any]:
    """What rows of one kind ask about; `name` is how the verb calls its texts."""
    first = records[0]
    if first.messages is not None:
        return {"messages": first.messages}
    texts: dict[str, Any] = {name: [record.text for record in records]}
    return texts if first.pair is None else {**texts, "pair": [record.pair or "" for record in records]}
