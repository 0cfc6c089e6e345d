"""The job of a data set: begun, paused, gone on with, ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from saliscope.protocol.jobs import Job
from saliscope.tui.choices import Choices

#: What happens to an output that is there already: name -> options of the job.
IF_THERE: Final[dict[str, dict[str, bool]]] = {
    "refuse": {},
    "go on with it": {"resume": True},
    "begin anew": {"overwrite": True},
}
EVERY_S: Final = 0.5


class Start(NamedTuple):
    """Begin a job with this output."""

    out: Path
    options: dict[str, Any]


class Order(NamedTuple):
    """`pause`, `resume` or `cancel` the job."""

    what: str


class JobScreen(ModalScreen[Start | Order | None]):
    """Ends with what is to be done; `line` says how the job is now."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Close")]

    def __init__(self, line: Callable[[], list[tuple[str, str]]], job: Job | None, choices: Choices, out: Path) -> None:
        super().__init__()
        self._line, self._job, self._choices, self._out = line, job, choices, out

    def compose(self) -> ComposeResult:
        """How a job is, with what can be done; or what a new one is to do."""
        state = "" if self._job is None else self._job.state
        with Vertical(classes="dialog"):
            if state in ("running", "paused"):
                yield Static(id="job-line", markup=False)
                yield Static("Cancel removes what was found; Pause keeps it.", classes="hint")
            else:
                yield Static(self._how(), markup=False)
                with Horizontal(classes="field"):
                    yield Label("into", classes="field-name")
                    yield Input(str(self._out), id="job-out", compact=True)
                yield Static(".jsonl, or .parquet where pyarrow is installed", classes="field-note")
                with Horizontal(classes="field"):
                    yield Label("if it is there", classes="field-name")
                    names = [(name, name) for name in IF_THERE]
                    yield Select(names, value="refuse", allow_blank=False, id="job-if", compact=True)
                with Horizontal(classes="field"):
                    yield Label("only the first", classes="field-name")
                    yield Input(placeholder="all rows", type="integer", id="job-limit", compact=True)
            yield Static("", id="wrong", markup=False)
            with Horizontal(classes="buttons"):
                if state == "running":
                    yield Button("Pause", id="pause", variant="primary", compact=True)
                if state == "paused":
                    yield Button("Resume", id="resume", variant="primary", compact=True)
                if state in ("running", "paused"):
                    yield Button("Cancel the job", id="cancel", variant="warning", compact=True)
                else:
                    yield Button("Start", id="start", variant="primary", compact=True)
                yield Button("Close", id="close", compact=True)

    def on_mount(self) -> None:
        """Say what it is about, and how it goes."""
        self.query_one(Vertical).border_title = "Explain all rows"
        self._show()
        self.set_interval(EVERY_S, self._show)
        self.query(Button).first().focus()

    def _how(self) -> str:
        choices = self._choices
        model, method = choices.model or "the daemon's choice", choices.method or "the daemon's choice"
        return f"model {model} · method {method} · target {choices.target or 'the prediction'}"

    def _show(self) -> None:
        for line in self.query("#job-line").results(Static):
            line.update(Text("".join(text for text, _ in self._line())))

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        name = event.button.id or ""
        if name == "start":
            self._start()
        else:
            self.dismiss(None if name == "close" else Order(name))

    @on(Input.Submitted)
    def _start(self) -> None:
        out, limit = self.query_one("#job-out", Input).value.strip(), self.query_one("#job-limit", Input).value
        if not out or (limit and (not limit.isdecimal() or int(limit) < 1)):
            self.query_one("#wrong", Static).update("Name a file, and a number of rows above 0 or none.")
            return
        options: dict[str, Any] = dict(IF_THERE[str(self.query_one("#job-if", Select).value)])
        if limit:
            options["limit"] = int(limit)
        self.dismiss(Start(Path(out).expanduser().absolute(), options))
