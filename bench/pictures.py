"""Makes the pictures of README and docs with the program itself (`make docs`)."""

from __future__ import annotations

import argparse
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


if __name__ == "__main__":
    main()
