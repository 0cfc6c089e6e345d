"""The code of the page about models runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Your own model in five lines") :]
BLOCKS = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)


def test_the_page_shows_a_function_and_a_module() -> None:
    assert ["wrap(" in block for block in BLOCKS] == [True, False]
    assert ["wrap_module(" in block for block in BLOCKS] == [False, True]


@pytest.mark.parametrize("block", BLOCKS, ids=["function", "module"])
def test_code_of_the_page_runs_and_its_claims_hold(block: str) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, "docs/models.md", "exec"), names)
    assert "assert" in block
    assert names["got"].model == names["model"].facts.name


def test_the_methods_that_fit_a_function_are_the_ones_the_page_names() -> None:
    from saliscope.explainers import wrap
    from saliscope.explainers.registry import fitting

    (line,) = re.findall(r"\* \*\*What fits\*\*: `occlusion`.*?\.", SECTION, flags=re.DOTALL)
    model = wrap(lambda texts: [[0.0, 0.0]] * len(texts), ["a", "b"])
    assert sorted(re.findall(r"`([\w-]+)`", line)) == sorted(fitting(model.facts, "class"))
