"""What a key costs the terminal UI, and how long its colours take: `python -m bench.tui`."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from textual import events
from textual.pilot import Pilot

from saliscope.tui.app import TuiApp
from saliscope.tui.choices import Choices
from saliscope.tui.store import Kept
from saliscope.tui.widgets.editor import Editor

SENTENCE = "The plot is a mess, but the cast is wonderful, and nobody who laughed as much as I did would say otherwise."
#: About 64 tokens for the bundled decoder; without a blank at its end, where a record would end before it.
TEXT = f"{SENTENCE} {SENTENCE}"
LINE = "The plot is a mess, but the cast is wonderful, and I laughed.\n"


async def settled(pilot: Pilot[None], app: TuiApp) -> None:
    """Wait for the last explanation of the newest text."""
    while not app.is_explained:
        await pilot.pause(0.001)
    await pilot.pause()


async def key_ms(num_lines: int, repetitions: int) -> list[float]:
    """Milliseconds from a key to the screen with it, in a text of so many lines, with the colours of each record."""
    app = TuiApp(
        Kept(text=LINE * num_lines, choices=Choices(model="demo-decoder", format="lines"), ground="dark"), keeps=False
    )
    found = []
    async with app.run_test(size=(120, 50)) as pilot:
        await settled(pilot, app)
        editor = app.screen.query_one(Editor)
        editor.move_cursor((num_lines // 2, 5))
        await pilot.pause()
        for _ in range(repetitions):
            begin = time.perf_counter()
            await editor._on_key(events.Key("a", "a"))
            app.main.show()
            editor.render_lines(editor.size.region)
            found.append((time.perf_counter() - begin) * 1000)
            await pilot.pause()
    return found


async def colours_ms(repetitions: int) -> list[float]:
    """Milliseconds from a key to the final colours of the text with it, the debounce included."""
    app = TuiApp(Kept(text=TEXT, choices=Choices(model="demo-decoder"), ground="dark"), keeps=False)
    found = []
    async with app.run_test(size=(120, 34)) as pilot:
        await settled(pilot, app)
        editor = app.screen.query_one(Editor)
        for number in range(repetitions):
            begin = time.perf_counter()
            await pilot.press(f"{number % 10}")
            while not (app.is_explained and explained_text(app) == editor.text):  # noqa: ASYNC110 - a clock of its own
                await asyncio.sleep(0.001)
            found.append((time.perf_counter() - begin) * 1000)
    return found


def explained_text(app: TuiApp) -> str:
    """The text that the colours of now are of."""
    document = app.desk.document
    found = document.records[0].explanation if document is not None and document.records else None
    return "" if found is None else found.text


def line(name: str, times: list[float]) -> str:
    """One figure: the median and the worst of twenty."""
    ranked = sorted(times)
    return f"{name:<44} p50 {statistics.median(times):7.1f} ms   p95 {ranked[int(len(ranked) * 0.95)]:7.1f} ms"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=40)
    repetitions: int = parser.parse_args().repetitions
    for num_lines in (1, 200, 1000):
        print(line(f"a key in a text of {num_lines} lines", asyncio.run(key_ms(num_lines, repetitions))))
    print(line("a key to new colours, demo-decoder, 64 tokens", asyncio.run(colours_ms(repetitions))))


if __name__ == "__main__":
    main()
