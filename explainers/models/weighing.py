"""How much memory a model takes: what its files say before it is loaded, and what it holds afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import torch

from saliscope.explainers.errors import LoadingFailed
from saliscope.explainers.models.finding import Source

_SIZES: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_FLOATS: Final = ("F64", "F32", "F16", "BF16")
_HEADER_BYTES: Final = 100 << 20
"""No header of a real file is as long; a longer one is damage."""


def weigh(source: Source, dtype: torch.dtype | None) -> int:
    """Bytes of the weights once they are loaded as `dtype` (None: as they are stored), without reading them."""
    if source.gguf is not None:
        return _weigh_gguf(source.folder / source.gguf, dtype)
    stored = sorted(source.folder.glob("model*.safetensors"))
    if not stored:
        return sum(path.stat().st_size for path in source.folder.glob("*.bin"))
    return sum(_weigh_tensors(read_header(path).values(), dtype) for path in stored)


def read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file: name -> {dtype, shape, data_offsets}."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= _HEADER_BYTES:
                raise ValueError(f"its header would have {length} bytes")
            header = json.loads(file.read(length))
        return {name: tensor for name, tensor in header.items() if name != "__metadata__"}
    except (OSError, ValueError, AttributeError) as error:
        raise LoadingFailed(f"{path} could not be loaded: it is no safetensors file ({error})") from error


def stored_dtype(source: Source) -> torch.dtype:
    """What most of the stored values are, among the types that models compute with; float32 for GGUF."""
    counts = {"F32": 0, "F16": 0, "BF16": 0}
    for path in [] if source.gguf else sorted(source.folder.glob("model*.safetensors")):
        for tensor in read_header(path).values():
            if tensor["dtype"] in counts:
                counts[tensor["dtype"]] += math.prod(tensor["shape"])
    most = max(counts, key=lambda name: counts[name])
    return {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[most]


def held_bytes(modules: Iterable[Any]) -> int:
    """Bytes of all parameters and buffers of modules; what they share counts once."""
    storages = {}
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            storage = tensor.untyped_storage()
            storages[storage.device, storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def _weigh_tensors(tensors: Iterable[Any], dtype: torch.dtype | None) -> int:
    total = 0
    for tensor in tensors:
        stored = tensor["dtype"]
        size = dtype.itemsize if dtype is not None and stored in _FLOATS else _SIZES.get(stored, 1)
        total += math.prod(tensor["shape"]) * size
    return total


def _weigh_gguf(path: Path, dtype: torch.dtype | None) -> int:
    """GGUF is dequantised when it is read."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
    except (OSError, ValueError) as error:
        raise LoadingFailed(f"{path} could not be loaded: it is no GGUF file ({error})") from error
    return sum(int(tensor.n_elements) for tensor in reader.tensors) * (dtype or torch.float32).itemsize
