"""Targets as people type them, also with a slip of the finger."""

from __future__ import annotations

import pytest

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.targets import read_target


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("contrst:a|b", "contrast[:LABEL vs LABEL]"),
        ("Contrast:a vs b", "contrast[:LABEL vs LABEL]"),
        ("next token: good", "next-token[:TEXT|:#ID]"),
        ("nexttoken:good", "next-token[:TEXT|:#ID]"),
        ("label_words:good=good", "label-words:LABEL=WORD,WORD;LABEL=WORD"),
        ("continuaton:and", "continuation[:TEXT]"),
        ("contrast-continuatoin:a vs b", "contrast-continuation:TEXT vs TEXT"),
    ],
)
def test_a_mistyped_kind_is_told_with_what_was_meant(typed: str, meant: str) -> None:
    with pytest.raises(SaliscopeError, match="there is no kind") as caught:
        read_target(typed)
    assert f"did you mean {meant}? Beside a label" in caught.value.message
    assert "label-words:" in caught.value.message
    assert caught.value.short.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("contrast:", "contrast[:LABEL vs LABEL]"),
        ("next-token:", "next-token[:TEXT|:#ID]"),
        ("label-words:", "label-words:LABEL=WORD,WORD;LABEL=WORD"),
    ],
)
def test_a_kind_with_nothing_behind_it_is_told_with_its_form(typed: str, expected: str) -> None:
    with pytest.raises(SaliscopeError, match="nothing follows") as caught:
        read_target(typed)
    assert caught.value.short.endswith(f"expected {expected}")
    assert caught.value.message.startswith(f"{caught.value.short}. Beside a label")


def test_an_error_without_a_list_is_as_short_as_it_is() -> None:
    with pytest.raises(SaliscopeError, match="not JSON") as caught:
        read_target("{")
    assert caught.value.short == caught.value.message


@pytest.mark.parametrize("label", ["positive", "lable:positive", "topic: news", "contrasts", "http://a", None])
def test_labels_stay_as_they_are(label: str | None) -> None:
    assert read_target(label) == label


def test_a_label_that_looks_like_a_kind_is_written_as_a_map() -> None:
    assert read_target('{"label": "contrasts:low"}') == {"label": "contrasts:low"}
