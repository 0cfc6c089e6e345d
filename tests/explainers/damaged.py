"""Checkpoints that were changed by hand, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from saliscope.explainers import load
from saliscope.explainers.errors import ExplainerError


def pickled(folder: Path, name: str = "pytorch_model.bin") -> Path:
    """The same folder with its weights pickled."""
    weights = transformers.AutoModelForSequenceClassification.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / name)
    return folder


def edit_config(folder: Path, **changes: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


def refusal(error: type[ExplainerError], name: Any, **options: Any) -> str:
    with pytest.raises(error) as caught:
        load(str(name), "cpu", **options)
    assert caught.value.code == error.code
    return caught.value.message
