"""What is heard while a request runs."""

from __future__ import annotations

import msgspec

from saliscope.protocol.frames import Notification
from saliscope.protocol.listening import listener
from saliscope.protocol.results import Generated, GeneratePartial, WrittenToken


def told(kept: tuple[int, int], text: str, *tokens: WrittenToken) -> Notification:
    new = Generated("m", text, list(tokens), "", 5, 0, 0.0)
    return Notification("generate/partial", msgspec.to_builtins(GeneratePartial(1, *kept, new)))


def token(id: int, start: int, end: int) -> WrittenToken:
    return WrittenToken(id, start, end, 0.5)


def test_what_is_new_is_put_behind_what_stays() -> None:
    heard: list[Generated] = []
    listen = listener(None, on_written=heard.append)
    # The second token is half a character; with the third one both are told anew.
    pieces = [
        told((0, 0), " a", token(1, 0, 2)),
        told((1, 2), "\ufffd", token(2, 2, 3)),
        told((1, 2), "é", token(2, 2, 2), token(3, 2, 3)),
    ]
    for piece in pieces:
        listen(piece)
    assert [one.text for one in heard] == [" a", " a\ufffd", " aé"]
    assert [one.id for one in heard[-1].tokens] == [1, 2, 3]
    assert heard[-1].tokens[1] == token(2, 2, 2)
    # A daemon that is asked again, after the first was lost, tells all of it from the start.
    for piece in pieces[:1]:
        listen(piece)
    assert (heard[-1].text, len(heard[-1].tokens), len(heard[0].tokens)) == (" a", 1, 1)
