"""One open document: its records, how they are explained, and what is known of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from saliscope.daemon.front.documents.record import Finding
from saliscope.daemon.front.documents.store import Located, Store
from saliscope.daemon.front.documents.swap import Changes
from saliscope.daemon.front.live.agenda import Agenda, Item, Stage
from saliscope.daemon.front.live.asking import GOLD, is_predicted_first, question
from saliscope.daemon.front.live.judging import judge, judge_prediction
from saliscope.daemon.front.live.kept import Kept
from saliscope.daemon.front.live.places import Places
from saliscope.daemon.front.live.ranking import STOPPED, clear_ranking
from saliscope.daemon.front.live.shortcuts import Shortcuts
from saliscope.protocol.documents import (
    DocumentFindings,
    DocumentOptions,
    DocumentSettled,
    DocumentState,
    RecordFinding,
    RecordFindings,
)


@dataclass(eq=False, slots=True)
class Run:
    """A record that the model is asked about."""

    item: Item
    task: asyncio.Task[None] | None = None
    ranking: tuple[int, ...] | None = None
    """The strongest features, where the last estimate was sure of their order."""


class Document:
    """Knows of each record whether it is explained, waits, or is being asked about; `number` is that of one opening."""

    def __init__(self, number: int, name: str, options: DocumentOptions, store: Store, kept: Kept) -> None:
        self.number, self.name, self.options, self.store = number, name, options, store
        self.agenda = Agenda()
        self.kept = kept
        self.running: dict[int, Run] = {}
        self.num_asked = 0
        self._has_settled = False
        self._first_stage: Stage = "prediction" if is_predicted_first(options) else "estimate"
        self._shortcuts = Shortcuts(options.shortcut)
        self._keys: dict[int, str] = {}
        self._verdicts: dict[int, tuple[Finding, ...]] = {}
        self._untold: dict[int, None] = {}
        #: Of which records findings were told, and whether some were of the record itself, not of what the model said.
        self._told: dict[int, bool] = {}
        for located in store:
            self._enter(located)

    def refresh(self, changes: Changes) -> tuple[int, int]:
        """Take a change in: how many records are computed because of it, and of how many the explanation is kept."""
        for id in changes.removed:
            self._forget(id)
            self._told.pop(id, None)
        self._has_settled = False
        num_computing = num_known = 0
        for id in (*changes.changed, *changes.touched, *changes.added):
            located = self.store[id]
            if self._keys.get(id) == self.key_of(located) and (id in self.running or id in self.agenda):
                self._untold[id] = None
                continue
            self._forget(id)
            self._enter(located)
            is_known = id in self._keys and self._keys[id] in self.kept
            num_known += is_known
            num_computing += id in self.agenda and not is_known
        self.agenda.hurry((*changes.changed, *changes.added))
        return num_computing, num_known

    def look_at(self, at: int, num_near: int) -> None:
        """Put the record at a place first, and those near it next; one that is being asked about is asked anew."""
        focus = self.store.near(at)
        self.agenda.look_at(focus, self.store.around(at, num_near))
        run = None if focus is None else self.running.get(focus)
        if run is not None and run.item.priority != "interactive":
            # Not cancelled: the new request takes its computation over, and then its place.
            del self.running[run.item.record]
            self.agenda.add(run.item.record, run.item.stage)

    def stop(self) -> None:
        """Cancel what was asked, and ask for nothing more."""
        self.agenda.clear()
        for id in list(self.running):
            self._cancel(id)

    def key_of(self, located: Located) -> str:
        """What an explanation of a record depends on, beside the options."""
        record = located.record
        return f"{record.key} {record.label!r}" if self.options.target == GOLD else record.key

    def begin(self, item: Item) -> Run:
        """A record is being asked about from now on."""
        self.num_asked += 1
        run = self.running[item.record] = Run(item)
        return run

    def question(self, item: Item) -> tuple[str, dict[str, Any]]:
        """The request to the model about a record, and its parameters."""
        record = self.store[item.record].record
        return question(self.options, record, item, f"document {self.number} record {item.record}")

    def is_final(self, item: Item, explanation: dict[str, Any]) -> bool:
        """Whether nothing better follows this answer."""
        options = self.options
        is_asked = explanation["method"] == options.method and not options.params
        return item.stage == "method" or options.method is None or (is_asked and explanation["estimate"] == "final")

    def is_enough(self, run: Run, estimate: dict[str, Any]) -> bool:
        """Whether an estimate may stay: the second in a row that is sure of the same ranking. What was asked ends."""
        ranking = None if self.options.until == "end" else clear_ranking(estimate)
        before, run.ranking = run.ranking, ranking
        if ranking is None or ranking != before:
            return False
        self._cancel(run.item.record)
        estimate["diagnostics"] = {**estimate.get("diagnostics", {}), "stopped": STOPPED}
        return True

    def predicted(self, id: int, prediction: dict[str, Any]) -> dict[str, Any]:
        """What `document/attribution` says of a prediction alone."""
        located = self.store[id]
        self._verdicts[id] = tuple(judge_prediction(located, prediction, self.options.low_margin))
        return {**self._told_of(located), "state": "predicted", "prediction": prediction}

    def explained(self, id: int, explanation: dict[str, Any], *, final: bool) -> dict[str, Any]:
        """What `document/attribution` says of an answer; a final one is kept."""
        located = self.store[id]
        if final:
            self.kept.put(self.key_of(located), explanation)
        self._verdicts[id] = tuple(judge(located, explanation, self.options.low_margin))
        places = Places(located, explanation)
        features = places.spans(explanation["features"])
        if final:
            at = located.start
            self._shortcuts.note(id, explanation, [span and (span[0] - at, span[1] - at) for span in features])
        cut = explanation["truncated_at"]
        rest = None if cut is None else places.rest(cut)
        return {
            **self._told_of(located),
            "state": "final" if final else "partial",
            "tokens": places.spans(explanation["tokens"]),
            "features": features,
            "truncated_at": None if rest is None else rest[0],
            "explanation": explanation,
        }

    def _told_of(self, located: Located) -> dict[str, Any]:
        """Which record is told of, where it is, and its findings, which are told then."""
        findings = self._findings(located)
        self._untold.pop(located.id, None)
        self._note(located, findings)
        return {
            "document": self.name,
            "opening": self.number,
            "version": self.store.version,
            "record": located.id,
            "start": located.start,
            "end": located.start + located.record.length,
            "label": located.record.label,
            "tokens": [],
            "features": [],
            "truncated_at": None,
            "findings": msgspec.to_builtins(findings),
            "explanation": None,
        }

    def failed(self, id: int, message: str) -> None:
        """The model could not explain a record; this is told with its findings."""
        self._verdicts[id] = (Finding("failed", message, (0, self.store[id].record.length)),)
        self._untold[id] = None

    def news(self, most: int) -> DocumentFindings | None:
        """The findings of at most so many records of which they were not told yet; None when all was said."""
        rows = []
        for id in list(self._untold)[:most]:
            del self._untold[id]
            located = self.store[id]
            findings = self._findings(located)
            if not findings and not self._told.get(id, True) and (id in self.agenda or id in self.running):
                # What the model said of the text before goes when it has said something of this one.
                continue
            if findings or id in self._told:
                end = located.start + located.record.length
                rows.append(RecordFindings(id, located.start, end, located.record.label, findings))
            self._note(located, findings)
        return DocumentFindings(self.name, self.number, self.store.version, rows) if rows else None

    @property
    def has_news(self) -> bool:
        """Whether findings may have to be told."""
        return bool(self._untold)

    def look_across(self) -> bool:
        """See, when nothing waits, what only all records together tell; whether something is to be told of some."""
        if self.agenda or self.running:
            return False
        found = self._shortcuts.judge()
        self._untold.update(dict.fromkeys(found))
        return bool(found)

    def settled(self) -> DocumentSettled | None:
        """That nothing waits and everything was told, once a version; None while something does."""
        if self._has_settled or self.agenda or self.running or self._untold:
            return None
        self._has_settled = True
        return DocumentSettled(self.name, self.number, self.store.version)

    def state(self) -> DocumentState:
        """How far it is explained."""
        store = self.store
        num_waiting = len(self.agenda) + len(self.running)
        return DocumentState(
            self.name, self.number, store.version, store.format.name, len(store), len(self._keys), num_waiting,
            self.num_asked, self.kept.num_bytes, self.agenda.focus,
        )  # fmt: skip

    def _enter(self, located: Located) -> None:
        """Let a record wait if there is something to explain, also for an explanation that is kept."""
        self._untold[located.id] = None
        if located.record.explained:
            self._keys[located.id] = self.key_of(located)
            self.agenda.add(located.id, self._first_stage)

    def _forget(self, id: int) -> None:
        self._cancel(id)
        self.agenda.drop(id)
        self._shortcuts.forget(id)
        for known in (self._keys, self._verdicts, self._untold):
            known.pop(id, None)

    def _cancel(self, id: int) -> None:
        run = self.running.pop(id, None)
        if run is not None and run.task is not None:
            run.task.cancel()

    def _note(self, located: Located, findings: Sequence[RecordFinding]) -> None:
        if findings:
            self._told[located.id] = bool(located.findings)
        else:
            self._told.pop(located.id, None)

    def _findings(self, located: Located) -> list[RecordFinding]:
        start = located.start
        shortcut = self._shortcuts.finding(located.id)
        found = (*located.findings, *self._verdicts.get(located.id, ()), *filter(None, [shortcut]))
        return [RecordFinding(one.kind, one.message, start + one.span[0], start + one.span[1]) for one in found]
