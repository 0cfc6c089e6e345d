"""What a text and its reference have at a layer: read once for each text, however many queries move it there."""

from __future__ import annotations

from collections.abc import Hashable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from saliscope.explainers.models.nudging import embedded
from saliscope.explainers.models.references import reference
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.variants import Moved

Pair = tuple[Tensor, Tensor]


class LayerStates:
    """States of texts by layer and reference, two rows each; they are forgotten with the text."""

    def __init__(self, network: Surface, mask_id: int) -> None:
        self._network, self._mask_id = network, mask_id
        self._known: WeakKeyDictionary[Encoding, dict[Hashable, Pair]] = WeakKeyDictionary()

    def of(self, moved: Moved, encoding: Encoding) -> Pair:
        """What the text and its reference have at the layer of `moved`, `[T, K]` each; special tokens stay."""
        known = self._known.setdefault(encoding, {})
        key = moved.layer, moved.reference, moved.groups
        if key not in known:
            # Whoever comes later may want a gradient of what is made of them.
            with torch.inference_mode(False), torch.no_grad():
                known[key] = self._read(moved, encoding)
        return known[key]

    def _read(self, moved: Moved, encoding: Encoding) -> Pair:
        base = embedded(encoding, self._network)
        away_from = base.clone()
        positions = [position for group in moved.groups for position in group if not encoding.special[position]]
        away_from[positions] = reference(moved, base, self._network, self._mask_id)
        both = torch.stack([base, away_from])
        seen = torch.ones(both.shape[:2], dtype=torch.int64, device=both.device)
        types = None
        if encoding.type_ids is not None:
            types = torch.from_numpy(encoding.type_ids).to(both.device).expand(both.shape[:2])
        states = self._network.layer_states(both, seen, moved.layer, types)
        return states[0], torch.zeros_like(states[1]) if moved.reference == "zero" else states[1]
