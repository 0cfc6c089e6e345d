"""Targets beside classes: from the command line and the client through a real daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from saliscope.protocol import SaliscopeError
from saliscope.protocol.client import Client
from saliscope.protocol.parameters import Target

from .conftest import Saliscope

AsJson = Callable[..., Any]
TEXT = "the cast is wonderful and the film is"


@pytest.mark.parametrize(
    ("target", "kind", "against"),
    [
        ("contrast:positive vs negative", "contrast", "negative"),
        ("next-token: good", "next-token", None),
        ("label-words:good=good,great;bad=bad,dull", "label-words", None),
        ("continuation: a good one", "continuation", None),
        ("contrast-continuation: good vs  bad", "contrast-continuation", " bad"),
    ],
)
def test_every_kind_of_target_can_be_typed(as_json: AsJson, target: str, kind: str, against: str | None) -> None:
    got = as_json("explain", TEXT, "--model", "demo-decoder", "--target", target)
    assert (got["target"]["kind"], got["target"]["against"]) == (kind, against)
    assert len(got["features"]) == 8
    assert any(feature["score"] != 0 for feature in got["features"])


def test_the_steps_of_a_generated_continuation_come_as_outputs(client: Client) -> None:
    target = Target(kind="continuation", max_tokens=3, steps=True)
    got = client.explain(TEXT, model="demo-decoder", method="occlusion", target=target)
    assert [output.step for output in got.outputs] == [None, 0, 1, 2]
    assert "".join(output.target.label for output in got.outputs[1:]) == got.target.label
    assert got.prediction.kind == "next-token"


def test_the_command_line_shows_steps_and_names_what_is_explained(saliscope: Saliscope) -> None:
    target = '{"kind": "continuation", "text": " a good film", "steps": true}'
    shown = saliscope("explain", TEXT, "--model", "demo-decoder", "--target", target).stdout
    assert "logprob of ␣a good film" in shown
    assert "␣good" in shown


def test_a_target_that_the_model_cannot_answer_says_what_it_can(saliscope: Saliscope, client: Client) -> None:
    refused = saliscope("explain", TEXT, "--model", "demo-encoder", "--target", "continuation: fine", exit_status=4)
    assert "it answers class, contrast" in refused.stderr
    with pytest.raises(SaliscopeError, match=r"target\.text: it is empty"):
        client.explain(TEXT, model="demo-decoder", target=Target(kind="continuation", text=""))
