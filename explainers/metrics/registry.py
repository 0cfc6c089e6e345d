"""The table of metrics: what each needs, measures and in which direction it is better."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from saliscope.explainers.answers import Answer
from saliscope.explainers.errors import BadRequest, NotCapable, listing, path_first, possession, suggestion
from saliscope.explainers.facts import CAPABILITIES, Capability, ModelFacts
from saliscope.explainers.metrics.subject import Scores, Subject
from saliscope.explainers.queries import Query

Direction = Literal["up", "down", "neither"]
Scope = Literal["scores", "text", "data"]
"""What is measured: a method's scores of one text, the model on one text, or a method's scores of all texts."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What a metric found on one text: its `value`, further numbers by name, a `curve` over the metric's own grid, and
    what a metric of all texts counts (`bag`: scores by type). `skipped` says why there is no value.
    """

    value: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    bag: Mapping[str, float] = field(default_factory=dict)
    skipped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; what is empty is left out."""
        found = {
            "value": self.value,
            "parts": dict(self.parts),
            "curve": list(self.curve),
            "bag": dict(self.bag),
            "skipped": self.skipped,
        }
        return {key: value for key, value in found.items() if value not in (None, {}, [])}


class NoParams(msgspec.Struct):
    """No parameters."""


Measuring = Generator[Query, Answer, Measured]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `run` is a generator of queries about one text and, unless the scope is "text", one method's scores.

    `labels` metrics hold the model's answers against the data's; `again` metrics need the method itself, so scores that
    were computed elsewhere do not do. `texts` is how many texts are measured if not all, spread evenly over the data.
    """

    name: str
    summary: str
    direction: Direction
    params: type[msgspec.Struct]
    run: Callable[[Subject, Scores, Any], Measuring]
    scope: Scope = "scores"
    source: str = ""
    needs: frozenset[Capability] = frozenset()
    labels: bool = False
    again: bool = False
    requires: Callable[[Any], frozenset[Capability]] | None = None
    """Capabilities that these parameters need besides."""
    negative: str | None = None
    """What a value below nothing means to a reader, where it is a warning."""
    caveats: tuple[str, ...] = ()

    def parse(self, params: Mapping[str, Any]) -> Any:
        """Typed parameters; an unknown name or a wrong value is `BadRequest` with its path."""
        known = set(self.params.__struct_fields__)
        for name in params:
            if name not in known:
                hint = possession(name, known)
                raise BadRequest(f"metrics.{self.name}.{name}: there is no such parameter; {hint}")
        try:
            return msgspec.convert(dict(params), self.params)
        except msgspec.ValidationError as error:
            raise BadRequest(f"metrics.{self.name}{path_first(error)}") from None

    def describe(self) -> dict[str, Any]:
        """The catalogue entry as the wire's map, with the JSON Schema of the parameters."""
        (schema,), components = msgspec.json.schema_components([self.params])
        return {
            "name": self.name,
            "summary": self.summary,
            "direction": self.direction,
            "scope": self.scope,
            "needs": sorted(self.needs),
            "labels": self.labels,
            "source": self.source,
            "params": components.get(self.params.__name__, schema),
            "defaults": msgspec.to_builtins(self.params()),
            "caveats": list(self.caveats),
        }


def metrics() -> dict[str, Metric]:
    """Every metric by name, in the order of the catalogue."""
    from saliscope.explainers.metrics import METRICS

    return {metric.name: metric for metric in METRICS}


def find_metric(name: str) -> Metric:
    """The metric of this name, or `BadRequest` with the valid ones."""
    table = metrics()
    if name not in table:
        raise BadRequest(f"no metric is called {name!r}; {suggestion(name, table)}")
    return table[name]


def lacking(metric: Metric, params: Any, facts: ModelFacts) -> list[str]:
    """What the model lacks for a metric, in words."""
    needs = metric.needs | (metric.requires(params) if metric.requires is not None else frozenset())
    return [CAPABILITIES[need] for need in sorted(needs - facts.capabilities)]


def require_metric(metric: Metric, params: Any, facts: ModelFacts) -> None:
    """Refuse what the model cannot do, naming what is missing and which metrics fit."""
    missing = lacking(metric, params, facts)
    if missing:
        fits = listing((m.name for m in metrics().values() if not lacking(m, m.params(), facts)), 40)
        raise NotCapable(
            f"metric {metric.name} needs {' and '.join(missing)}, which {facts.name} lacks; these fit: {fits}"
        )
