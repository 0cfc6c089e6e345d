"""Actions that look at the text another way: without a token, method beside method, layer by layer, as a table."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace
from textual import work

from saliscope.protocol.asked import source_of
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.targets import read_target
from saliscope.tui.contest import Contender
from saliscope.tui.records import rows_of
from saliscope.tui.screens.compare import CompareScreen
from saliscope.tui.screens.layers import LayersScreen
from saliscope.tui.screens.records import RecordsScreen
from saliscope.tui.stage import Stage

#: The method that tells of every layer in one pass.
LAYERED: Final = "decoded-grad-cam"


class Looking(Stage):
    """Masks, comparisons, layers and records."""

    def action_mask(self) -> None:
        """Leave the token at the cursor out, or take it in again."""
        try:
            self.desk.mask(self.main.here)
        except SaliscopeError as error:
            self.complain(error)
            return
        self.main.show()
        self._ask_without()

    def action_unmask(self) -> None:
        """Take everything in again."""
        self.desk.unmask()
        self.tell()

    @work(exclusive=True, group="mask")
    async def _ask_without(self) -> None:
        try:
            await self.desk.ask_without()
        except SaliscopeError as error:
            self.complain(error)
        self.tell()

    @work(exclusive=True, group="dialog")
    async def action_compare(self) -> None:
        """Put methods side by side on the text at the cursor."""
        explanation, choices = self.explained(), self.desk.choices
        if explanation is None:
            return
        await self.question("method")
        source = source_of(explanation)

        async def explain(contender: Contender, by_sentence: bool) -> Explanation:
            # A target of one model may mean nothing to another.
            is_same = contender.model in (None, explanation.model)
            found = await self.desk.client.explain(
                source.text,
                pair=source.pair,
                messages=source.messages,
                model=contender.model,
                method=contender.method,
                target=read_target(choices.target) if is_same and choices.target != "gold" else None,
                granularity="sentence" if by_sentence else choices.granularity,
                params=choices.params if contender.method == choices.method and is_same else None,
                priority="interactive",
            )
            self.desk.known.note(found)
            return found

        first = Contender(explanation.model, explanation.method)
        await self.push_screen_wait(CompareScreen([first], explain, self.known_question, self.inks))
        # The token at the cursor may be known by more methods now.
        self.tell()

    @work(exclusive=True, group="dialog")
    async def action_layers(self) -> None:
        """Show what each layer makes of the text at the cursor, and explain with the one that is chosen."""
        found, choices = self.explained(), self.desk.choices
        if found is None:
            return
        source = source_of(found)

        async def explain() -> Explanation:
            return await self.desk.client.explain(
                source.text,
                pair=source.pair,
                messages=source.messages,
                model=found.model,
                method=LAYERED,
                target=read_target(choices.target),
                granularity=choices.granularity,
                params={"layers": "all"},
                priority="interactive",
            )

        layer = await self.push_screen_wait(LayersScreen(explain, self.inks))
        if layer is not None:
            self.choose(replace(choices, model=found.model, method=LAYERED, params={"layer": layer}))

    @work(exclusive=True, group="dialog")
    async def action_records(self) -> None:
        """Show the records in a table, and go to the one that is chosen."""
        document = self.desk.document
        if document is None:
            return

        def text_at(start: int) -> str:
            record = document.record_at(start)
            return "" if record is None else document.text[record.start : min(record.end, record.start + 400)]

        place = await self.push_screen_wait(RecordsScreen(lambda: rows_of(document.records), text_at))
        if place is not None:
            self.main.editor.go(place)
