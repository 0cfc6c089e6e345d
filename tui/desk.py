"""What lies on the desk: the session, the one open text, what was chosen, and what the daemon said; without widgets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from saliscope.protocol.asked import mask_of, source_of
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.results import MethodInfo, ModelInfo, Status
from saliscope.tui.choices import Choices
from saliscope.tui.colours import Colours
from saliscope.tui.diary import Diary, Level
from saliscope.tui.known import Known
from saliscope.tui.phase import Phase, phase_of
from saliscope.tui.picking import has_layer, method_of

if TYPE_CHECKING:
    from saliscope.protocol.aclient import AsyncClient
    from saliscope.protocol.live import LiveDocument, LiveRecord, LiveSession, SessionState

#: How urgent a state of the session is to who reads the log.
LEVEL_OF: Final[Mapping[SessionState, Level]] = {"lost": "warning", "failed": "error"}


class Here(NamedTuple):
    """What is at the cursor: a record, its explanation and the number of a feature; None where there is none."""

    record: LiveRecord | None = None
    explanation: Explanation | None = None
    feature: int | None = None


class Desk:
    """The state that the widgets show; verbs change it and tell the session."""

    def __init__(self, session: LiveSession, choices: Choices) -> None:
        self.session = session
        self.choices = choices
        self.name = ""
        self.document: LiveDocument | None = None
        self.colours: Colours | None = None
        self.state: SessionState = "connecting"
        self.message = ""
        self.status: Status | None = None
        self.models: list[ModelInfo] = []
        self.methods: list[MethodInfo] = []
        #: Features of one explanation that are left out, and what the model then says.
        self.masked: frozenset[int] = frozenset()
        self.masked_of: Explanation | None = None
        self.without: Prediction | None = None
        self.known = Known()
        self.diary = Diary()

    @property
    def client(self) -> AsyncClient:
        """The client of now; `unavailable` while the daemon is lost."""
        if self.session.client is None:
            raise SaliscopeError("unavailable", "there is no connection to the daemon now")
        return self.session.client

    def open(self, name: str, text: str, path: Path | None = None) -> None:
        """Lay another text on the desk; one that lies at a path is explained as its `saliscope.toml` says."""
        if self.document is not None:
            self.session.close(self.name)
        self.name = name
        self.document = self.session.open(name, text, path=path, trigger="onType", **self.choices.options())
        self.colours = Colours(self.document)
        self.unmask()

    def edit(self, edit: Edit) -> None:
        """Change the text."""
        self.unmask()
        self.session.change(self.name, [edit])

    def choose(self, choices: Choices) -> None:
        """Explain it otherwise; a target that cannot be read is `bad_request`."""
        options = choices.options()
        self.choices = choices
        self.unmask()
        self.session.configure(self.name, **options)

    def at(self, offset: int) -> Here:
        """What stands at a code point of the text."""
        if self.document is None or self.colours is None:
            return Here()
        found = self.colours.feature_at(offset)
        if found is not None:
            return Here(found[0], found[0].explanation, found[1])
        record = self.document.record_at(offset)
        if record is None and len(self.document.records) == 1:
            record = self.document.records[0]
        return Here(record, None if record is None else record.explanation)

    def phase(self, here: Here) -> Phase:
        """What the reader waits for."""
        return phase_of(self.state, self.message, self.document, here.record, self.status)

    def model(self) -> ModelInfo | None:
        """What is known of the model that reads the text."""
        name = self.choices.model
        if name is None and self.document is not None:
            name = next((one.explanation.model for one in self.document.records if one.explanation), None)
        return next((model for model in self.models if model.name == name), None)

    def method(self, explanation: Explanation | None) -> MethodInfo | None:
        """What is known of the method that explains."""
        name = method_of(explanation, self.choices, self.model())
        return next((method for method in self.methods if method.name == name), None)

    def layer(self, explanation: Explanation | None) -> int | None:
        """The layer that is read; None where the method, or its choice, has none."""
        method = self.method(explanation)
        if method is None or not has_layer(method):
            return None
        told = None if explanation is None or not explanation.outputs else explanation.outputs[0].layer
        return self.choices.params.get("layer", told)

    def heard(self, state: SessionState, message: str) -> None:
        """The connection is otherwise; what was wrong stays said while it is only tried again."""
        if state == "connecting" and not message and self.state in ("lost", "failed"):
            return
        if (state, message) != (self.state, self.message):
            level = LEVEL_OF.get(state, "info")
            self.note(f"{state}: {message}" if message else state, level)
        self.state, self.message = state, message

    def focus(self, offset: int) -> None:
        """The reader is at a code point of the text."""
        if self.document is not None:
            self.session.focus(self.name, offset)

    async def ask_status(self) -> None:
        """Ask how the daemon is, and for the models whenever one was not known or was loading."""
        before = self.status
        self.status = await self.client.status()
        states = [(model.name, model.state) for model in self.status.models]
        if before is None or states != [(model.name, model.state) for model in before.models]:
            await self.look_up()

    async def look_up(self) -> None:
        """Ask for models and methods."""
        self.models = await self.client.models()
        self.methods = self.methods or await self.client.methods()

    # -- masks ------------------------------------------------------------------------------------

    def mask(self, here: Here) -> None:
        """Leave a feature out, or take it in again; `bad_request` where that cannot be done."""
        explanation, index = here.explanation, here.feature
        if explanation is None or index is None:
            raise SaliscopeError("bad_request", "there is no scored token at the cursor")
        kept = self.masked if explanation is self.masked_of else frozenset()
        self.masked, self.masked_of, self.without = kept ^ {index}, explanation, None

    def unmask(self) -> None:
        """Leave nothing out any more."""
        self.masked, self.masked_of, self.without = frozenset(), None, None

    async def ask_without(self) -> None:
        """Ask what the model says without what is masked."""
        explanation, masked = self.masked_of, self.masked
        if explanation is None or not masked:
            self.without = None
            return
        source = source_of(explanation)
        answer = await self.client.predict(
            source.text,
            pair=source.pair,
            messages=source.messages,
            mask=mask_of(explanation, sorted(masked)),
            model=explanation.model,
            top=len(explanation.prediction.probabilities) or None,
            priority="interactive",
            supersede="tui-mask",
        )
        if (explanation, masked) == (self.masked_of, self.masked):
            self.without = answer.predictions[0]

    def note(self, line: str, level: Level = "info") -> None:
        """Keep a line of what happened; never anything of the text."""
        self.diary.note(line, level)
