"""The bar above a table: how its rows are explained, and what it waits for."""

from __future__ import annotations

from saliscope.tui.choices import Choices
from saliscope.tui.data.scored import Look
from saliscope.tui.desk import Desk
from saliscope.tui.phase import Phase
from saliscope.tui.widgets.bar import TopBar


def show_head(bar: TopBar, choices: Choices, desk: Desk, look: Look | None, *, is_waiting: bool) -> None:
    """Show what was chosen, else what the scores of the row at the cursor say was; `is_waiting`: it gets some."""
    bar.show_choice("model", choices.model or (look.model if look else "model"), own=choices.model is not None)
    bar.show_choice("method", choices.method or (look.method if look else "method"), own=choices.method is not None)
    bar.show_choice("target", choices.target or (look.of if look else "target"), own=choices.target is not None)
    bar.show_choice("granularity", choices.granularity, own=choices.granularity != "token")
    bar.show_state(_phase(desk, is_waiting=is_waiting), None, desk.status)


def _phase(desk: Desk, *, is_waiting: bool) -> Phase:
    if desk.state == "connected":
        return Phase("waiting", "explaining") if is_waiting else Phase("ready", "ready")
    if desk.state == "lost":
        return Phase("lost", "reconnecting")
    return Phase("error", "no daemon") if desk.state == "failed" else Phase("connecting", "connecting")
