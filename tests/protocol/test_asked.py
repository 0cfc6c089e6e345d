from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.daemon.fake_worker import explanation

from saliscope.protocol.asked import Source, mask_of, source_of
from saliscope.protocol.explanation import Explanation, Feature, Segment, Token
from saliscope.protocol.parameters import Mask


def made(text: str, **changes: Any) -> Explanation:
    return msgspec.convert({**explanation(text, [0.5]), **changes}, Explanation)


def test_a_text_a_pair_and_a_chat_are_asked_about_again_as_they_were() -> None:
    assert source_of(made("dull")) == Source("dull")
    parts = [Segment("text", 0, 4), Segment("pair", 5, 9)]
    assert source_of(made("dull\nwarm", segments=msgspec.to_builtins(parts))) == Source("dull", "warm")
    parts = [Segment("user", 0, 4), Segment("assistant", 5, 9)]
    messages = [{"role": "user", "content": "dull"}, {"role": "assistant", "content": "warm"}]
    found = source_of(made("dull\nwarm", segments=msgspec.to_builtins(parts)))
    assert found == Source(messages=messages)


@pytest.mark.parametrize(("params", "kind"), [({"mask": "drop"}, "drop"), ({"mask": True}, "replace"), ({}, "replace")])
def test_features_are_hidden_as_their_method_hides_them(params: dict[str, Any], kind: Any) -> None:
    pieces = {"tokens": [{"text": "dull", "start": 0, "end": 4, "special": False, "ids": [7]}],
              "features": [{"text": "dull", "start": 0, "end": 4, "tokens": [0]}]}  # fmt: skip
    assert mask_of(made("dull", params=params, **pieces), [0]) == Mask([(0, 4)], kind)


def test_a_blank_that_is_a_token_is_hidden_with_its_word() -> None:
    tokens = [Token("[CLS]", 0, 0, True, [1]), Token("dull", 0, 4, False, [2]), Token("  ", 4, 6, False, [3]),
              Token("film", 6, 10, False, [4]), Token("", 10, 10, False, [5])]  # fmt: skip
    features = [Feature("dull", 0, 4, [1, 2]), Feature("film", 6, 10, [3]), Feature("", 10, 10, [4])]
    found = msgspec.structs.replace(made("dull  film"), tokens=tokens, features=features, scores=[0.5, 0.1, 0.0])
    assert mask_of(found, [0]).spans == [(0, 4), (4, 6)]
    assert mask_of(found, [0, 1]).spans == [(0, 4), (4, 6), (6, 10)]
    # What has no place is asked for as it is: the daemon says why it cannot be hidden.
    assert mask_of(found, [2]).spans == [(10, 10)]
