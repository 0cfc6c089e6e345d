"""The whole table: every method, kind of target and granularity on every kind of model, as the registry declares it.

New methods, kinds and granularities are walked by themselves: they come from the code's own tables.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, get_args

import msgspec
import numpy as np
import pytest

from saliscope.explainers import explain, load, wrap, wrap_module
from saliscope.explainers.errors import ExplainerError, NotCapable
from saliscope.explainers.facts import CAPABILITIES, ModelKind
from saliscope.explainers.registry import Method, fitting, methods
from saliscope.explainers.targets.scalar import KINDS
from saliscope.explainers.texts.features import GRANULARITIES
from tests.explainers.own import LABELS, UNKNOWN, Lstm, count_words, tokenize

TEXT = "a dull film. the music is fine."
MODELS = ("encoder", "decoder", "causal-lm", "lstm", "function", "regression", "sigmoid")
FEW = {"samples": 12, "repeats": 2, "steps": 2, "max_steps": 4, "budget": 6, "permutations": 2}
"""Counts that keep the walk short, for parameters of these names."""
TARGETS: dict[str, Any] = {
    "label-words": {"kind": "label-words", "labels": {"good": [" funny", " warm"], "bad": [" dull"]}},
    "continuation": {"kind": "continuation", "text": " is fine"},
    "contrast-continuation": {"kind": "contrast-continuation", "text": " is fine", "against": " is dull"},
}
"""How a kind of target is asked for that needs more than its name."""


@pytest.fixture(scope="module")
def models(tiny_model: Any, tiny_folder: Any) -> dict[str, Any]:
    module = Lstm()
    one: dict[str, Any] = {"num_labels": 1, "id2label": {0: "stars"}, "label2id": {"stars": 0}}
    return {
        "encoder": tiny_model("bert"),
        "decoder": tiny_model("llama"),
        "causal-lm": tiny_model("gpt2", "ForCausalLM"),
        "lstm": wrap_module(module, tokenize, embedding=module.emb, labels=LABELS, mask_id=UNKNOWN),
        "function": wrap(count_words, LABELS, mask="…"),
        "regression": load(str(tiny_folder("bert", problem_type="regression", **one)), "cpu"),
        "sigmoid": load(str(tiny_folder("gpt2", problem_type="multi_label_classification", **one)), "cpu"),
    }


def few(method: Method) -> dict[str, Any]:
    return {name: count for name, count in FEW.items() if name in method.params.__struct_fields__}


def ask(model: Any, method: Method, kind: str, granularity: str, **params: Any) -> Any:
    target = TARGETS.get(kind, {"kind": kind})
    given = {**few(method), **params}
    return explain(model, TEXT, method=method.name, target=target, granularity=granularity, **given)


def check(got: Any) -> None:
    assert np.isfinite(got.scores).all()
    assert len(got.scores) == len(got.features) > 0
    for feature in got.features:
        assert got.text[feature.start : feature.end] == feature.text
    assert got.cost.forward_rows <= got.cost.promised_forward_rows
    assert got.cost.backward_rows <= got.cost.promised_backward_rows


def test_every_kind_of_model_is_walked(models: Any) -> None:
    assert {model.facts.kind for model in models.values()} == set(get_args(ModelKind))
    assert tuple(models) == MODELS


@pytest.mark.parametrize("name", methods())
@pytest.mark.parametrize("which", MODELS)
def test_a_method_does_what_it_declares_and_refuses_the_rest_by_name(which: str, name: str, models: Any) -> None:
    model, method = models[which], methods()[name]
    facts = model.facts
    for kind in KINDS:
        missing = method.needs - facts.capabilities
        declared = kind in facts.targets and not missing and kind in method.targets
        assert declared == (kind in facts.targets and name in fitting(facts, kind))
        for granularity in GRANULARITIES:
            if declared:
                check(ask(model, method, kind, granularity))
                continue
            with pytest.raises(NotCapable) as refusal:
                ask(model, method, kind, granularity)
            said = refusal.value.message
            if kind not in facts.targets:
                assert repr(kind) in said
                assert all(other in said for other in facts.targets)
                continue
            assert all(CAPABILITIES[need] in said for need in missing)
            assert missing or kind in said
            fits = fitting(facts, kind)
            assert len(fits) > 1
            assert all(other in said for other in fits)


@pytest.mark.parametrize("which", MODELS)
def test_no_method_needs_less_than_it_declares(which: str, models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # With the gate open, a method without what it needs must come to nothing, or the need is none.
    monkeypatch.setattr(import_module("saliscope.explainers.explaining"), "require", lambda *given: None)
    model = models[which]
    kind = model.facts.kinds[0]
    for method in methods().values():
        if method.needs - model.facts.capabilities:
            with pytest.raises((ExplainerError, TypeError, KeyError)):
                ask(model, method, kind, "word")


def choices(method: Method) -> list[tuple[str, Any]]:
    """Every value of a parameter that has a list of them, and both of those that are yes or no."""
    (_,), components = msgspec.json.schema_components([method.params])
    found = []
    for name, schema in components[method.params.__name__].get("properties", {}).items():
        for form in schema.get("anyOf", [schema]):
            values = [False, True] if form.get("type") == "boolean" else form.get("enum", [])
            found += [(name, value) for value in values if value is not None]
        if name == "layer":
            found += [("layer", 0), ("layer", 99)]
    return found


def outcome(model: Any, method: Method, kind: str, **params: Any) -> Any:
    """The explanation, or the refusal; anything else that is raised comes through."""
    try:
        return ask(model, method, kind, "word", **params)
    except ExplainerError as refusal:
        return refusal


@pytest.mark.parametrize("name", methods())
@pytest.mark.parametrize("which", MODELS)
def test_every_choice_of_a_parameter_works_or_is_refused_in_words(which: str, name: str, models: Any) -> None:
    model, method = models[which], methods()[name]
    for kind in model.facts.targets:
        if name not in fitting(model.facts, kind):
            continue
        for parameter, value in choices(method):
            got = outcome(model, method, kind, **{parameter: value})
            if isinstance(got, ExplainerError):
                assert got.code in ("bad_request", "not_capable"), got.message
                named = ("scale", *method.params.__struct_fields__)
                assert any(word in got.message for word in named), got.message
            else:
                check(got)
