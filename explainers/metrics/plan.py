"""What is to be evaluated, read from what a person gives: texts and labels, methods, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from saliscope.explainers.errors import BadRequest, listing
from saliscope.explainers.facts import ModelFacts, ModelView
from saliscope.explainers.metrics.background import Background, from_corpus, shipped
from saliscope.explainers.metrics.intervals import DESCRIBED
from saliscope.explainers.metrics.intervals import Kind as IntervalKind
from saliscope.explainers.metrics.items import Item, read_items, require_readable
from saliscope.explainers.metrics.registry import Metric, find_metric, lacking, metrics, require_metric
from saliscope.explainers.plain import plain
from saliscope.explainers.registry import find_method, fitting, require
from saliscope.explainers.targets.scalar import Kind, Scale, parse_scale
from saliscope.explainers.texts.features import GRANULARITIES
from saliscope.explainers.texts.patterns import PREFIX

TheModel: Final = "(model)"
"""Stands for a method in records of metrics that measure the model alone."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One row of the table: a method with parameters, or `scores` by text that were computed elsewhere."""

    name: str
    method: str | None
    params: Mapping[str, Any]
    scores: Sequence[Sequence[float]] | None = None


@dataclass(frozen=True, eq=False)
class Chosen:
    """A metric with typed parameters."""

    metric: Metric
    params: Any


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole evaluation: every unit is a text and an entry, numbered in the order in which they are worked on."""

    model: ModelView
    items: tuple[Item, ...]
    entries: tuple[Entry, ...]
    chosen: tuple[Chosen, ...]
    kind: Kind
    target: Literal["gold", "predicted"]
    granularity: str
    scale: Scale
    seed: int
    interval: IntervalKind
    background: Background | None
    ranks: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of units of one text: every entry, and the model itself where a metric measures it."""
        alone = any(chosen.metric.scope == "text" for chosen in self.chosen)
        return (*((TheModel,) if alone else ()), *(entry.name for entry in self.entries))

    @property
    def num_units(self) -> int:
        """How many records there will be, exactly."""
        return len(self.items) * len(self.names)


def make_plan(
    model: ModelView,
    records: Sequence[Any],
    methods: Sequence[str | Mapping[str, Any]] | None = None,
    metrics: Sequence[str | Mapping[str, Any]] | None = None,
    *,
    target: str = "predicted",
    granularity: str = "token",
    scale: str | None = None,
    seed: int = 0,
    interval: str = "bootstrap",
    precomputed: Mapping[str, Sequence[Sequence[float]]] | None = None,
    background: Sequence[str] | None = None,
) -> Plan:
    """Check everything that can be checked before a model is asked.

    `records` are texts, pairs (text, label) or maps with `text` (and `pair`, a second one) or `messages` (a chat), and
    `label`. `methods` are names or maps `{method,
    params, name}`, None is every one that fits; `metrics` names or maps `{metric, …parameters}`, None is every one that
    fits. `target` "gold" explains the label's class, "predicted" the model's answer. `precomputed` are scores by name,
    a row a text. Text number k is explained with `seed` + k. `background` are texts from which the rarity of
    tokens is counted.
    """
    facts = model.facts
    kind = facts.kinds[0]
    seed, methods, metrics = plain(seed), plain(methods), plain(metrics)
    _check(target, granularity, interval, seed)
    items = read_items(records, facts)
    require_readable(items, model)
    has_labels = any(item.gold is not None for item in items)
    if target == "gold" and not has_labels:
        raise BadRequest("target: gold needs labels, and no record has one; use target=predicted")
    entries = _entries(methods, precomputed or {}, facts, kind, len(items))
    chosen, notes = _metrics(metrics, facts, has_labels)
    table, said = _background(model, items, background, granularity, chosen)
    ranks = np.argsort(np.random.default_rng((seed, 3)).permutation(len(items))).tolist()
    return Plan(
        model=model,
        items=items,
        entries=entries,
        chosen=chosen,
        kind=kind,
        target="gold" if target == "gold" else "predicted",
        granularity=granularity,
        scale=parse_scale(scale, kind),
        seed=seed,
        interval="normal" if interval == "normal" else "bootstrap",
        background=table,
        ranks=tuple(ranks),
        notes=(*notes, *_on_labels(items, facts), *said),
    )


