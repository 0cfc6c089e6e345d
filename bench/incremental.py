"""What an edit costs where the text before it is kept: `python -m bench.incremental`, SP-PI's one row, model time."""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import transformers

from bench.peers.clock import Goal, clocked, cpu_seconds, header, ratios, spread
from bench.peers.subjects import build
from saliscope.daemon.worker.prefixes import Prefixes
from saliscope.explainers import load
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Along, Evaluate, Piece
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.texts.encoding import Encoding, IntArray, Token

TITLE: Final = (
    "| model | tokens | edit | fresh, ms | kept, ms | ratio | goal | error |\n|---|---|---|---|---|---|---|---|"
)
NEW: Final = (1, 8, 32)
#: At 512 tokens; the bundled decoder itself reads fewer.
GOALS: Final = {"gpt2-small": (25.0, 12.0, 8.0), "demo-decoder, longer": (10.0, 7.0, 5.0)}
MOST_ERROR: Final = 1e-5
LIMIT: Final = 1 << 30


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(header(asked.repetitions))
    print(TITLE, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, length, model in subjects(Path(folder)):
            for line in table(name, length, model, asked.repetitions):
                print(line, flush=True)


def subjects(folder: Path) -> Iterator[tuple[str, int, TextModel]]:
    """The shape of GPT-2 small, the bundled decoder at its full length, and its shape where that is longer."""
    yield "gpt2-small", 512, load(str(build("gpt2", folder / "gpt2")), "cpu")
    bundled = load("demo-decoder", "cpu")
    yield "demo-decoder", bundled.facts.max_tokens, bundled
    longer = transformers.GPT2ForSequenceClassification(
        transformers.GPT2Config(**{**bundled.network.model.config.to_dict(), "n_positions": 512})
    )
    longer.save_pretrained(folder / "longer")
    tokenizer = copy.deepcopy(bundled.tokenizer)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder / "longer")
    yield "demo-decoder, longer", 512, load(str(folder / "longer"), "cpu")


def table(name: str, length: int, model: TextModel, repetitions: int) -> Iterator[str]:
    """A line for each edit."""
    rng = np.random.default_rng(0)
    ids = rng.integers(10, model.facts.vocab_size, length)
    for new, goal in zip(NEW, GOALS.get(name, (None,) * len(NEW)), strict=True):
        yield _line(name, f"{new} new", query(ids[:-new]), query(ids), model, repetitions, Goal(at_least=goal))
    changed = ids.copy()
    changed[length // 2] = 10 + (changed[length // 2] - 9) % (model.facts.vocab_size - 10)
    yield _line(name, "1 in the middle", query(ids), query(changed), model, repetitions, Goal())
    yield _line(name, "nothing kept", query(rng.permutation(ids)), query(ids), model, repetitions, Goal())
    yield _line(name, "1 taken away", query(ids), query(ids[:-1]), model, repetitions, Goal())


def query(ids: IntArray) -> Evaluate:
    """What SP-PI asks: the prediction after every token."""
    tokens = tuple(Token("x", at, at + 1, False, (at,), (int(id),)) for at, id in enumerate(ids))
    encoding = Encoding("x" * len(ids), ids, tokens)
    return Evaluate(encoding, Along(tuple(range(len(ids))), Scalar("class", None, "logit")), outputs=True)


def _line(
    name: str, edit: str, before: Evaluate, after: Evaluate, model: TextModel, repetitions: int, goal: Goal
) -> str:
    prefixes = Prefixes(LIMIT)
    assert prefixes.takes(model, after)

    def kept() -> float:
        prefixes.clear()
        prefixes.compute(model, before)
        return cpu_seconds(lambda: prefixes.compute(model, after))

    def fresh() -> float:
        return cpu_seconds(lambda: model.compute([Piece(after, 0, 1)]))

    times = clocked({"fresh": fresh, "kept": kept}, repetitions)
    error = _difference(model.answer(after), prefixes.compute(model, after))
    found = ratios(times["fresh"], times["kept"])
    milliseconds = [spread([1e3 * seconds for seconds in times[which]], ".1f") for which in ("fresh", "kept")]
    verdict = f"{error:.1g}" if error < MOST_ERROR else f"{error:.1g} TOO MUCH"
    cells = [name, str(len(after.encoding)), edit, *milliseconds, spread(found, ".1f")]
    return f"| {' | '.join(cells)} | {goal.judge(float(np.median(found)))} | {verdict} |"


def _difference(one: Any, other: Any) -> float:
    assert isinstance(one, Evaluated)
    assert isinstance(other, Evaluated)
    return float(np.abs(one.values - other.values).max())


if __name__ == "__main__":
    main()
