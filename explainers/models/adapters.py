"""LoRA adapters: a peft folder, merged into the weights of the model that it was trained for."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from saliscope.explainers.errors import ExplainerError, LoadingFailed, first_line

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"


def check_adapter(folder: Path) -> None:
    """Refuse a folder that is no adapter, one with pickled weights only, and any where peft is not installed."""
    if not (folder / CONFIG).is_file():
        raise LoadingFailed(f"adapter: {folder} has no {CONFIG}; give the folder that peft's save_pretrained wrote")
    if not (folder / WEIGHTS).is_file():
        raise LoadingFailed(
            f"adapter: {folder} has no {WEIGHTS}; pickled adapters are not read: save it again as safetensors"
        )
    if find_spec("peft") is None:
        raise LoadingFailed("adapter: LoRA needs peft; run `pip install 'saliscope[lora]'`")


def merge_adapter(model: Any, folder: Path) -> Any:
    """The model with an adapter merged into its weights; afterwards nothing of peft is left in it."""
    from peft import PeftConfig, PeftModel

    try:
        if str(PeftConfig.from_pretrained(str(folder)).peft_type).rpartition(".")[2].upper() != "LORA":
            raise LoadingFailed(f"adapter: {folder} is no LoRA adapter, and only those can be merged")
        before = {name: tensor.data_ptr() for name, tensor in model.named_parameters()}
        merged = PeftModel.from_pretrained(model, str(folder), is_trainable=False).merge_and_unload(safe_merge=True)
    except ExplainerError:
        raise
    except Exception as error:  # an adapter of another model breaks its reader in any way
        raise LoadingFailed(f"adapter: {folder} does not fit this model: {first_line(error)}") from error
    if before.keys() != {name for name, _ in merged.named_parameters()}:
        raise LoadingFailed(f"adapter: {folder} could not be merged completely")
    return merged


def adapter_digest(folder: Path) -> str:
    """A short digest of an adapter's weights and settings."""
    digest = hashlib.blake2b(digest_size=8)
    for name in (CONFIG, WEIGHTS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
