"""`saliscope predict` and `saliscope tokenize`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from click.testing import Result

from saliscope.cli.shapes import (
    PredictShape,
    TokenizeShape,
)
from saliscope.protocol.errors import ERRORS
from saliscope.protocol.explanation import Prediction
from saliscope.protocol.parameters import Mask
from saliscope.protocol.results import Predictions

from .conftest import FakeClient

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("folders")


def test_predict_shows_bars_for_one_text(run: Run) -> None:
    lines = run("predict", "a film").stdout.splitlines()
    assert lines[0].split()[:2] == ["positive", "75.0%"]
    assert lines[-1] == "demo-encoder"


def test_predict_shows_a_row_for_each_of_many(run: Run) -> None:
    result = run("predict", "-", input="one\n\ntwo\n")
    assert result.stdout == "positive  75.0%  one\npositive  75.0%  two\n"


def test_predict_shows_the_value_of_a_regression(run: Run, fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def stars(texts: list[str], **options: object) -> Predictions:
        return Predictions("stars", [Prediction("stars", 0, {}, value=3.25) for _ in texts])

    monkeypatch.setattr(fake, "predict", stars)
    assert run("predict", "a film").stdout == "  stars  3.25\nstars\n"
    assert run("predict", "one", "two").stdout == "stars  3.25  one\nstars  3.25  two\n"
    (shape,) = msgspec.json.decode(run("predict", "a", "--json").stdout, type=PredictShape, strict=True).predictions
    assert (shape.value, shape.probabilities) == (3.25, {})


def test_predict_json_has_its_shape(run: Run) -> None:
    shape = msgspec.json.decode(run("predict", "a", "b", "--json").stdout, type=PredictShape, strict=True)
    assert [(one.text, one.label) for one in shape.predictions] == [("a", "positive"), ("b", "positive")]


def test_predict_hides_words_and_places(run: Run, fake: FakeClient) -> None:
    run("predict", "a dull film", "dull, dullest", "warm", "--mask", "dull", "--mask", "0:1", "--mask-kind", "drop")
    masks = [Mask([(2, 6), (0, 1)], "drop"), Mask([(0, 4), (0, 1)], "drop"), Mask([(0, 1)], "drop")]
    assert fake.calls[-1][1]["mask"] == masks
    run("predict", "a dull film", "warm", "--mask", "film")
    assert fake.calls[-1][1]["mask"] == [Mask([(7, 11)]), None]
    run("predict", "warm")
    assert fake.calls[-1][1]["mask"] is None


def test_predict_says_which_word_to_hide_is_not_there(run: Run) -> None:
    result = run("predict", "a dull film", "--mask", "dul")
    assert result.exit_code == ERRORS["bad_request"][0]
    assert "'dul' does not stand in the text" in result.stderr


def test_tokenize_shows_places(run: Run) -> None:
    lines = run("tokenize", "a dull film").stdout.splitlines()
    assert lines[0].split() == ["0:0", "[CLS]", "(special)"]
    assert lines[2].split() == ["2:6", "dull"]
    assert lines[-1] == "5 tokens of at most 256, demo-encoder"


def test_tokenize_json_has_its_shape(run: Run) -> None:
    shape = msgspec.json.decode(run("tokenize", "a dull", "--json").stdout, type=TokenizeShape)
    assert [token.text for token in shape.tokens] == ["[CLS]", "a", "dull", "[SEP]"]
