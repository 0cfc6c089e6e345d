"""Makes the pictures of README and docs with the program itself (`make docs`)."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path

PICTURES = {
    "explain.svg": ["The plot is a mess, but the cast is wonderful.", "--model", "demo-decoder", "--method", "sp-pi"],
    "compare.svg": [
        "A charming, clumsy and far too long film.",
        *("--model", "demo-encoder"),
        *("--method", "decoded-grad-cam", "--method", "occlusion", "--method", "input-x-gradient"),
    ],
}


def main() -> None:
    """Write every picture into the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in PICTURES.items():
        picture = str(folder / name)
        command = [sys.executable, "-m", "saliscope.cli", "explain", *arguments, "--svg", picture, "--no-daemon"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(picture)
    (folder / "tui.svg").write_text(asyncio.run(terminal()), encoding="utf-8")
    print(folder / "tui.svg")


async def terminal() -> str:
    """A picture of the terminal UI, with the daemon of this user."""
    from saliscope.tui.app import TuiApp
    from saliscope.tui.store import Kept

    text = "The plot is a mess, but the cast is wonderful.\nI laughed, I cried, and I would watch it again."
    app = TuiApp(Kept(text=text, ground="dark", cursor=text.index("wonderful")), depth="truecolor", keeps=False)
    async with app.run_test(size=(110, 26)) as pilot:
        while not (app.is_explained and app.desk.status is not None):
            await pilot.pause(0.1)
        # What is new may want more room.
        await pilot.pause(0.5)
        return app.export_screenshot()


if __name__ == "__main__":
    main()
