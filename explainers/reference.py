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

## When to use which

| you want | take | because |
|---|---|---|
%(uses)s

When a number must be trusted take two of different kinds and see where they agree.

## All of them

Rows are counted through the model: *n* is the number of features.
"""

USES = (
    (
        "an answer while typing, causal classifier",
        ("sp-pi",),
        "one forward row, adds up exactly; early words take the prior",
    ),
    (
        "an answer while typing, any model",
        ("input-x-gradient", "decoded-grad-cam"),
        "one forward and one backward; the second wherever a language-model head can read the layers",
    ),
    (
        "to know what happens without a word",
        ("occlusion",),
        "that is what it measures; redundant words hide each other",
    ),
    (
        "credit that is shared fairly and adds up",
        ("kernel-shap", "shapley-sampling", "mp-pi"),
        "Shapley values: exact for short texts; mp-pi has a game of its own, read by causal models in few rows",
    ),
    (
        "the same for a long text",
        ("partition-shap",),
        "a fixed number of rows, spent where most is at stake; or ask for words, sentences",
    ),
    (
        "gradients that add up",
        ("integrated-gradients",),
        "refined until they do; `missing` says how far they are",
    ),
    (
        "gradients less jumpy than one",
        ("smooth-grad", "gradient-shap"),
        "means over noise, or over the way from a reference",
    ),
    (
        "no choice of a mask word",
        ("mase", "permutation"),
        "with reference=mean or zero embeddings move instead; the other draws words",
    ),
    (
        "only the few words that matter",
        ("mase-sparse",),
        "a fit that leaves all others at 0",
    ),
    (
        "which layer knows it",
        ("decoded-grad-cam", "decoded-simple"),
        "layers=all reads every layer from one pass",
    ),
    (
        "to compare with published numbers",
        ("simple", "grad-l2", "lime", "lrp", "gae", "attention-rollout", "deep-lift"),
        "the baselines of the literature, with the settings of packages as presets",
    ),
    (
        "to know what chance looks like",
        ("random",),
        "a method no better than this one says nothing",
    ),
)

LETTERS = """
*Letters:* F is the number that is explained (the target on its scale) and p the probability of the target; E_j is the
word embedding at position j and B_j its reference; h_j the states of a layer and h' those of the reference; φ_i is the
score of feature i, j∈i its positions; x_S is the text with only the features S visible; ε, z and α are drawn, or the
nodes of a rule with weights w; ⟨·,·⟩ is the inner product, ∘ the product number by number.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join(
        [
            INTRODUCTION % {"uses": "\n".join(_uses())},
            *_overview(),
            LETTERS.lstrip(),
            *(line for method in methods().values() for line in _section(method)),
        ]
    )


def _uses() -> Iterator[str]:
    for wish, names, reason in USES:
        yield f"| {wish} | {', '.join(f'[`{name}`](#{name})' for name in names)} | {reason} |"


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
    yield "```text"
    yield method.formula
    yield "```"
    yield ""
    yield f"* **Source:** {method.source}"
    yield f"* **From the source, and our reading:** {method.reading}"
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
