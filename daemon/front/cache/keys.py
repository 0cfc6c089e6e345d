"""What decides an explanation, as a key."""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import msgspec

from saliscope.daemon.front import catalogue
from saliscope.protocol.parameters import Explain
from saliscope.protocol.terms import OPTIONS, PROTOCOL_VERSION

#: Fields that say how a request is run or answered, not what comes of it; text and pair are taken one by one.
_HOW: Final = frozenset({*OPTIONS, "stream", "download", "keep_alive", "text", "pair"})
_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")


class KnownModel(NamedTuple):
    """The model behind a name: its weights and configuration, and where it computes."""

    fingerprint: str
    device: str


def may_be_kept(asked: Explain) -> bool:
    """Whether the key would say everything: a head that another model lends is known by its name only."""
    return "lm_head_from" not in asked.params


class Keys:
    """Keys of this version of the code."""

    def __init__(self) -> None:
        self._stamp = [catalogue.stamp(), PROTOCOL_VERSION]

    def of(self, asked: Explain, model: KnownModel) -> list[bytes]:
        """One key for each text of a request, or for its chat."""
        plain: dict[str, Any] = msgspec.to_builtins(asked)
        same = {name: value for name, value in plain.items() if name not in _HOW}
        begun = hashlib.blake2b(_ENCODER.encode([*self._stamp, *model, same]), digest_size=24)
        texts = asked.text if isinstance(asked.text, list) else [asked.text]
        pairs = asked.pair if isinstance(asked.pair, list) else [asked.pair] * len(texts)
        if len(pairs) != len(texts):
            return []
        found = []
        for text, pair in zip(texts, pairs, strict=True):
            digest = begun.copy()
            digest.update(_ENCODER.encode([text, pair]))
            found.append(digest.digest())
        return found
