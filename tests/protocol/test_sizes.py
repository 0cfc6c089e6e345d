from __future__ import annotations

import pytest

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512MB", 512_000_000), ("1GiB", 1 << 30), (" 1.5 kb ", 1500), ("3m", 3_000_000)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "512", "7B", "much", "-1MB", "1TB", "1MBit"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(SaliscopeError, match="is no size; write 512MB"):
        parse_size(text)
