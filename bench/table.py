"""A table of 100,000 rows: finding them, a page down, a search, a sort; `python -m bench.table [ROWS]`."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from saliscope.sources import Fields
from saliscope.tui.app import TuiApp
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.table import RecordTable
from saliscope.tui.data.terms import read_terms
from saliscope.tui.data.verdict import Verdict
from saliscope.tui.store import Kept

PAGES = 200


def main() -> None:
    """Print what each takes, in milliseconds of one thread."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".jsonl", ".csv"):
            path = write(Path(folder), suffix, rows)
            data = DataSet(path, Fields())
            print(f"{suffix}: {rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
            print(f"  found after {_ms(data.find):8.1f} ms")
            data.grow()
            for row in range(rows):
                data.known.put(row, Verdict("positive", (row * 37 % 1000) / 1000, "positive"))
            data.wish = data.wish._replace(order="confidence")
            print(f"  sorted after {_ms(partial(data.arrange, threading.Event(), str)):7.1f} ms")
            data.wish = data.wish._replace(order="place", terms=read_terms("film 7777"))
            print(f"  searched after {_ms(partial(data.arrange, threading.Event(), str)):5.1f} ms")
        pages = asyncio.run(scrolled(path))
        print(f"  a page down: p50 {statistics.median(pages):.1f} ms, longest {max(pages):.1f} ms, of {len(pages)}")


def write(folder: Path, suffix: str, rows: int) -> Path:
    """A file of so many sentences."""
    path = folder / f"rows{suffix}"
    with path.open("w") as out:
        if suffix == ".csv":
            out.write("text,label\n")
        for row in range(rows):
            text = f'film {row} is a dull one, "but" its cast is wonderful and the music fine'
            quoted = text.replace('"', '""')
            out.write(json.dumps({"text": text, "label": row % 2}) if suffix == ".jsonl" else f'"{quoted}",{row % 2}')
            out.write("\n")
    return path


async def scrolled(path: Path) -> list[float]:
    """Milliseconds from a page key until everything is drawn, over a whole file."""

    def deaf(**_: Any) -> Any:
        return Deaf()

    app = TuiApp(Kept(ground="dark"), file=path, in_table=True, depth="truecolor", make_session=deaf, keeps=False)
    took = []
    async with app.run_test(size=(120, 40)) as pilot:
        while app.room is None or not app.room.data.file.is_complete or not app.screen.query(RecordTable):
            await pilot.pause(0.05)
        await pilot.pause(0.5)
        table = app.screen.query_one(RecordTable)
        for page in range(PAGES):
            begun = time.perf_counter()
            table.go(page * len(app.room.data.rows) // PAGES)
            for y in range(table.size.height):
                table.render_line(y)
            took.append((time.perf_counter() - begun) * 1000)
            await pilot.pause()
    return took


class Deaf:
    """A session that finds no daemon."""

    client = None

    def open(self, name: str, text: str, **_: Any) -> Any:
        """A document that nobody reads."""
        from saliscope.protocol.live import LiveDocument
        from saliscope.protocol.live.choices import Choices

        return LiveDocument(name, text, Choices(None, {}))

    async def start(self) -> None:
        """Nobody is there."""

    async def stop(self) -> None:
        """Nobody was there."""

    def close(self, name: str) -> None:
        """It was not open."""

    def focus(self, name: str, at: int) -> None:
        """Nobody looks."""


def _ms(do: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    do()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
