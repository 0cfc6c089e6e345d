from __future__ import annotations

from pathlib import Path

import pytest

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live import files, read_text

TEXT = "caf\u00e9\r\n\U0001f600\rend"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_text_is_read_with_its_line_ends(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT.encode(encoding))
    assert read_text(path) == TEXT


def test_a_byte_order_mark_of_utf_8_stays_a_character(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa")
    assert read_text(path) == "\ufeffa"


def test_an_unknown_encoding_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("caf\u00e9 au lait".encode("latin-1"))
    with pytest.raises(SaliscopeError, match=r"is no UTF-8 \(the byte 0xe9 at 3\); save it as UTF-8") as raised:
        read_text(path)
    assert raised.value.code == "bad_request"


def test_what_has_no_size_and_no_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 3)
    with pytest.raises(SaliscopeError, match="has more than 3 bytes") as raised:
        read_text(Path("/dev/zero"))
    assert raised.value.code == "too_large"


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SaliscopeError, match="No such file"):
        read_text(tmp_path / "a.txt")
    monkeypatch.setattr(files, "MOST_BYTES", 3)
    (tmp_path / "a.txt").write_text("four")
    with pytest.raises(SaliscopeError, match="has 4 bytes; the limit is 3") as raised:
        read_text(tmp_path / "a.txt")
    assert raised.value.code == "too_large"
