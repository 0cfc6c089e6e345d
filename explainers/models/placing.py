"""Where a model goes, and in which numbers it computes."""

from __future__ import annotations

import torch

from saliscope.explainers.errors import BadRequest, listing
from saliscope.explainers.models.finding import Source
from saliscope.explainers.models.weighing import stored_dtype


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, had no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)


def pick_device(device: str) -> torch.device:
    """The device by name; "auto" is the first GPU, or the CPU."""
    if device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError:
        raise BadRequest(f"device {device!r} is none; use auto, cpu or cuda:N") from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise BadRequest(f"device {device!r}: torch sees no GPU here; use cpu")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise BadRequest(f"device {device!r}: torch sees {torch.cuda.device_count()} GPUs, counted from cuda:0")
    if place.type not in ("cpu", "cuda"):
        raise BadRequest(f"device {device!r} is not supported; use auto, cpu or cuda:N")
    return place


def parse_dtype(name: str, source: Source, place: torch.device) -> torch.dtype:
    """float32, float16 or bfloat16; "auto" is what is stored where the device is a GPU, else float32."""
    known = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    known["auto"] = stored_dtype(source) if name == "auto" and place.type == "cuda" else torch.float32
    if name not in known:
        raise BadRequest(f"dtype {name!r} is none of {listing(known)}")
    return known[name]
