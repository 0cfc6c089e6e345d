"""The table of explanation methods: what each needs, costs and promises."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from saliscope.explainers.answers import Answer
from saliscope.explainers.errors import (
    BadRequest,
    NotCapable,
    UnknownMethod,
    listing,
    path_first,
    possession,
    suggestion,
)
from saliscope.explainers.facts import CAPABILITIES, Capability, ModelFacts
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Query
from saliscope.explainers.targets.scalar import KINDS, READ_AT_ONCE, Scale, TargetKind

Steps = Generator[Query | Scored, Answer, Scored]


@dataclass(frozen=True, slots=True)
class Promise:
    """Rows that a method will need at most, the opening included."""

    forward_rows: int
    backward_rows: int = 0


def as_asked(params: Any) -> Scale | None:
    """A method that explains the target on whatever scale is asked for."""
    return None


@dataclass(frozen=True, slots=True)
class Method:
    """One explanation method.

    `opening` is its first query, put before the target is resolved, so that the prediction costs no row of its own;
    `run` goes on from there: a generator of further queries, or the scores at once.
    """

    name: str
    summary: str
    group: str
    params: type[msgspec.Struct]
    opening: Callable[[Asked, Any], Query]
    run: Callable[[Problem, Any], Steps | Scored]
    promise: Callable[[Asked, Any], Promise]
    cost: str
    source: str
    formula: str = ""
    """The score in one line of plain text; its letters are explained at the top of the page of methods."""
    reading: str = ""
    """What of it is the source's, and what is our reading of it or our own."""
    needs: frozenset[Capability] = frozenset()
    targets: tuple[TargetKind, ...] = KINDS
    scale: Callable[[Any], Scale | None] = as_asked
    """The one scale that a method of these parameters explains, or None."""
    signed: bool = True
    additive: bool = False
    caveats: tuple[str, ...] = ()
    lenders: Mapping[str, Capability] = field(default_factory=dict)
    """Parameters that stand in for a capability when they are given."""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each value of the parameter `preset` sets; parameters that are given besides win."""

    def parse(self, params: dict[str, Any]) -> Any:
        """Typed parameters; an unknown name or a wrong value is `BadRequest` with its path."""
        known = set(self.params.__struct_fields__)
        for name in params:
            if name not in known:
                hint = possession(name, known)
                raise BadRequest(f"params.{name}: {self.name} has no such parameter; {hint}")
        preset = params.get("preset")
        given = {**self.presets.get(preset, {}), **params} if isinstance(preset, str) else params
        try:
            return msgspec.convert(given, self.params)
        except msgspec.ValidationError as error:
            raise BadRequest(f"params{path_first(error)} ({self.name})") from None

    def describe(self) -> dict[str, Any]:
        """The catalogue entry as the wire's map, with the JSON Schema of the parameters."""
        (schema,), components = msgspec.json.schema_components([self.params])
        return {
            "name": self.name,
            "summary": self.summary,
            "group": self.group,
            "needs": sorted(self.needs),
            "targets": list(self.targets),
            "signed": self.signed,
            "additive": self.additive,
            "cost": self.cost,
            "source": self.source,
            "formula": self.formula,
            "reading": self.reading,
            "params": components.get(self.params.__name__, schema),
            "defaults": msgspec.to_builtins(self.params()),
            "caveats": list(self.caveats),
            "presets": {name: dict(values) for name, values in self.presets.items()},
        }


def methods() -> dict[str, Method]:
    """Every method by name, in the order of the catalogue."""
    from saliscope.explainers.families import METHODS

    return {method.name: method for method in METHODS}


def find_method(name: str) -> Method:
    """The method of this name, or `UnknownMethod` with the valid ones."""
    table = methods()
    if name not in table:
        raise UnknownMethod(f"no method is called {name!r}; {suggestion(name, table)}")
    return table[name]


def require(method: Method, params: msgspec.Struct, facts: ModelFacts, kind: TargetKind) -> None:
    """Refuse what the model cannot do, naming what is missing and which methods fit."""
    lent = {need for name, need in method.lenders.items() if getattr(params, name) is not None}
    missing = [CAPABILITIES[need] for need in sorted(method.needs - facts.capabilities - lent)]
    if not missing and kind in method.targets:
        return
    fits = listing(fitting(facts, kind), 40)
    if missing:
        reasons = [facts.lacking[need] for need in sorted(method.needs - lent) if need in facts.lacking]
        because = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
        raise NotCapable(
            f"{method.name} needs {' and '.join(missing)}, which {facts.name} lacks{because}; these fit: {fits}"
        )
    raise NotCapable(f"{method.name} cannot explain a {kind} target; these can: {fits}")


def fitting(facts: ModelFacts, kind: TargetKind) -> list[str]:
    """The names of the methods that fit a model and a kind of target."""
    return [m.name for m in methods().values() if m.needs <= facts.capabilities and kind in m.targets]


def default_method(facts: ModelFacts, kind: TargetKind) -> tuple[str, str]:
    """The method chosen for a kind of target when none is named, and why."""
    at_once = kind in READ_AT_ONCE
    if at_once and facts.kind == "decoder-classifier" and {"causal", "mask"} <= facts.capabilities:
        return "sp-pi", "a causal classifier predicts at every position, so one forward row gives additive scores"
    if (
        kind in ("class", "contrast")
        and facts.kind == "encoder-classifier"
        and {"lm-head", "layers", "gradients"} <= facts.capabilities
    ):
        return "decoded-grad-cam", "the checkpoint holds a verified language-model head to read its layers with"
    if "gradients" not in facts.capabilities:
        return "occlusion", "only the model's outputs can be seen, and n + 1 rows are the fewest that ask all words"
    if facts.scale_free:
        found = "this model normalises its word embeddings at once, so gradient times embedding is rounding"
        if "layers" in facts.capabilities:
            return "grad-cam", f"{found}; what enters the first block says more"
        return "integrated-gradients", f"{found}; the way from a reference says more"
    alone = "one forward and one backward row, and every differentiable model can do it"
    without = facts.lacking.get("lm-head")
    return "input-x-gradient", alone if without is None else f"{alone}; not decoded-grad-cam: {without}"
