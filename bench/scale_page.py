"""The tables of docs/scale.md, between its markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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
