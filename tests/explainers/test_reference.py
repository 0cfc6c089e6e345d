from __future__ import annotations

from pathlib import Path

from saliscope.explainers.reference import page
from saliscope.explainers.registry import methods


def test_the_page_of_methods_is_current() -> None:
    assert (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_method_cites_its_source_and_says_what_it_costs() -> None:
    for method in methods().values():
        assert method.source
        assert method.cost
        assert method.summary.endswith(".")
