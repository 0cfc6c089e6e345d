from __future__ import annotations

from pathlib import Path

from saliscope.explainers.reference import USES, page
from saliscope.explainers.registry import methods


def test_the_page_of_methods_is_current() -> None:
    assert (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_method_cites_its_source_and_says_what_it_costs() -> None:
    for method in methods().values():
        assert method.source
        assert method.cost
        assert method.summary.endswith(".")


def test_every_method_has_a_formula_and_says_what_of_it_is_ours() -> None:
    for method in methods().values():
        assert "φ" in method.formula or method.name == "partition-shap"
        assert method.reading.endswith(".")
        assert "\\" not in method.formula


def test_the_table_of_uses_names_methods_that_there_are() -> None:
    assert {name for _, names, _ in USES for name in names} <= set(methods())


def test_every_value_of_the_parameter_preset_is_listed_with_what_it_sets() -> None:
    for method in methods().values():
        properties = method.describe()["params"].get("properties", {})
        if "preset" in properties:
            choices = properties["preset"].get("anyOf", [properties["preset"]])
            values = {value for choice in choices for value in choice.get("enum", [])} - {"default"}
            assert values == set(method.presets)
            for settings in method.presets.values():
                assert settings
                assert set(settings) <= set(properties)
        else:
            assert not method.presets
