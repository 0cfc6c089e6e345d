"""The tables of docs/scale.md, between its markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from saliscope.daemon.worker.scheduling.level import Level


def waiting_table(found: Mapping[int, Mapping[Level, list[float]]], facts: Mapping[int, tuple[float, float]]) -> str:
    """Percentiles of the time from question to answer, by devices and class."""
    lines = [
        "| devices | class | requests | p50 | p90 | p99 | max | tokens/s, all | busy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for devices, classes in found.items():
        for level in Level:
            values = classes.get(level, [])
            shown = [seconds(float(np.percentile(values, at))) for at in (50, 90, 99, 100)] if values else ["–"] * 4
            tokens, busy = facts[devices]
            row = [str(devices), level.label, f"{len(values):,}", *shown, f"{tokens:,.0f}", f"{busy:.0%}"]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def fairness_table(found: Mapping[int, tuple[float, float]]) -> str:
    """Jain's index by devices."""
    lines = ["| devices | Jain's index | first come, first served |", "|---|---|---|"]
    lines += [f"| {devices} | {ours:.4f} | {first_come:.4f} |" for devices, (ours, first_come) in found.items()]
    return "\n".join(lines)


def overtaking_table(ours: float, first_come: float) -> str:
    """The mean wait of a short request behind a long one."""
    lines = ["| | mean time to the answer |", "|---|---|", f"| this scheduler | {seconds(ours)} |"]
    lines.append(f"| first come, first served | {seconds(first_come)} ({first_come / ours:.0f} times as long) |")
    return "\n".join(lines)


#: Rows of one text of so many tokens, by method; a row that goes back too takes the time of two.
TOKENS: Final = 64
WORK: Final = {"sp-pi": 1, "input-x-gradient": 2, "occlusion": TOKENS + 1, "mp-pi": 2 * TOKENS, "mase": 200}
_TEXTS: Final = 1_000_000


def sizing_table(facts: Mapping[int, tuple[float, float]]) -> str:
    """How long a data set takes by method, from the tokens a second of so many devices that are never idle."""
    spans = [f"{_TEXTS:,} texts on {devices}" for devices in facts]
    lines = [f"| method | rows a text | texts/s on one device | {' | '.join(spans)} |"]
    lines.append("|---" * (3 + len(spans)) + "|")
    for method, rows in WORK.items():
        rates = [tokens / (rows * TOKENS) for tokens, _ in facts.values()]
        row = [f"`{method}`", str(rows), f"{rates[0]:.2g}", *(span(_TEXTS / rate) for rate in rates)]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def span(seconds: float) -> str:
    """A long time for people."""
    hours = seconds / 3600
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def seconds(value: float) -> str:
    """A time for people."""
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"


def write(page: Path, tables: Mapping[str, str]) -> None:
    """Put each table between `<!-- name -->` and `<!-- /name -->`; the page must have both."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not closing:
            raise ValueError(f"{page} has no place for the table {name!r}")
        text = f"{before}{opening}{table}\n{closing}{after}"
    page.write_text(text, encoding="utf-8")
