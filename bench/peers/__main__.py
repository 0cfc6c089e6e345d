"""The table of ratios: python -m bench.peers [--repetitions 5] [--sizes 16 64 128] [--models minilm gpt2] [--parts …]."""

from __future__ import annotations

import argparse
import platform
import tempfile
import warnings
from pathlib import Path

import captum as captum_package
import torch
import transformers

from bench.peers import captum, forward, guests
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
    asked = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", module="captum")
    print(header(asked.repetitions))
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    print(f"Python {platform.python_version()}, {versions}, captum {captum_package.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for shape in asked.models:
            cases = subjects(shape, Path(folder) / shape, asked.sizes)
            if "captum" in asked.parts:
                print(f"\nCaptum's time over ours, {SAMPLES[shape]} rows of kernel-shap\n{captum.TITLE}", flush=True)
                for case in cases:
                    for line in captum.compare(case, SAMPLES[shape], asked.repetitions):
                        print(line, flush=True)
            if "forward" in asked.parts:
                print(f"\nIn forwards of one row (F1)\n{forward.TITLE}", flush=True)
                for case in cases:
                    for line in forward.compare(case, asked.repetitions):
                        print(line, flush=True)
            if "guests" in asked.parts and shape == "minilm":
                print(f"\nPackages in environments of their own\n{guests.TITLE}", flush=True)
                for line in guests.compare(cases, asked.repetitions):
                    print(line, flush=True)
    if "tables" in asked.parts:
        print("\nTables", flush=True)
        for line in forward.tables():
            print(line, flush=True)


if __name__ == "__main__":
    main()
