"""Every method by every metric on held-out sentences: writes docs/results.md (`make results`).

The sentences are those that neither bundled model has seen (`python -m bench.demo_models data` fetches them).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from saliscope.explainers import load
from saliscope.explainers.metrics.economy import FEWER_POINTS, FEWER_ROWS, economical, economical_metrics
from saliscope.explainers.metrics.evaluation import Cell, Evaluation, Row
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.running import evaluate

ROOT = Path(__file__).parents[1]
MODELS = ("demo-encoder", "demo-decoder")
NAMES = ("negative", "positive")
ARROWS = {"up": "↑", "down": "↓", "neither": ""}


def sentences(folder: Path, count: int, seed: int) -> list[tuple[str, str]]:
    """Text and label of `count` held-out sentences, drawn by `seed`."""
    held = json.loads((folder / "rt_held.json").read_text())
    return [(text, NAMES[label]) for text, label, _ in random.Random(seed).sample(held, count)]


def measure(name: str, rows: list[tuple[str, str]], seed: int) -> tuple[Evaluation, float]:
    """All that fits one model, and the seconds it took; the models are measured side by side."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // len(MODELS)))
    model = load(name, device="cpu")
    started = last = time.perf_counter()

    def tell(done: int, total: int, record: Record) -> None:
        nonlocal last
        if time.perf_counter() - last > 15:
            last = time.perf_counter()
            print(f"{name}: {done} of {total} units, {last - started:.0f} s", flush=True)

    methods, metrics = economical(model.facts), economical_metrics(model.facts)
    found = evaluate(model, rows, methods, metrics, target="predicted", seed=seed, on_progress=tell)
    return found, time.perf_counter() - started


def page(found: list[tuple[Evaluation, float]], count: int, seed: int) -> str:
    """The tables as Markdown."""
    lines = [
        "# Results",
        "",
        "<!-- Written by `make results`; edit bench/results.py, not this page. -->",
        "",
        f"A first version: the two bundled models, {count} held-out Rotten Tomatoes sentences (seed {seed}),",
        "every method and every metric, without a GPU. Methods that take hundreds of rows a text by default take fewer",
        f"here: {_economy(FEWER_ROWS)}. So do the dearest metrics: {_economy(FEWER_POINTS)}.",
        "Small models, short texts and few sentences: the order of methods need not be that on your data;",
        "`saliscope evaluate` measures it there.",
        "",
        "★ is the best of all methods, ☆ the best of those that take one pass, forward or forward and back; cost is in",
        "passes, `±` half of a 95 % interval. [Metrics](#metrics) says what is better. Differences smaller than the",
        "intervals are none.",
        "",
    ]
    for evaluation, seconds in found:
        lines += _section(evaluation, seconds)
    lines += ["## Metrics", "", *_legend(found[0][0]), ""]
    return "\n".join(lines)


def _economy(fewer: Mapping[str, Mapping[str, Any]]) -> str:
    """What is taken fewer of."""
    return "; ".join(
        f"`{name}` {', '.join(f'{key}={value}' for key, value in params.items())}" for name, params in fewer.items()
    )


def _section(found: Evaluation, seconds: float) -> list[str]:
    accuracy = found.accuracy
    said = (
        ""
        if accuracy is None
        else f" Accuracy on these sentences: {_number(accuracy.value, accuracy.low, accuracy.high)}."
    )
    name = str(found.about["model_name"])
    metrics = [metric for metric in found.directions if metric not in found.model_cells]
    lines = [
        f"## {name}",
        "",
        (
            f"{found.num_texts} sentences, {len(found.rows)} methods, {seconds / 60:.1f} minutes"
            f" beside the other model on {os.cpu_count()} cores.{said}"
            f" Explained: the {found.about['scale']} of the predicted class."
        ),
        "",
    ]
    for start in range(0, len(metrics), 5):
        lines += [*_table(found, metrics[start : start + 5]), ""]
    for metric, cell in found.model_cells.items():
        parts = "; ".join(f"{part} {_number(n.value, n.low, n.high)}" for part, n in cell.parts.items())
        whole = "" if cell.number is None else _number(cell.number.value, cell.number.low, cell.number.high)
        lines += [f"* Of the model alone, **{metric}**: {whole}{f' ({parts})' if parts else ''}"]
    failures = [f"{row.name} on {len(row.failures)} texts ({row.failures[0][1]})" for row in found.rows if row.failures]
    lines += [f"* Failed: {'; '.join(failures)}."] if failures else []
    lines += [f"* {note}" for note in (*found.notes, *found.warnings)]
    return [*lines, ""]


def _table(found: Evaluation, metrics: list[str]) -> list[str]:
    heads = [f"{metric} {ARROWS[found.directions[metric]]}".strip() for metric in metrics]
    lines = [f"| method | cost | {' | '.join(heads)} |", f"|---|---|{'---|' * len(heads)}"]
    rows = [(row.name, _cost(row), *(_cell(row.cells[metric]) for metric in metrics)) for row in found.rows]
    return [*lines, *(f"| `{row[0]}` | {' | '.join(row[1:])} |" for row in rows)]


def _cost(row: Row) -> str:
    return "" if row.cost is None else f"{row.cost:.3g}"


def _cell(cell: Cell) -> str:
    if cell.number is None:
        return "–"
    marks = ("★" if cell.best else "") + ("☆" if cell.best_cheap else "")
    shown = _number(cell.number.value, cell.number.low, cell.number.high)
    return f"**{marks}{shown}**" if cell.best else f"{marks}{shown}"


def _number(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3g}" if low is None or high is None else f"{value:.3g} ±{(high - low) / 2:.2g}"


def _legend(found: Evaluation) -> list[str]:
    from saliscope.explainers.metrics.registry import metrics

    rows = [f"| `{name}` | {ARROWS[m.direction]} | {m.summary} | {m.source} |" for name, m in metrics().items()]
    return ["| metric | better | what | source |", "|---|---|---|---|", *rows]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "demo-models")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "results.md")
    options = parser.parse_args()
    rows = sentences(options.data, options.count, options.seed)
    with ProcessPoolExecutor(len(MODELS), mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(measure, name, rows, options.seed) for name in MODELS]
        found = [one.result() for one in running]
    options.write.write_text(page(found, options.count, options.seed))
    print(f"wrote {options.write}: {max(seconds for _, seconds in found) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
