"""The table of ratios beside other packages and beside one forward (`make bench-peers`)."""

from __future__ import annotations

import argparse
import platform
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import captum
import torch
import transformers

from bench.peers import beside_captum, guests, one_forward
from bench.peers.clock import header
from bench.peers.subjects import SHAPES, subjects

PARTS = ("captum", "forward", "tables", "guests")
SAMPLES = {"minilm": 256, "gpt2": 128}


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 128], help="tokens of the texts")
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--contests", nargs="+", metavar="NAME", help="beside Captum: only these")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", module="captum")
    transformers.utils.logging.disable_progress_bar()
    print(header(asked.repetitions))
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    print(f"Python {platform.python_version()}, {versions}, captum {captum.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for shape in asked.models:
            for line in _lines(shape, Path(folder) / shape, asked):
                print(line, flush=True)
    if "tables" in asked.parts:
        print("\nTables", flush=True)
        for line in one_forward.tables():
            print(line, flush=True)


def _lines(shape: str, folder: Path, asked: argparse.Namespace) -> Iterator[str]:
    cases, repetitions = subjects(shape, folder, asked.sizes), asked.repetitions
    if "captum" in asked.parts:
        yield f"\nCaptum's time over ours; kernel-shap has {SAMPLES[shape]} rows\n{beside_captum.TITLE}"
        for case in cases:
            yield from beside_captum.compare(case, SAMPLES[shape], repetitions, asked.contests)
        yield beside_captum.NOTE
    if "forward" in asked.parts:
        yield f"\nIn forwards of one row (F1)\n{one_forward.TITLE}"
        for case in cases:
            yield from one_forward.compare(case, repetitions)
    if "guests" in asked.parts and shape == "minilm":
        yield f"\nPackages in environments of their own: their time over ours\n{guests.TITLE}"
        yield from guests.compare(cases, repetitions)


if __name__ == "__main__":
    main()
