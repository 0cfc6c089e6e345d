"""Writes `docs/methods.md` from the table of methods: `python -m saliscope.explainers.reference docs/methods.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saliscope.explainers.facts import CAPABILITIES
from saliscope.explainers.registry import Method, methods

INTRODUCTION = """# Methods

Written from the program's own table (`make docs`); `saliscope methods NAME` shows the same on the terminal.
How to read what they give: [reading.md](reading.md).

**Which one?** For a causal classifier start with `sp-pi` (one row) and check with `mp-pi`. For an encoder with its own
language-model head start with `decoded-grad-cam`, else with `input-x-gradient`. When a number must be trusted take two
of different kinds: a perturbation method (`occlusion`, `kernel-shap`, `mase`) beside a gradient one
(`integrated-gradients`). `random` shows what chance looks like.

Rows are counted through the model: *n* is the number of features. What is not the paper's but our reading of it is said
under *Beware*.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join(
        [INTRODUCTION, *_overview(), *(line for method in methods().values() for line in _section(method))]
    )


def _overview() -> Iterator[str]:
    yield "| method | group | rows | signed | additive | needs |"
    yield "|---|---|---|---|---|---|"
    for method in methods().values():
        needs = ", ".join(sorted(method.needs)) or "nothing"
        marks = f"{'yes' if method.signed else 'no'} | {'yes' if method.additive else 'no'}"
        yield f"| [`{method.name}`](#{method.name}) | {method.group} | {method.cost} | {marks} | {needs} |"
    yield ""
    yield "What the needs mean: " + "; ".join(f"*{name}*, {text}" for name, text in CAPABILITIES.items()) + "."
    yield ""


def _section(method: Method) -> Iterator[str]:
    facts = method.describe()
    yield f"## {method.name}"
    yield ""
    yield method.summary
    yield ""
    yield f"* **Source:** {method.source}"
    yield f"* **Cost:** {method.cost}"
    yield f"* **Targets:** {', '.join(method.targets)}"
    for name, values in method.presets.items():
        given = ", ".join(f"`{key}={value}`" for key, value in values.items())
        yield f"* **Preset `{name}`:** {given}"
    for caveat in method.caveats:
        yield f"* **Beware:** {caveat}"
    yield ""
    yield from parameter_table(facts)


def parameter_table(facts: dict[str, Any]) -> Iterator[str]:
    """The parameters of a catalogue entry, nothing where there are none."""
    properties: dict[str, Any] = facts["params"].get("properties", {})
    if not properties:
        return
    yield "| parameter | default | range | meaning |"
    yield "|---|---|---|---|"
    for name, schema in properties.items():
        yield f"| `{name}` | `{facts['defaults'].get(name)}` | {_range(schema)} | {_meaning(schema)} |"
    yield ""


def _range(schema: dict[str, Any]) -> str:
    for choice in schema.get("anyOf", [schema]):
        if "enum" in choice:
            return ", ".join(f"`{value}`" for value in choice["enum"])
        bounds = [
            f"{sign} {choice[key]}"
            for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
            if key in choice
        ]
        if bounds:
            return " and ".join(bounds)
    kinds = [choice.get("type", "") for choice in schema.get("anyOf", [schema])]
    return " or ".join(str(kind) for kind in kinds if kind and kind != "null")


def _meaning(schema: dict[str, Any]) -> str:
    found = schema.get("description") or next(
        (choice["description"] for choice in schema.get("anyOf", []) if "description" in choice), ""
    )
    return str(found).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
