from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError


@given(st.text(max_size=20), st.data())
def test_what_an_edit_does_not_touch_moves_with_it(text: str, data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    low, high = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    edit = Edit(start, end, data.draw(st.text(max_size=5)))
    after = edit.applied(text)
    moved = edit.moved(low, high)
    if moved is not None:
        assert after[slice(*moved)] == text[low:high]
    assert (moved is None) == (low < end and high > start)


def test_an_edit_outside_the_text_is_refused_and_asks_for_all_of_it() -> None:
    with pytest.raises(SaliscopeError, match="does not lie in the text") as caught:
        Edit(2, 9, "").applied("abc")
    assert caught.value.data == {"resync": True}
