"""The parameters of a method as a form, made from its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static, Switch

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.results import MethodInfo
from saliscope.tui.schema import Field, fields_of, read_value, shown


class ParameterForm(ModalScreen[dict[str, Any] | None]):
    """Ends with the parameters that differ from the defaults, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("ctrl+s", "take", "Use", priority=True),
    ]

    def __init__(self, method: MethodInfo, params: Mapping[str, Any]) -> None:
        super().__init__()
        self._method = method
        self._fields = fields_of(method.params, method.defaults)
        self._params = params

    def compose(self) -> ComposeResult:
        """One row a parameter, and what it means below."""
        with Vertical(classes="dialog"):
            with VerticalScroll(id="fields"):
                for field in self._fields:
                    with Horizontal(classes="field"):
                        yield Label(field.name, classes="field-name")
                        yield self._entry(field)
                    yield Static(f"{field.note} {field.takes}".strip(), classes="field-note", markup=False)
                if not self._fields:
                    yield Static("This method has no parameters.")
            yield Static("", id="wrong", markup=False)
            yield Static("Enter or Ctrl+s uses it, Esc leaves it as it is", classes="hint")
            with Horizontal(classes="buttons"):
                yield Button("Use", id="use", variant="primary", compact=True)
                yield Button("Defaults", id="defaults", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Name the method."""
        self.query_one(Vertical).border_title = f"Parameters of {self._method.name}"

    def _entry(self, field: Field) -> Input | Select[str] | Switch:
        value, id = self._params.get(field.name, field.default), f"field-{field.name}"
        if field.is_switch:
            return Switch(bool(value), id=id)
        if field.options:
            names = [(shown(option), shown(option)) for option in field.options]
            return Select(names, value=shown(value), allow_blank=False, id=id, compact=True)
        return Input(shown(value), id=id, compact=True)

    def _value(self, field: Field) -> Any:
        entry = self.query_one(f"#field-{field.name}")
        if isinstance(entry, Switch):
            return entry.value
        if isinstance(entry, Select):
            return next(option for option in field.options if shown(option) == entry.value)
        assert isinstance(entry, Input)
        return read_value(field, entry.value)

    def action_take(self) -> None:
        """Use what the form says."""
        try:
            values = {field.name: self._value(field) for field in self._fields}
        except SaliscopeError as error:
            self.query_one("#wrong", Static).update(error.message)
            return
        self.dismiss({field.name: values[field.name] for field in self._fields if values[field.name] != field.default})

    @on(Input.Submitted)
    @on(Button.Pressed, "#use")
    def _take(self) -> None:
        self.action_take()

    @on(Button.Pressed, "#defaults")
    def _reset(self) -> None:
        self.dismiss({})

    @on(Button.Pressed, "#cancel")
    def _leave(self) -> None:
        self.dismiss(None)
