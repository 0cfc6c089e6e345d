"""Actions that choose how the text is explained, and in which colours it is shown."""

from __future__ import annotations

from msgspec.structs import replace
from textual import work

from saliscope.render.palettes import PALETTES, Theme
from saliscope.tui.picking import chosen
from saliscope.tui.screens.form import ParameterForm
from saliscope.tui.screens.picker import Choice, Picker
from saliscope.tui.stage import Stage
from saliscope.tui.themes import theme_name


class Choosing(Stage):
    """Pickers and the form of parameters."""

    @work(exclusive=True, group="dialog")
    async def action_pick(self, name: str) -> None:
        """Open the picker of a choice."""
        if name == "colours":
            now = theme_name(self.inks.palette.name, self.inks.theme)
            rows = [Choice(theme_name(palette, ground), f"{palette} on {ground}") for palette in PALETTES
                    for ground in ("dark", "light")]  # fmt: skip
            picked = await self.push_screen_wait(Picker("Colours", rows, now))
            if picked is not None and picked.value is not None:
                self.colour(picked.value)
            return
        asked = await self.question(name)
        method = self.desk.method(self.main.here.explanation)
        if name == "layer" and not asked.choices:
            self.notify("The method that explains reads no layer of its own; decoded-grad-cam is one that does (F3).")
            return
        picked = await self.push_screen_wait(Picker(asked.title, asked.choices, asked.now, asked.free))
        if picked is not None:
            choices = self.desk.choices
            if name == "layer" and method is not None:
                # The layer is one of this method's parameters.
                choices = replace(choices, method=method.name)
            self.choose(chosen(choices, name, picked.value))

    def colour(self, name: str) -> None:
        """Take the palette and the ground of a theme of ours."""
        for palette in PALETTES.values():
            grounds: tuple[Theme, ...] = ("dark", "light")
            for ground in grounds:
                if theme_name(palette.name, ground) == name:
                    self.inks = self.inks._replace(palette=palette, theme=ground)
        self.theme = name
        self.kept.palette, self.kept.ground = self.inks.palette.name, self.inks.theme
        self.main.ink(self.inks)

    @work(exclusive=True, group="dialog")
    async def action_parameters(self) -> None:
        """Open the form with the parameters of the method."""
        await self.question("method")
        desk = self.desk
        method = desk.method(self.main.here.explanation)
        if method is None:
            self.notify("It is not known yet which method explains; choose one with F3.")
            return
        params = await self.push_screen_wait(ParameterForm(method, desk.choices.params))
        if params is not None:
            self.choose(replace(desk.choices, method=method.name, params=params))
