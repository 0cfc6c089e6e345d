"""How many background texts hold each token of the bundled tokenizers: a table that ships beside each of them.

`python -m bench.document_frequencies DATA` counts in the reviews that the demo models read as running text (the folder
is that of `python -m bench.demo_models data`); 10 000 of them, drawn by the recipe's seed.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np

from bench.demo_models.corpus import build_corpus
from bench.demo_models.recipe import FULL
from saliscope.explainers import load
from saliscope.explainers.metrics.background import FILE

NUM_TEXTS = 10_000
DEMO = Path(__file__).parents[1] / "explainers" / "demo"


def count(name: str, texts: list[str]) -> dict[str, object]:
    """In how many texts each id of a bundled tokenizer occurs, specials never."""
    model = load(name, "cpu")
    special = set(model.tokenizer.all_special_ids)
    counts = np.zeros(model.facts.vocab_size, dtype=np.int64)
    for ids in model.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]:
        counts[[token_id for token_id in set(ids) if token_id not in special]] += 1
    return {"texts": f"{len(texts)} film reviews", "total": len(texts), "counts": counts.tolist()}


def main(data: Path) -> None:
    """Write the table of each bundled tokenizer beside it."""
    reviews = build_corpus(data, FULL).reviews
    texts = random.Random(FULL.seed).sample(reviews, min(NUM_TEXTS, len(reviews)))
    for name in ("demo-encoder", "demo-decoder"):
        path = DEMO / name / FILE
        path.write_text(json.dumps(count(name, texts), separators=(",", ":")) + "\n")
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