def _check(target: str, granularity: str, interval: str, seed: int) -> None:
    """Refuse values that are none, before anything is read."""
    if target not in ("gold", "predicted"):
        raise BadRequest(f"target {target!r} is none of gold, predicted")
    if granularity not in GRANULARITIES and not granularity.startswith(PREFIX):
        raise BadRequest(f"granularity {granularity!r} is none of {listing([*GRANULARITIES, 'regex:PATTERN'])}")
    if interval not in DESCRIBED:
        raise BadRequest(f"interval {interval!r} is none of {listing(DESCRIBED)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BadRequest(f"seed: expected a whole number from 0, got {seed!r}")


def _on_labels(items: tuple[Item, ...], facts: ModelFacts) -> list[str]:
    """Which labels no text has, and how many texts have none; nothing where none has one."""
    known = [item.gold for item in items if item.gold is not None]
    if not known:
        return []
    notes: list[str] = []
    absent = sorted(set(range(len(facts.labels))) - set(known))
    if absent:
        notes.append(f"no text has the label {listing(facts.labels[c] for c in absent)}")
    if len(known) < len(items):
        notes.append(f"{len(items) - len(known)} of {len(items)} texts have no label")
    return notes


def _entries(
    methods: Sequence[str | Mapping[str, Any]] | None,
    precomputed: Mapping[str, Sequence[Sequence[float]]],
    facts: ModelFacts,
    kind: Kind,
    num_texts: int,
) -> tuple[Entry, ...]:
    wanted: Sequence[str | Mapping[str, Any]] = fitting(facts, kind) if methods is None else methods
    entries: list[Entry] = []
    for given in wanted:
        asked: dict[str, Any] = {"method": given} if isinstance(given, str) else dict(given)
        if set(asked) - {"method", "params", "name"} or not isinstance(asked.get("method"), str):
            raise BadRequest(f"methods: expected a name or a map of method, params and name, got {given!r}")
        method, params = find_method(asked["method"]), dict(asked.get("params") or {})
        require(method, method.parse(params), facts, kind)
        entries.append(Entry(asked.get("name") or method.name, method.name, params))
    for name, rows in precomputed.items():
        if len(rows) != num_texts:
            raise BadRequest(f"precomputed.{name}: {len(rows)} rows of scores for {num_texts} texts")
        entries.append(Entry(name, None, {}, rows))
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1 or name == TheModel})
    if twice:
        raise BadRequest(f"methods: {listing(twice)} would name more than one row; give each a `name` of its own")
    if not entries:
        raise BadRequest("methods: there is none; name at least one, or give precomputed scores")
    return tuple(entries)


def _metrics(
    asked: Sequence[str | Mapping[str, Any]] | None, facts: ModelFacts, has_labels: bool
) -> tuple[tuple[Chosen, ...], list[str]]:
    """Metrics that were named must fit the model; where all are wanted, those that do not are noted."""
    chosen: dict[str, Chosen] = {}
    notes: list[str] = []
    unlabelled: list[str] = []
    for given in list(metrics()) if asked is None else asked:
        params = {} if isinstance(given, str) else {key: value for key, value in given.items() if key != "metric"}
        name = given if isinstance(given, str) else given.get("metric")
        if not isinstance(name, str):
            raise BadRequest(f"metrics: expected a name or a map with `metric`, got {given!r}")
        metric = find_metric(name)
        if name in chosen:
            raise BadRequest(f"metrics: {name} is asked for twice")
        parsed = metric.parse(params)
        missing = lacking(metric, parsed, facts)
        if missing and asked is None:
            notes.append(f"{name} was left out: it needs {' and '.join(missing)}")
        elif metric.labels and not has_labels:
            unlabelled.append(name)
            notes.append(f"{name} was left out: no text has a label to hold the model's answer against")
        elif metric.labels and len(facts.labels) < 2:
            notes.append(f"{name} was left out: the model has one output, so there is no accuracy")
        else:
            require_metric(metric, parsed, facts)
            chosen[name] = Chosen(metric, parsed)
    if unlabelled and not chosen and asked is not None:
        raise BadRequest(
            f"metrics: labels are needed for {listing(unlabelled)}, and no text has one; give each text its label, or"
            " name metrics without accuracy, such as activation"
        )
    return tuple(chosen.values()), notes


def _background(
    model: ModelView,
    items: tuple[Item, ...],
    corpus: Sequence[str] | None,
    granularity: str,
    chosen: tuple[Chosen, ...],
) -> tuple[Background | None, tuple[str, ...]]:
    """The background of the metrics over all texts: the texts given, else the table of the tokenizer, else the data."""
    wanted = [one.params for one in chosen if one.metric.scope == "data"]
    if not wanted:
        return None, ()
    merge = bool(wanted[0].merge)
    if granularity.startswith(PREFIX):
        note = "token-overlap: matches of a pattern have no background, so rare types weigh no more than common ones"
        return Background("none", 0, {}), (note,)
    if corpus is not None:
        if not corpus or not all(isinstance(text, str) for text in corpus):
            raise BadRequest("background: expected texts, at least one")
        return from_corpus(model, corpus, granularity, merge, f"{len(corpus)} texts given"), ()
    found = shipped(model, merge) if granularity == "token" else None
    if found is not None:
        return found, ()
    texts = [item.text for item in items]
    return (
        from_corpus(model, texts, granularity, merge, f"the {len(texts)} texts themselves"),
        ("token-overlap: the rarity of types is counted in the evaluated texts themselves; give a `background`",),
    )
