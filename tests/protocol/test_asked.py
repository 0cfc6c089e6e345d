from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.daemon.fake_worker import explanation

from saliscope.protocol.asked import Source, mask_of, source_of
from saliscope.protocol.explanation import Explanation, Segment
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
    assert mask_of(made("dull", params=params), [(0, 4)]) == Mask([(0, 4)], kind)
