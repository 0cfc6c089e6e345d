"""Writes `docs/metrics.md` from the table of metrics: `python -m saliscope.explainers.metrics.reference FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from saliscope.explainers.metrics.intervals import DESCRIBED
from saliscope.explainers.metrics.registry import Metric, metrics
from saliscope.explainers.reference import parameter_table

INTRODUCTION: Final = f"""# Metrics

Written from the program's own table (`make docs`). `evaluate(model, records, methods, metrics)` compares methods on the
same texts, each encoded once:

```python
from saliscope.explainers import evaluate, load

records = [("a dull, lifeless and boring film", "negative"), ("the music is wonderful", "positive")]
found = evaluate(load("demo-encoder"), records, ["occlusion", "gae", "random"], ["hiding", "activation", "cost"])
print(found.ranking("activation"), found.to_csv())
```

* **What is explained:** the class that the model predicts, or with `target="gold"` the text's label. Text number *k* is
  explained with `seed` + *k*.
* **Scores are used with their signs**: first what supports the target most; `by=abs` takes what matters most either
  way. Equal scores are ordered by the signed ones of methods that cut them off (`decoded-*`, `grad-cam`,
  `mase-sparse`), then at random by the seed, never as they stand in the text.
* **`random` is any order**: its curves are means over 8 orders, half of them the others' reverses.
* **Texts, sentence pairs and chats** may stand in one evaluation. A model that reads no pairs, or has no chat template,
  refuses them at once; what fails on single ones is in the table with the reason.
* **What hiding means** is `hide`: beside masking and leaving out, `zero` takes the word embeddings away, `unk` puts the
  unknown token in place (refused where a tokenizer has none, or only its end mark), `random-word` an entry of the
  vocabulary that is not special, drawn for each place of a text by the seed, the same for every method.
* **The same share of the text is kept** whatever the length of the features (`mass=tokens`). What was kept is reported
  as `retained`, and a warning is given where methods differ by more than two points.
* **Only texts that all methods have are compared.** What failed is listed by text; a method with fewer than half of the
  texts is left out of the comparison.
* **Intervals:** `bootstrap`, {DESCRIBED["bootstrap"]};
  `normal`, {DESCRIBED["normal"]}. For `token-overlap`, 1.96 times the sd of 100 resamples either way.
* **Best** marks the best of all methods, **best cheap** the best of those that take at most `cheap` passes through the
  model for the median text: a row forward, or forward and back, is one. By default it is 1, which we take for the 1x of
  Kariyappa et al.: `sp-pi` beside attention and one gradient (`gae`, `input-x-gradient`, `lrp`). Going back takes about
  as long again, which `time` shows. Controls are never marked.
* Metrics that explain a text again (`sensitivity-max`, `stability`) take a few texts that lie all over the data.
* A `curve` has the accuracy at 0, 1/steps, …, 1 of the text (`hiding`, `revealing`), the probability at 0, .05, …, 1
  (`activation`, `inverse-activation`) or the shared part of the top 1, 2, … types (`token-overlap`).
* `metrics.economy.economical(model.facts)` names every method with fewer rows than it takes by default, and
  `economical_metrics(model.facts)` every metric that fits, the dearest with fewer points.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join(
        [INTRODUCTION, *_overview(), *(line for metric in metrics().values() for line in _section(metric))]
    )


def _overview() -> Iterator[str]:
    yield "| metric | better | of | labels | needs |"
    yield "|---|---|---|---|---|"
    better = {"up": "higher", "down": "lower", "neither": "-"}
    of = {"scores": "a method", "text": "the model alone", "data": "a method over all texts"}
    for metric in metrics().values():
        needs = ", ".join(sorted(metric.needs)) or "nothing"
        marks = f"{better[metric.direction]} | {of[metric.scope]} | {'yes' if metric.labels else 'no'}"
        yield f"| [`{metric.name}`](#{metric.name}) | {marks} | {needs} |"
    yield ""


def _section(metric: Metric) -> Iterator[str]:
    yield f"## {metric.name}"
    yield ""
    yield metric.summary
    yield ""
    yield f"* **Source:** {metric.source}"
    for caveat in metric.caveats:
        yield f"* **Beware:** {caveat}"
    yield ""
    yield from parameter_table(metric.describe())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
