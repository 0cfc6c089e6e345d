"""What shap says of a known game: writes tests/explainers/shap_values.json, which the tests hold ours against.

Run it alone, by the Python of an environment that has shap: `python bench/peers/shap_values.py`. The game is a table of
64 values in the file, so that nothing but numbers ties the two packages together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

PLACE = Path(__file__).parents[2] / "tests" / "explainers" / "shap_values.json"
COUNT = 6
#: How texts of six words part, as pairs of pairs.
TREES: dict[str, Any] = {"a b c d e f": [[0, [1, 2]], [3, [4, 5]]], "a, b c d. e f": [[0, [1, [2, 3]]], [4, 5]]}


def linkage(tree: Any) -> np.ndarray[Any, Any]:
    """The tree as scipy's hierarchies are written: two children, a height and a size a row."""
    rows: list[list[float]] = []

    def visit(node: Any) -> tuple[int, int]:
        if isinstance(node, int):
            return node, 1
        (left, here), (right, there) = visit(node[0]), visit(node[1])
        rows.append([left, right, len(rows) + 1, here + there])
        return COUNT + len(rows) - 1, here + there

    visit(tree)
    return np.asarray(rows)


def main() -> None:
    """Ask shap's explainers, each with more rows than there are coalitions."""
    import shap

    table = np.random.default_rng(12).normal(size=2**COUNT).round(3)

    def play(rows: Any) -> Any:
        return table[(np.asarray(rows) > 0.5).astype(int) @ (1 << np.arange(COUNT))]

    nothing, everything = np.zeros((1, COUNT)), np.ones((1, COUNT))
    kernel = shap.KernelExplainer(play, nothing).shap_values(everything, nsamples=100_000, l1_reg=0, silent=True)
    exact = shap.explainers.Exact(play, shap.maskers.Independent(nothing))(everything)
    partition = {}
    for text, tree in TREES.items():
        masker = shap.maskers.Partition(nothing, clustering=linkage(tree))
        found = shap.explainers.Partition(play, masker)(everything, max_evals=100_000, silent=True)
        partition[text] = found.values[0].tolist()
    said = {
        "version": shap.__version__,
        "table": table.tolist(),
        "exact": exact.values[0].tolist(),
        "kernel": kernel[0].tolist(),
        "partition": partition,
    }
    PLACE.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
