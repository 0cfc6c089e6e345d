from __future__ import annotations

import pytest

from saliscope.protocol.decoding import decode
from saliscope.protocol.errors import SaliscopeError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_a_file_says_of_its_encoding_is_believed(encoding: str) -> None:
    assert decode("é😀\r\n".encode(encoding)) == "é😀\r\n"


def test_an_encoding_may_be_named() -> None:
    assert decode("é".encode("latin-1"), "latin-1") == "é"


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (b"a\0b", None, "binary"), (b"\x89PNG\r\n\x1a\n\0", None, "binary"), (b"ab\xff", None, "from byte 2"),
        (b"a", "klingon", "unknown"), (b"a", "base64", "unknown"), (b"\xff\xfea", None, "not utf-16"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, encoding: str | None, reason: str) -> None:
    with pytest.raises(SaliscopeError, match=reason) as caught:
        decode(data, encoding)
    assert caught.value.code == "bad_request"
